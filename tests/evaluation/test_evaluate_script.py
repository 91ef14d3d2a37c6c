"""src/evaluate.py and src/table.py as a person meets them."""

import json

import pytest
from PIL import Image

from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.experiment import run
from support import script, slow

needs_package = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("evaluate.py", [], ["run=", "study=", "images="]),
        ("evaluate.py", ["run=a", "images=b"], ["run and images"]),
        ("evaluate.py", ["run=a", "data=cub"], ["data belongs to images="]),
        ("evaluate.py", ["images=a", "wandb=true"], ["wandb=true"]),
        slow("evaluate.py", ["images=/nowhere", "data=cub"], ["data.root", "data.archive"]),
        ("evaluate.py", ["study=/nowhere"], ["study=/nowhere"]),
        ("evaluate.py", ["run=a", "samples=many"], ["samples", "many"]),
        ("evaluate.py", ["run=a", "metrics=fod"], ["metrics", "fid"]),
        ("table.py", [], ["study=", "run="]),
        ("table.py", ["study=/nowhere"], ["/nowhere"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_mistake_is_one_sentence_and_exit_code_2(name, arguments, words):
    result = script(name, *arguments)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


@needs_package
def test_a_study_is_scored_run_by_run_and_its_table_follows(tiny, tmp_path):
    run(tiny("images=32", "study=s"), [])
    run(tiny("images=32", "study=s", "seed=1"), [])
    study = tmp_path / "s"
    broken = next(path for path in study.iterdir() if "seed: 1\n" in (path / "config.yaml").read_text())
    status = json.loads((broken / "status.json").read_text())
    (broken / "status.json").write_text(json.dumps({**status, "state": "preempted"}))
    whole = next(path for path in study.iterdir() if path != broken and path.is_dir())
    result = script("evaluate.py", f"study={study}", "samples=24", "splits=2", "metrics=[is,kid]")
    assert result.returncode == 0, result.stderr
    assert "[1/1]" in result.stdout and f"not scored: {broken.name} (preempted)" in result.stdout
    metrics = {row["metric"] for row in json.loads((whole / "evaluation.json").read_text()) if row["samples"] == 24}
    assert metrics == {"is_efflite0", "kid_efflite0"}
    table = script("table.py", f"study={study}")
    assert table.returncode == 0 and "kid\\_efflite0" in table.stdout and (study / "table.csv").is_file()


@needs_package
@pytest.mark.slow  # the same in this process: test_evaluate.py
def test_a_folder_is_judged_by_the_data_set_of_the_command_line(cache, tmp_path):
    for i in range(10):
        Image.new("RGB", (32, 32), (25 * i, 100, 50)).save(tmp_path / f"{i}.png")
    result = script(
        "evaluate.py", f"images={tmp_path}", "data=birds", "data.classes=40", "data.images_per_class=2",
        "data.picture_size=64", "text=attributes", f"cache={cache}", "splits=2", "metrics=[fid]",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    (row,) = (r for r in json.loads((tmp_path / "evaluation.json").read_text()) if r["frames"] == "kept")
    assert (row["metric"], row["subject"], row["samples"], row["image_size"]) == (
        "fid_efflite0", tmp_path.name, 10, 32,
    )  # fmt: skip
