"""A run that starts with another run's weights."""

import shutil

import pytest
import torch

from stackgan.assembly import build_module
from stackgan.errors import UserError
from stackgan.experiment import run
from stackgan.inputs import prepare_inputs
from stackgan.run_directory import Status, read_status
from stackgan.signature import run_name, run_signature
from stackgan.training.bundle import load_bundle
from stackgan.training.checkpoint import read_checkpoint, start_from
from support import TINY, composed

STILL = ["lr.generator=1e-12", "lr.discriminator=1e-12"]  # what it starts with is what it ends with


@pytest.fixture(scope="module")
def first(cache, tmp_path_factory):
    """A finished run on painted birds, whose text has 20 components."""
    outputs = tmp_path_factory.mktemp("first")
    run(composed(*TINY, f"data.cache={cache}", f"outputs={outputs}", "images=16", "text.whiten=20"), [])
    return next(outputs.glob("runs/*"))


def weights(folder):
    return read_checkpoint(folder / "checkpoints" / "last.ckpt")["module"]


def learned(module, *parts):
    """What of these parts no forward pass changes."""
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    return [key for key in module if key.split(".")[0] in parts and not key.endswith(statistics)]


def test_it_begins_with_the_networks_and_the_text_components_of_the_other_run(tiny, tmp_path, first):
    few = [
        "data.seed=1",
        "data.classes=10",
        "text.whiten=20",
    ]  # fewer than 40 captions would give fewer than 20 components
    assert run(tiny("study=second", "images=16", *few, f"start_from={first}", *STILL), []) == 0
    second = next(tmp_path.glob("second/*"))
    status, (before, after) = read_status(second), (weights(first), weights(second))
    assert status.images == 16 and f"started from {first}" in status.events[0]["sentence"]
    for part in ("generator", "discriminator", "whitener"):
        assert learned(before, part)
        for key in learned(before, part):
            torch.testing.assert_close(after[key], before[key], rtol=1e-4, atol=1e-6)
    assert load_bundle(second / "generator").sampler.whitener.dim == 20


def test_the_averaged_generator_comes_along(tiny, first):
    config, found = tiny("text.whiten=20"), read_checkpoint(first / "checkpoints" / "last.ckpt")
    average = [key for key in found["module"] if key.startswith("average.")]
    for key in average:
        found["module"][key] += 1  # else it is the generator itself, after so few images
    module = build_module(config, prepare_inputs(config), 1000, None)
    start_from(module, found, found["identity"])
    after = module.state_dict()
    assert average and all(torch.equal(after[key], found["module"][key]) for key in average)


def test_a_resumed_run_does_not_start_again(tiny, tmp_path, first):
    moved = shutil.copytree(first, tmp_path / first.name)
    start = f"start_from={moved}"
    for study, images in (("whole", 32), ("halves", 16)):
        run(tiny(f"study={study}", f"images={images}", "seed=1", start), [])
    shutil.rmtree(moved)  # needed no more
    for images in (32, 32):
        assert run(tiny("study=halves", f"images={images}", "seed=1", start), []) == 0
    whole, halves = (weights(next(tmp_path.glob(f"{study}/*"))) for study in ("whole", "halves"))
    for key, value in whole.items():
        torch.testing.assert_close(halves[key], value, rtol=0, atol=0)
    said = [event["sentence"] for event in read_status(next(tmp_path.glob("halves/*"))).events]
    assert ["started from" in sentence for sentence in said] == [True, False]


@pytest.mark.slow
def test_stage_two_keeps_its_own_stage_one(tiny, tmp_path, first):
    run(tiny("study=upper", "stage=two", "images=16", f"stage_one={first}"), [])
    upper = next(tmp_path.glob("upper/*"))
    run(tiny("study=own", "images=16", "seed=1", "text.whiten=20"), [])
    own = next(tmp_path.glob("own/*"))
    arguments = ["stage=two", "images=16", f"stage_one={own}", f"start_from={upper}", *STILL]
    assert run(tiny("study=again", *arguments), []) == 0
    again, below = (
        weights(next(tmp_path.glob("again/*"))),
        load_bundle(own / "generator").sampler.stage_one.state_dict(),
    )
    for key, value in below.items():
        torch.testing.assert_close(again[f"stage_one.{key}"], value, rtol=0, atol=0)
    before = weights(upper)
    for key in learned(before, "generator", "discriminator"):
        torch.testing.assert_close(again[key], before[key], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["start_from=/nowhere"], "start_from=/nowhere is no run folder"),
        (["arch=pytorch", "start_from={first}"], "other networks .*arch.condition_activation: linear -> relu"),
        (["scale.generator_channels=16", "start_from={first}"], "generator_channels"),
        (["text=minilm", "start_from={first}"], "text=attributes"),
        (["stage=two", "stage_one={first}", "start_from={first}"], "trained stage=one"),
    ],
)
def test_what_cannot_be_started_from_is_said_in_one_sentence(tiny, first, overrides, words):
    with pytest.raises(UserError, match=words):
        run(tiny("study=second", *(override.format(first=first) for override in overrides)), [])


def test_an_unfinished_run_is_no_start(tiny, tmp_path):
    Status("preempted", images=16).write(tmp_path)
    with pytest.raises(UserError, match="is preempted after 16 images; finish that run first"):
        run(tiny(f"start_from={tmp_path}"), [])


def test_where_it_starts_is_part_of_what_a_run_is_but_not_where_that_lies():
    signatures = [
        run_signature(composed(*start))
        for start in ([], ["start_from=/a/base-1"], ["start_from=/b/base-1/"], ["start_from=/a/base-2"])
    ]
    assert signatures[1] == signatures[2] and len(set(signatures)) == 3
    assert run_name(composed(), ["start_from='/a/norm=none,loss=wgan-1'"]) == "start_from=norm=none,loss=wgan-1"
