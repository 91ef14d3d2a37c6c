"""How a script ends, in this process: its exit code, and one sentence or a traceback."""

import sys

import pytest

from stackgan.cli import run as module
from stackgan.cli.run import no_choice, run_script
from stackgan.cli.script import TRAIN
from stackgan.errors import UserError


@pytest.fixture
def end(monkeypatch, capsys):
    """end(error, *arguments): exit code and stderr of a script that raises it."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(module, "keep_freed_memory", lambda: None)

    def ended(error, *arguments):
        def main():
            raise error

        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        with pytest.raises(SystemExit) as stopped:
            run_script(main, TRAIN, "A script.")
        return stopped.value.code, capsys.readouterr().err

    return ended


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("no birds; give some."), 2, "no birds; give some."),
        (KeyboardInterrupt(), 130, "stopped; the same command goes on with what is finished"),
        (ValueError("The --resolve flag can only be used with --cfg\nmore"), 2,
         "The --resolve flag can only be used with --cfg; --help lists the settings and choices."),
        (ValueError("Only one of --run, --multirun"), 2, "Only one of --run, --multirun; --help lists the settings and choices."),
        (RuntimeError("Unknown plugin class: 'optuna'"), 2,
         f"the package of this hydra/launcher or hydra/sweeper is missing: {module.EXTRA}."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)  # fmt: skip
def test_what_is_the_users_to_mend_is_one_sentence(end, error, code, words):
    assert end(error) == (code, words + "\n")


@pytest.mark.parametrize("error", [RuntimeError("out of birds"), ValueError("out of birds")])
def test_a_fault_of_ours_has_its_traceback_and_another_code(end, error):
    code, shown = end(error)
    assert code == 1 and "Traceback" in shown and shown.strip().endswith("out of birds")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_shown_and_nothing_is_run(monkeypatch, capsys, flag):
    monkeypatch.setattr(sys, "argv", ["train.py", "loss=wgan", flag])
    run_script(lambda: pytest.fail("it ran"), TRAIN, "A script.")
    assert "A script." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("group", "choice", "words"),
    [
        ("lr", "fast", "choose one of a, b, or a number."),
        ("dropout", "much", "choose one of a, b, or a rate."),
        ("scale", "64", "choose one of a, b; the picture size is scale.one.image_size."),
        ("scale", "huge", "choose one of a, b."),
        ("hydra/launcher", "slurm", f"choose one of a, b, or install more: {module.EXTRA}."),
        ("loss", "64", "choose one of a, b."),
    ],
)
def test_a_choice_that_there_is_not_names_those_there_are(group, choice, words):
    assert no_choice(group, choice, ["a", "b"]) == f"{group}={choice} is not known; {words}"
