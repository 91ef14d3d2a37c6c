"""Scores taken after training, at the run's W&B run."""

from dataclasses import asdict

import pytest
import yaml

from stackgan.errors import UserError
from stackgan.tracking.wandb_record import WandbRecord
from stackgan.tracking.wandb_scores import send_scores
from support import TINY, composed


def run_of(folder, wandb):
    """A run's folder with a configuration."""
    folder.mkdir(parents=True)
    config = asdict(composed(*TINY, f"logger.wandb={wandb}", f"data.cache={folder}", f"outputs={folder}"))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "status.json").write_text('{"state": "done", "signature": "00c0ffee"}')
    return folder


def test_scores_go_to_the_summary_of_the_runs_own_wandb_run(tmp_path, server, capsys):
    run = run_of(tmp_path / "trial" / "base-00c0ffee", "auto")
    record = WandbRecord.new("00c0ffee")
    record.write(run)
    send_scores(run, {"score/is_efflite0": 2.0})
    assert server.summaries[record.id]["score/is_efflite0"] == 2.0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"/runs/{record.id}")


def test_a_run_without_wandb_has_nowhere_to_send_them(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"logger\.wandb=disabled"):
        send_scores(run_of(tmp_path / "other" / "base-00c0ffee", "disabled"), {})
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(UserError, match="the environment disables W&B"):
        send_scores(run_of(tmp_path / "base-00c0ffee", "auto"), {})
