"""Every command that README.md, docs/ and `make help` print runs as it is printed, in a user's environment.

In code blocks and between backquotes. Only sizes are appended (clone.SIZES), and <placeholders> are filled (clone.FILLINGS) with runs that
other documented commands made. What a test cannot have is said in the text itself, in the comment or the sentence behind the command:
`# needs a GPU`, `needs a network`, `needs an account`, `needs SLURM`, `needs matplotlib`, `needs the official archive` (or `weights`),
`needs .[sweep]`. A command that is not marked must run. Commands with data=cub data.root=... run where the photographs are.
"""

import importlib.util
import json

import pytest

from clone import Clone
from documentation import Command, documented_commands

USERS = "python src/train.py -m loss=wgan,bce optim=adam,rmsprop"
FAST = [
    USERS,
    "python src/train.py sweep=six_variants",
    "python src/train.py --help",
    "make help",
]
NOT_INSIDE_A_TEST = ("make setup", "make test", "make test-all", "make lint")
EXTRAS = {".[sweep]": "hydra_plugins.hydra_optuna_sweeper", ".[emoji]": "resvg_py", "matplotlib": "matplotlib"}


@pytest.fixture(scope="session")
def clone(tmp_path_factory):
    return Clone(tmp_path_factory.mktemp("clone"))


def case(command):
    words = " ".join(command.text.split())
    return pytest.param(command, id=words[:120], marks=[] if command.text in FAST else pytest.mark.slow)


COMMANDS = [each for each in documented_commands() if each.text.split(" ARGS")[0] not in NOT_INSIDE_A_TEST]


@pytest.mark.parametrize("command", [case(command) for command in COMMANDS])
def test_a_documented_command_runs_as_printed(command: Command, clone):
    extra = EXTRAS.get(command.needs)
    if command.needs and not (extra and importlib.util.find_spec(extra)):
        pytest.skip(f"needs {command.needs}")
    printed = clone.type(command.text)
    assert "Traceback" not in printed, printed


@pytest.mark.parametrize("command", NOT_INSIDE_A_TEST)
def test_make_knows_the_targets_that_a_test_does_not_run(command, clone):
    clone._run(f"make -n {command.removeprefix('make ')}")


def test_the_pages_print_the_commands_that_make_test_runs():
    assert set(FAST) <= {command.text for command in documented_commands()}


@pytest.fixture(scope="session")
def study_of_four(clone):
    """What the users' command printed, and the study that it made."""
    printed = clone.type(USERS)
    (study,) = clone.folder.glob("outputs/loss+optim-*")
    return printed, study


def jobs(study):
    return json.loads((study / "study.json").read_text())["jobs"]


def test_the_users_command_trains_every_combination_and_keeps_wandbs_data_in_each_run(study_of_four):
    printed, study = study_of_four
    assert [job["state"] for job in jobs(study)] == ["done"] * 4
    assert len({job["signature"] for job in jobs(study)}) == 4
    assert f"{study.relative_to(study.parents[1])}/report.html" in printed and (study / "report.html").exists()
    for job in jobs(study):
        assert len(list((study / job["folder"]).glob("wandb/offline-run-*/run-*.wandb"))) == 1, job


def test_the_users_command_again_skips_what_is_done(clone, study_of_four):
    assert clone.again(USERS).count("already done") == 4


def test_the_study_trains_six_variants_and_then_stage_two_of_each(clone):
    clone.type("python src/train.py sweep=six_variants")
    found = jobs(clone.folder / "outputs" / "six_variants")
    assert len(found) == 12 and {job["state"] for job in found} <= {"done", "diverged"}
    assert ["stage=one" in job["overrides"] for job in found] == [True] * 6 + [False] * 6
