"""Weights & Biases: what a run sends, where it is kept, and that nothing which happens there ends it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import wandb
from PIL import Image

from stackgan.config import PROJECT
from stackgan.evaluation.during_training import TrainingScores
from stackgan.experiment import run
from stackgan.run_directory import read_status
from stackgan.tracking.wandb_record import WandbRecord
from stackgan.tracking.wandb_run import open_wandb
from support import TINY, slow
from wandb_server import wandb_server

ROWS = ["images=32", "evaluation.every=16", "logger.wandb=auto"]


@pytest.fixture
def impatient(monkeypatch):
    """A user who does not wait long."""
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "1")
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "1")


def lines(capsys):
    """What was said of W&B."""
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("W&B: ")]


def only(folder: Path) -> Path:
    (found,) = folder.glob("*/*-*/status.json")
    return found.parent


def sync(line, server, cwd):
    """Run the command at the end of a line as it was printed."""
    words = line.partition("send with: ")[2]
    assert words.startswith("wandb sync ")
    environment = os.environ | server.environment()
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    result = subprocess.run(words, shell=True, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


def images_of(rows, name):
    return [row["images"] for row in rows if name in row]


def test_a_run_with_a_key_is_at_wandb_with_its_rows_pictures_summary_and_address(server, tiny, tmp_path, capsys):
    names = ["logger.project=birds", "logger.entity=us", "logger.tags=[a,b]", "logger.notes=why", "study=a/b"]
    assert run(tiny(*ROWS, *names), []) == 0
    ((number, begun),) = server.runs.items()
    (folder,) = tmp_path.glob("a/b/*-*")
    assert number == WandbRecord.read(folder).id and number.startswith(read_status(folder).signature)
    assert lines(capsys) == [f"W&B: {server.url}/us/birds/runs/{number}"] * 2  # as it begins and as it ends
    assert (begun["groupName"], begun["displayName"], begun["notes"]) == ("a/b", folder.name, "why")
    assert (begun["entity"], begun["project"], begun["tags"]) == ("us", "birds", ["a", "b"])
    assert json.loads(begun["config"])["loss"]["value"]["name"] == "bce"
    rows = server.rows[number]
    assert images_of(rows, "loss/d") == [8, 16, 24, 32] and images_of(rows, "is_efflite0/test") == [32]
    (grid,) = [row["samples"] for row in rows if row.get("images") == 32 and "samples" in row]
    assert grid["captions"] == ["32 images, captions of validation images, averaged generator"]
    assert any(file.startswith("media/images/samples") for file in server.files)
    assert server.summaries[number]["status/state"] == "done" and server.exit_codes[number] == 0
    assert wandb.run is None  # finished


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("refuse", "the server cannot be reached"),
        ("hang", "the server did not answer in time"),
        (401, "the server answered 401; `wandb login --relogin` takes another key"),
        slow(403, "the server answered 403"),
        slow(500, "the server answered 500"),
    ],
)
def test_a_server_that_takes_no_run_costs_a_line(fails, said, server, impatient, tiny, tmp_path, capsys):
    server.fails = fails
    if fails == "refuse":
        server.stop()
    assert run(tiny(*ROWS), []) == 0
    first, last = lines(capsys)
    assert said in first and "; offline; send with: " in first
    assert last.startswith("W&B: offline; send with: ")
    folder = only(tmp_path)
    assert read_status(folder).state == "done" and len(list(folder.glob("wandb/offline-run-*"))) == 1


@pytest.mark.parametrize(("name", "value"), [("WANDB_BASE_URL", "nonsense"), ("WANDB_INIT_TIMEOUT", "soon")])
def test_a_variable_that_wandb_cannot_read_costs_a_line(name, value, server, tiny, tmp_path, monkeypatch, capsys):
    wandb.teardown()
    monkeypatch.setenv(name, value)
    assert run(tiny(*ROWS), []) == 0
    first, last = lines(capsys)
    assert f"W&B: {name} cannot be read: " in first and "; offline; send with: " in first and "pydantic" not in first
    assert last.startswith("W&B: offline; send with: ") and not server.runs
    assert len(list(only(tmp_path).glob("wandb/offline-run-*"))) == 1


def test_a_key_that_is_none_is_said_and_one_in_netrc_is_found(tiny, tmp_path, monkeypatch, capsys, server):
    monkeypatch.setenv("WANDB_API_KEY", "short")
    assert run(tiny(*ROWS, "study=short"), []) == 0
    assert "API key" in lines(capsys)[0] and not server.runs
    monkeypatch.delenv("WANDB_API_KEY")
    wandb.teardown()
    host = server.url.removeprefix("http://")
    (tmp_path / "netrc").write_text(f"machine {host}\n  login user\n  password {'0' * 40}\n")
    assert run(tiny(*ROWS, "study=by_netrc"), []) == 0
    assert len(server.runs) == 1


def test_a_run_that_was_deleted_in_the_browser_is_made_again_whole(server, impatient, tiny, tmp_path, capsys):
    assert run(tiny(*ROWS), []) == 0
    (deleted,) = server.runs
    server.deleted.add(deleted)
    capsys.readouterr()
    assert run(tiny(*ROWS, "images=64"), []) == 0
    folder = only(tmp_path)
    (again,) = server.runs.keys() - {deleted}
    assert again == WandbRecord.read(folder).id
    assert lines(capsys) == [f"W&B: {server.url}/me/stackgan/runs/{again}"] * 2
    assert images_of(server.rows[again], "loss/d") == list(range(8, 72, 8))


def stop_at(images, monkeypatch, action):
    """Have something happen while a run scores itself."""
    score = TrainingScores.score

    def acting(self, trainer, module, split, count):
        if module.images_seen == images and split == "validation":
            action()
        return score(self, trainer, module, split, count)

    monkeypatch.setattr(TrainingScores, "score", acting)


def test_a_server_that_goes_away_in_the_middle_leaves_all_to_be_sent(
    server, impatient, tiny, tmp_path, monkeypatch, capsys
):
    stop_at(16, monkeypatch, server.stop)
    assert run(tiny(*ROWS), []) == 0
    assert read_status(only(tmp_path)).state == "done"
    last = lines(capsys)[-1]
    assert "lacks something (the server did not answer in time)" in last
    with wandb_server() as later:
        sync(last, later, tmp_path)
        (rows,) = later.rows.values()
        assert images_of(rows, "loss/d") == [8, 16, 24, 32]


def test_a_server_that_takes_no_more_rows_is_named_at_the_end(server, tiny, tmp_path, monkeypatch, capsys):
    server.rows_fail = 402  # the storage that was paid for is full
    assert run(tiny(*ROWS), []) == 0
    last = lines(capsys)[-1]
    assert "lacks something (failed to upload: 402 Payment Required)" in last
    server.rows_fail = None
    sync(last, server, tmp_path)
    (rows,) = server.rows.values()
    assert images_of(rows, "loss/d") == [8, 16, 24, 32]


def test_wandbs_own_process_may_die(tiny, tmp_path, monkeypatch, capsys):
    def kill():
        children = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "wandb-core"], capture_output=True, text=True)
        for child in children.stdout.split():
            os.kill(int(child), signal.SIGKILL)
            os.waitpid(int(child), 0)

    stop_at(16, monkeypatch, kill)
    assert run(tiny(*ROWS), []) == 0
    said = lines(capsys)
    assert sum("training goes on, and metrics.csv has every row" in line for line in said) == 1
    assert read_status(only(tmp_path)).state == "done"
    assert run(tiny(*ROWS, "images=64"), []) == 0  # and the next one has W&B again
    assert lines(capsys)[-1].startswith("W&B: offline; send with: ")


def test_offline_sessions_of_a_run_are_sent_by_the_command_that_was_printed(
    server, tiny, tmp_path, monkeypatch, capsys
):
    def dies():
        raise RuntimeError("dies")

    monkeypatch.setenv("WANDB_MODE", "offline")
    settings = [*ROWS, "images=64", "logger.checkpoint_images=16", "evaluation.every=40", "study='50% birds? #1'"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="dies"):
        stop_at(40, patch, dies)  # with the row at 40 logged, and the last checkpoint at 32
        run(tiny(*settings), [])
    first, _ = lines(capsys)
    assert run(tiny(*settings), []) == 0
    _, last = lines(capsys)
    assert first == last and not server.runs
    folder = only(tmp_path)
    assert len(list(folder.glob("wandb/offline-run-*"))) == 2
    sync(last, server, tmp_path)
    assert set(server.runs) == {WandbRecord.read(folder).id}
    ((number, begun),) = server.runs.items()
    assert begun["groupName"] == "50% birds? #1"
    rows = server.rows[number]
    assert images_of(rows, "loss/d") == list(range(8, 72, 8))  # each once
    assert images_of(rows, "is_efflite0") == [40, 64]
    assert server.summaries[number]["status/state"] == "done"


@pytest.mark.parametrize("ended", [True, False])
def test_what_a_killed_session_may_not_have_written_is_sent_again(ended, tiny, tmp_path, monkeypatch):
    config, sent = tiny("logger.wandb=offline"), []
    monkeypatch.setattr(wandb.Run, "log", lambda self, row: sent.append(row["images"]))
    first = open_wandb(tmp_path, config, "00c0ffee")
    first.catch_up([{"images": 8, "loss/d": 1.0}, {"images": 16, "loss/d": 1.0}])
    if ended:
        first.finish(0)
    second = open_wandb(tmp_path, config, "00c0ffee")
    assert second.version == first.version
    second.catch_up([{"images": 8, "loss/d": 1.0}, {"images": 16, "loss/d": 1.0}, {"images": 24, "loss/d": 1.0}])
    assert sent == ([8, 16, 24] if ended else [8, 16, 8, 16, 24])


def test_a_large_picture_is_sent_as_jpeg(tiny, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    logger = open_wandb(tmp_path, tiny("logger.wandb=offline"), "00c0ffee")
    logger.log_image("samples", tmp_path / "large.png", 8, "noise")
    logger.finish(0)
    (sent,) = tmp_path.glob("wandb/offline-run-*/files/media/images/*")
    assert sent.suffix == ".jpg" and sent.stat().st_size < (tmp_path / "large.png").stat().st_size / 2


@pytest.mark.slow
def test_a_run_that_is_killed_loses_no_row_at_wandb(cache, tmp_path, server, monkeypatch, capfd):
    monkeypatch.setenv("WANDB_MODE", "offline")
    settings = [*TINY, "logger.wandb=auto", "images=1600", "logger.checkpoint_images=80", f"data.cache={cache}"]
    command = [sys.executable, str(PROJECT / "src" / "train.py"), *settings, f"outputs={tmp_path}"]
    killed = subprocess.Popen(command)
    while not list(tmp_path.glob("runs/*/checkpoints/last.ckpt")):
        assert killed.poll() is None
        time.sleep(0.05)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert subprocess.run(command, timeout=900).returncode == 0
    sync(capfd.readouterr().out.splitlines()[-1], server, tmp_path)
    (rows,) = server.rows.values()
    assert sorted(set(images_of(rows, "loss/d"))) == list(range(8, 1608, 8))


def test_no_two_folders_share_a_run(tiny, tmp_path):
    for outputs in ("pa", "pb"):
        assert run(tiny("images=16", "logger.wandb=auto", "study=x", f"outputs={tmp_path}/{outputs}"), []) == 0
    a, b = (WandbRecord.read(next(tmp_path.glob(f"{outputs}/x/*-*"))).id for outputs in ("pa", "pb"))
    assert a != b and a.rpartition("-")[0] == b.rpartition("-")[0]


def test_a_damaged_record_is_replaced_with_a_sentence(tiny, tmp_path, capsys):
    assert run(tiny("images=16", "logger.wandb=auto"), []) == 0
    folder = only(tmp_path)
    before = WandbRecord.read(folder).id
    for damaged in ("", "{", "[]", '{"id": "a/b", "images": 8, "names": []}'):
        (folder / "wandb_run.json").write_text(damaged)
        with pytest.raises(ValueError, match=r"wandb_run\.json"):
            WandbRecord.read(folder)
    assert run(tiny("images=32", "logger.wandb=auto"), []) == 0
    assert "wandb_run.json" in lines(capsys)[2]
    assert WandbRecord.read(folder).id != before


def test_a_run_of_something_else_in_this_process_is_ended_first(tiny, tmp_path):
    other = wandb.init(mode="offline", dir=tmp_path, settings=wandb.Settings(silent=True))
    other.log({"mine": 1})
    assert run(tiny("images=16", "logger.wandb=auto"), []) == 0
    assert other.id != WandbRecord.read(only(tmp_path)).id
    with pytest.raises(wandb.UsageError):
        other.log({"mine": 2})  # finished
    assert "WANDB_MODE" not in os.environ  # and the next one is as the user wants it


@pytest.mark.parametrize("environment", [{"WANDB_MODE": "disabled"}, {"WANDB_DISABLED": "true"}])
def test_the_users_environment_turns_wandb_off(environment, server, tiny, tmp_path, monkeypatch, capsys):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert run(tiny("images=16", "logger.wandb=online"), []) == 0
    assert not server.runs and not list(only(tmp_path).glob("wandb*")) and not lines(capsys)


def test_a_run_that_does_not_use_wandb_does_not_import_it(tiny, tmp_path):
    code = (
        "import sys; from stackgan.experiment import run; from support import composed\n"
        "assert run(composed(*sys.argv[1:]), []) == 0; assert 'wandb' not in sys.modules"
    )
    config = tiny()
    arguments = ["logger=none", "images=16", f"data.cache={config.data.cache}", f"outputs={tmp_path}"]
    settings = [setting for setting in TINY if not setting.startswith("logger.wandb")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *settings, *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
