"""Where numbers come from, as status, scores, bundle and W&B say it."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch

from stackgan.experiment import run
from stackgan.provenance import Provenance, code_version, device_name
from stackgan.run_directory import Status, read_status
from stackgan.tracking.wandb_summary import run_summary
from support import composed


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text("a = 1\n")
    git("add", ".")
    git("commit", "-qm", "a")
    code_version.cache_clear()
    yield tmp_path, git("rev-parse", "HEAD").strip()
    code_version.cache_clear()


def test_a_checkout_is_known_by_its_commit(repository):
    folder, commit = repository
    (folder / "outputs").mkdir()
    (folder / "outputs/status.json").write_text("{}")
    assert code_version(folder) == (commit[:12], False)  # what a run leaves changes no code


@pytest.mark.parametrize("change", ["src/a.py", "src/b.py", "conf/c.yaml", "sweeps/d.yaml"])
def test_changed_and_new_code_is_told_from_the_commits(repository, change):
    folder, commit = repository
    (folder / change).parent.mkdir(exist_ok=True)
    (folder / change).write_text("a = 2\n")
    assert code_version(folder) == (commit[:12], True)


def test_a_checkout_behind_a_link_is_known_as_well(repository, tmp_path_factory):
    folder, commit = repository
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(folder)
    assert code_version(link) == (commit[:12], False)


def test_to_look_at_a_checkout_writes_nothing(repository):
    folder, _ = repository
    os.utime(
        folder / "src/a.py", (1_000_000_000, 1_000_000_000)
    )  # a plain `git status` would note in the index that it is unchanged
    index = (folder / ".git/index").read_bytes()
    assert code_version(folder)[1] is False
    assert (folder / ".git/index").read_bytes() == index


def test_what_git_cannot_tell_is_not_known(repository, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    subprocess.run(["git", "-C", empty, "init", "-q"], check=True)
    assert code_version(empty) == ("", None)  # no commit yet
    folder, _ = repository
    (folder / ".git/index").write_text("damaged")
    assert code_version(folder) == ("", None)  # the commit, but not whether the code is as there


def test_code_without_a_repository_of_its_own_has_no_commit(repository, tmp_path_factory, monkeypatch):
    folder, _ = repository
    assert code_version(folder / "src") == ("", None)  # installed inside somebody's project
    alone = tmp_path_factory.mktemp("alone")
    assert code_version(alone) == ("", None)
    code_version.cache_clear()
    monkeypatch.setenv("PATH", "")
    assert code_version(folder) == ("", None)


def test_a_processor_is_named_with_the_cores_that_may_be_used(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 5, 7}, raising=False)
    name, _, cores = device_name(torch.device("cpu")).rpartition(", ")
    assert cores == "3 cores" and name
    information = Path("/proc/cpuinfo")
    models = (
        [line for line in information.read_text().splitlines() if "model name" in line] if information.exists() else []
    )
    assert all(name == line.partition(":")[2].strip() for line in models[:1])


def test_a_gpu_is_named_by_its_driver_and_another_device_by_its_kind(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    assert device_name(torch.device("cuda", 1)) == "card 1" and device_name(torch.device("mps")) == "mps"


def test_provenance_has_the_threads_of_this_process():
    before = torch.get_num_threads()
    torch.set_num_threads(before + 2)
    try:
        assert Provenance.here(torch.device("cpu")).threads == before + 2
    finally:
        torch.set_num_threads(before)


def test_status_scores_and_bundle_say_what_they_were_made_by(tiny, tmp_path):
    assert run(tiny("images=16"), []) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    status = read_status(folder)
    here = Provenance.here(torch.device("cpu")).record()
    assert status.provenance == here | {"precision": "32-true", "ranks": 1}
    assert status.train_images == 42 and set(here) == {"commit", "changed", "device", "precision", "ranks", "threads"}
    assert here["precision"] == "32-true"  # scores are taken in full float32, whatever trains
    assert all(row["provenance"] == here for row in json.loads((folder / "evaluation.json").read_text()))
    origin = json.loads((folder / "generator/generator.json").read_text())["origin"]
    assert origin["device"] == here["device"] and origin["identity"]["scale.image_size"] == 16
    assert (
        origin["identity"]["fingerprint"]["data"] == status.data_fingerprint and origin["versions"] == status.versions
    )


def test_going_on_with_other_code_is_an_event(tiny, tmp_path, monkeypatch):
    assert run(tiny("images=16"), []) == 0
    monkeypatch.setattr("stackgan.provenance.code_version", lambda project: ("0123456789ab", False))
    assert run(tiny("images=32"), []) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    sentences = [event["sentence"] for event in read_status(folder).events]
    assert any("another commit" in sentence and "-> 0123456789ab" in sentence for sentence in sentences)


def test_the_summary_has_it_flat():
    status = Status("done", train_images=30, provenance={"commit": "0123456789ab", "changed": None, "ranks": 2})
    summary = run_summary(composed(), status)
    assert summary["provenance/commit"] == "0123456789ab" and summary["provenance/ranks"] == 2
    assert summary["status/train_images"] == 30 and "provenance/changed" not in summary
