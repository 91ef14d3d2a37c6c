"""What a sweep shows: a dry run, plain lines in a pipe, a live table on a terminal, and the numbers a sweeper is told."""

import io
import os
import pty
import re
import subprocess

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from hydra_plugins.isolated_launcher.jobs import Job, compose_jobs
from hydra_plugins.isolated_launcher.table import job_table
from launcher_support import Sweep
from stackgan.config import PROJECT, register
from stackgan.run_directory import Status


def composed_jobs(*overrides: str) -> list[Job]:
    """A job of each override, as the launcher gets them from Hydra."""
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        master = loader.load_configuration("config", [], RunMode.MULTIRUN)
        return compose_jobs(loader, master, [[override] for override in overrides], 0, None)


def on_a_terminal(sweep: Sweep) -> str:
    """Its output on a terminal of 40 lines of 140 columns."""
    main, side = pty.openpty()
    environment = sweep._environment | {"TERM": "xterm", "LINES": "40", "COLUMNS": "140"}
    process = subprocess.Popen(sweep._command, env=environment, stdin=side, stdout=side, stderr=side)
    os.close(side)
    shown = b""
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:  # nobody has the other side any more
            break
        if not chunk:
            break
        shown += chunk
    process.wait()
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


def test_a_dry_run_lists_everything_and_starts_nothing(tmp_path):
    Sweep(tmp_path, "seed=0,1", ways={1: "kill"}).run()
    done = Sweep(tmp_path, "seed=0").run_of(0)
    before = sorted(tmp_path.rglob("*"))
    sweep = Sweep(tmp_path, "stage=one,two", "seed=0,1", "loss=bce,wgan", "images=32", "dry_run=true").run()
    assert sweep.code == 0, sweep.output
    rows = {line.split()[0]: line for line in sweep.output.splitlines() if re.match(r"\d+ {2,}", line)}
    assert len(rows) == 8
    assert sweep.output.startswith("all jobs: scale=tiny study=s images=32")
    assert "goes on at 16 images" in rows["0"] and done.name[-8:] in rows["0"] and "  16  " in rows["0"]
    assert "goes on at 8 images" in rows["2"] and "  24  " in rows["2"]
    assert "new" in rows["1"] and "  32  " in rows["1"] and "  wgan  " in rows["1"]
    assert "waits for its Stage I" in rows["5"] and "on job 1" in rows["5"]
    differing = re.search(r"^5: (.*)$", sweep.output, re.M)[1].split()
    assert differing == ["loss.n_critic=5", "loss.clip=0.01"]  # from job 0, because of what its row says
    assert "8 jobs, 232 images to train" in sweep.output
    new = set(tmp_path.rglob("*")) - set(before)
    assert not [path for path in new if ".hydra" not in path.parts]  # Hydra's own record of the command


@pytest.mark.slow
def test_a_dry_run_knows_what_is_done_and_what_cannot_start(tmp_path):
    Sweep(tmp_path, "seed=0").run()
    sweep = Sweep(tmp_path, "stage=one,two", "seed=0", "loss=bce,wgan", "dry_run=true").run()
    assert re.search(r"^0 +one +bce +done +0 ", sweep.output, re.M)
    assert re.search(r"^2 +two +bce +new ", sweep.output, re.M)  # Stage II of what is done has a folder already
    alone = Sweep(tmp_path, "stage=two", "seed=5", "dry_run=true").run()
    assert "cannot start" in alone.output and "stage_one=auto" in alone.output


def test_a_budget_in_epochs_is_listed_as_such(tmp_path):
    sweep = Sweep(tmp_path, "seed=0,1", "images=null", "epochs=3", "dry_run=true").run()
    assert "3 epochs" in sweep.output and "2 jobs whose budget is in epochs" in sweep.output


@pytest.mark.slow
def test_in_a_pipe_one_job_at_a_time_passes_its_output_through_and_several_say_only_what_changes(tmp_path):
    one = Sweep(tmp_path / "a", "seed=0,1").run().output.splitlines()
    assert one[:3] == ["[1/2] seed=0: running", "going on after 0 images", one[2]] and "seed=0: done" in one[2]
    several = Sweep(tmp_path / "b", "seed=0,1", "jobs=2")
    assert "going on" not in several.run().output
    assert "going on after 0 images" in (several.run_of(1) / "log.txt").read_text()


def test_on_a_terminal_a_table_shows_every_job(tmp_path):
    sweep = Sweep(tmp_path, "seed=0,1,2", ways={0: "raise", 1: "short", 2: "short"})
    shown = on_a_terminal(sweep)
    assert sweep.states() == ["failed", "done", "done"]
    for words in ("job", "state", "img/s", "left", "score", "verdict", "8 / 16", "is 2.00", "2 done", "1 failed"):
        assert words in shown, words
    assert "RuntimeError: out of birds" in shown and str(sweep.run_of(0) / "log.txt") in shown.replace("\r\n", "")
    assert "going on" not in shown  # the jobs' own output is in their logs


def test_the_table_tells_speed_time_left_score_and_verdicts(tmp_path):
    from rich.console import Console

    sweep_jobs = composed_jobs("seed=0", "seed=1")
    running = sweep_jobs[0]
    running.state, running.budget = "running", 100_000
    running.status = Status("running", images=28_000, images_per_second=10.0, scores={"is_efflite0": 3.456},
                            verdicts=[{"name": "mode_collapse", "images": 12_000}])  # fmt: skip
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(job_table(sweep_jobs, lambda job: f"seed={job.number}", rows=10))
    text = console.export_text()
    line = next(line for line in text.splitlines() if "seed=0" in line)
    for words in ("running", "28,000 / 100,000", "10", "2:00 h", "is_efflite0 3.46", "mode_collapse"):
        assert words in line
    assert "waiting" in text and "1 running, 1 waiting" in text
    console.print(job_table(sweep_jobs, lambda job: f"seed={job.number}", rows=1))
    assert "seed=1" not in console.export_text()
