"""The numbers and words on the page are those of the files, and only comparable ones stand together."""

import csv
import html
import json
import math
import re
import statistics
from urllib.parse import unquote

import numpy as np
import pytest
import yaml
from page_study import VARIANTS, mixed_study, record, write_metrics, write_run, write_study

from stackgan.errors import UserError
from stackgan.evaluation.record import append_record
from stackgan.reporting.page import write_report
from stackgan.reporting.page.collect import RunRecord, Verdict, read_study
from stackgan.reporting.page.compare import differences, groups
from stackgan.reporting.page.curves import thin
from stackgan.reporting.page.rows import (
    brief,
    broke,
    choices,
    command,
    duration,
    explain,
    measured,
    shell,
    short,
    without_verdict,
)
from stackgan.reporting.score_table import write_table
from support import script


def embedded(page):
    """The page's data as a browser reads it."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def tables(markdown):
    """The rows of report.md's tables."""
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in markdown.splitlines()
        if line.startswith("| ")
    ]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs") / "six"
    runs = mixed_study(folder, seeds=(0, 1), points=3)
    write_study(folder, runs, [["variant=lr_x10", "stage=two", "seed=0"]])
    write_report(folder)
    return folder


def test_every_score_of_evaluation_json_that_is_a_runs_latest_is_in_the_page(study):
    data = embedded((study / "report.html").read_text())

    def made(protocol):
        pictures, captions = re.search(r"([\d,]+) pictures of (\w+) captions", protocol).groups()
        return captions, int(pictures.replace(",", ""))

    shown = {(key, column["metric"], *made(column["protocol"])): score
             for table in data["tables"] for column in table["columns"] for key, score in column["scores"].items()}  # fmt: skip
    expected = {}
    for path in study.glob("*/evaluation.json"):
        for row in json.loads(path.read_text()):
            expected[path.parent.name, row["metric"], row["captions"], row["samples"]] = (
                row  # in the file by rising images
            )
    assert set(shown) == set(expected) and len(shown) > 20
    for key, score in shown.items():
        assert [score[name] for name in ("value", "std", "real", "images")] == [
            expected[key][name] for name in ("value", "std", "real", "images")
        ]


def test_every_curve_has_the_values_of_metrics_csv_and_gaps_where_they_are_not_finite(study):
    data = embedded((study / "report.html").read_text())
    curves = {
        (data["runs"][curve["run"]]["key"], chart["title"]): curve
        for chart in data["charts"]
        for curve in chart["curves"]
    }
    gaps = 0
    for path in study.glob("*/metrics.csv"):
        with path.open() as file:
            rows = list(csv.DictReader(file))
        for column in ("loss/d", "grad_norm/g", "health/mode_collapse"):
            curve = curves[path.parent.name, column]
            assert curve["x"] == [int(row["images"]) for row in rows]
            assert curve["y"] == [None if row[column] == "nan" else float(row[column]) for row in rows]
            gaps += curve["y"].count(None)
    assert gaps  # lr_x10 ends in nan


def test_scores_of_other_protocols_stand_in_other_columns_and_are_not_ranked_together(tmp_path):
    one, two, three = (write_run(tmp_path, variant, grids=False, scores={}) for variant in VARIANTS[:3])
    for run in (one, two, three):
        (run / "evaluation.json").unlink()
    append_record(one, record("is_efflite0", 2.0, 60_000))
    append_record(two, record("is_efflite0", 9.0, 60_000, samples=500))
    append_record(two, record("is_efflite0", 8.0, 60_000, seed=1))
    append_record(three, record("is_efflite0", 3.0, 60_000))
    append_record(three, record("is_efflite0", 7.0, 60_000, samples=700, weights="other"))
    (group,) = groups(read_study(tmp_path).runs)
    assert sorted(sorted(s.value for s in column.scores.values()) for column in group.columns) == [
        [2, 3],
        [7],
        [8],
        [9],
    ]
    assert [column.best for column in group.columns if len(column.scores) > 1] == [three.name]
    assert all(column.best is None for column in group.columns if len(column.scores) == 1)


def test_less_is_better_for_distances_and_nothing_is_best_where_the_page_does_not_know(tmp_path):
    for variant, value in zip(VARIANTS[:2], (1.0, 2.0), strict=True):
        run = write_run(tmp_path, variant, grids=False)
        (run / "evaluation.json").unlink()
        for metric in ("kid_efflite0", "is_efflite0", "attribute_accuracy", "novelty"):
            append_record(run, record(metric, value, 60_000))
    (group,) = groups(read_study(tmp_path).runs)
    best = {column.protocol.metric: column.best and column.best.rpartition("-")[0] for column in group.columns}
    assert best == {
        "kid_efflite0": VARIANTS[0],
        "is_efflite0": VARIANTS[1],
        "attribute_accuracy": VARIANTS[1],
        "novelty": None,
    }


