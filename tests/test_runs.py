"""Whole runs at tiny scale: what they leave behind, what a second command does, and the studies."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from PIL import Image

from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.experiment import run
from stackgan.run_directory import read_status
from stackgan.training.bundle import load_bundle
from support import slow
from test_config import STUDY

pytestmark = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)


def only_run(folder: Path) -> Path:
    (found,) = folder.glob("runs/*")
    return found


PROTOCOLS = [("recipe", "minilm_tokens"), slow("reference_tf", "minilm"), slow("reference_pytorch", "minilm")]


@pytest.mark.parametrize(
    ("variant", "text"),
    PROTOCOLS + [slow(variant, "attributes") for variant in STUDY],  # the six in one: tests/test_documented_commands.py
)
def test_every_variant_trains_both_stages(tiny, tmp_path, variant, text):
    for stage in ("one", "two"):
        overrides = [f"variant={variant}", f"stage={stage}", "images=32"]
        assert run(tiny(*overrides, f"text={text}"), overrides) == 0
    states = {path.name.split("-")[0]: read_status(path) for path in tmp_path.glob("runs/*")}
    assert set(states) == {variant, f"{variant},stage=two"}
    assert all(status.state == "done" and status.images >= 32 for status in states.values())


def test_a_run_leaves_what_the_contract_says(tiny, tmp_path):
    overrides = ["loss=hinge"]
    run(tiny(*overrides), overrides)
    folder = only_run(tmp_path)
    status = read_status(folder)
    assert folder.name == f"loss=hinge-{status.signature}"
    assert (status.state, status.images) == ("done", 64) and status.seconds > 0 and "torch" in status.versions
    assert yaml.safe_load((folder / "config.yaml").read_text())["loss"]["name"] == "hinge"
    assert (folder / "overrides.txt").read_text() == "loss=hinge\n"
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["images"]) for row in rows] == list(range(8, 72, 8))
    wanted = {
        "loss/d",
        "loss/g",
        "loss/kl",
        "d/real",
        "d/wrong",
        "d/fake",
        "grad_norm/d",
        "grad_norm/g",
        "lr/d",
        "lr/g",
        "images_per_second",
    }
    assert all(float(row[key]) == float(row[key]) for row in rows for key in wanted)
    grids = sorted(path.name for path in (folder / "samples").iterdir())
    assert grids == ["000000008.png", "000000032.png", "000000064.png"]
    assert Image.open(folder / "samples" / grids[0]).width > 8 * 128
    records = json.loads((folder / "evaluation.json").read_text())
    assert {(r["captions"], r["images"]) for r in records} == {("validation", 32), ("validation", 64), ("test", 64)}
    assert {r["metric"] for r in records} == {"is_efflite0", "kid_efflite0"}
    assert all(r["value"] >= 1 for r in records if r["metric"] == "is_efflite0")
    assert all(len(r["weights"]) == 16 for r in records)
    assert load_bundle(folder / "generator").signature == status.signature
    assert load_bundle(folder / "generator_best").images in (32, 64)
    assert (folder / "checkpoints" / "last.ckpt").exists()


def test_the_same_command_again_is_skipped_and_a_larger_budget_goes_on(tiny, tmp_path, capsys):
    run(tiny("images=32"), [])
    folder = only_run(tmp_path)
    before = (folder / "metrics.csv").read_text()
    assert run(tiny("images=32"), []) == 0
    assert "already done" in capsys.readouterr().out
    assert (folder / "metrics.csv").read_text() == before
    run(tiny("images=64"), [])
    after = (folder / "metrics.csv").read_text()
    status = read_status(only_run(tmp_path))
    assert status.images == 64
    losses = [[row["loss/d"] for row in csv.DictReader(text.splitlines())] for text in (before, after)]
    assert len(losses[1]) == 8 and losses[1][:4] == losses[0]  # rows 8..32 stand, 40..64 are new


def test_a_run_in_two_sessions_ends_where_one_session_ends(tiny, tmp_path):
    import torch

    for study, budgets in (("whole", [64]), ("halves", [32, 64])):
        for images in budgets:
            run(tiny(f"images={images}", f"study={study}"), [])
    whole, halves = (
        load_bundle(next(tmp_path.glob(f"{study}/*/generator"))).sampler.state_dict() for study in ("whole", "halves")
    )
    for key, value in whole.items():
        torch.testing.assert_close(halves[key], value, rtol=0, atol=0)


def test_a_run_that_failed_after_its_last_image_is_completed(tiny, tmp_path):
    import torch

    run(tiny("images=32"), [])
    folder = only_run(tmp_path)
    trained = load_bundle(folder / "generator").sampler.state_dict()
    status = read_status(folder)
    status.state = "failed"
    status.write(folder)
    assert run(tiny("images=32"), []) == 0
    status = read_status(folder)
    assert (status.state, status.images) == ("done", 32) and status.scores["is_efflite0"] >= 1
    again = load_bundle(folder / "generator").sampler.state_dict()
    assert all(torch.equal(trained[key], again[key]) for key in trained)


def test_other_data_under_the_same_configuration_is_refused(tiny, tmp_path):
    from stackgan.errors import UserError

    run(tiny("images=32"), [])
    folder = only_run(tmp_path)
    status = read_status(folder)
    status.data_fingerprint = "0000"
    status.write(folder)
    with pytest.raises(UserError, match="other data"):
        run(tiny("images=64"), [])


def test_stage_two_finds_its_stage_one_and_refuses_other_embeddings(tiny, tmp_path):
    from stackgan.errors import UserError

    run(tiny("images=32"), [])
    folder = only_run(tmp_path)
    overrides = ["stage=two", "images=16"]
    assert run(tiny(*overrides), overrides) == 0
    about = folder / "generator" / "generator.json"
    about.write_text(about.read_text().replace(json.loads(about.read_text())["text"]["fingerprint"], "ffff"))
    with pytest.raises(UserError, match="embeddings"):
        run(tiny("stage=two", f"stage_one={folder}", "seed=1"), [])


@pytest.mark.slow  # the launcher's own tests do it with stand-ins
def test_one_job_that_dies_costs_only_itself(train, tmp_path):
    # the second job's folder cannot be written: it fails, the third still runs
    result = train("-m", "images=16", "seed=0,1,2", "study=s")
    assert result.returncode == 0, result.stderr
    victim = next(path for path in (tmp_path / "s").iterdir() if "seed=1" in path.name)
    status = read_status(victim)
    status.state = "failed"
    status.write(victim)
    (victim / "checkpoints" / "last.ckpt").write_bytes(b"not a checkpoint")
    result = train("-m", "images=16", "seed=0,1,2", "study=s")
    assert result.returncode == 1
    jobs = json.loads((tmp_path / "s" / "study.json").read_text())["jobs"]
    assert [job["state"] for job in jobs] == ["done", "failed", "done"]
    assert jobs[1]["reason"]
