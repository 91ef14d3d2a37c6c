"""Every command that README.md, docs/ and `make help` print runs as it is printed, in a user's environment.

In code blocks and between backquotes. Only sizes are appended (clone.SIZES), and <placeholders> are filled (clone.FILLINGS) with runs that
other documented commands made. What a test cannot have is said in the text itself, in the comment or the sentence behind the command:
`# needs a GPU`, `needs a network`, `needs an account`, `needs SLURM`, `needs matplotlib`, `needs the official archive` (or `weights`),
`needs .[sweep]`. A command that is not marked must run. Commands with data=cub data.root=... run where the photographs are.
"""

import importlib.util
import json
import re

import pytest

from clone import Clone
from documentation import Command, documented_commands

USERS = "python src/train.py -m loss=wgan,bce optim=adam,rmsprop"
FAST = [
    USERS,
    "python src/train.py sweep=six_variants",
    "python src/train.py sweep=six_variants dry_run=true",
    "python src/train.py variant=recipe",
    "python src/train.py stage=two",
    "python src/train.py --help",
    "make help",
]
NOT_INSIDE_A_TEST = ("make setup", "make test", "make test-all", "make lint")
EXTRAS = {".[sweep]": "hydra_plugins.hydra_optuna_sweeper", ".[emoji]": "resvg_py", "matplotlib": "matplotlib"}

pytestmark = pytest.mark.xdist_group("documented commands")  # they build on each other


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


def test_the_users_command_leaves_four_finished_runs_with_wandbs_data_in_each(clone):
    clone.type(USERS)
    (study,) = clone.folder.glob("outputs/loss,optim-*")
    runs = [path.parent for path in study.glob("*/status.json")]
    assert len(runs) == 4
    for run in runs:
        assert json.loads((run / "status.json").read_text())["state"] == "done"
        assert len(list(run.glob("wandb/offline-run-*/run-*.wandb"))) == 1, run
    assert re.search(r"report\.html", clone.type(USERS))