def test_stages_and_data_sets_have_tables_of_their_own(tmp_path):
    write_run(tmp_path, grids=False)
    write_run(tmp_path, stage="two", grids=False)
    write_run(tmp_path, "lr_x10", grids=False, data_fingerprint="another")
    write_study(tmp_path, sorted(path for path in tmp_path.iterdir()), [["variant=nobn_adam", "stage=two"]])
    found = [(group.stage, [run.label for run in group.runs]) for group in groups(read_study(tmp_path).runs)]
    assert found == [("one", ["bn_adam"]), ("one", ["lr_x10"]), ("two", ["bn_adam", "nobn_adam"])]
    titles = [group.title for group in groups(read_study(tmp_path).runs)]
    assert titles == [
        "Stage I, 64 x 64, birds, data data64",
        "Stage I, 64 x 64, birds, data anothe",
        "Stage II, 128 x 128, birds",
    ]


def test_scores_of_a_run_that_has_no_record_yet_are_shown_apart(tmp_path):
    run = write_run(tmp_path, state="preempted", grids=False, scores={"is": 3.25})
    (run / "evaluation.json").unlink()
    (group,) = groups(read_study(tmp_path).runs)
    (column,) = group.columns
    assert not column.protocol.recorded and column.scores[run.name].value == 3.25
    assert "protocol not recorded" in write_report(tmp_path)[0].read_text()


def test_scores_that_could_not_be_taken_say_why(tmp_path):
    names = {"kid": "no validation images", "is/test": "no test images"}
    write_run(tmp_path)
    without = write_run(tmp_path, "lr_x10", grids=False, points=1, budget=100, left_out=names, scores={})
    (without / "evaluation.json").unlink()
    write_report(tmp_path)
    markdown, page = ((tmp_path / name).read_text() for name in ("report.md", "report.html"))
    (row,) = [row for row in tables(markdown) if row[0] == "lr\\_x10"]
    assert (row.count("not taken: no validation images"), row.count("not taken: no test images")) == (
        2,
        1,
    )  # 500 and 1,000 pictures
    assert "no score: no validation images" in markdown
    for text in (markdown, page):
        assert "Scores not taken: kid (no validation images); is/test (no test images)." in text
    with pytest.raises(UserError, match="no validation images"):
        write_table(without, alone=True)


def test_seeds_are_averaged_within_a_setting_only(study):
    group = groups(read_study(study).runs)[0]
    row = next(row for row in group.seeds if row.label == "nobn_rmsprop")
    final = [row for path in study.glob("nobn_rmsprop[-,]*/evaluation.json") if "stage=two" not in path.parent.name
             for row in json.loads(path.read_text()) if row["samples"] == 1000]  # fmt: skip
    values = [row["value"] for row in final if (row["metric"], row["captions"]) == ("kid_efflite0", "validation")]
    assert row.states == {"done": 2}
    assert row.means[0] == (statistics.mean(values), statistics.stdev(values), 2)


def test_runs_that_differ_in_more_than_the_seed_are_no_seeds_of_one_setting(tmp_path):
    write_run(tmp_path, grids=False)
    other = write_run(tmp_path, seed=1, grids=False)
    config = yaml.safe_load((other / "config.yaml").read_text())
    config["optim"]["beta1"] = 0.9
    (other / "config.yaml").write_text(yaml.safe_dump(config))
    assert groups(read_study(tmp_path).runs)[0].seeds == []


def test_differences_are_those_of_the_configurations(tmp_path):
    runs = [write_run(tmp_path, variant, grids=False, points=1) for variant in ("bn_adam", "nobn_rmsprop_wgan")]
    write_run(tmp_path, "bn_adam", stage="two", grids=False, points=1)
    names, keys = differences(read_study(tmp_path).runs)
    one, two = (yaml.safe_load((run / "config.yaml").read_text()) for run in runs)
    groups_of = [group for group, values in one.items() if isinstance(values, dict) and group != "logger"]
    expected = {f"{group}.{key}" for group in groups_of for key in one[group] if one[group][key] != two[group][key]}
    assert names == ["bn_adam", "nobn_rmsprop_wgan"] and {key for key, _ in keys} == expected
    assert dict(keys)["optim.name"] == ["adam", "rmsprop"] and dict(keys)["loss.clip"] == ["null", "0.01"]


