"""How often something happens: in images, or as a share of the budget."""

import csv

import pytest

from stackgan.assembly import build_health_settings
from stackgan.cadence import in_images, warm_up_images
from stackgan.config import stage_scale
from stackgan.experiment import run
from stackgan.run_directory import read_status
from support import composed


@pytest.mark.parametrize(
    ("every", "images"), [(0.25, 4_000), (0.1, 1_600), (1e-9, 1), (1, 1), (2_000, 2_000), (2e6, 2_000_000)]
)
def test_below_one_a_cadence_is_a_share_of_the_budget(every, images):
    assert in_images(every, 16_000) == images


def test_a_share_is_rounded_to_the_nearest_image():
    assert in_images(0.29, 100) == 29  # 28.999999999999996 in binary


def test_there_may_be_no_warm_up():
    assert (warm_up_images(0, 16_000), warm_up_images(0.1, 16_000), warm_up_images(500, 16_000)) == (0, 1_600, 500)


@pytest.mark.parametrize("overrides", [["stage=one"], ["stage=two"], ["variant=recipe", "stage=two"]], ids=" ".join)
def test_by_default_a_run_of_either_stage_is_scored_and_judged_in_time_to_act(overrides):
    config = composed(*overrides)
    budget = stage_scale(config).images
    assert in_images(config.evaluation.every, budget) <= budget // 4
    health = build_health_settings(config, budget)
    assert health.warm_up + health.patience * health.every <= 0.4 * budget


def test_a_papers_run_of_millions_of_images_is_looked_at_more_often_than_a_tenth():
    config, budget = composed("scale=paper"), 600 * 8_855
    assert in_images(config.health.every, budget) < 10 * 8_855 and in_images(config.logger.log_every, budget) < 8_855
    assert 15 <= budget / in_images(config.evaluation.every, budget) <= 100


def test_a_share_acts_and_what_is_typed_comes_before_it(tiny, tmp_path):
    always = ["health.thresholds.black=1000", "health=stop", "images=80", "logger.log_every=0.3"]
    shares = ["evaluation.every=0.2", "health.every=0.2", "health.warm_up=0.2", "logger.samples_every=0.5"]
    assert run(tiny(*always, *shares), []) == 3
    (folder,) = (tmp_path / "runs").iterdir()
    status = read_status(folder)
    assert (status.state, status.images) == ("collapsed", 32)  # bad at 16 and 32: before its end
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["images"] for row in rows if row["loss/d"]] == ["24"]
    assert [row["images"] for row in rows if row["kid_efflite0"]] == ["16", "32"]
    assert (folder / "generator_best").is_dir()
