import pickle

import numpy as np
import pytest

from stackgan.errors import UserError
from stackgan.text import array_pickle
from stackgan.text.precomputed import EMBEDDINGS, precomputed_table


def release(root, split, names, arrays, protocol=2):
    (root / split).mkdir(parents=True, exist_ok=True)
    (root / split / "filenames.pickle").write_bytes(pickle.dumps(names, protocol))
    (root / split / EMBEDDINGS).write_bytes(pickle.dumps(arrays, protocol))


def vectors(seed, count=10, dim=6):
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


@pytest.fixture
def store(make_store):
    return make_store([["x"]] * 3, names=["1.A/a_1.png", "2.B/b.c_2.png", "1.A/a_3.png"])


def test_vectors_are_found_by_name_in_both_splits(store, tmp_path):
    a1, b2, a3 = vectors(1), vectors(2, 9), vectors(3)
    release(tmp_path, "train", ["2.B/b.c_2", "9.Z/elsewhere"], [b2, vectors(9)])
    release(tmp_path, "test", ["1.A/a_3", "1.A/a_1"], np.stack([a3, a1]))  # one array [N, 10, dim] will do as well
    table = precomputed_table(store, tmp_path, tmp_path / "cache")
    np.testing.assert_array_equal(table.vectors, np.concatenate([a1, b2, a3]))
    assert table.starts.tolist() == [0, 10, 19, 29] and table.dim == 6 and table.encoder_name == "precomputed"
    assert isinstance(table.vectors, np.memmap)


def test_the_pickles_are_read_once(store, tmp_path, monkeypatch):
    release(tmp_path, "train", ["1.A/a_1", "2.B/b.c_2", "1.A/a_3"], [vectors(i) for i in range(3)])
    first = precomputed_table(store, tmp_path, tmp_path / "cache")
    monkeypatch.setattr(array_pickle, "load", lambda path: pytest.fail("read again"))
    second = precomputed_table(store, tmp_path, tmp_path / "cache")
    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert first.encoder == second.encoder


def test_a_folder_of_its_own_without_splits(store, tmp_path):
    release(tmp_path, ".", ["1.A/a_1", "2.B/b.c_2", "1.A/a_3"], [vectors(i) for i in range(3)])
    assert len(precomputed_table(store, tmp_path, tmp_path / "cache").vectors) == 30


@pytest.mark.parametrize(
    ("names", "arrays", "message"),
    [
        (["1.A/a_1"], [vectors(0)], r"2 of the store's 3 pictures have no vectors \(first: 2.B/b.c_2\)"),
        (["1.A/a_1", "x"], [vectors(0)], "2 names, but vectors of 1 pictures"),
        (["1.A/a_1", "2.B/b.c_2", "1.A/a_3"], [vectors(0), vectors(1), vectors(2, 10, 7)], "differ in length"),
        (["1.A/a_1"], [vectors(0) * np.nan], "finite"),
        (["1.A/a_1"], [vectors(0)[0]], "captions, dim"),
        ([1], [vectors(0)], "not a list of names"),
    ],
)
def test_what_does_not_fit_is_the_users_error(store, tmp_path, names, arrays, message):
    release(tmp_path, "train", names, arrays)
    with pytest.raises(UserError, match=message):
        precomputed_table(store, tmp_path, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_an_empty_folder_is_the_users_error(store, tmp_path):
    with pytest.raises(UserError, match="holds no train/"):
        precomputed_table(store, tmp_path, tmp_path / "cache")


def test_real_file_names_find_the_stores_pictures(cub_metadata, make_store, tmp_path):
    """The release's own order with made vectors: each picture gets the row of its name."""
    released = {s: array_pickle.load(cub_metadata / "reed_split" / s / "filenames.pickle") for s in ("train", "test")}
    value = {name: i for i, name in enumerate(released["train"] + released["test"])}
    for split, names in released.items():
        release(tmp_path, split, names, [np.full((1, 2), value[name], np.float32) for name in names])
    chosen = [released["test"][5], released["train"][7000], released["train"][1]]
    store = make_store([["x"]] * 3, names=[f"{name}.jpg" for name in chosen])
    table = precomputed_table(store, tmp_path, tmp_path / "cache")
    assert table.vectors[:, 0].tolist() == [value[name] for name in chosen]
