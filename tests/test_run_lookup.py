"""A run by its path, its name, its signature, or as the newest one."""

import os

import pytest

from stackgan.cli.script import TRAIN
from stackgan.cli.spelling import spell_overrides
from stackgan.cli.values import split_paths
from stackgan.errors import UserError
from stackgan.run_directory import Status
from stackgan.run_lookup import check_generator, find_run, find_study, has_generator, is_done, name_runs
from support import composed


@pytest.fixture
def outputs(tmp_path):
    def make(place, state, age, stage_two="null"):
        run = tmp_path / place
        (run / "generator").mkdir(parents=True)
        Status(state).write(run)
        if state == "done":
            (run / "generator" / "generator.json").write_text(f'{{"stage_two": {stage_two}}}')
        os.utime(run / "status.json", (1_000_000 - age, 1_000_000 - age))

    make("runs/base-11111111", "done", 30)
    make("runs/stage=two-22222222", "done", 20, '{"a": 1}')
    make("a/b/loss=wgan,optim=sgd-33333333", "done", 40)
    make("other/base-44444444", "running", 0)
    make("other/base-11111111", "done", 50)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("22222222", "runs/stage=two-22222222"),
        ("33333333", "a/b/loss=wgan,optim=sgd-33333333"),
        ("base-44444444", "other/base-44444444"),
        ("latest", "runs/stage=two-22222222"),
    ],
)
def test_a_run_has_several_names(outputs, name, place):
    assert find_run(name, outputs, has_generator) == outputs / place
    assert find_run(str(outputs / place), outputs, has_generator) == outputs / place


def test_the_newest_finished_run_is_not_one_that_still_trains(outputs):
    assert find_run("latest", outputs, is_done) == outputs / "runs/stage=two-22222222"


def test_a_file_is_no_run(outputs):
    with pytest.raises(UserError, match=r"start_from=.*status\.json is a file"):
        find_run(str(outputs / "other/base-44444444/status.json"), outputs, is_done, "start_from")


def test_a_study_can_stand_in_the_place_of_outputs(outputs):
    assert find_run("44444444", outputs / "other", is_done) == outputs / "other/base-44444444"


def test_two_runs_of_one_signature_are_told_and_nothing_is_guessed(outputs):
    with pytest.raises(UserError, match=r"2 runs.*other/base-11111111.*runs/base-11111111"):
        find_run("11111111", outputs, is_done)


def test_latest_needs_a_finished_run(tmp_path):
    with pytest.raises(UserError, match=r"run=latest: no run in .* is finished"):
        find_run("latest", tmp_path, is_done)
    for key in ("stage_one", "start_from"):
        with pytest.raises(UserError, match=f"{key}=latest: no run in"):
            name_runs(composed("stage=two", f"{key}=latest", f"outputs={tmp_path}"))


def test_a_name_that_is_none_stays_for_the_reader_to_refuse(outputs):
    assert str(find_run("nowhere", outputs, is_done)) == "nowhere"


def test_stage_one_has_no_use_for_another_stage_one(outputs):
    config = composed("stage=one", "stage_one=latest", f"outputs={outputs}/nowhere")
    name_runs(config)
    assert config.stage_one == "latest"


def test_stage_two_does_not_stand_on_a_run_that_is_not_done_though_it_has_a_generator(outputs):
    Status("preempted").write(outputs / "runs/base-11111111")
    os.utime(outputs / "runs/base-11111111/status.json", (1_000_001, 1_000_001))
    config = composed("stage=two", "stage_one=latest", f"outputs={outputs}")
    name_runs(config)
    assert config.stage_one == str(outputs / "a/b/loss=wgan,optim=sgd-33333333")


def test_stage_two_stands_on_the_newest_stage_one_and_a_start_is_of_its_own_stage(outputs):
    config = composed("stage=two", "stage_one=latest", "start_from=latest", f"outputs={outputs}")
    name_runs(config)
    assert config.stage_one == str(outputs / "runs/base-11111111")
    assert config.start_from == str(outputs / "runs/stage=two-22222222")


def test_a_study_by_the_name_it_was_trained_under(outputs, monkeypatch):
    assert find_study("a/b", outputs) == outputs / "a/b"
    assert find_study(str(outputs / "runs"), outputs) == outputs / "runs"
    assert str(find_study("nowhere", outputs)) == "nowhere"
    (outputs / "here" / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(outputs / "here")
    assert str(find_study("a/b", outputs)) == "a/b"  # the folder that is where one stands comes first


def test_of_many_runs_of_one_signature_three_are_named(outputs):
    for place in "bcde":
        run = outputs / place / "base-11111111"
        run.mkdir(parents=True)
        Status("done").write(run)
    with pytest.raises(UserError, match=r"the name of 6 runs: ") as error:
        find_run("11111111", outputs, is_done)
    assert str(error.value).count("base-11111111") == 3


@pytest.mark.parametrize(
    ("place", "weights", "words"),
    [
        ("nowhere", "ema", ["does not exist", "run=latest"]),
        ("a", "ema", ["is no run folder"]),
        ("other/base-44444444", "raw", ["generator/generator.json", "running", "finish it"]),
        ("runs/base-11111111", "best", ["generator_best/", "weights=ema"]),
    ],
)
def test_a_run_that_cannot_draw_says_why_and_what_to_do(outputs, place, weights, words):
    with pytest.raises(UserError) as error:
        check_generator(outputs / place, weights)
    for word in [place, *words]:
        assert word in str(error.value)
    check_generator(outputs / "runs/base-11111111")
    check_generator(outputs / "runs/base-11111111/generator")


def test_a_list_of_runs_may_hold_names_with_commas(outputs):
    name = "loss=wgan,optim=sgd-33333333"
    assert split_paths(f"{name},latest,11111111", outputs) == [name, "latest", "11111111"]
    (spelled,) = spell_overrides([f"outputs={outputs}", f"start_from=auto,{name}"], TRAIN, sweeps=True)[1:]
    assert spelled == f"start_from='auto','{name}'"
