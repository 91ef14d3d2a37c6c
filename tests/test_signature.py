"""Which configurations are the same run, and what a run is called."""

import pytest

from stackgan.signature import run_name, run_signature
from support import composed

BASE = run_signature(composed())


@pytest.mark.parametrize(
    "override",
    ["images=5000", "epochs=3", "outputs=elsewhere", "study=x", "trainer=cpu", "trainer.threads=1", "logger.log_every=50",
     "evaluation.samples=50", "data.cache=elsewhere", "scale.two.batch_size=4", "variant=bn_adam"],
)  # fmt: skip
def test_what_does_not_change_the_function_learned_leaves_the_signature(override):
    assert run_signature(composed(override)) == BASE


@pytest.mark.parametrize(
    "override",
    ["loss=wgan", "optim.beta1=0.9", "seed=1", "norm=none", "dropout=on", "lr=x10", "trainer.precision=32-true", "stage=two",
     "data.split=image", "data.test_classes=[8,9]", "data.images_per_class=3", "text=attributes", "scale.one.batch_size=32",
     "variant=recipe"],
)  # fmt: skip
def test_what_changes_it_changes_the_signature(override):
    assert run_signature(composed(override)) != BASE


def test_two_data_sets_of_one_kind_are_two_runs():
    a, b = (run_signature(composed("data=folder", f"data.root={root}")) for root in ("/a/flowers", "/a/birds"))
    moved = run_signature(composed("data=folder", "data.root=/b/flowers"))
    assert a != b and a == moved


def test_another_stage_one_is_another_stage_two():
    config = composed("stage=two")
    assert run_signature(config, "aaaa") != run_signature(config, "bbbb")


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "base"),
        (["loss=bce", "optim=adam"], "base"),
        (["loss=wgan", "optim=rmsprop"], "loss=wgan,optim=rmsprop"),
        (["variant=bn_adam"], "bn_adam"),
        (["variant=nobn_rmsprop", "optim=rmsprop"], "nobn_rmsprop"),
        (["variant=bn_adam", "loss=wgan"], "bn_adam,loss=wgan"),
        (["variant=bn_adam", "stage=two", "seed=3"], "bn_adam,stage=two,seed=3"),
        (["images=100", "outputs=x", "data.cache=y", "logger.wandb=disabled"], "base"),
        (["optim.beta1=0.9"], "optim.beta1=0.9"),
    ],
)
def test_a_run_is_called_by_its_variant_and_what_differs(overrides, name):
    assert run_name(composed(*overrides), overrides) == name


def test_a_name_is_one_folder_of_bearable_length():
    name = run_name(
        composed("data=folder", "data.root=/x"),
        ["data=folder", "text.captions_per_image=4/5;*", "optim.eps=" + "1" * 300],
    )
    assert "/" not in name and ";" not in name and len(name) <= 120
