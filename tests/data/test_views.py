import numpy as np
import pytest
import torch

from stackgan.data.cub import read_cub
from stackgan.data.store import build_store
from stackgan.data.views import real_images, sample_captions


@pytest.fixture
def store(make_cub, tmp_path):
    store = build_store(read_cub(make_cub((1, 4, 2, 3, 10), 5)), tmp_path / "cache", 19)
    store.images = np.random.default_rng(0).integers(0, 256, store.images.shape, dtype=np.uint8)
    return store


def test_real_images_are_the_splits_centres_in_order(store):
    chunks = list(real_images(store, "test", 16, chunk=4))
    assert [len(c) for c in chunks] == [4, 4, 2]
    assert all(c.is_contiguous(memory_format=torch.channels_last) and c.dtype == torch.uint8 for c in chunks)
    expected = store.images[store.indices("test"), 1:17, 1:17]
    np.testing.assert_array_equal(torch.cat(chunks).permute(0, 2, 3, 1).numpy(), expected)


def test_a_limit_spreads_over_the_split(store):
    images = torch.cat(list(real_images(store, "test", 19, limit=2)))
    np.testing.assert_array_equal(images.permute(0, 2, 3, 1).numpy(), store.images[store.indices("test")[[0, 5]]])


def test_sample_captions_are_fixed_and_spread_over_classes(store):
    captions = sample_captions(store, "test", 6)
    assert captions == sample_captions(store, "test", 6)
    assert captions[:4] == sample_captions(store, "test", 4)
    assert [c.class_id for c in captions].count(1) == [c.class_id for c in captions].count(4) == 3
    assert len({c.row for c in captions}) == 6
    for c in captions:
        assert c.text == store.captions[c.row][c.caption] and store.class_ids[c.row] == c.class_id
        assert c.row in store.indices("test")
    assert captions != sample_captions(store, "test", 6, seed=1)


def test_more_captions_than_pictures_are_other_captions(store):
    captions = sample_captions(store, "validation", 10)  # five pictures with two captions each
    assert len({(c.row, c.caption) for c in captions}) == 10


def test_without_classes_pictures_come_in_turn(store):
    store.class_ids = np.full(len(store), -1)
    captions = sample_captions(store, "train", 10)
    assert len({c.row for c in captions}) == 10
