"""Values as they are typed: other words for choices, numbers, lists, paths and names, and the bounds of what scripts are asked for."""

import math
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from stackgan.cli.requests import (
    DEMO,
    EVALUATE,
    FIT,
    GENERATE,
    PREPARE,
    REPORT,
    TABLE,
    WORKSPACE,
    DemoRequest,
    GenerateRequest,
    TableRequest,
    WorkspaceRequest,
)
from stackgan.cli.script import TRAIN
from stackgan.cli.spelling import shown, spell
from stackgan.cli.values import split_paths
from stackgan.config import PROJECT, register, typed
from stackgan.errors import UserError


@pytest.mark.parametrize(
    ("argument", "spelled"),
    [
        ("arch=StackGAN", "arch=stackgan"),
        ("text=MiniLM-tokens", "text=minilm_tokens"),
        ("dropout=On", "dropout=on"),
        ("dropout=Yes", "dropout=on"),
        ("lr=0", "lr='0'"),  # a rate that the check refuses, not a choice for nothing
        ("trainer.precision=64", "trainer.precision=64-true"),
        ("logger=tb", "logger=tensorboard"),
        ("logger=wb", "logger=wandb"),
        ("logger=[tb]", "logger=tensorboard"),
        ("logger=csv,wandb", "logger=wandb"),
        ("logger=wandb,wandb", "logger=wandb"),
        ("logger.tags=${data.test_classes}", "logger.tags=${data.test_classes}"),
        ("data.test_classes=null", "data.test_classes=null"),
        ("evaluation.every=0.5", "evaluation.every=0.5"),
        ("images=10_000", "images=10_000"),
        ("seed=1.5", "seed=1.5"),
        ("images=inf", "images=inf"),
        ("data.root=", "data.root="),
        ("data=none", "data='none'"),  # quoted, so that Hydra says which choices there are
        ("norm@elsewhere=batch", "norm@elsewhere=batch"),
        ("~evaluation.every", "evaluation.every=null"),
        ("hydra.launcher.jobs=1e0", "hydra.launcher.jobs=1e0"),  # Hydra's own stay as they are
    ],
)
def test_a_value_is_spelled_as_hydra_reads_it(argument, spelled):
    assert spell([argument], TRAIN) == [spelled]


@pytest.mark.parametrize("value", ["variant=none", "variant=off", "sweep=null", "~sweep"])
def test_nothing_is_chosen_where_nothing_is_typed(value):
    assert spell([value], TRAIN) == []


@pytest.mark.parametrize(
    ("arguments", "spelled"),
    [
        (["-m", "stage=1, 2"], "stage=one,two"),
        (["--multirun", "data.root=/a,/b"], "data.root='/a','/b'"),
        (["hydra.mode=MULTIRUN", "data.root=/a,/b"], "data.root='/a','/b'"),
        (["sweep=null", "data.root=/a,/b"], "data.root='/a,/b'"),
        (["-m", "logger=csv,wandb"], "logger=none,wandb"),
        (["--config-dir", "mine", "mine.key=3"], "mine.key=3"),  # of a configuration that is the user's own
    ],
)
def test_commas_are_several_runs_in_a_sweep_alone(arguments, spelled):
    assert spelled in spell(arguments, TRAIN)


@pytest.mark.parametrize("loggers", ["[wandb,offline]", "[wandb,offline,tb]"])
def test_one_run_is_not_both_online_and_offline(loggers):
    with pytest.raises(UserError, match="wandb, offline"):
        spell([f"logger={loggers}"], TRAIN)


@pytest.mark.parametrize("number", ["seed=1.5", "images=inf", "images=nan", "images=1e400", "lr=nan", "lr=inf"])
def test_what_is_no_such_number_is_refused_and_not_cut(number):
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"), pytest.raises((UserError, HydraException)):
        typed(compose("config", spell([number], TRAIN)))


