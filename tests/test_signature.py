"""Which configurations are the same run, and what a run is called."""

import pytest

from stackgan import identity as identities
from stackgan import precision
from stackgan.cli.script import TRAIN
from stackgan.cli.spelling import spell
from stackgan.errors import UserError
from stackgan.identity import acting, schema_defaults
from stackgan.signature import differences, identity, run_name, run_signature, stage_one_signature
from support import composed


def config(*typed):
    return composed(*spell(typed, TRAIN))


FP32 = "trainer.precision=32-true"  # auto is what the hardware multiplies best


def signature(*overrides):
    return run_signature(composed(FP32, *overrides))


BASE = signature()


@pytest.mark.parametrize(
    "override",
    ["images=5000", "epochs=3", "outputs=elsewhere", "study=x", "trainer=cpu", "trainer.threads=1", "logger.log_every=50",
     "evaluation.samples=50", "data.cache=elsewhere", "scale.two.batch_size=4", "variant=bn_adam", "scale.residual_blocks=4",
     "arch.residual_picture=true", "arch.joint_kernel=3", "loss.penalty_every=4", "trainer.recompute=true", "health=off",
     "trainer.deterministic=true", "evaluation=off"],
)  # fmt: skip
def test_what_does_not_change_the_function_learned_leaves_the_signature(override):
    assert signature(override) == BASE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["lr=x10"], ["lr.generator=2e-3", "lr.discriminator=2e-3"]),
        (["lr=2e-4", "dropout=0"], ["dropout.rate=0.0"]),
        (["norm=none"], ["norm.generator=none", "norm.discriminator=none"]),
        (["norm=none", "loss.penalty=r1"], ["norm=none", "loss.penalty=r1", "loss.penalty_weight=10"]),
        (["stage=two", "scale.two.lr_factor=0.5"], ["stage=two", "lr=1e-4"]),
        (["norm=group", "trainer.accumulate=8"], ["norm=group"]),
        (["norm=group", "trainer.devices=2"], ["norm=group"]),
        (["variant=recipe"], ["variant=recipe", "arch.projection=true", "arch.joint_kernel=1"]),
    ],
)
def test_the_same_function_is_the_same_run(one, other):
    assert run_signature(config(FP32, *one)) == run_signature(config(FP32, *other))


@pytest.mark.parametrize(
    "override",
    [
        "trainer.accumulate=8",
        "trainer.precision=bf16-mixed",
        "trainer=cpu trainer.devices=2",
        "trainer.sync_batchnorm=off trainer.devices=2",
    ],
)
def test_another_function_is_another_run(override):
    """With batch norm how a batch is split counts; rounding always does."""
    assert signature(*override.split()) != BASE


@pytest.mark.parametrize("hardware", [True, False])
def test_an_automatic_precision_is_the_one_that_the_hardware_makes_of_it(hardware, monkeypatch):
    monkeypatch.setattr(precision, "gpus_here", list)
    monkeypatch.setattr(precision, "cpu_multiplies_bfloat16", lambda: hardware)
    resolved = "trainer.precision=bf16-mixed" if hardware else FP32
    assert run_signature(composed()) == run_signature(composed(resolved))


GOLDEN = {
    "": "a4876935",
    "variant=nobn_adam": "ec4772ff",
    "variant=nobn_rmsprop": "c0086bb0",
    "variant=nobn_rmsprop_wgan": "efa45df8",
    "variant=bn_adam": "a4876935",
    "variant=bn_adam_wgan_dropout": "37206722",
    "variant=lr_x10": "26173fa3",
    "variant=recipe": "0ffd8be0",
    "variant=recipe stage=two": "58c1218b",
    "variant=reference_tf": "84eb2e1a",
    "variant=reference_pytorch": "41d75e4e",
    "loss=wgan_gp norm=layer": "8d2db29c",
    "text=attributes seed=3": "d8467740",
    "scale=paper": "627d7d08",
    "data=cub data.root=CUB_200_2011": "2f06ac96",
    "data=emoji": "a5e2bf5c",
    "stage=two": "8e550be2",
}


