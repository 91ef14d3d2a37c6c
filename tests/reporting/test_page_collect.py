"""Reading a study's folder: every state, and everything that can be broken about it."""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_study import configuration, locked, mixed_study, record, write_grid, write_run, write_study

from stackgan.evaluation.record import append_record
from stackgan.reporting.page import write_report
from stackgan.reporting.page.collect import read_study
from stackgan.reporting.page.files import FolderReader


def only(study):
    (run,) = read_study(study).runs
    return run


@pytest.mark.parametrize("state", ["done", "diverged", "collapsed", "preempted", "failed", "skipped"])
def test_a_run_is_shown_in_the_state_it_says(tmp_path, state):
    write_run(tmp_path, state=state, reason="as it was", grids=False)
    run = only(tmp_path)
    assert (run.state, run.reason) == (state, "as it was")
    assert run.images == (60_000 if state == "done" else 36_000) and run.budget == 60_000


def test_a_run_that_says_running_is_interrupted_once_nobody_holds_its_lock(tmp_path):
    folder = write_run(tmp_path, state="running", grids=False)
    with locked(folder):
        assert only(tmp_path).state == "running"
    run = only(tmp_path)
    assert run.state == "interrupted" and "same command" in run.reason


def test_a_preempted_run_that_goes_on_is_running_and_a_continued_one_too(tmp_path):
    folder = write_run(tmp_path, state="preempted", grids=False)
    with locked(folder):
        assert only(tmp_path).state == "running"


def test_jobs_come_in_the_studys_order_then_runs_that_no_job_names(tmp_path):
    runs = [write_run(tmp_path, "lr_x10", grids=False), write_run(tmp_path, "bn_adam", grids=False)]
    write_run(tmp_path, "nobn_adam", grids=False)
    skipped = ["variant=nobn_rmsprop", "stage=two", "seed=3"]
    write_study(tmp_path, runs, [skipped])
    found = read_study(tmp_path).runs
    assert [run.label for run in found] == ["lr_x10", "bn_adam", "nobn_rmsprop", "nobn_adam"]
    waiting = found[2]
    assert (waiting.state, waiting.stage, waiting.seed, waiting.folder) == ("waiting", "two", "3", None)


def test_a_job_without_a_variant_is_named_by_its_choices(tmp_path):
    write_study(tmp_path, [], [["loss=wgan", "optim=rmsprop", "images=16", "study='s'", "scale=tiny"]])
    assert only(tmp_path).label == "loss=wgan,optim=rmsprop,scale=tiny"


def test_a_folder_of_single_runs_needs_no_study_json(tmp_path):
    write_run(tmp_path, grids=False)
    (tmp_path / "notes").mkdir()
    study = read_study(tmp_path)
    assert [run.label for run in study.runs] == ["bn_adam"] and not study.problems and study.name == tmp_path.name


def test_two_runs_of_one_name_are_told_apart(tmp_path):
    first = write_run(tmp_path, grids=False)
    second = first.with_name("bn_adam-00000000")
    first.rename(second)
    write_run(tmp_path, grids=False)
    labels = [run.label for run in read_study(tmp_path).runs]
    assert len(set(labels)) == 2 and all(label.startswith("bn_adam · ") for label in labels)


def test_a_row_that_is_no_row_of_numbers_costs_itself_only(tmp_path):
    (tmp_path / "metrics.csv").write_text(
        "images,loss/d,d/real\n10,1.5,0.5\n20,oops,0.4\nx,1,1\n40,nan,0.2\n30,1.2,0.3,9,9\n50"
    )
    reader = FolderReader(tmp_path)
    rows = reader.table("metrics.csv", "images")
    assert [row["images"] for row in rows] == [10, 20, 30, 40, 50]
    assert rows[1] == {"images": 20, "d/real": 0.4} and rows[2]["loss/d"] == 1.2
    assert rows[3]["loss/d"] != rows[3]["loss/d"]  # nan stays: the page shows a gap
    assert len(reader.problems) == 1 and "left out" in reader.problems[0]


BROKEN = {
    "status.json": ["", "{", "[]", '"running"', "null", '{"state": 3}', '{"state": "done", "images": "many", "verdicts": 7}',
                    '{"state": "done", "scores": [1], "versions": "x", "verdicts": [1, null, {"name": {}}], "events": [3]}'],
    "config.yaml": ["", "a: [", "- 1\n- 2\n", "stage: two\n", "stage: {name: {x: 1}}\nnorm: 3\nlr: {generator: fast}\n", "a: &a [*a]\n"],
    "metrics.csv": ["", "\0\0", "images\n", "loss/d\n1\n", "images,loss/d\n1e999,2\ninf,3\n5,inf\n", "a\tb\n"],
    "evaluation.json": ["", "{", "{}", "[1, null]", '[{"metric": "is"}]', "[[]]"],
    "overrides.txt": ["", "\0", "no equals\n", "a='b\n"],
    "../study.json": ["", "{", "[]", '{"jobs": 3}', '{"jobs": [null, 3, {"folder": 5}, {"folder": "../../etc", "overrides": "x"}]}'],
}  # fmt: skip


