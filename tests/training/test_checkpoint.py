"""The checkpoint file: whole or not there, checked when read, never run."""

import os
import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from stackgan.errors import UserError
from stackgan.health.monitor import keep_as_healthy
from stackgan.training.checkpoint import (
    FORMAT,
    HEALTHY,
    KEYS,
    LAST,
    PREVIOUS,
    newest_checkpoint,
    other_precision,
    random_state,
    read_checkpoint,
    refuse_other_run,
    set_random_state,
    write_checkpoint,
)
from training_support import same

CPU = torch.device("cpu")


def checkpoint(images: int, **changes: object) -> dict:
    """A small one with every key."""
    weights = torch.Generator().manual_seed(images)
    values: dict = {key: {} for key in KEYS} | {
        "format": FORMAT,
        "module": {"weight": torch.randn(40, 5, generator=weights)},
        "optimizers": [{"state": {0: {"step": torch.tensor(3.0)}}}],
        "images_seen": images,
        "step_count": images // 8,
        "ranks": [{"random": random_state(CPU)}],
        "identity": {"loss": {"name": "bce", "clip": None}, "seed": 0},
    }
    return values | changes


def test_the_last_two_are_kept_and_the_newest_is_found(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    for images in (8, 16, 24):
        write_checkpoint(tmp_path, checkpoint(images))
    assert sorted(path.name for path in tmp_path.iterdir()) == [LAST, PREVIOUS]
    found = newest_checkpoint(tmp_path)
    assert same(found.checkpoint, checkpoint(24) | {"ranks": found.checkpoint["ranks"]})
    assert (found.path.name, found.notes) == (LAST, ())
    assert read_checkpoint(tmp_path / PREVIOUS)["images_seen"] == 16
    assert newest_checkpoint(tmp_path, lambda c: c["images_seen"] < 20).checkpoint["images_seen"] == 16
    assert newest_checkpoint(tmp_path, lambda c: c["images_seen"] < 9) is None


def test_one_that_is_not_worth_keeping_is_replaced(tmp_path):
    for images in (8, 16):
        write_checkpoint(tmp_path, checkpoint(images))
    write_checkpoint(tmp_path, checkpoint(12), keep=False)
    assert [read_checkpoint(tmp_path / name)["images_seen"] for name in (LAST, PREVIOUS)] == [12, 8]


def test_no_changed_byte_goes_unnoticed(tmp_path):
    write_checkpoint(tmp_path, checkpoint(8))
    whole, wanted = (tmp_path / LAST).read_bytes(), read_checkpoint(tmp_path / LAST)
    rng, noticed = random.Random(0), 0
    for _ in range(150):
        place = rng.randrange(len(whole))
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.randrange(8)
        (tmp_path / LAST).write_bytes(changed)
        try:
            assert same(read_checkpoint(tmp_path / LAST), wanted), place  # padding between the parts holds nothing
        except UserError as error:
            noticed += 1
            assert "\n" not in str(error)
    assert noticed > 50


@pytest.mark.parametrize("length", [0, 1, 100, -1, -30, -2000])
def test_a_file_that_was_cut_off_falls_back_to_the_one_before(tmp_path, length):
    for images in (8, 16):
        write_checkpoint(tmp_path, checkpoint(images))
    whole = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(whole[:length])
    found = newest_checkpoint(tmp_path)
    assert (found.path.name, found.checkpoint["images_seen"]) == (PREVIOUS, 8)
    assert LAST in found.notes[0]


def test_the_kept_healthy_one_is_taken_only_where_the_last_two_cannot_be(tmp_path):
    write_checkpoint(tmp_path, checkpoint(8))
    keep_as_healthy(tmp_path)
    for images in (16, 24):
        write_checkpoint(tmp_path, checkpoint(images))
    for damaged, name, images in ((LAST, PREVIOUS, 16), (PREVIOUS, HEALTHY, 8)):
        (tmp_path / damaged).write_bytes(b"not a checkpoint")
        found = newest_checkpoint(tmp_path)
        assert (found.path.name, found.checkpoint["images_seen"]) == (name, images)


def test_two_damaged_files_are_one_sentence_each_and_what_to_do(tmp_path):
    for images in (8, 16):
        write_checkpoint(tmp_path, checkpoint(images))
    for name in (LAST, PREVIOUS):
        (tmp_path / name).write_bytes(b"not a checkpoint")
    with pytest.raises(
        UserError, match=rf"{LAST} cannot be read .*{PREVIOUS} cannot be read .*to train from the start"
    ):
        newest_checkpoint(tmp_path)


class Hostile:
    """Unpickling it makes a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("how", ["pickle", "torch", "inside"])
def test_nothing_in_a_hostile_file_is_run(tmp_path, how):
    trap = tmp_path / "executed"
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    match how:
        case "pickle":
            (folder / LAST).write_bytes(pickle.dumps(Hostile(str(trap))))
        case "torch":
            torch.save(Hostile(str(trap)), folder / LAST)
        case "inside":
            torch.save(checkpoint(8, extra={"x": Hostile(str(trap))}), folder / LAST)
    with pytest.raises(UserError, match="cannot be read") as raised:
        newest_checkpoint(folder)
    assert not trap.exists() and "\n" not in str(raised.value)


def test_other_files_of_torch_are_refused(tmp_path):
    torch.save({"state_dict": {}, "epoch": 3}, tmp_path / LAST)
    with pytest.raises(UserError, match="no checkpoint of this version"):
        newest_checkpoint(tmp_path)
    write_checkpoint(tmp_path, checkpoint(8, format=FORMAT + 1))
    with pytest.raises(UserError, match="format is"):
        newest_checkpoint(tmp_path)


def test_a_checkpoint_of_another_configuration_is_refused_with_every_difference(tmp_path):
    write_checkpoint(tmp_path, checkpoint(8))
    found = newest_checkpoint(tmp_path)
    refuse_other_run(found, {"loss": {"name": "bce", "clip": None}, "seed": 0})
    with pytest.raises(UserError) as raised:
        refuse_other_run(found, {"loss": {"name": "wgan", "clip": 0.01}, "seed": 0, "new": True})
    assert "(loss.name: bce -> wgan, loss.clip: None -> 0.01, new: absent -> True)" in str(raised.value)


def test_a_checkpoint_trained_on_text_of_another_precision_is_of_the_same_run(tmp_path):
    def identity(text: str) -> dict:
        return {"seed": 0, "fingerprint": {"data": "d", "text": text}}

    write_checkpoint(tmp_path, checkpoint(8, identity=identity("abcd-bf16")))
    found = newest_checkpoint(tmp_path)
    for text in ("abcd", "abcd-bf16"):
        refuse_other_run(found, identity(text))
    assert other_precision(found.checkpoint, identity("abcd-bf16")) is None
    assert "another precision" in other_precision(found.checkpoint, identity("abcd"))
    with pytest.raises(UserError, match=r"fingerprint\.text"):
        refuse_other_run(found, identity("ef00"))


def test_every_generators_state_comes_back(tmp_path):
    def draws() -> list:
        return [random.random(), random.gauss(), np.random.rand(), np.random.randn(), torch.rand(3).tolist()]

    random.gauss(), np.random.randn()  # both keep a second number for the next call
    write_checkpoint(tmp_path, checkpoint(8))
    first = draws()
    set_random_state(read_checkpoint(tmp_path / LAST)["ranks"][0]["random"], CPU)
    assert draws() == first


@pytest.mark.slow  # a whole run: test_faults.py
def test_a_disk_that_is_full_leaves_both_earlier_files(tmp_path):
    for images in (8, 16):
        write_checkpoint(tmp_path, checkpoint(images))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    script = """
import resource, sys, torch
from pathlib import Path
from stackgan.training.checkpoint import LAST, read_checkpoint, write_checkpoint
big = read_checkpoint(Path(sys.argv[1]) / LAST) | {"module": {"weight": torch.zeros(100_000)}}
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_checkpoint(Path(sys.argv[1]), big)
except OSError as error:
    print(error.strerror)
"""
    result = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, timeout=600)
    assert result.stdout == "File too large\n", result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
