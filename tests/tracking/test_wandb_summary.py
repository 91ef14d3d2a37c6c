"""The flat summary of a run at W&B."""

import pytest
import wandb
from wandb.sdk.lib.config_util import save_config_file_from_dict

from stackgan.run_directory import Status
from stackgan.tracking.metrics_csv import MetricsCsv
from stackgan.tracking.wandb_record import WandbRecord
from stackgan.tracking.wandb_run import open_wandb
from stackgan.tracking.wandb_summary import choices, run_summary, send_summary
from support import composed

COLLAPSE = {"name": "mode_collapse", "images": 40_000, "value": 0.01, "threshold": 0.03, "sentence": "..."}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            [],
            {
                "variant": "none",
                "norm": "batch",
                "optim": "adam",
                "loss": "bce",
                "dropout": 0.0,
                "lr": 2e-4,
                "lr_ratio": 1.0,
            },
        ),
        (["variant=bn_adam_wgan_dropout"], {"variant": "bn_adam_wgan_dropout", "loss": "wgan+clip", "dropout": 0.3}),
        (["loss=wgan_unclipped"], {"loss": "wgan"}),
        (["loss=wgan_gp", "norm=layer", "seed=2"], {"loss": "wgan+gradient", "norm": "layer", "seed": 2}),
        (["loss=bce_r1", "norm=spectral"], {"loss": "bce+r1", "norm": "batch/spectral"}),
        (["lr.discriminator=4e-4", "stage=two"], {"lr": 2e-4, "lr_ratio": 2.0, "stage": "two"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_choices_are_named_as_they_act(overrides, expected):
    named = choices(composed(*overrides))
    assert {key: named[key] for key in expected} == expected


def test_the_summary_holds_choices_outcome_scores_and_when_a_verdict_fired():
    status = Status("done", images=64_000, seconds=5_400.0, scores={"is_efflite0": 2.5}, verdicts=[COLLAPSE])
    summary = run_summary(composed("variant=bn_adam"), status)
    assert summary["choice/variant"] == "bn_adam"
    assert (summary["status/state"], summary["status/verdicts"]) == ("done", "mode_collapse")
    assert (summary["status/images"], summary["status/hours"]) == (64_000, 1.5)
    assert (summary["score/is_efflite0"], summary["verdict/mode_collapse"]) == (2.5, 40_000)
    assert all(isinstance(value, str | int | float) for value in summary.values())  # what a table can show
    assert run_summary(composed(), Status("diverged", "nan"))["status/verdicts"] == "none"


def test_a_sweep_of_wandb_hides_a_groups_settings_and_the_summary_still_tells_the_choice(tmp_path, monkeypatch):
    parameters = tmp_path / "parameters.yaml"
    save_config_file_from_dict(str(parameters), {"loss": {"value": "wgan_gp"}, "norm": {"value": "layer"}})
    for name, value in {
        "SWEEP_ID": "abc",
        "SWEEP_PARAM_PATH": str(parameters),
        "RUN_ID": "run1",
        "MODE": "offline",
    }.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    run = tmp_path / "base-00c0ffee"
    run.mkdir()
    config = composed("loss=wgan_gp", "norm=layer", "logger.wandb=offline")
    logger = open_wandb(run, config, "00c0ffee")
    assert wandb.run.id == WandbRecord.read(run).id == "run1"  # the agent's
    send_summary([MetricsCsv(tmp_path), logger], config, Status("done", scores={"is_efflite0": 2.5}))
    summary, sweeps = dict(wandb.run.summary), wandb.run.config["loss"]
    logger.finish(0)
    assert sweeps == "wgan_gp"  # W&B's own record of the sweep's parameter
    assert (summary["choice/loss"], summary["choice/norm"]) == ("wgan+gradient", "layer")
    assert summary["score/is_efflite0"] == 2.5