@pytest.mark.parametrize(("name", "content"), [(name, content) for name, all_ in BROKEN.items() for content in all_])
def test_the_page_is_made_whatever_a_file_holds(tmp_path, name, content):
    study = tmp_path / "study"
    broken = write_run(study, grids=False, points=2)
    write_run(study, "lr_x10", grids=False, points=2)
    (broken / name).write_text(content)
    html, markdown = write_report(study)
    assert "lr_x10" in html.read_text() and "lr_x10" in markdown.read_text() and "bn_adam" in html.read_text()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_subnormal=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_page_is_made_whatever_values_the_fields_have(data):
    def like(example):
        """The same fields; some have any value."""
        return {key: data.draw(st.just(value) | ANYTHING) for key, value in example.items()}

    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder)
        run = write_run(study, grids=False, points=1)
        status = json.loads((run / "status.json").read_text())
        status["verdicts"] = [
            like({"name": "black", "images": 5, "until": 6, "value": 0.1, "threshold": 1, "sentence": "x"})
        ]
        (run / "status.json").write_text(json.dumps(like(status)))
        (run / "evaluation.json").write_text(
            json.dumps([like(asdict(record("is", 2.0, 5))), like(asdict(record("is", 3.0, 9)))])
        )
        config = configuration("bn_adam", "one")
        (run / "config.yaml").write_text(
            json.dumps({key: like(v) if isinstance(v, dict) else v for key, v in config.items()})
        )
        job = {
            "job": 0,
            "overrides": ["a=b"],
            "folder": run.name,
            "state": "done",
            "reason": "",
            "scores": {"is": 1.0},
            "verdicts": [],
        }
        (study / "study.json").write_text(json.dumps({"jobs": [like(job)], **like({"name": "x", "command": ["a"]})}))
        page = write_report(study)[0].read_text()
        assert page.count("</script>") == 3 and run.name in page


def test_what_could_not_be_read_is_said_in_the_row(tmp_path):
    run = write_run(tmp_path, grids=False)
    (run / "status.json").write_text('{"state": "run')
    (run / "evaluation.json").write_text("[")
    page = write_report(tmp_path)[0].read_text()
    assert "status.json is not valid JSON." in page and "evaluation.json is not valid JSON." in page
    assert only(tmp_path).state == "unknown" and only(tmp_path).images == 60_000  # of metrics.csv


def test_files_that_are_folders_and_folders_that_are_gone(tmp_path):
    run = write_run(tmp_path, grids=False)
    gone = write_run(tmp_path, "lr_x10", grids=False)
    write_study(tmp_path, [run, gone])
    (run / "status.json").unlink()
    (run / "status.json").mkdir()
    (run / "samples").write_text("not a folder")
    shutil.rmtree(gone)
    assert f"Its folder {gone.name} is not there." in write_report(tmp_path)[0].read_text()


def test_a_job_cannot_point_out_of_the_study(tmp_path):
    outside = write_run(tmp_path / "elsewhere", grids=False)
    study = tmp_path / "study"
    write_study_with_folder(study, f"../elsewhere/{outside.name}")
    assert only(study).folder is None


def write_study_with_folder(study, folder):
    study.mkdir()
    (study / "study.json").write_text(
        json.dumps({"jobs": [{"job": 0, "folder": folder, "state": "done", "overrides": []}]})
    )


def test_damaged_grids_are_named_and_the_others_shown(tmp_path):
    run = write_run(tmp_path, points=3)
    whole, half, last = sorted((run / "samples").glob("*.png"))
    half.write_bytes(half.read_bytes()[:2000])
    last.write_bytes(b"not a picture")
    page = write_report(tmp_path)[0].read_text()
    assert f"samples/{last.name} cannot be read" in page and f"samples/{half.name} cannot be shown" in page
    assert f"{run.name}/samples/{whole.name}" in page


def test_an_empty_folder_gives_a_page_too(tmp_path):
    assert "no run and no job so far" in write_report(tmp_path)[0].read_text()


def test_the_page_needs_no_torch():
    code = "import sys, stackgan.reporting.page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_records_of_another_version_are_read(tmp_path):
    run = write_run(tmp_path, grids=False)
    append_record(run, record("is", 3.7, 60_000))
    rows = json.loads((run / "evaluation.json").read_text())
    for row in rows:
        row["new_field"] = 1
    (run / "evaluation.json").write_text(json.dumps(rows))
    assert {each.metric for each in only(tmp_path).records} == {"is", "is_efflite0", "kid_efflite0"}
    assert not only(tmp_path).problems


def test_many_states_at_once(tmp_path):
    runs = mixed_study(tmp_path, points=2)
    write_grid(runs[0], 60_000, 0.5)
    write_study(tmp_path, runs, [["variant=lr_x10", "stage=two"]])
    states = {run.state for run in read_study(tmp_path).runs}
    assert states == {"done", "diverged", "collapsed", "interrupted", "waiting"}