@pytest.mark.parametrize("command", GOLDEN)
def test_signatures_stay_what_they_are(command):
    """A run is found by its signature: a new key must not rename those that leave it alone."""
    assert signature(*command.split()) == GOLDEN[command]


def test_a_key_that_the_schema_gains_renames_no_run(monkeypatch):
    before = identity(composed(FP32, "variant=recipe"))
    monkeypatch.setattr(identities, "acting", lambda config: acting(config) | {"loss.new": 0.5})
    monkeypatch.setattr(identities, "schema_defaults", lambda: schema_defaults() | {"loss.new": 0.5})
    assert identity(composed(FP32, "variant=recipe")) == before


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["optim=rmsprop", "optim.beta1=0.9"], ["optim.beta1=0.9", "adam|adamw", "optim=rmsprop"]),
        (["optim.momentum=0.9"], ["optim.momentum=0.9", "rmsprop|sgd", "optim=adam"]),
        (["data=cub", "data.root=x", "data.classes=10"], ["data.classes=10", "data=birds", "data=cub"]),
        (["data=folder", "data.root=x", "data.captions=text"], ["data.captions=text", "data=birds|cub"]),
        (["data=birds", "data.listing=x"], ["data.listing=x", "data=folder"]),
        (["data=birds", "data.split=listed"], ["data.split=listed", "data=folder|huggingface"]),
        (["data=birds", "data.split=all", "data.split_seed=1"], ["data.split_seed", "data.split=all"]),
    ],
)
def test_a_setting_that_would_change_nothing_is_refused(overrides, words):
    with pytest.raises(UserError) as error:
        composed(*overrides)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize("override", ["data.split=image", "data.split=class", "data.split=all", "data.fit=pad"])
def test_how_a_folder_is_divided_and_fitted_is_another_run(override):
    folder = ("data=folder", "data.root=x")
    assert signature(*folder, override) != signature(*folder)
    assert signature(*folder, "data.encoding=cp949") == signature(*folder, "data.split=listed") == signature(*folder)


def test_the_difference_of_two_runs_is_told_with_the_defaults():
    found = differences(identity(composed(FP32)), identity(composed(FP32, "loss=wgan", "seed=1")))
    assert "loss.name: bce -> wgan" in found and "loss.n_critic: 1 -> 5" in found and "seed: 0 -> 1" in found


def test_a_stage_two_with_its_own_settings_finds_its_stage_one():
    ours = [
        "stage=two",
        "scale.residual_blocks=4",
        "scale.two.batch_size=4",
        "arch.residual_picture=true",
        "scale.two.lr_factor=0.5",
    ]
    assert stage_one_signature(composed(FP32, *ours)) == BASE


@pytest.mark.parametrize(
    "override",
    ["loss=wgan", "optim.beta1=0.9", "seed=1", "norm=none", "dropout=on", "lr=x10", "stage=two",
     "data.split=image", "data.test_classes=[8,9]", "data.images_per_class=3", "text=attributes", "scale.one.batch_size=32",
     "variant=recipe", "arch.joint_kernel=1", "arch=pytorch", "loss.kl_weight=1", "optim=sgd", "trainer.precision=64-true"],
)  # fmt: skip
def test_what_changes_it_changes_the_signature(override):
    assert signature(override) != BASE


def test_two_data_sets_of_one_kind_are_two_runs():
    a, b = (run_signature(composed("data=folder", f"data.root={root}")) for root in ("/a/flowers", "/a/birds"))
    moved = run_signature(composed("data=folder", "data.root=/b/flowers"))
    assert a != b and a == moved


def test_a_start_is_the_same_run_wherever_its_folder_lies():
    a, moved, other = (signature(f"start_from='{run}'") for run in ("x/base-1a2b3c4d", "/y/base-1a2b3c4d", "x/base-9"))
    assert a == moved != other and BASE not in (a, other)


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
        (["dropout.rate=0.3", "loss=wgan"], "loss=wgan,dropout.rate=0.3"),
        (["trainer.precision=32-true", "trainer.threads=1"], "trainer.precision=32-true"),
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
