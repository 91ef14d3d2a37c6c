"""The nearest training picture by cosine distance."""

import pytest
import torch
import torch.nn.functional as F

from stackgan.evaluation.nearest_neighbours import nearest_distances


def test_directions_decide_and_lengths_do_not():
    references = torch.tensor([[1.0, 0.0], [0.0, 5.0], [-1.0, 0.0]])
    distances, indices = nearest_distances(torch.tensor([[2.0, 0.0], [3.0, 3.0001], [-2.0, -2.0]]), references)
    assert indices.tolist() == [0, 1, 2]
    assert distances.tolist() == pytest.approx([0, 1 - 0.5**0.5, 1 - 0.5**0.5], abs=1e-4)
    assert nearest_distances(references[:1], references[2:])[0].item() == pytest.approx(2)


def test_it_is_the_least_over_all_pairs_over_several_chunks():
    draws = torch.Generator().manual_seed(0)
    queries, references = torch.randn(1100, 16, generator=draws), torch.randn(300, 16, generator=draws)
    everything = 1 - F.cosine_similarity(queries.double()[:, None], references.double()[None], dim=2)
    distances, indices = nearest_distances(queries, references)
    torch.testing.assert_close(distances, everything.amin(1), rtol=1e-9, atol=1e-12)
    assert torch.equal(indices, everything.argmin(1))


def test_a_copy_is_at_zero_and_a_near_copy_is_not():
    references = torch.rand(20, 256, generator=torch.Generator().manual_seed(0)) + 10
    queries = references[[7, 3]].clone()
    queries[1, 0] += 1e-3
    distances, indices = nearest_distances(queries, references)
    assert indices.tolist() == [7, 3] and distances[0] == 0 and 0 < distances[1] < 1e-9


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        (torch.zeros(2, 3), "queries: a feature vector of zeros"),
        (torch.ones(0, 3), "queries: 0 pictures"),
        (torch.ones(2, 4), "different widths"),
        (torch.full((2, 3), torch.nan), "NaN"),
    ],
)
def test_what_has_no_direction_is_refused(queries, message):
    with pytest.raises(ValueError, match=message):
        nearest_distances(queries, torch.ones(5, 3))
