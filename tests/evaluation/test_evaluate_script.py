"""src/evaluate.py and src/table.py as a person meets them."""

import json
import subprocess
import sys
from dataclasses import asdict

import pytest
import yaml
from PIL import Image

from stackgan.config import PROJECT
from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.experiment import run
from stackgan.run_directory import Status
from support import composed, script, slow

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


@pytest.fixture
def trained(tmp_path):
    """What a script sees of a finished run before it reads the generator."""
    folder = tmp_path / "trained"
    (folder / "generator").mkdir(parents=True)
    (folder / "generator" / "generator.json").write_text("{}")
    config = composed("logger=none", f"data.cache={tmp_path}/cache", f"outputs={tmp_path}")
    (folder / "config.yaml").write_text(yaml.safe_dump(asdict(config)))
    Status("done").write(folder)
    return folder


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(10):
        Image.new("RGB", (16, 7 if i == 9 else 16)).save(folder / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["wandb=true"], ["wandb=true", "logger.wandb=disabled"]),
        (["weights=best"], ["generator_best/", "weights=ema"]),
        (["network=foo"], ["network=foo", "inception_finetuned"]),
        (["network=inception", "network_path=/nowhere"], ["network_path=/nowhere does not exist"]),
        (["network=efflite0", "network_path=/nowhere"], ["network_path=/nowhere changes nothing"]),
    ],
    ids=str,
)
def test_what_a_run_or_this_machine_lacks_is_told_before_torch_is_imported(arguments, words, trained):
    refused([f"run={trained}", *arguments], words)
    assert not list(trained.glob("*.lock")) and not list(trained.glob(".*.lock"))


def test_a_picture_that_is_too_small_is_named_before_anything_is_painted(pictures, tmp_path):
    refused([f"images={pictures}", f"cache={tmp_path}/cache", "splits=2"], ["9.png is 16 x 7 px", "8"])
    assert not (tmp_path / "cache").exists() and not list(pictures.glob(".*"))


def refused(arguments, words):
    """The script in a process that cannot import torch."""
    code = "import runpy, sys; sys.modules['torch'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", code, str(PROJECT / "src/evaluate.py"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


@needs_package
@pytest.mark.slow
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