def test_the_markdown_table_has_a_row_a_run_with_its_score_and_state(study):
    text = (study / "report.md").read_text()
    rows = [row for row in tables(text) if row[0].replace("\\", "") in VARIANTS and len(row) > 8]
    assert len(rows) == 17
    by_state = {}
    for row in rows:
        by_state.setdefault(row[2], []).append(row)
    counts = {state: len(some) for state, some in by_state.items()}
    assert counts == {"done": 10, "diverged": 2, "collapsed": 2, "interrupted": 2, "waiting": 1}
    (best,) = [row for row in by_state["done"] if row[0] == "bn\\_adam\\_wgan\\_dropout" and row[1] == "1"]
    run = next(study.glob("bn_adam_wgan_dropout,seed=1-*"))
    records = json.loads((run / "evaluation.json").read_text())
    score = next(row for row in records if row["metric"] == "kid_efflite0" and row["samples"] == 1000)
    value, std = best[3].strip("*").split(" ± ")
    assert best[3].startswith("**") and float(value) == pytest.approx(score["value"], abs=0.005)
    assert float(std) == pytest.approx(score["std"], abs=0.006)
    assert best[4:10] == ["batch", "adam", "wgan clip 0.01", "0.3", "2e-4", ""] and "60,000" in best


def test_the_markdown_explains_verdicts_links_pictures_and_gives_commands(study):
    text = (study / "report.md").read_text()
    assert "mode\\_collapse: Different noise gives nearly the same picture" in text
    assert "Seen from 24,000 images on." in text
    assert "diverged: Loss/d is not finite after 36,000 images" in text
    links = re.findall(r"\]\((.*?)\)", text)
    assert len(links) == 24 and all((study / unquote(link)).exists() for link in links)
    assert f"python src/train.py variant=lr_x10 stage=one seed=1 study={study.name}" in text
    assert "python src/train.py sweep=six_variants" in text


HOSTILE = "</script><img src=x onerror=alert(1)>|`\"'& \ud800 {{ 7*7 }}"


def test_hostile_texts_are_shown_and_nothing_else(tmp_path):
    run = write_run(tmp_path, grids=False, reason=HOSTILE, state="failed", versions={HOSTILE: HOSTILE},
                    verdicts=[{"name": HOSTILE, "sentence": HOSTILE}], events=[{"images": 1, "sentence": HOSTILE}])  # fmt: skip
    append_record(run, record(HOSTILE, 1.0, 5, network=HOSTILE))
    (run / "overrides.txt").write_text(HOSTILE.replace("\ud800", "") + "\n")
    (tmp_path / "study.json").write_text(json.dumps({"name": HOSTILE, "command": [HOSTILE], "jobs": []}))
    page, text = (path.read_text() for path in write_report(tmp_path))
    prose = re.sub(r"^(`{3,})\n.*?^\1$", "", text, flags=re.S | re.M)  # without blocks of code
    assert page.count("</script>") == 3 and "<img" not in page and "<" not in prose
    assert "{{ 7*7 }}" in html.unescape(page) and "49" not in page.split("</title>")[0]
    assert all(len(row) == len(tables(text)[0]) for row in tables(text)[:3])
    assert embedded(page)["runs"][0]["verdicts"] == [" ".join(HOSTILE.replace("\ud800", "?").split())]


def test_long_curves_are_thinned_and_keep_their_peaks_and_gaps():
    values = [math.sin(i / 50) for i in range(5000)]
    values[1234], values[2345], values[3456] = 99.0, -99.0, None
    kept = thin(values, 200)
    assert kept[0] == 0 and kept[-1] == 4999 and {1234, 2345, 3456} <= set(kept) and len(kept) <= 310
    assert kept == sorted(set(kept)) and thin(values[:50], 200) == list(range(50))


def test_the_page_says_that_curves_are_thinned(tmp_path):
    run = write_run(tmp_path, grids=False, points=1)
    write_metrics(run, range(1, 2001), 0.5, np.random.default_rng(0))
    page = write_report(tmp_path)[0].read_text()
    lengths = {len(curve["x"]) for chart in embedded(page)["charts"] for curve in chart["curves"]}
    assert "thinned to about" in page and max(lengths) < 900


@pytest.mark.parametrize(("value", "std", "shown"), [
    (7.8408, 0.6922, ("7.84", "0.69")), (14.04, 1.418, ("14.0", "1.4")), (0.0021, 3e-7, ("2.1e-3", "3e-7")),
    (1234.5, 56.0, ("1,234", "56")),
    (0.2463, None, ("0.2463", "")), (3.0, 0.0, ("3", "0")),
])  # fmt: skip
def test_a_value_is_shown_as_far_as_its_deviation_goes(value, std, shown):
    assert measured(value, std) == shown


