"""The W&B workspace as it goes over the wire, taken by a stand-in for W&B's server on this machine."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

from stackgan.config import PROJECT
from stackgan.health.verdicts import VERDICTS
from stackgan.run_directory import Status
from stackgan.tracking.wandb_summary import run_summary
from support import composed
from wandb_server import wandb_server

library = pytest.mark.skipif(
    importlib.util.find_spec("wandb_workspaces") is None, reason="needs wandb-workspaces (the extra `sweep`)"
)


@pytest.fixture
def server():
    with wandb_server() as stand_in:
        yield stand_in


def workspace(*arguments, server=None, tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    environment |= {"NETRC": str(tmp_path / "netrc"), "WANDB_CONFIG_DIR": str(tmp_path)}
    if server is not None:
        environment |= server.environment()
    command = [sys.executable, str(PROJECT / "src/workspace.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def panels(section):
    return [(panel["viewType"], panel["config"]) for panel in section["panels"]]


@library
def test_the_workspace_shows_columns_and_summary_keys_that_runs_have(server, tmp_path):
    result = workspace("entity=me", "project=birds", "study=six_variants", server=server, tmp_path=tmp_path)
    assert result.returncode == 0, result.stderr
    (view,) = server.views
    assert (view["entityName"], view["projectName"]) == ("me", "birds")
    assert f"{server.url}/me/birds?nw=" in result.stdout
    spec = json.loads(view["spec"])["section"]
    sections = {section["name"]: panels(section) for section in spec["panelBankConfig"]["sections"]}

    logged = set(re.findall(r"`([\w/]+)`", (PROJECT / "docs/outputs.md").read_text()))
    logged |= {f"health/{verdict}" for verdict in VERDICTS}
    lines = [config for each in sections.values() for kind, config in each if kind == "Run History Line Plot"]
    assert {config["xAxis"] for config in lines} == {"images"}
    drawn = {metric for config in lines for metric in config["metrics"]}
    assert drawn >= {
        "d/real",
        "d/wrong",
        "d/fake",
        "grad_norm/d",
        "grad_norm/g",
        "kid_efflite0",
        "health/mode_collapse",
    }
    assert drawn <= logged, drawn - logged

    kinds = [kind for kind, _ in sections["Scores"]]
    assert kinds == ["Bar Chart", "Run History Line Plot", "Parallel Coordinates Plot", "Run Comparer"]
    bars, _, parallel, _ = (config for _, config in sections["Scores"])
    assert bars["groupBy"] == "variant.value"  # one bar a variant, over its seeds
    assert [config["mediaKeys"] for kind, config in sections["Pictures"] if kind == "Media Browser"] == [["samples"]]

    summary = set(run_summary(composed("variant=bn_adam"), Status("done", scores={"kid_efflite0": 2.0})))
    (runs,) = spec["runSets"]
    columns = {name.removeprefix("summary:") for name in runs["runFeed"]["columnPinned"]} - {"run:displayName"}
    axes = {column["accessor"].removeprefix("summary:") for column in parallel["columns"]}
    shown = columns | axes | {name.removeprefix("summary_metrics.") for name in bars["metrics"]}
    assert shown <= summary, shown - summary
    assert {"choice/norm", "choice/loss", "score/kid_efflite0"} <= axes and "status/verdicts" in columns
    assert "six_variants" in json.dumps(runs["filters"])


@library
def test_without_a_key_one_sentence_says_so(tmp_path):
    result = workspace("entity=me", tmp_path=tmp_path)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1 and "WANDB_API_KEY" in result.stderr


@library
@pytest.mark.slow
def test_a_server_that_cannot_be_reached_is_one_sentence(server, tmp_path):
    server.stop()
    result = workspace("entity=me", server=server, tmp_path=tmp_path)
    assert result.returncode == 2
    assert "W&B did not take the workspace of me/stackgan" in result.stderr.strip().splitlines()[-1]


def test_without_the_library_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    import builtins

    from stackgan.errors import UserError
    from stackgan.reporting.workspace import build_workspace

    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("wandb_workspaces"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError, match=r"wandb-workspaces is missing: pip install -e '\.\[sweep\]'"):
        build_workspace("me", "birds")


def test_an_entity_is_asked_for(tmp_path):
    result = workspace(tmp_path=tmp_path)
    assert result.returncode == 2 and "entity=" in result.stderr
