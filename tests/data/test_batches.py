"""Pictures carry their row in the first channel and the pixel's place in the others: a batch tells where it is from."""

import dataclasses
import hashlib
import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stackgan.data.batches import Batch, BatchStream
from stackgan.data.cub import read_cub
from stackgan.data.store import ImageStore, build_store
from stackgan.errors import UserError
from stackgan.text.table import EmbeddingTable

SIDE, SIZE, PER_CLASS = 19, 16, 6
CLASSES = (1, 2, 3, 5, 7, 10)
TENSORS = [field.name for field in dataclasses.fields(Batch) if field.name != "part"]


@pytest.fixture
def store(make_cub, tmp_path):
    store = build_store(read_cub(make_cub(CLASSES, PER_CLASS), split="class"), tmp_path / "cache", SIDE)
    images = np.empty(store.images.shape, dtype=np.uint8)
    images[..., 0] = np.arange(len(store))[:, None, None]
    images[..., 1] = np.arange(SIDE)[:, None]  # y
    images[..., 2] = np.arange(SIDE)  # x
    store.images = images
    return store


@pytest.fixture
def table(store):
    """Vector of caption j of row i: (i, j, i * j); rows have one to four captions."""
    counts = [1 + i % 4 for i in range(len(store))]
    vectors = [(i, j, i * j) for i, count in enumerate(counts) for j in range(count)]
    return EmbeddingTable(np.array(vectors, np.float32), np.cumsum([0, *counts]), 3, "e", "test")


@pytest.fixture
def stream(store, table):
    def make(**changes):
        arguments = {"image_size": SIZE, "batch_size": 8, "seed": 3, "steps": 10, **changes}
        return BatchStream(store, table, **arguments)

    return make


def rows_of(images):
    return images[:, 0, 0, 0].tolist()


def same(a, b):
    pairs = [(getattr(a, f), getattr(b, f)) for f in TENSORS]
    return all((x is None and y is None) or torch.equal(x, y) for x, y in pairs)


def test_shapes_types_and_memory_layout(stream):
    batch = stream(mismatch="image").batch(0)
    assert batch.images.shape == batch.wrong_images.shape == (8, 3, SIZE, SIZE)
    assert batch.images.dtype == torch.uint8 and batch.indices.dtype == torch.int64
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert batch.wrong_images.is_contiguous(memory_format=torch.channels_last)
    assert batch.text.shape == (8, 3) and batch.text.dtype == torch.float32
    assert batch.wrong_text is None and batch.wrong_valid.dtype == torch.bool
    assert stream().batch(0).wrong_images is None and stream().batch(0).wrong_text.shape == (8, 1, 3)


def test_images_and_text_belong_to_the_rows(stream, store, table):
    for step in range(20):
        batch = stream().batch(step)
        assert rows_of(batch.images) == batch.indices.tolist() == batch.text[:, 0].int().tolist()
        assert set(batch.indices.tolist()) <= set(store.indices("train").tolist())
        assert (batch.text[:, 1].numpy() < table.counts()[batch.indices.numpy()]).all()


def test_each_pass_shows_every_picture_once_in_its_own_order(stream, store):
    train = store.indices("train").tolist()
    seen = torch.cat([b.indices for b in stream(steps=100, batch_size=7)]).tolist()
    passes = [seen[i : i + len(train)] for i in range(0, len(seen) - len(train), len(train))]
    assert all(sorted(one) == train for one in passes)
    assert len({tuple(one) for one in passes}) == len(passes) > 20


def test_batch_may_be_larger_than_the_split(stream, store):
    train = store.indices("train").tolist()
    indices = stream(batch_size=3 * len(train)).batch(1).indices.tolist()
    assert Counter(indices) == {i: 3 for i in train}


@pytest.mark.parametrize("mismatch", ["image", "text"])
@pytest.mark.parametrize("captions", [1, 3])
def test_ranks_share_the_one_global_batch(stream, mismatch, captions):
    how = {"mismatch": mismatch, "captions_per_image": captions}
    for step in range(5):
        whole = stream(**how).batch(step)
        parts = [stream(**how, rank=r, world_size=4).batch(step) for r in range(4)]
        for field in TENSORS:
            if getattr(whole, field) is not None:
                assert torch.equal(torch.cat([getattr(p, field) for p in parts]), getattr(whole, field)), field


