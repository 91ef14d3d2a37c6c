"""What the configuration refuses, and what the variants mean."""

from pathlib import Path

import pytest
import yaml

from stackgan.config import PROJECT
from stackgan.errors import UserError
from support import composed

# The table of the study: norm, optimizer, loss, dropout, learning rate.
STUDY = {
    "nobn_adam": ("none", "adam", "bce", 0.0, 2e-4),
    "nobn_rmsprop": ("none", "rmsprop", "bce", 0.0, 2e-4),
    "nobn_rmsprop_wgan": ("none", "rmsprop", "wgan", 0.0, 2e-4),
    "bn_adam": ("batch", "adam", "bce", 0.0, 2e-4),
    "bn_adam_wgan_dropout": ("batch", "adam", "wgan", 0.3, 2e-4),
    "lr_x10": ("batch", "adam", "bce", 0.0, 2e-3),
}


def test_the_bare_command_is_the_studys_base():
    config = composed()
    assert (config.norm.name, config.optim.name, config.loss.name, config.dropout.rate) == ("batch", "adam", "bce", 0.0)
    assert (config.data.name, config.text.name, config.stage.name, config.scale.name) == (
        "birds",
        "minilm",
        "one",
        "small",
    )
    assert config.lr.generator == config.lr.discriminator == 2e-4


@pytest.mark.parametrize("variant", STUDY)
def test_a_variant_is_its_row_of_the_table(variant):
    config = composed(f"variant={variant}")
    row = (config.norm.generator, config.optim.name, config.loss.name, config.dropout.rate, config.lr.generator)
    assert row == STUDY[variant]
    assert config.norm.discriminator == config.norm.generator
    assert config.variant == variant


def test_the_sweep_runs_every_variant_in_both_stages():
    sweep = yaml.safe_load((PROJECT / "sweeps/six_variants.yaml").read_text())
    params = sweep["hydra"]["sweeper"]["params"]
    assert set(params["variant"].split(",")) == set(STUDY)
    assert next(iter(params)) == "stage" and params["stage"] == "one,two"  # all of Stage I comes first


@pytest.mark.parametrize("path", sorted((PROJECT / "conf/variant").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_variants_file_begins_with_its_question_and_command(path: Path):
    lines = path.read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert "?" in lines[1] and f"python src/train.py variant={path.stem}" in lines[1]


@pytest.mark.parametrize(
    "option",
    [
        f"{path.parent.name}={path.stem}"
        for path in sorted((PROJECT / "conf").glob("*/*.yaml"))
        if path.parent.name not in ("base", "sweep")
    ],
)
def test_every_choice_composes(option):
    needs = {
        "data=cub": ["data.root=x"],
        "data=folder": ["data.root=x"],
        "data=flowers": ["data.root=x"],
        "data=huggingface": ["data.dataset=x"],
        "text=precomputed": ["text.embeddings=x"],
        "loss=bce_r1": ["norm=none"],
        "loss=bce_matching": ["norm=none"],
        "loss=wgan_gp": ["norm=layer"],
        "loss=hinge_matching": ["norm=none"],
    }
    assert composed(option, *needs.get(option, []))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["loss=wgan_gp"], ["loss.penalty=gradient", "norm.discriminator=batch", "norm=layer"]),
        (["loss.clip=0.01"], ["loss.clip", "wgan"]),
        (["loss=wgan_gp", "norm=layer", "loss.clip=0.01"], ["loss.clip", "loss.penalty=gradient"]),
        (["loss=hinge", "loss.label_smoothing=0.1"], ["loss.label_smoothing", "hinge"]),
        (["loss.mismatch=image", "loss.wrong_texts=3"], ["loss.wrong_texts", "loss.mismatch=text"]),
        (["data.test_classes=[1]", "data.split=all"], ["data.test_classes", "data.split=class"]),
        (["loss.name=hing"], ["loss.name=hing", "hinge"]),
        (["norm.generator=batchnorm"], ["norm.generator=batchnorm", "conditional_batch"]),
        (["dropout.rate=1.0"], ["dropout.rate=1.0"]),
        (["trainer.sync_batchnorm=on", "trainer.accelerator=cpu"], ["trainer.sync_batchnorm=on", "norm=group"]),
        (["images=0"], ["images=0", "greater than zero"]),
        (["images=100", "epochs=1"], ["images", "epochs"]),
        (["scale.one.image_size=48"], ["scale.one.image_size=48", "32, 64, 128"]),
        (["scale.two.image_size=512"], ["scale.two.image_size=512", "two or four times"]),
        (["data=folder"], ["data.root"]),
        (["data=folder", "data.root=x", "data.fit=stretch"], ["data.fit=stretch", "squeeze"]),
        (["data=folder", "data.root=x", "data.padding=white"], ["data.padding=white", "data.fit=pad"]),
        (["data.bad_images=skip"], ["data.bad_images=skip", "data=cub|emoji|flowers|folder|huggingface"]),
        (["data=cub", "data.root=x", "data.fit=pad"], ["data.fit=pad", "changes nothing", "folder"]),
        (["outputs=''"], ["outputs needs a folder"]),
        (["data=cub"], ["data.root", "data.archive"]),
        (["text=precomputed"], ["text.embeddings"]),
        (["trainer=ddp", "trainer.devices=3"], ["trainer.devices=3", "64"]),
        (["scale.one.batch_size=1"], ["batch norm"]),
        (["evaluation.samples=5"], ["evaluation.splits"]),
        (["evaluation.full_samples=7", "evaluation.splits=2"], ["evaluation.full_samples=7", "at least 8"]),
        (["+typo=1"], ["typo", "not a setting"]),
        (["+loss.n_crit=3"], ["loss.n_crit", "not a setting"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_work_is_refused_in_one_sentence(overrides, words):
    with pytest.raises(UserError) as error:
        composed(*overrides)
    sentence = str(error.value)
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


def test_the_config_path_imports_no_torch():
    import subprocess
    import sys

    code = "import sys; sys.path.insert(0, 'src'); import stackgan.config, stackgan.run_directory, stackgan.cli.run; "
    code += "import hydra_plugins.isolated_launcher.launcher; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT).returncode == 0