def test_short_numbers_and_durations():
    assert [short(v) for v in (2e-4, 0.0123, 123456.0, 0.0, None)] == ["2e-4", "0.0123", "123,456", "0", ""]
    assert [duration(s) for s in (0, 42, 61, 3725, 360000)] == ["", "42 s", "0:01", "1:02", "100:00"]


def test_a_command_is_quoted_for_the_shell_and_a_sweeps_job_is_run_alone():
    run = RunRecord(
        "x", overrides=["sweep=six_variants", "variant=bn_adam", "study='my study'", "data.root='/data/CUB 200'"]
    )
    assert command(run) == (
        "python src/train.py sweep=six_variants variant=bn_adam 'study=my study' 'data.root=/data/CUB 200' hydra.mode=RUN"
    )
    assert command(RunRecord("x")) == "" and shell(["a", "b c", "$d"]) == "a 'b c' '$d'"


def test_a_verdict_without_a_sentence_has_its_meaning_and_the_monitors_own_sentence_comes_first():
    assert explain(Verdict("mode_collapse", value=0.03, threshold=0.2)).endswith(
        "nearly the same picture (0.03, threshold 0.2)."
    )
    assert explain(Verdict("x", "it broke at 0.5. People stop.", 5, 10, 0.5, 0.1)) == (
        "It broke at 0.5. People stop. Seen from 5 images until 10."
    )


def test_a_table_has_room_for_what_was_seen_and_since_when():
    verdict = Verdict(
        "black", sentence="The pictures are of one colour: their contrast is 0.01. People use a norm.", images=12_000
    )
    assert brief(verdict) == "The pictures are of one colour, from 12,000 images"


def test_a_run_without_a_verdict_is_healthy_only_if_it_was_watched_for_long_enough():
    run = RunRecord("r", config={"health.warm_up": 10_000}, rows=[{"images": 6_400, "health/black": 0.5}], images=6_400)
    assert without_verdict(run) == "too short to judge: verdicts count after 10,000 images"
    run.images = 20_000
    assert without_verdict(run) == "nothing seen to go wrong"
    run.rows = [{"images": 20_000}]
    assert without_verdict(run) == "health was not measured"


def test_a_health_chart_has_the_threshold_that_all_runs_share(tmp_path):
    runs = [write_run(tmp_path, variant, grids=False) for variant in VARIANTS[:2]]
    limit = yaml.safe_load((runs[0] / "config.yaml").read_text())["health"]["thresholds"]["mode_collapse"]
    charts = {chart["title"]: chart for chart in embedded(write_report(tmp_path)[0].read_text())["charts"]}
    assert (charts["health/mode_collapse"]["reference"], charts["health/mode_collapse"]["dotted"]) == (
        limit,
        "threshold",
    )
    assert charts["loss/d"]["reference"] is None
    config = (runs[0] / "config.yaml").read_text().replace(f"mode_collapse: {limit}", "mode_collapse: 0.5")
    (runs[0] / "config.yaml").write_text(config)
    charts = {chart["title"]: chart for chart in embedded(write_report(tmp_path)[0].read_text())["charts"]}
    assert charts["health/mode_collapse"]["reference"] is None


def test_where_a_run_broke():
    assert broke(RunRecord("x", state="done", images=50)) is None
    assert broke(RunRecord("x", state="diverged", images=50)) == 50
    assert (
        broke(RunRecord("x", state="done", images=50, verdicts=[Verdict("a", images=30), Verdict("b", images=20)]))
        == 20
    )


def test_the_groups_of_choices_in_short():
    flat = {"norm.generator": "conditional_batch", "norm.discriminator": "none", "optim.name": "adam",
            "loss.name": "bce", "loss.penalty": "r1",
            "dropout.rate": 0.0, "lr.generator": 4e-4, "lr.discriminator": 1e-4, "lr.cosine": True}  # fmt: skip
    chosen = choices(RunRecord("x", config=flat))
    assert (chosen.norm, chosen.loss, chosen.dropout) == ("conditional_batch / none", "bce + r1", "off")
    assert chosen.lr == "4e-4 / 1e-4, cosine"


def test_the_script_makes_the_page_and_refuses_what_is_no_study(tmp_path):
    study = tmp_path / "a,b=c"
    run = write_run(study, grids=False)
    result = script("report.py", f"study={study}")
    assert result.returncode == 0, result.stderr
    assert (study / "report.html").exists() and str(study / "report.md") in result.stdout
    (tmp_path / "empty").mkdir()
    for folder, words in (
        (run, "one run"),
        (tmp_path / "empty", "neither study.json nor a run"),
        (tmp_path / "none", "no folder"),
    ):
        result = script("report.py", f"study={folder}")
        assert result.returncode == 2 and words in result.stderr and len(result.stderr.splitlines()) == 1
    assert "give study=" in script("report.py").stderr