def test_of_two_readings_of_a_path_the_one_with_fewer_parts_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("a", "b", "a,b", "c,d"):
        Path(folder).mkdir()
    assert split_paths("a,b") == ["a,b"]
    assert split_paths("b,a") == ["b", "a"]
    assert split_paths("~/c,d,~/b") == ["~/c,d", "~/b"]


def test_an_override_is_shown_as_it_was_typed():
    typed = ["study=it's", "data.root=a'b", "lr=1e-4", "optim='sgd'", "logger.notes=it's, well"]
    assert [shown(override) for override in spell(typed, TRAIN)] == typed


@pytest.mark.parametrize("note", ["it's a, b", "${seed} birds", r"a \${seed}"])
def test_notes_are_spelled_once_however_often_a_sweep_and_its_job_do_it(note):
    once = spell([f"logger.notes={note}"], TRAIN)
    assert spell(spell(once, TRAIN), TRAIN) == once
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        assert compose("config", once).logger.notes == note


def test_a_device_has_another_name_too():
    assert spell(["device=gpu"], GENERATE) == spell(["device=cuda"], DEMO) == ["device=cuda"]


def test_a_hint_for_train_is_none_for_the_other_scripts():
    with pytest.raises(UserError) as error:
        spell(["ckpt_path=x"], GENERATE)
    assert "start_from" not in str(error.value)


PATH_KEYS = {
    TRAIN: "stage_one start_from data.root data.archive data.cache outputs text.embeddings evaluation.inception_weights",
    GENERATE: "run captions out outputs",
    DEMO: "run outputs",
    REPORT: "study outputs",
    TABLE: "study run outputs",
    EVALUATE: "run study images cache clip network_path data.root data.cache",
    FIT: "data.root data.cache imagenet_weights folder outputs",
    PREPARE: "data.root data.archive data.cache",
}
NAME_KEYS = {TRAIN: "study", FIT: "study", PREPARE: "study", WORKSPACE: "entity project study"}


def keys_of(table):
    return [pytest.param(script, key, id=f"{script.config} {key}") for script in table for key in table[script].split()]


@pytest.mark.parametrize(("script", "key"), keys_of(PATH_KEYS))
def test_a_path_is_taken_as_it_stands_by_every_script(script, key, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert spell([f"{key}=~/birds, and [more]"], script) == [f"{key}='/home/ada/birds, and [more]'"]


@pytest.mark.parametrize(("script", "key"), keys_of(NAME_KEYS))
def test_a_name_is_taken_as_it_stands_by_every_script(script, key):
    assert spell([f"{key}=a, (b)"], script) == [f"{key}='a, (b)'"]


REQUESTS = [
    (
        GenerateRequest,
        {"run": "x", "caption": "a"},
        [{"count": 1}, {"count": 10_000}, {"seed": 0}, {"truncation": 0.0}, {"device": "cuda"}],
        [{"run": None}, {"count": 0}, {"count": 10_001}, {"seed": -1}, {"truncation": -0.1}, {"truncation": math.inf},
         {"device": "gpu"}, {"captions": "b"}, {"caption": None}],
    ),
    (
        DemoRequest,
        {"run": "x"},
        [{"port": 0}, {"port": 65_535}, {"count": 1}, {"device": "cpu"}],
        [{"run": None}, {"port": -1}, {"port": 65_536}, {"count": 0}, {"device": "tpu"}],
    ),
    (TableRequest, {}, [{"study": "s"}, {"run": "r"}], [{}, {"study": "s", "run": "r"}]),
    (WorkspaceRequest, {}, [{"entity": "ada"}], [{}]),
]  # fmt: skip


@pytest.mark.parametrize(("request_class", "base", "good", "bad"), REQUESTS, ids=[row[0].__name__ for row in REQUESTS])
def test_a_request_is_refused_beyond_its_bounds_and_not_at_them(request_class, base, good, bad):
    for change in good:
        request_class(**(base | change)).check()
    for change in bad:
        with pytest.raises(UserError) as error:
            request_class(**(base | change)).check()
        assert "\n" not in str(error.value)
        assert all(key in str(error.value) for key in change), (change, str(error.value))
