"""The answer: best by the objective, by more than seeds differ or not, and what went wrong with each."""

import json

import numpy as np
import pytest
from page_study import record, write_study
from scipy import stats

from stackgan.reporting.page import write_report
from stackgan.reporting.page.answer import answer
from stackgan.reporting.page.collect import RunRecord, Verdict, read_study
from stackgan.reporting.page.compare import groups
from stackgan.reporting.page.seed_interval import welch_interval
from stackgan.signature import folder_name, name_parts


def run(label, seed, kid=None, state="done", objective="kid", **values):
    """A run whose KID on validation captions is known."""
    config = {"stage.name": "one", "seed": seed, "loss.name": label, "evaluation.objective": objective}
    records = (
        []
        if kid is None
        else [
            record("kid_efflite0", kid, 64, "validation", real=0.01),
            record("is_efflite0", 9 - kid, 64, "validation"),
        ]
    )
    return RunRecord(
        f"{label}-{seed}", job=seed, label=label, state=state, images=64, config=config, records=records, **values
    )


def answered(*runs):
    for number, each in enumerate(runs):
        each.job = number  # a run without a folder is known by it
    (group,) = groups(runs)
    return answer(group)


def seeds(label, *kids, **values):
    return [run(label, seed, kid, **values) for seed, kid in enumerate(kids)]


def test_a_setting_that_is_ahead_by_more_than_seeds_differ_is_best():
    found = answered(*seeds("wgan", 2.0, 2.1, 2.2), *seeds("bce", 1.0, 1.1, 1.2))
    assert found.sentence == (
        "bce is best: kid_efflite0 1.10 ± 0.10 over 3 seeds, real pictures 0.01; the other one is behind by more than seeds differ."
    )
    assert [standing.label for standing in found.ranking] == ["bce", "wgan"] and found.real == "0.01"
    assert found.ranking[1].against == "behind by 1.000 (0.773 to 1.227), more than seeds differ"
    assert not found.ranking[0].against and "less is better" in found.measure


def test_settings_that_differ_by_less_than_seeds_do_cannot_be_told_apart():
    found = answered(*seeds("wgan", 1.0, 1.4, 1.3), *seeds("bce", 1.0, 1.1, 1.2), *seeds("lsgan", 9.0, 9.1, 9.2))
    assert (
        "bce has the best mean, but cannot be told apart from wgan:" in found.sentence and "lsgan" not in found.sentence
    )
    assert found.ranking[1].against.endswith("less than seeds differ: they cannot be told apart")
    assert found.ranking[2].against.endswith("more than seeds differ") and "all 2 together" in found.measure


def test_intervals_are_welchs_and_hold_together():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, 5), rng.normal(1, 3, 4)
    expected = stats.ttest_ind(second, first, equal_var=False).confidence_interval(1 - 0.05 / 3)
    assert welch_interval(list(first), list(second), 3) == pytest.approx((expected.low, expected.high))
    assert welch_interval([1.0], [2.0, 3.0], 1) is None and welch_interval([1.0, 1.0], [2.0, 2.0], 1) == (1.0, 1.0)


def test_one_seed_each_cannot_tell():
    found = answered(run("bce", 0, 1.0), run("wgan", 0, 1.5))
    assert "bce scores best: kid_efflite0 1.000 (one seed; ± 0.050 over subsets)" in found.sentence
    assert "One seed each cannot tell" in found.sentence and "KID's subsets alone" in found.sentence
    assert (
        found.ranking[1].against == "behind by 0.500; one seed each cannot tell whether other seeds would say the same"
    )


def test_one_seed_beside_several_is_no_tie_and_no_difference():
    found = answered(*seeds("bce", 1.0, 1.1), run("wgan", 0, 1.5))
    assert (
        found.sentence.startswith("bce has the best mean: ")
        and "One seed cannot tell how far wgan is behind." in found.sentence
    )


@pytest.mark.parametrize(("objective", "best"), [("kid", "bce"), ("is", "bce"), ("is_efflite0", "bce")])
def test_more_is_better_where_the_objective_says_so(objective, best):
    found = answered(*seeds("wgan", 2.0, 2.1, objective=objective), *seeds("bce", 1.0, 1.1, objective=objective))
    assert found.sentence.startswith(f"{best} ") and found.measure.startswith(objective.partition("_")[0])
    assert ("more is better" in found.measure) == objective.startswith("is")


def test_only_runs_that_are_done_can_be_best_and_test_captions_choose_nothing():
    broken = run("wgan", 0, 0.1, state="collapsed", verdicts=[Verdict("black", "The pictures are of one colour.", 40)])
    chosen = run("lsgan", 0, 3.0)
    chosen.records.append(record("kid_efflite0", 0.01, 64, "test"))
    found = answered(broken, run("bce", 0, 1.0), chosen)
    assert [standing.label for standing in found.ranking] == ["bce", "lsgan", "wgan"] and not found.ranking[2].score
    assert "Without a score of a finished run: wgan." in found.sentence


def test_scores_of_one_protocol_only_are_ranked():
    other = run("wgan", 0)
    other.records = [record("kid_efflite0", 0.1, 64, "validation", samples=50)]
    found = answered(*seeds("bce", 1.0, 1.1), run("lsgan", 0, 2.0), other)
    assert [standing.label for standing in found.ranking if standing.score] == ["bce", "lsgan"]


