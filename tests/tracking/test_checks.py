"""What is refused, or made quieter, before any work starts."""

import importlib.util

import pytest

from stackgan.errors import UserError
from stackgan.tracking import checks
from stackgan.tracking.checks import require_trackers, wandb_mode
from support import composed


@pytest.mark.parametrize(
    ("asked", "environment", "mode"),
    [
        ("auto", {}, "auto"),
        ("auto", {"WANDB_MODE": "online"}, "online"),
        ("auto", {"WANDB_MODE": "offline"}, "offline"),
        ("online", {"WANDB_MODE": "dryrun"}, "offline"),
        ("offline", {"WANDB_MODE": "online"}, "offline"),
        ("offline", {"WANDB_MODE": "disabled"}, "disabled"),
        ("disabled", {"WANDB_MODE": "online"}, "disabled"),
        ("online", {"WANDB_DISABLED": "True"}, "disabled"),
        ("online", {"WANDB_DISABLED": "1"}, "disabled"),
        ("online", {"WANDB_DISABLED": "yes"}, "disabled"),
        ("auto", {"WANDB_DISABLED": "false", "WANDB_MODE": ""}, "auto"),
    ],
)
def test_the_quieter_of_configuration_and_environment_wins(asked, environment, mode):
    assert wandb_mode(asked, environment) == mode


def test_a_mode_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "ofline")
    with pytest.raises(UserError, match="WANDB_MODE=ofline"):
        require_trackers("auto", False)


def test_a_missing_tensorboard_is_one_sentence_before_work_starts(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    from stackgan.preflight import check_needs

    with pytest.raises(UserError, match=r"pip install -e '\.\[tensorboard\]'"):
        check_needs(tiny("logger=tensorboard"))
    assert not list(tmp_path.glob("runs"))


@pytest.mark.parametrize(
    "override",
    ["logger.project='a/b'", "logger.project=''", f"logger.project={'a' * 129}", "logger.tags=['']",
     f"logger.tags=[{'a' * 65}]"],
)  # fmt: skip
def test_names_that_wandb_refuses_are_refused_here(override):
    with pytest.raises(UserError, match=override.partition("=")[0].replace(".", r"\.")):
        composed(override)


@pytest.mark.parametrize(
    ("choice", "wandb", "tensorboard"),
    [("wandb", "auto", False), ("offline", "offline", False), ("none", "disabled", False), ("tensorboard", "disabled", True)],
)  # fmt: skip
def test_the_choices_of_the_group(choice, wandb, tensorboard):
    logger = composed(f"logger={choice}").logger
    assert (logger.name, logger.wandb, logger.tensorboard) == (choice, wandb, tensorboard)


def test_the_project_of_the_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "birds")
    assert composed().logger.project == "birds"
    assert composed("logger.project=mine").logger.project == "mine"


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="needs the extra `tensorboard`")
def test_tensorboard_has_every_point_once_by_images_seen_and_the_grids(tiny, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from stackgan.experiment import run

    assert run(tiny("logger=none", "images=16"), []) == 0
    assert run(tiny("logger=tensorboard", "images=32"), []) == 0  # joins in the middle
    assert run(tiny("logger=tensorboard", "logger.wandb=offline", "images=64"), []) == 0
    (folder,) = tmp_path.glob("runs/*/tensorboard")
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()
    assert [point.step for point in events.Scalars("loss/d")] == list(range(8, 72, 8))
    assert [picture.step for picture in events.Images("samples")] == [32, 64]
    assert len(list(folder.parent.glob("wandb/offline-run-*"))) == 1  # beside W&B