@pytest.mark.parametrize("mismatch", ["image", "text"])
def test_parts_of_a_batch_are_the_batch(stream, mismatch):
    batch = stream(mismatch=mismatch, wrong_texts=1).batch(0)
    parts = batch.split(4)
    assert [part.part for part in parts] == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)]
    for name in TENSORS:
        whole, pieces = getattr(batch, name), [getattr(part, name) for part in parts]
        assert all(piece is None for piece in pieces) if whole is None else torch.equal(torch.cat(pieces), whole)
    assert batch.split(1)[0] is batch
    with pytest.raises(ValueError, match="8 pictures cannot be split into 3"):
        batch.split(3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="page-locked memory needs a CUDA device")
def test_a_loader_pins_every_tensor(stream):
    batch = next(iter(DataLoader(stream(), batch_size=None, pin_memory=True)))
    tensors = [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) >= 4 and all(tensor.is_pinned() for tensor in tensors)


def test_batches_depend_on_seed_and_step_alone(stream):
    straight = list(stream(steps=12))
    resumed = list(stream(steps=12, start=7))
    assert len(straight) == 12 and len(resumed) == len(stream(steps=12, start=7)) == 5
    assert all(same(a, b) for a, b in zip(straight[7:], resumed, strict=True))
    assert not same(stream(seed=4).batch(0), straight[0])
    finished = stream(steps=5, start=7)
    assert len(finished) == len(list(finished)) == 0


def test_loader_workers_keep_the_order(stream):
    own = stream(steps=7, start=2)
    loader = DataLoader(own, batch_size=None, num_workers=2, multiprocessing_context="fork")
    assert all(same(a, b) for a, b in zip(loader, own, strict=True))


def test_a_stream_can_be_sent_to_another_process(store, table):
    plain = ImageStore.open(store.directory)  # a store travels as its path
    stream = BatchStream(plain, table, image_size=SIZE, batch_size=8, seed=3, steps=7)
    expected = stream.batch(5)
    assert same(pickle.loads(pickle.dumps(stream)).batch(5), expected)


def test_crops_and_flips_cover_what_they_may_and_nothing_else(stream):
    corners, flips = Counter(), 0
    for batch in stream(steps=150):
        for image in batch.images.numpy():
            ys, xs = image[1, :, 0].astype(int), image[2, 0].astype(int)
            mirrored = xs[0] > xs[-1]
            flips += mirrored
            xs = xs[::-1] if mirrored else xs
            assert (np.diff(ys) == 1).all() and (np.diff(xs) == 1).all()
            assert (image[0] == image[0, 0, 0]).all()
            corners[ys[0], xs[0]] += 1
    assert set(corners) == {(y, x) for y in range(4) for x in range(4)}
    assert min(corners.values()) > 1200 / 16 / 2
    assert 500 < flips < 700


def test_half_of_the_pictures_are_mirrored(stream):
    images = stream(image_size=2, batch_size=40_000).batch(0).images
    mirrored = int((images[:, 2, 0, 0] > images[:, 2, 0, 1]).sum())
    assert abs(mirrored - 20_000) < 400  # four standard deviations of 40,000 fair draws


def test_without_crop_and_flip_it_is_the_centre(stream):
    for image in stream(crop=False, flip=False).batch(0).images.numpy():
        assert image[1:, 0, 0].tolist() == [1, 1] and image[1:, -1, -1].tolist() == [16, 16]


def test_wrong_images_are_of_another_class(stream, store):
    for batch in stream(mismatch="image", steps=40):
        own, other = store.class_ids[batch.indices], store.class_ids[rows_of(batch.wrong_images)]
        assert (own != other).all() and batch.wrong_valid.all()
        assert set(rows_of(batch.wrong_images)) <= set(store.indices("train").tolist())


def test_wrong_text_is_a_caption_of_another_class(stream, store, table):
    for batch in stream(mismatch="text", steps=40):
        rows, captions = batch.wrong_text[:, 0, 0].int().numpy(), batch.wrong_text[:, 0, 1].numpy()
        assert (store.class_ids[batch.indices] != store.class_ids[rows]).all() and batch.wrong_valid.all()
        assert (captions < table.counts()[rows]).all()


def test_which_caption_is_the_wrong_one_does_not_follow_from_the_right_one(stream, table):
    places = Counter()
    for batch in stream(mismatch="text", steps=300):
        wrong = batch.wrong_text[:, 0]
        of_four = [table.counts()[batch.indices] == 4, table.counts()[wrong[:, 0].int()] == 4]
        both = torch.from_numpy(np.logical_and(*of_four))
        places.update(zip(batch.text[both, 1].tolist(), wrong[both, 1].tolist(), strict=True))
    assert len(places) == 16


