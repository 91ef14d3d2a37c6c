"""sweeps/wandb/*.yaml: every command line an agent can make of them is a run that the project accepts."""

import itertools
import math
import random
from collections.abc import Iterator

import pytest
import yaml
from hydra import compose, initialize_config_dir
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from stackgan.cli.script import TRAIN
from stackgan.cli.spelling import spell
from stackgan.config import PROJECT, Config, register, typed
from stackgan.evaluation.registry import way
from support import composed

SWEEPS = {path.stem: path for path in sorted((PROJECT / "sweeps/wandb").glob("*.yaml"))}
VARIANTS = {"nobn_adam", "nobn_rmsprop", "nobn_rmsprop_wgan", "bn_adam", "bn_adam_wgan_dropout", "lr_x10"}


def read(name):
    return yaml.safe_load(SWEEPS[name].read_text())


def command_line(sweep, point):
    """What the agent runs for one point: its own code fills the template."""
    macros = {"env": ["/usr/bin/env"], "interpreter": ["python"], "program": [sweep["program"]]}
    macros |= create_sweep_command_args({"args": {name: {"value": value} for name, value in point.items()}})
    words = create_sweep_command(list(sweep["command"]))
    return [part for word in words for part in (macros[word[2:-1]] if word.startswith("${") else [word])]


def configurations(commands) -> Iterator[Config]:
    """Each command line composed and checked as src/train.py does."""
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        for command in commands:
            assert command[:3] == ["/usr/bin/env", "python", "src/train.py"]
            yield typed(compose("config", spell(command[3:], TRAIN)))


def grid(sweep):
    names = list(sweep["parameters"])
    for values in itertools.product(*(sweep["parameters"][name]["values"] for name in names)):
        yield dict(zip(names, values, strict=True))


def every_pair(sweep):
    """Points in which every two choices of a random sweep meet, learning rates drawn as W&B draws them."""
    draw = random.Random(0)
    choices = {name: each["values"] for name, each in sweep["parameters"].items() if "values" in each}
    numbers = {name: each for name, each in sweep["parameters"].items() if "values" not in each}
    full = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    wanted = {pair for point in full for pair in pairs(point)}
    draw.shuffle(full)
    while wanted:
        point = max(full, key=lambda point: len(wanted.intersection(pairs(point))))
        wanted -= set(pairs(point))
        rates = {
            name: math.exp(draw.uniform(math.log(each["min"]), math.log(each["max"]))) for name, each in numbers.items()
        }
        assert all(each["distribution"] == "log_uniform_values" for each in numbers.values())
        yield point | rates


def pairs(point):
    return itertools.combinations(sorted(point.items()), 2)


@pytest.mark.parametrize(("name", "stage"), [("six_variants", "one"), ("six_variants_stage_two", "two")])
def test_the_grid_is_the_six_variants_each_once_a_seed(name, stage):
    sweep = read(name)
    points = list(grid(sweep))
    configs = list(configurations(command_line(sweep, point) for point in points))
    assert {config.variant for config in configs} == VARIANTS
    assert len({(config.variant, config.seed) for config in configs}) == len(points)
    assert {config.stage.name for config in configs} == {stage}
    assert {config.study for config in configs} == {"six_variants"}  # Stage II finds its Stage I there


@pytest.mark.slow
def test_any_two_choices_of_the_random_sweep_go_together():
    sweep = read("random")
    points = list(every_pair(sweep))
    configs = list(configurations(command_line(sweep, point) for point in points))
    assert {config.norm.name for config in configs} == set(sweep["parameters"]["norm"]["values"])
    assert {config.dropout.rate for config in configs} == {0.0, 0.3}  # `off` arrives as the word, not as False
    assert {config.loss.penalty for config in configs} >= {"none", "r1", "gradient"}
    for config, point in zip(configs, points, strict=True):
        assert config.lr.generator == point["lr.generator"] and config.lr.discriminator == point["lr.discriminator"]


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweeps_file_begins_with_its_question_and_command(name):
    first = SWEEPS[name].read_text().splitlines()[0]
    assert first.startswith("# ") and "?" in first and f"wandb sweep sweeps/wandb/{name}.yaml" in first


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_belongs_to_the_loggers_project_and_ranks_by_a_documented_score(name, monkeypatch):
    sweep = read(name)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    assert sweep["project"] == composed().logger.project
    assert sweep["metric"]["goal"] == ("maximize" if way(sweep["metric"]["name"]) > 0 else "minimize")
    assert f"`{sweep['metric']['name']}`" in (PROJECT / "docs/outputs.md").read_text()