def test_what_broke_in_some_seeds_is_counted_with_its_meaning():
    collapse = Verdict("mode_collapse", "Pictures hardly differ.", 1_200)
    runs = [
        run("bce", 0, 1.0), run("bce", 1, 1.1, verdicts=[Verdict("ignores_text", "x", 10, until=30)]),
        run("bce", 2, state="collapsed", reason="Pictures hardly differ.", verdicts=[collapse]), *seeds("wgan", 2.0, 2.1, 2.2),
    ]  # fmt: skip
    found = answered(*runs)
    assert found.ranking[0].score.endswith("over 2 seeds")
    assert {trouble.name: trouble.sentence for trouble in found.ranking[0].troubles} == {
        "collapsed": "at 64 images in 1 of 3 seeds: ended by mode_collapse.",
        "ignores_text": "from 10 images until 30 in 1 of 3 seeds: the pictures hardly change with the caption.",
        "mode_collapse": "from 1,200 images on in 1 of 3 seeds: different noise gives nearly the same picture.",
    }
    assert "Mind what was seen to go wrong with it, too: collapsed, ignores_text, mode_collapse." in found.sentence
    assert found.ranking[1].health == "health was not measured" and not found.ranking[1].troubles


def test_skipped_and_failed_runs_have_their_reason():
    found = answered(
        run(
            "bce",
            0,
            state="skipped",
            reason="its Stage I, bce-0123abcd, is collapsed: black at 9 images: All black. People lower it",
        ),
        run("wgan", 0, state="failed", reason="RuntimeError: out of birds"),
    )
    assert found.sentence == "No answer: no run came to its end."
    assert found.ranking[0].troubles[0].sentence == "its Stage I is collapsed: black at 9 images."
    assert "RuntimeError: out of birds." in found.ranking[1].troubles[0].sentence


def test_an_answer_says_what_is_still_to_come():
    waiting = RunRecord("", job=9, state="waiting", overrides=["stage=one", "seed=2"], label="bce")
    found = answered(*seeds("wgan", 2.0, 2.1), *seeds("bce", 1.0, 1.1), waiting, run("lsgan", 0, state="running"))
    assert found.so_far == "2 of 6 runs are still to come (1 running, 1 waiting): this is the answer so far."
    assert [len(standing.runs) for standing in found.ranking] == [3, 2, 1]  # the waiting seed is one of its setting's
    assert "Without a score" not in found.sentence


def test_no_answer_is_one_sentence():
    off = run("bce", 0)
    off.config["evaluation.final_samples"] = None
    assert "(evaluation=off takes none)" in answered(off).sentence and "No answer" in answered(off).sentence
    assert answered(run("bce", 0, state="waiting")).sentence == "No answer yet: no run has come to its end."
    alone = answered(*seeds("bce", 1.0, 1.2)).sentence
    assert alone.startswith(
        "One setting alone: there is nothing to compare it with. bce: kid_efflite0 1.10 ± 0.14 over 2 seeds"
    )


def test_other_budgets_are_said():
    longer = run("wgan", 0, 2.0)
    longer.images = 640
    assert "different numbers of images, 64 to 640" in answered(run("bce", 0, 1.0), longer).measure


def test_settings_are_named_by_what_differs_between_them(tmp_path):
    common = ["scale=tiny", "data.classes=10", "scale.one.image_size=32", "scale.two.image_size=64", "scale.generator_channels=16",
              "scale.discriminator_channels=16"]  # fmt: skip
    write_study(
        tmp_path,
        [],
        [
            [*common, f"loss={loss}", f"lr={lr}", f"seed={seed}"]
            for loss in ("bce", "wgan")
            for lr in ("base", "x10")
            for seed in (0, 1)
        ],
    )
    for page in write_report(tmp_path):
        text = page.read_text().replace("\\", "")
        assert f"All runs: {', '.join(common)}." in text and "generator_channels=16,loss" not in text
    rows = [line.split(" | ")[0].strip("| ") for line in text.splitlines() if " | waiting | " in line]
    assert rows == [f"loss={loss},lr={lr}" for loss in ("bce", "wgan") for lr in ("base", "x10") for _ in (0, 1)]


def test_a_default_is_named_where_it_was_typed_beside_others(tmp_path):
    write_study(tmp_path, [], [["norm=batch", "seed=0"], ["norm=none", "seed=0"], ["lr=x10", "seed=0"]])
    labels = [each.label for each in read_study(tmp_path).runs]
    assert labels == ["norm=batch", "norm=none", "lr=x10"]  # the last one's norm was not typed


def test_a_job_that_found_its_run_finished_is_named_by_what_it_asked_for(tmp_path):
    write_study(tmp_path, [], [["lr=base", "seed=0"], ["lr=x10", "seed=0"]])
    about = json.loads((tmp_path / "study.json").read_text())
    about["jobs"][0]["folder"] = "seed=0-0a1b2c3d"
    (tmp_path / "study.json").write_text(json.dumps(about))
    (tmp_path / "seed=0-0a1b2c3d").mkdir()
    (tmp_path / "seed=0-0a1b2c3d/status.json").write_text('{"state": "done"}')
    (tmp_path / "seed=0-0a1b2c3d/overrides.txt").write_text("norm=batch\nseed=0\n")
    assert [each.label for each in read_study(tmp_path).runs] == ["lr=base", "lr=x10"]


def test_the_name_of_a_folder_that_was_cut_does_not_decide_what_differs(tmp_path):
    sizes = ("generator_channels", "discriminator_channels", "residual_blocks", "one.image_size", "two.image_size")
    common = [f"scale.{key}=16" for key in sizes]
    for i, choices in enumerate((["seed=0"], ["loss=wgan", "seed=0"])):
        folder = tmp_path / f"{folder_name(name_parts(None, [*choices, *common]))}-0000000{i}"
        folder.mkdir()
        (folder / "status.json").write_text('{"state": "done"}')
        (folder / "overrides.txt").write_text("\n".join([*choices, *common]))
    study = read_study(tmp_path)
    assert sorted(each.label for each in study.runs) == ["base", "loss=wgan"] and study.shared == common
