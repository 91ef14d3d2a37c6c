"""Passes over pictures: the same whatever carries them out and whenever it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import extraction_job
import pytest
import torch
from extraction_job import COUNT, MeanColours, generated, read
from PIL import Image

from stackgan.errors import UserError
from stackgan.evaluation.extraction import PictureReader, Workers, extract
from stackgan.evaluation.feature_store import CHUNK, FeatureStore, content_key
from stackgan.evaluation.inception_score import inception_score_of
from stackgan.evaluation.kernel_distance import kernel_distance_of
from stackgan.evaluation.picture_files import list_images
from stackgan.evaluation.subjects import FolderPictures
from support import slow


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return read(tmp_path_factory.mktemp("undisturbed"))


def assert_same(store, other):
    """The same features but for pixels that rounding moved by one, and the same scores."""
    a, b = store.read("features"), other.read("features")
    assert len(a) == COUNT
    torch.testing.assert_close(a, b, rtol=0, atol=1 / 255)
    assert (a != b).float().mean() < 0.01
    scores = [
        (*inception_score_of(said.read("logits")), *kernel_distance_of(features[:500], features[500:], subset_size=400))
        for said, features in ((store, a), (other, b))
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6, abs=1e-8)
    assert scores[0][0] > 1.01
    torch.testing.assert_close(store.read("frames"), other.read("frames"), rtol=0, atol=0)


@pytest.mark.parametrize(("devices", "batch_size"), [(1, 7), (1, 64), (2, 50)])
def test_neither_devices_nor_batches_matter(tmp_path, undisturbed, devices, batch_size):
    assert_same(read(tmp_path, devices, batch_size), undisturbed)


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers through Linux's /proc")
@pytest.mark.parametrize("devices", [1, slow(2)])
def test_a_pass_killed_with_sigkill_goes_on_from_its_chunks(tmp_path, undisturbed, devices):
    job = subprocess.Popen([sys.executable, extraction_job.__file__, str(tmp_path), str(devices), "0.1"])
    wait_for(lambda: list(tmp_path.glob("features/*/*.safetensors")))
    job.send_signal(signal.SIGKILL)
    job.wait()
    folder = next(tmp_path.glob("features/*"))
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    assert 0 < len(before) < len(undisturbed.chunks)
    store = read(tmp_path, devices)
    assert store.folder == folder
    assert_same(store, undisturbed)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())  # not made again


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers through Linux's /proc")
def test_a_killed_worker_ends_the_pass_with_an_error_and_a_second_start_completes_it(tmp_path, undisturbed):
    job = subprocess.Popen(
        [sys.executable, extraction_job.__file__, str(tmp_path), "2", "0.1"], stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: list(tmp_path.glob("features/*/*.safetensors")))
    worker = next(pid for pid in children(job.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(worker, signal.SIGKILL)
    _, told = job.communicate(timeout=120)
    assert job.returncode != 0 and "exit code -9" in told
    assert_same(read(tmp_path), undisturbed)


def test_a_finished_pass_is_not_made_again(tmp_path, monkeypatch):
    read(tmp_path, count=20)
    monkeypatch.setattr(MeanColours, "pooled", lambda self, images: pytest.fail("looked again"))
    assert len(read(tmp_path, count=20).read("features")) == 20


def test_a_damaged_chunk_is_read_again(tmp_path):
    store = read(tmp_path, count=300)
    expected = store.read("features")
    path = sorted(store.folder.glob("*.safetensors"))[1]
    path.write_bytes(path.read_bytes()[:-5])
    assert store.missing() == [1]
    assert torch.equal(read(tmp_path, count=300).read("features"), expected)


def test_another_seed_generator_text_or_network_has_another_folder():
    base, reader = generated(10), PictureReader(MeanColours())
    keys = {content_key({"subject": s.identity(), "reader": r.identity()})
            for s in (base, generated(10, seed=1), generated(11)) for r in (reader, PictureReader(MeanColours(), frames=True))}  # fmt: skip
    assert len(keys) == 6
    with torch.no_grad():
        next(base.sampler.parameters()).add_(1e-3)
    assert base.identity() != generated(10).identity()


def test_chunks_cover_all_pictures_once(tmp_path):
    for count in (1, CHUNK, CHUNK + 1, 3 * CHUNK - 1):
        store = FeatureStore(tmp_path, count)
        assert [i for chunk in store.chunks for i in store.pictures(chunk)] == list(range(count))


def write_pictures(folder, count, frame=0, side=32):
    torch.manual_seed(1)
    for i in range(count):
        picture = torch.randint(60, 200, (side, side, 3), dtype=torch.uint8)
        if frame and i % 2:
            picture[:frame], picture[-frame:], picture[:, :frame], picture[:, -frame:] = 255, 255, 255, 255
        Image.fromarray(picture.numpy()).save(folder / f"{i:03d}.png")


def test_framed_pictures_are_looked_at_with_and_without_their_frame(tmp_path):
    write_pictures(tmp_path, 9, frame=3)
    store = extract(
        FolderPictures(tmp_path, list_images(tmp_path).files),
        PictureReader(MeanColours(), frames=True),
        tmp_path / "c",
        Workers(1, 4),
        "t",
    )
    frames = store.read("frames")
    assert frames.any(dim=1).tolist() == [i % 2 == 1 for i in range(9)]
    features, inside = store.read("features"), store.read_parts("inner/features")
    assert inside.shape == (4, 48)
    assert (features[1::2].mean(1) - inside.mean(1) > 0.05).all()  # the white is gone


def test_pictures_of_several_sizes_are_read_in_order_and_a_broken_one_is_named(tmp_path):
    write_pictures(tmp_path, 5)
    Image.new("RGB", (50, 40), (255, 0, 0)).save(tmp_path / "002.png")
    store = extract(
        FolderPictures(tmp_path, list_images(tmp_path).files),
        PictureReader(MeanColours()),
        tmp_path / "c",
        Workers(1, 4),
        "t",
    )
    features = store.read("features")
    assert features[2, :16].tolist() == [1.0] * 16 and (features[[0, 1, 3, 4], :16] < 0.9).all()
    (tmp_path / "004.png").write_bytes(b"no picture")
    for devices in (1, 2):
        with pytest.raises(UserError, match=r"004\.png"):
            extract(
                FolderPictures(tmp_path, list_images(tmp_path).files),
                PictureReader(MeanColours()),
                tmp_path / "d",
                Workers(devices),
                "t",
            )
