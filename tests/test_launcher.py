"""What a sweep makes of its jobs: each in its own process, run once, recorded as what became of it."""

import json
from dataclasses import replace

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode

from hydra_plugins.isolated_launcher.launcher import IsolatedLauncher
from launcher_support import Sweep, alive, until
from stackgan.config import PROJECT, register
from stackgan.errors import UserError
from stackgan.run_directory import lock_run, read_status
from support import slow


@pytest.mark.parametrize("warm", [slow(False), True])
def test_a_job_that_dies_in_any_way_costs_only_itself(tmp_path, warm):
    ways = {0: "raise", 1: "kill", 2: "refuse", 3: "diverge"}
    sweep = Sweep(tmp_path, "seed=0,1,2,3,4", "jobs=2", ways=ways, warm=warm).run()
    assert sweep.code == 1
    jobs = sweep.record()["jobs"]
    assert [job["state"] for job in jobs] == ["failed", "failed", "failed", "diverged", "done"]
    assert "out of birds" in jobs[0]["reason"]
    assert "killed by signal 9 (out of memory?)" in jobs[1]["reason"]
    assert jobs[2]["reason"] == "the data set is not there; give another."
    assert jobs[3]["reason"] == "loss/d is not finite"
    assert [job["images"] for job in jobs] == [8, 8, 0, 16, 16] and jobs[4]["scores"]["kid"] == 5.0
    for seed in (0, 1):  # the record of a dead process does not look alive
        assert (sweep.status(seed)["state"], sweep.status(seed)["images"]) == ("failed", 8)
    assert not (sweep.run_of(2) / "status.json").exists()
    log = sweep.run_of(0) / "log.txt"
    assert str(log) in sweep.output and "RuntimeError: out of birds" in log.read_text()


@pytest.mark.parametrize("warm", [slow(False), True])
def test_processes_that_a_job_leaves_behind_end_with_it(tmp_path, warm):
    sweep = Sweep(tmp_path, "seed=0", ways={0: "rank"}, warm=warm).run()
    rank = int((sweep.run_of(0) / "rank").read_text())
    until(lambda: not alive(rank), 30)
    assert sweep.states() == ["failed"]


def test_the_same_command_again_skips_what_is_finished_and_goes_on_with_the_rest(tmp_path):
    arguments = ["seed=0,1,2"]
    Sweep(tmp_path, *arguments, ways={1: "kill", 2: "diverge"}).run()
    again = Sweep(tmp_path, *arguments).run()
    assert again.code == 0 and again.states() == ["done", "done", "diverged"]
    assert "seed=0: already done" in again.output and "seed=2: already diverged" in again.output
    assert "going on after 8 images" in again.output and again.output.count("going on") == 1
    assert again.record()["created"] <= again.record()["updated"]


@pytest.mark.slow
def test_a_run_ended_by_a_verdict_is_tried_again_with_another_budget(tmp_path):
    Sweep(tmp_path, "seed=0", ways={0: "diverge"}).run()
    assert Sweep(tmp_path, "seed=0", "images=24").run().states() == ["done"]


def test_a_larger_budget_continues_and_a_smaller_one_finds_it_done(tmp_path):
    Sweep(tmp_path, "seed=0").run()
    longer = Sweep(tmp_path, "seed=0", "images=32").run()
    assert "going on after 16 images" in longer.output and longer.record()["jobs"][0]["images"] == 32
    assert "already done" in Sweep(tmp_path, "seed=0").run().output


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.slow
def test_stage_two_runs_after_its_own_stage_one(tmp_path, jobs):
    ways = {0: "short", 1: "kill", 2: "diverge"}
    sweep = Sweep(tmp_path, "stage=two,one", "seed=0,1,2", f"jobs={jobs}", ways=ways).run()
    records = sweep.record()["jobs"]
    assert [job["state"] for job in records] == ["done", "skipped", "skipped", "done", "failed", "diverged"]
    assert [job["parent"] for job in records] == [3, 4, 5, None, None, None]
    parent = records[4]["folder"]
    assert parent in records[1]["reason"] and "killed by signal 9" in records[1]["reason"]
    assert "diverged: loss/d is not finite" in records[2]["reason"]
    assert sweep.code == 1


def test_a_stage_two_without_any_stage_one_is_refused_before_the_first_job(tmp_path):
    sweep = Sweep(tmp_path / "outputs", "stage=two", "seed=0,1").run()
    assert sweep.code == 2 and len(sweep.output.strip().splitlines()) == 1
    assert sweep.output.startswith("job 0 (seed=0)") and "stage_one=auto" in sweep.output
    assert not list(tmp_path.iterdir())  # Hydra's own record of the sweep is gone too


def test_a_stage_two_on_a_stage_one_that_a_verdict_ended_is_skipped_and_the_others_run(tmp_path):
    Sweep(tmp_path, "seed=0,1", ways={0: "diverge"}).run()
    sweep = Sweep(tmp_path, "stage=two", "seed=0,1").run()
    assert sweep.states()[:2] == ["skipped", "done"] and sweep.code == 0
    assert "diverged: loss/d is not finite" in sweep.record()["jobs"][0]["reason"]


def test_a_run_to_start_from_that_is_not_there_is_refused_before_the_first_job(tmp_path):
    sweep = Sweep(tmp_path, "seed=0,1", "start_from=nowhere").run()
    assert sweep.code == 2 and len(sweep.output.strip().splitlines()) == 1
    assert "job 0" in sweep.output and "start_from=nowhere" in sweep.output and not sweep.study.exists()


