import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackgan.data.mismatch import Mismatcher


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=30), st.floats(0, 1, exclude_max=True, allow_subnormal=False))
def test_a_partner_is_never_of_the_same_class(class_ids, uniform):
    ids = np.array(class_ids)
    rows = np.arange(len(ids))
    partners, valid = Mismatcher(ids).draw(rows, np.full(len(ids), uniform))
    for row, partner, there in zip(rows, partners, valid, strict=True):
        others = [j for j in rows if j != row and (ids[row] < 0 or ids[j] != ids[row])]
        assert there == bool(others)
        assert partner in others if others else partner == row


def test_every_partner_is_equally_likely():
    ids = np.array([3, 1, 3, 2, 1, 7])
    uniforms = (np.arange(400) + 0.5) / 400
    for row, others in enumerate([[1, 3, 4, 5], [0, 2, 3, 5]]):
        partners, _ = Mismatcher(ids).draw(np.full(400, row), uniforms)
        assert np.unique(partners, return_counts=True)[0].tolist() == others
        assert np.unique(partners, return_counts=True)[1].tolist() == [100] * 4


@pytest.mark.parametrize("ids", [[5, 5, 5], [-1]])
def test_where_there_is_none_it_is_said(ids):
    partners, valid = Mismatcher(np.array(ids)).draw(np.arange(len(ids)), np.full(len(ids), 0.9))
    assert not valid.any() and partners.tolist() == list(range(len(ids)))