@pytest.mark.parametrize("captions", [1, 3])
def test_several_wrong_texts_are_draws_of_their_own(stream, store, captions):
    batches = list(stream(wrong_texts=4, captions_per_image=captions, steps=10))
    wrong = torch.cat([batch.wrong_text for batch in batches])  # [80, 4, 3]
    own = torch.cat([batch.indices for batch in batches])
    rows = wrong[:, :, 0].round().int()
    assert wrong.shape == (80, 4, 3)
    assert (store.class_ids[own.numpy()][:, None] != store.class_ids[rows.numpy()]).all()
    assert all((rows[:, i] != rows[:, j]).any() for i in range(4) for j in range(i))


def test_the_number_of_wrong_texts_changes_nothing_else(stream):
    one, four = stream().batch(3), stream(wrong_texts=4).batch(3)
    assert torch.equal(one.images, four.images) and torch.equal(one.text, four.text)


def test_one_class_has_no_wrong_pairs(store, table):
    store.class_ids = np.full(len(store), 2)
    batch = BatchStream(store, table, image_size=SIZE, batch_size=8, seed=0, steps=1).batch(0)
    assert not batch.wrong_valid.any()


def test_without_classes_the_wrong_picture_is_another_picture(store, table):
    store.class_ids = np.full(len(store), -1)
    stream = BatchStream(store, table, image_size=SIZE, batch_size=8, seed=0, steps=30, mismatch="image")
    for batch in stream:
        assert (torch.tensor(rows_of(batch.wrong_images)) != batch.indices).all() and batch.wrong_valid.all()


def test_a_caption_is_each_of_a_pictures_equally_often(stream, store, table):
    four = [i for i in store.indices("train").tolist() if table.counts()[i] == 4]
    counts = Counter()
    for batch in stream(steps=300):
        counts.update(int(j) for i, j in batch.text[:, :2].tolist() if i in four)
    assert set(counts) == {0, 1, 2, 3}
    assert min(counts.values()) > 0.7 * max(counts.values())


def test_several_captions_are_averaged_without_repeats(stream, table):
    for batch in stream(captions_per_image=3, steps=30):
        for row, vector in zip(batch.indices.tolist(), batch.text.tolist(), strict=True):
            count = int(table.counts()[row])
            possible = {
                1: [0.0],
                2: [0.5],
                3: [1.0],
                4: [1.0, 4 / 3, 5 / 3, 2.0],  # three of 0, 1, 2, 3
            }[count]
            assert vector[0] == pytest.approx(row)
            assert any(vector[1] == pytest.approx(mean) for mean in possible)
            assert vector[2] == pytest.approx(row * vector[1], rel=1e-5)


def test_more_captions_than_there_are_means_all(stream, table):
    batch = stream(captions_per_image=10).batch(0)
    expected = [(table.counts()[row] - 1) / 2 for row in batch.indices.tolist()]
    assert batch.text[:, 1].tolist() == pytest.approx(expected)


def test_a_choice_for_the_text_changes_no_picture(stream):
    one, mean = stream().batch(3), stream(captions_per_image=3, mismatch="image").batch(3)
    assert torch.equal(one.images, mean.images)


def test_what_cannot_be_streamed(stream, store, table):
    with pytest.raises(UserError, match="larger than the store's 19"):
        stream(image_size=20)
    with pytest.raises(UserError, match="multiple of the 3"):
        stream(world_size=3)
    short = EmbeddingTable(table.vectors, table.starts[:3], 3, "e", "t")
    with pytest.raises(ValueError, match="the table is of"):
        BatchStream(store, short, image_size=4, batch_size=1, seed=0, steps=1)
    store._indices = {**store._indices, "validation": np.array([], dtype=np.int64)}
    with pytest.raises(UserError, match="validation split of cub is empty"):
        stream(split="validation")


def test_the_draws_of_a_seed_are_the_same_for_ever(stream):
    """A changed draw makes earlier runs irreproducible: change this number only with a new format of checkpoints."""
    batch = stream(mismatch="image").batch(2)
    tensors = (batch.indices, batch.images, batch.wrong_images, batch.text)
    data = b"".join(t.contiguous().numpy().tobytes() for t in tensors)
    assert hashlib.sha256(data).hexdigest()[:16] == "c6fb4654cc42ac9b"