@pytest.mark.slow
def test_jobs_of_one_run_never_train_at_the_same_time(tmp_path):
    sweep = Sweep(tmp_path, "seed=0", "images=16,32,16", "jobs=3", ways={0: "short"}).run()
    assert sweep.states() == ["done"] * 3 and "going on after 16 images" in (sweep.run_of(0) / "log.txt").read_text()
    assert sweep.status(0)["images"] == 32


def test_on_failure_stop_starts_nothing_more(tmp_path):
    sweep = Sweep(tmp_path, "seed=0,1,2", "on_failure=stop", ways={0: "diverge", 1: "raise"}).run()
    assert sweep.code == 1 and sweep.states() == ["diverged", "failed", "waiting"]
    assert not sweep.record()["finished"]
    assert Sweep(tmp_path, "seed=0,1,2", "on_failure=stop").run().states() == ["diverged", "done", "done"]


@pytest.mark.slow
def test_earlier_runs_of_a_study_stay_in_it(tmp_path):
    Sweep(tmp_path, "stage=one,two", "seed=0").run()
    record = Sweep(tmp_path, "seed=1").run().record()
    assert [job["job"] for job in record["jobs"]] == [0, 1, 2]
    assert [job["parent"] for job in record["jobs"]] == [None, None, 1]
    assert len({job["folder"] for job in record["jobs"]}) == 3


def test_a_run_that_another_process_trains_is_left_alone(tmp_path):
    sweep = Sweep(tmp_path, "seed=0,1").run()
    folder = sweep.run_of(0)
    with lock_run(folder):
        again = Sweep(tmp_path, "seed=0,1", "images=32", "hydra.launcher.patience=0").run()
    assert again.states() == ["skipped", "done"] and "another process" in again.output
    assert sweep.status(0)["state"] == "done" and again.code == 1


def test_two_sweeps_of_one_study_at_a_time_are_refused(tmp_path):
    with lock_run(tmp_path / "s"):
        second = Sweep(tmp_path, "seed=0").run()
    assert second.code == 2 and len(second.output.strip().splitlines()) == 1


@pytest.mark.parametrize("setting", ["jobs=0", "on_failure=maybe", "hydra.launcher.jobs=-1"])
def test_a_setting_that_cannot_work_is_one_sentence(tmp_path, setting):
    sweep = Sweep(tmp_path, "seed=0,1", setting).run()
    assert sweep.code == 2 and len(sweep.output.strip().splitlines()) == 1
    assert setting.removeprefix("hydra.launcher.") in sweep.output and not sweep.study.exists()


def test_a_sweep_under_torchrun_is_refused(tmp_path):
    sweep = Sweep(tmp_path, "seed=0", WORLD_SIZE="2", RANK="1").run()
    assert sweep.code == 2 and "torchrun" in sweep.output


@pytest.mark.slow
def test_a_study_is_named_by_what_varies_and_by_its_runs_whatever_their_budget(tmp_path):
    for images in (16, 24):
        Sweep(tmp_path, "seed=0,1", "study=null", f"images={images}", "jobs=2").run()
    (study,) = tmp_path.glob("seed-*")
    assert json.loads((study / "study.json").read_text())["name"] == study.name


def test_a_study_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "s").write_text("in the way")
    for outputs in (tmp_path, tmp_path / "s"):  # the study's folder, and the one of all studies
        sweep = Sweep(outputs, "seed=0").run()
        assert sweep.code == 2 and len(sweep.output.strip().splitlines()) == 1, sweep.output
        assert "cannot be written" in sweep.output


def told(outputs, objective: str | None, worst: float | None = None) -> list:
    """What a sweeper is told of seeds 0 and 1, whose runs are there already."""
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        launcher = IsolatedLauncher(
            1, "continue", dry_run=False, gpus="auto", patience=0.0, warm=False, objective=objective, worst=worst
        )
        master = loader.load_configuration("config", [], RunMode.MULTIRUN)
        launcher.setup(hydra_context=HydraContext(loader, None), task_function=None, config=master)
        jobs = [["scale=tiny", "study=s", "images=16", f"outputs={outputs}", f"seed={seed}"] for seed in (0, 1)]
        return [result.return_value for result in launcher.launch(jobs, 0)]


@pytest.mark.slow
def test_a_sweeper_is_told_the_score_and_the_worst_one_for_a_diverged_run(tmp_path):
    Sweep(tmp_path, "seed=0,1", "jobs=2", ways={1: "diverge"}).run()
    assert told(tmp_path, "is") == [1.0, 0.0]
    assert told(tmp_path, "is", worst=99.0) == [1.0, 99.0]
    assert told(tmp_path, "kid") == [1.0, 1e6]  # less is better
    assert told(tmp_path, None) == [{"kid": 1.0, "is": 1.0, "kid/test": -1.0}, {}]
    (second,) = (tmp_path / "s").glob("*seed=1*")
    replace(read_status(second), state="done", scores={}, left_out={"kid": "it failed"}).write(second)
    assert told(tmp_path, "kid") == [1.0, 1e6]
    for name in ("fid", "kid/test"):  # what there is not, and what nothing is chosen by
        with pytest.raises(UserError, match=name):
            told(tmp_path, name)
