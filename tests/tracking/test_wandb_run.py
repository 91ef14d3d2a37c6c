"""Weights & Biases, offline: what a run sends."""

from unittest import mock

import wandb

from stackgan.experiment import run
from stackgan.run_directory import read_status


def test_a_run_without_a_key_is_offline_with_a_fixed_id_its_studys_group_and_rows_by_images(
    tiny, tmp_path, monkeypatch
):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    sent, axes = [], {}
    log, define = wandb.Run.log, wandb.Run.define_metric

    def spy_log(self, data, *args, **kwargs):
        sent.append(dict(data))
        return log(self, data, *args, **kwargs)

    def spy_define(self, name, *args, **kwargs):
        axes[name] = kwargs.get("step_metric")
        return define(self, name, *args, **kwargs)

    overrides = ["images=32", "study=trial"]
    with mock.patch.object(wandb.Run, "log", spy_log), mock.patch.object(wandb.Run, "define_metric", spy_define):
        assert run(tiny("logger.wandb=auto", *overrides), overrides) == 0
    (folder,) = tmp_path.glob("trial/*-*")
    assert (wandb.run.id, wandb.run.group) == (f"trial-{read_status(folder).signature}", "trial")
    assert wandb.run.config["loss"]["name"] == "bce"
    summary = dict(wandb.run.summary)
    assert (summary["status/state"], summary["choice/loss"], summary["choice/optim"]) == ("done", "bce", "adam")
    assert "score/is_efflite0" in summary or "score/is_efflite0/test" in summary
    wandb.finish()
    assert len(list(folder.glob("wandb/offline-run-*"))) == 1
    assert [row["images"] for row in sent if "loss/d" in row] == [8, 16, 24, 32]
    assert any("is_efflite0" in row for row in sent) and any("is_efflite0/test" in row for row in sent)
    assert any(isinstance(row.get("samples"), list) for row in sent)
    assert axes["*"] == "images"
