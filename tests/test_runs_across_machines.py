"""A run of a machine with bfloat16 on one without, and the other way round: the same captions in another precision."""

import json
from pathlib import Path

import pytest

from stackgan.evaluation.request import ScoreRequest
from stackgan.evaluation.run_scores import score_run
from stackgan.experiment import run
from stackgan.reporting.generate import generate
from stackgan.run_directory import read_status
from stackgan.text import minilm_files
from support import TINY, composed, slow

pytest.importorskip(minilm_files.PACKAGE, reason="the packaged MiniLM weights are not installed")
FEW = ["text=minilm", "data.classes=12", "images=16"]


def other_machine(cache: Path) -> None:
    """What the cache of a machine with the other arithmetic holds: the table under that one's name."""
    (folder,) = (cache / "embeddings").glob("minilm-*")
    name = folder.name.removesuffix("-bf16") if folder.name.endswith("-bf16") else f"{folder.name}-bf16"
    folder.rename(folder.with_name(name))


@pytest.mark.parametrize("began", ["bfloat16", slow("float32")])
def test_it_is_continued_refined_started_from_scored_and_drawn_from(tmp_path, monkeypatch, began):
    monkeypatch.setattr("stackgan.inputs.fast_encoder", lambda name: None)  # whatever this machine can do
    cache = tmp_path / "cache"
    settings = [*TINY, *FEW, f"data.cache={cache}", f"outputs={tmp_path}"]
    run(composed(*settings, "study=first", "seed=9"), [])
    if began == "bfloat16":
        other_machine(cache)
    assert run(composed(*settings), []) == 0
    (folder,) = tmp_path.glob("runs/*")
    text = json.loads((folder / "generator" / "generator.json").read_text())["text"]["fingerprint"]
    assert text.endswith("-bf16") == (began == "bfloat16")

    other_machine(cache)
    assert run(composed(*settings, "images=32"), []) == 0
    assert any("another precision" in event["sentence"] for event in read_status(folder).events)
    assert run(composed(*settings, "images=48"), []) == 0
    assert sum("another precision" in event["sentence"] for event in read_status(folder).events) == 1
    other_machine(cache)
    assert run(composed(*settings, "study=two", "stage=two", f"stage_one={folder}"), []) == 0
    assert run(composed(*settings, "study=more", "seed=1", f"start_from={folder}"), []) == 0
    assert score_run(folder, ScoreRequest(samples=12, splits=2, metrics=["is"])).records
    assert generate(folder, ["a red bird"], count=1, out=tmp_path / "drawn").grids
