"""The scripts as a person meets them: one sentence and exit code 2 for a mistake, before any work."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from stackgan.cli.help_text import groups, settings
from stackgan.config import PROJECT, register
from support import script, slow


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["loss=foo"], ["loss=foo", "bce", "wgan_gp"]),
        (["variant=bn_adamm"], ["variant=bn_adamm", "bn_adam"]),
        (["loss.n_crit=3"], ["loss.n_crit", "not a setting"]),
        (["+typo=1"], ["typo", "not a setting"]),
        (["images=many"], ["images", "many"]),
        (["loss=wgan_gp"], ["norm.discriminator=batch"]),
        (["-m", "loss=wgan,wgan_gp"], ["job 1", "loss=wgan_gp", "norm.discriminator=batch"]),
        (["sweep=six_variants", "+typo=1"], ["typo"]),
        (["data=folder", "data.root=/nowhere"], ["/nowhere"]),
        slow(["stage=two", "stage_one=/nowhere"], ["stage_one=/nowhere"]),
        (["stage=two"], ["stage_one=auto"]),
        (["stage=2", "stage_one=0badcafe"], ["stage_one=0badcafe"]),
        (["start_from=latest"], ["start_from=latest"]),
        (["norm=true"], ["norm=true", "batch", "spectral"]),
        (["scale=64"], ["scale=64", "tiny", "scale.one.image_size"]),
        (["loss=wgan", "-m", "optmi=adam,sgd"], ["optmi", "optim?"]),
        (["loss=wgan,bce"], ["loss=wgan,bce", "-m"]),
        (["images=100k"], ["images=100k", "whole number"]),
        (["lr=fast"], ["lr=fast", "cosine", "number"]),
        (["lr=0"], ["lr.generator"]),
        (["seed=null"], ["seed", "needs a value"]),
        (["study=../elsewhere"], ["study=../elsewhere"]),
        (["seed=[bce"], ["seed=[bce"]),
        (["-m", "lr=range(1,3)"], ["Config group override"]),
        (["images=1e30"], ["images=1", "at most"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments, words, tmp_path):
    result = script("train.py", *arguments, f"data.cache={tmp_path}", f"outputs={tmp_path}/outputs")
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]
    assert not list(tmp_path.rglob("status.json"))  # no job has started


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("generate.py", [], ["run="]),
        ("generate.py", ["run=/nowhere"], ["caption="]),
        ("generate.py", ["run=x", "caption=a", "count=many"], ["count=many", "whole number"]),
        ("generate.py", ["run=x", "caption=a", "count=0"], ["count=0", "at least 1"]),
        ("generate.py", ["run=x", "caption=a", "truncation=nan"], ["truncation=nan"]),
        ("generate.py", ["run=latest", "caption=a"], ["run=latest", "outputs"]),
        ("generate.py", ["run=x", "caption=a", "device=tpu"], ["device=tpu", "cuda"]),
        ("demo.py", ["run=x", "port=99999"], ["port=99999"]),
        ("table.py", [], ["study=", "run="]),
        ("report.py", ["study=/nowhere"], ["/nowhere"]),
        ("evaluate.py", ["run=x", "samples=few"], ["samples=few", "whole number"]),
        ("generate.py", ["run=/nowhere", "caption=a bird, red = good"], ["/nowhere", "does not exist", "run=latest"]),
        ("generate.py", ["run=x", "caption=a", "captions=b"], ["caption", "captions"]),
        ("evaluate.py", ["run=/nowhere"], ["/nowhere", "run=latest"]),
        ("prepare_data.py", ["data=cub", "data.root=/nowhere"], ["data.root", "/nowhere", "data.archive"]),
    ],
)
def test_the_other_scripts_do_so_too(name, arguments, words):
    result = script(name, *arguments)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "train.py",
            [
                "images: null",
                "loss  ",
                "wgan_gp",
                "variant  ",
                "nobn_rmsprop",
                "python src/train.py sweep=six_variants",
            ],
        ),
        ("evaluate.py", ["metrics: [is, fid", "frames: report", "data  ", "emoji"]),
        ("prepare_data.py", ["data  ", "folder", "seed: 0"]),
        ("fit_classifier.py", ["imagenet_weights: null", "images: null"]),
        ("generate.py", ["caption: null"]),
        ("table.py", ["study: null", "run: null"]),
    ],
)
def test_help_names_every_setting_and_choice(name, words):
    result = script(name, "--help")
    assert result.returncode == 0 and not result.stderr, result.stderr
    assert f"python src/{name}" in result.stdout and "hydra:" not in result.stdout
    for word in words:
        assert word in result.stdout


def test_help_knows_the_keys_and_groups_that_hydra_composes():
    """The text is read from the files, not composed."""
    composed = OmegaConf.to_container(compose_config())
    listed = {line.split(":")[0].strip() for line in settings("config").splitlines()}
    assert listed | set(groups("config")) == set(composed) | {"sweep"}  # a sweep leaves no key of its own


def compose_config():
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return compose("config")
