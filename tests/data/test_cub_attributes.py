import numpy as np
import pytest

from stackgan.data.cub_attributes import read_attributes
from stackgan.errors import UserError

NAMES = ["has_wing_color::blue", "has_wing_color::red", "has_size::small"]


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "CUB_200_2011"
    (root / "attributes").mkdir(parents=True)
    (tmp_path / "attributes.txt").write_text("".join(f"{i} {n}\n" for i, n in enumerate(NAMES, start=1)))
    return root


def labels(root, text):
    (root / "attributes" / "image_attribute_labels.txt").write_text(text)


def test_an_attribute_counts_when_present_and_at_least_probable(root):
    labels(root, "7 1 1 3 2.5\n7 2 1 2 2.5\n7 3 0 4 2.5\n9 1 0 1 0.1\n9 2 1 4 0.1\n9 3 1 1 0.1\n")
    attributes = read_attributes(root, [7, 9], [1, 1])
    assert attributes.values.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert attributes.names == tuple(NAMES) and attributes.notes == ()
    assert attributes.values.dtype == np.float32


def test_malformed_rows_of_the_official_file_are_read_by_their_first_columns(root):
    # extra columns, a blank line, a truncated row, rows of pictures and attributes that are not asked for, no final newline
    labels(root, "1 1 1 4 0 7.25\n\n1 2 1\r\n5 2 1 4 1.0\n2 9 1 4 1.0\n2 2 1 3 0 0 1.5\nx y z w v\n2 3 1 4")
    assert read_attributes(root, [1, 2], [1, 1]).values.tolist() == [[1, 0, 0], [0, 1, 1]]


def test_many_rows_agree_with_a_slow_reading(root, monkeypatch):
    monkeypatch.setattr("stackgan.data.cub_attributes._BLOCK", 1000)  # several blocks, cut at any byte
    rng = np.random.default_rng(0)
    rows = [(i, a, int(rng.integers(2)), int(rng.integers(1, 5))) for i in range(1, 401) for a in (1, 2, 3)]
    labels(root, "".join(f"{i} {a} {p} {c} {i / 7:.3f}\n" for i, a, p, c in rows))
    ids = list(rng.permutation(400) + 1)
    wanted = {(i, a): float(p == 1 and c >= 3) for i, a, p, c in rows}
    expected = [[wanted[int(i), a] for a in (1, 2, 3)] for i in ids]
    assert read_attributes(root, ids, [1] * 400).values.tolist() == expected


def test_without_picture_labels_the_class_shares_are_taken_and_it_is_said(root):
    (root / "attributes" / "class_attribute_labels_continuous.txt").write_text("0.0 50.0 100.0\n25.0 0.0 1.0\n")
    attributes = read_attributes(root, [1, 2, 3], [2, 1, 2])
    np.testing.assert_allclose(attributes.values, [[0.25, 0, 0.01], [0, 0.5, 1.0], [0.25, 0, 0.01]], atol=1e-7)
    assert "image_attribute_labels.txt" in attributes.notes[0]


def test_class_shares_of_too_few_classes_are_the_users_error(root):
    (root / "attributes" / "class_attribute_labels_continuous.txt").write_text("0.0 50.0 100.0\n")
    with pytest.raises(UserError, match="1 x 3"):
        read_attributes(root, [1], [2])


def test_without_any_attribute_file_there_are_none_and_it_is_said(root):
    assert read_attributes(root, [1], [1]).values is None
    (root.parent / "attributes.txt").unlink()
    attributes = read_attributes(root, [1], [1])
    assert attributes.values is None and attributes.names == () and "attributes.txt" in attributes.notes[0]
