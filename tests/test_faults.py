"""Runs that are killed, stopped, cheated and starved: what the next command makes of them."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stackgan.config import PROJECT
from stackgan.errors import UserError
from stackgan.evaluation.during_training import TrainingScores
from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.experiment import run
from stackgan.run_directory import lock_run, read_status
from stackgan.training.bundle import load_bundle
from stackgan.training.checkpoint import LAST, PREVIOUS, read_checkpoint
from support import TINY, composed, slow

pytestmark = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)
LONG = [  # seconds of training, long enough to be caught in the middle by a busy machine, with everything that has a state
    "loss=wgan", "loss.n_critic=3", "dropout=on", "lr=cosine", "data.augment=on", "trainer.deterministic=true", "images=1000",
    "logger.log_every=56", "logger.samples_every=500", "evaluation.every=500", "trainer.threads=1",
]  # fmt: skip
OFTEN = ["logger.checkpoint_images=120"]


def only_run(folder: Path) -> Path:
    (found,) = folder.glob("runs/*")
    return found


def rows(run_folder: Path) -> list[dict[str, str]]:
    """metrics.csv without the speed."""
    with (run_folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "images_per_second"} for row in csv.DictReader(file)]


def state(run_folder: Path) -> dict[str, torch.Tensor]:
    """Generator bundle, both networks and both optimizers of the last checkpoint."""
    checkpoint = read_checkpoint(run_folder / "checkpoints" / LAST)
    moments = {
        f"{place} {index} {name}": torch.as_tensor(value)
        for place, optimizer in enumerate(checkpoint["optimizers"])
        for index, values in optimizer["state"].items()
        for name, value in values.items()
    }
    return load_bundle(run_folder / "generator").sampler.state_dict() | checkpoint["module"] | moments


def assert_same_result(a: Path, b: Path) -> None:
    first, second = state(a), state(b)
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name].nan_to_num(), second[name].nan_to_num())]
    assert not different
    assert rows(a) == rows(b)
    assert json.loads((a / "evaluation.json").read_text()) == json.loads((b / "evaluation.json").read_text())


@pytest.fixture
def start(cache: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start src/train.py at tiny scale; outputs go to tmp_path."""

    def begin(*arguments: str, **options: object) -> subprocess.Popen[str]:
        settings = [*TINY, f"data.cache={cache}", f"outputs={tmp_path}", *arguments]
        return subprocess.Popen(
            [sys.executable, str(PROJECT / "src" / "train.py"), *settings],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip

    return begin


def wait_for(tmp_path: Path, images: int, process: subprocess.Popen[str]) -> None:
    """Until the run has seen so many images."""
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        folders = list(tmp_path.glob("runs/*"))
        status = read_status(folders[0]) if folders else None
        if status is not None and status.images >= images:
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    raise AssertionError("the run did not get there")


@pytest.fixture
def in_peace(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a LONG run that nobody disturbs."""
    outputs = tmp_path_factory.mktemp("peace")
    threads = torch.get_num_threads()
    assert run(composed(*TINY, *LONG, f"data.cache={cache}", f"outputs={outputs}"), []) == 0
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    return only_run(outputs)


def test_a_killed_run_ends_where_one_left_in_peace_does(start, tmp_path, in_peace):
    killed = start(*LONG, *OFTEN)
    wait_for(tmp_path, 200, killed)
    folder = only_run(tmp_path)
    with pytest.raises(UserError, match=f"trained by process {killed.pid} "), lock_run(folder):
        pass
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    reached = read_status(folder)
    assert (reached.state, reached.events) == ("running", [])
    first = read_checkpoint(folder / "checkpoints" / LAST)["images_seen"]
    assert first >= 120

    last = start(*LONG, *OFTEN)
    assert last.wait(timeout=900) == 0, last.communicate()[1]
    status = read_status(folder)
    assert (status.state, status.images, status.budget) == ("done", 1000, 1000)
    assert status.events == [{"images": first, "sentence": "went on from the checkpoint"}]
    assert_same_result(folder, in_peace)


@pytest.mark.slow
def test_a_run_that_was_stopped_by_a_signal_ends_where_one_left_in_peace_does(start, tmp_path, in_peace):
    stopped = start(*LONG, *OFTEN)
    wait_for(tmp_path, 200, stopped)
    stopped.terminate()
    out, _ = stopped.communicate(timeout=900)
    folder = only_run(tmp_path)
    status = read_status(folder)
    assert (stopped.returncode, status.state, status.reason) == (75, "preempted", "stopped by SIGTERM")
    reached = read_checkpoint(folder / "checkpoints" / LAST)["images_seen"]
    assert reached == status.images and f"after {reached:,} images" in out

    last = start(*LONG, *OFTEN)
    assert last.wait(timeout=900) == 0, last.communicate()[1]
    status = read_status(folder)
    assert (status.state, status.images, status.budget) == ("done", 1000, 1000)
    assert status.events == [{"images": reached, "sentence": "went on from the checkpoint"}]
    assert_same_result(folder, in_peace)


@pytest.mark.parametrize("signum", [signal.SIGINT, slow(signal.SIGUSR2)])
def test_a_signal_is_heard_after_the_batch_and_nothing_is_lost(tiny, tmp_path, monkeypatch, signum):
    run(tiny("study=whole"), [])
    with monkeypatch.context() as patch:
        _signal_while_scoring(patch, signum, "validation")
        assert run(tiny(), []) == 75
    folder = only_run(tmp_path)
    assert (read_status(folder).state, read_status(folder).images) == ("preempted", 32)
    assert run(tiny(), []) == 0
    (whole,) = tmp_path.glob("whole/*")
    assert_same_result(folder, whole)


def test_the_scores_at_the_end_need_not_be_waited_for(tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        _signal_while_scoring(patch, signal.SIGTERM, "test")
        assert run(tiny(), []) == 75
    folder = only_run(tmp_path)
    assert (read_status(folder).state, read_status(folder).images) == ("preempted", 64)
    assert load_bundle(folder / "generator").images == 64
    assert run(tiny(), []) == 0
    assert read_status(folder).scores["is_efflite0"] >= 1


def _signal_while_scoring(patch: pytest.MonkeyPatch, signum: int, when: str) -> None:
    score = TrainingScores.score

    def signalled(self, trainer, module, split, count):
        if split == when:
            os.kill(os.getpid(), signum)
        return score(self, trainer, module, split, count)

    patch.setattr(TrainingScores, "score", signalled)


def test_a_damaged_checkpoint_falls_back_and_says_so(tiny, tmp_path, monkeypatch, capsys):
    run(tiny("study=whole"), [])
    with monkeypatch.context() as patch:
        _signal_while_scoring(patch, signal.SIGTERM, "validation")
        assert run(tiny("logger.checkpoint_images=16"), []) == 75
    folder = only_run(tmp_path)
    whole = (folder / "checkpoints" / LAST).read_bytes()
    (folder / "checkpoints" / LAST).write_bytes(whole[: len(whole) // 2])
    assert run(tiny(), []) == 0
    events = read_status(folder).events
    assert events[0]["images"] == 16 and "cannot be read" in events[0]["sentence"] and PREVIOUS in events[0]["sentence"]
    assert "warning" in capsys.readouterr().out
    (other,) = tmp_path.glob("whole/*")
    assert_same_result(folder, other)


def test_a_checkpoint_that_cannot_be_used_is_one_sentence_and_stays(tiny, tmp_path):
    run(tiny("images=16"), [])
    folder = only_run(tmp_path)
    status = read_status(folder)
    path = folder / "checkpoints" / LAST
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match=r"remove .* to train from the start"):
        run(tiny("images=32"), [])
    assert path.read_bytes() == b"something else"
    after = read_status(folder)
    assert (after.state, after.images) == ("failed", status.images) and "cannot be read" in after.reason


def test_a_folder_that_was_renamed_to_another_configurations_is_refused_with_the_difference(tiny, tmp_path):
    run(tiny("images=16"), [])
    run(tiny("images=16", "loss=hinge", "study=other"), ["loss=hinge"])
    (other,) = tmp_path.glob("other/*")
    (other / "checkpoints" / LAST).write_bytes((only_run(tmp_path) / "checkpoints" / LAST).read_bytes())
    before = (other / "config.yaml").read_text()
    with pytest.raises(UserError, match=r"another configuration \(.*loss.name: bce -> hinge"):
        run(tiny("images=32", "loss=hinge", "study=other"), ["loss=hinge"])
    assert (other / "config.yaml").read_text() == before


def test_a_full_disk_is_one_line_and_the_earlier_checkpoints_stay(start, tmp_path, tiny):
    run(tiny("images=16", "logger.checkpoint_images=8"), [])
    folder = only_run(tmp_path)
    before = {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}
    assert sorted(before) == [LAST, PREVIOUS]
    limit = len(before[LAST]) // 2  # bytes a file may have: the system says so as it says that a disk is full
    process = start(
        "images=64",
        "logger.checkpoint_images=8",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 1, errors
    last = errors.strip().splitlines()[-1]
    assert "saved until 16 images" in last and "Make room" in last and "Traceback" not in errors
    assert {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()} == before
    assert read_status(folder).state == "failed" and "saved until 16 images" in read_status(folder).reason
    assert run(tiny("images=64"), []) == 0


def test_an_output_folder_that_cannot_be_written_and_missing_data_are_the_users_to_mend(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="outputs="):
        run(tiny(f"outputs={tmp_path}/file/outputs"), [])
    for data in ("folder", "cub"):
        with pytest.raises(UserError, match="nowhere"):
            run(composed("scale=tiny", f"data={data}", f"data.root={tmp_path}/nowhere", f"outputs={tmp_path}"), [])


def test_the_status_follows_the_rows_while_a_run_trains(tiny, tmp_path, monkeypatch):
    from stackgan.run_directory import Status

    seen, write = [], Status.write
    monkeypatch.setattr(Status, "write", lambda self, folder: (seen.append(self), write(self, folder)))
    run(tiny("images=64", "evaluation.every=32"), [])
    running = [status for status in seen if status.state == "running" and status.images]
    assert {status.images for status in running} == set(range(8, 72, 8))
    assert all(status.budget == 64 and status.pid == os.getpid() and status.images_per_second > 0 for status in running)
    assert next(status.images for status in running if status.scores) == 32
    assert seen[-1].state == "done" and seen[-1].seconds >= running[0].seconds


@pytest.mark.slow
def test_two_ranks_stop_at_one_batch_and_go_on_exactly(start, tmp_path):
    ranks = [*LONG, "trainer=ddp", "trainer.accelerator=cpu", "trainer.precision=32-true", "trainer.threads=1", *OFTEN]
    peace = start(*ranks, "study=peace")
    assert peace.wait(timeout=900) == 0, peace.communicate()[1]
    stopped = start(*ranks)
    wait_for(tmp_path, 300, stopped)
    stopped.send_signal(signal.SIGUSR1)
    stopped.communicate(timeout=900)
    folder = only_run(tmp_path)
    assert (stopped.returncode, read_status(folder).state) == (75, "preempted")
    assert read_checkpoint(folder / "checkpoints" / LAST)["step_count"] % 8 == 0
    killed = start(*ranks)
    wait_for(tmp_path, read_status(folder).images + 300, killed)
    killed.kill()
    killed.communicate(timeout=60)  # ends only once the other rank, which holds the pipes too, has ended
    last = start(*ranks)
    assert last.wait(timeout=900) == 0, last.communicate()[1]
    (whole,) = tmp_path.glob("peace/*")
    assert_same_result(folder, whole)


@pytest.mark.slow
def test_torture(tmp_path):
    command = [sys.executable, str(PROJECT / "bench" / "torture.py"), "--kills", "4", "--images", "1200"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=9000)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "every result is bit-equal" in result.stdout
