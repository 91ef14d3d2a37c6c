"""What a launcher that is not ours gets from a run in its own process."""

import pytest

from stackgan.errors import UserError
from stackgan.hosted import run_hosted
from stackgan.run_directory import Status, locate_run


def ending(monkeypatch, code, status=None):
    """The next run ends so."""

    def run(config, overrides):
        if status is not None:
            status.write(locate_run(config, overrides).folder)
        return code

    monkeypatch.setattr("stackgan.experiment.run", run)


def test_a_finished_run_gives_its_scores_and_a_diverged_one_none(tiny, monkeypatch):
    ending(monkeypatch, 0, Status("done", scores={"is_efflite0": 2.5}))
    assert run_hosted(tiny("seed=1"), ["seed=1"]) == {"is_efflite0": 2.5}
    ending(monkeypatch, 3, Status("diverged", scores={"is_efflite0": 9.0}))  # its last score on the way there
    assert run_hosted(tiny("seed=2"), ["seed=2"]) == {}


@pytest.mark.parametrize("code", [1, 75])
def test_a_run_that_has_to_be_given_again_leaves_no_result(tiny, monkeypatch, code):
    ending(monkeypatch, code)
    with pytest.raises(SystemExit) as exit:
        run_hosted(tiny(), [])
    assert exit.value.code == code


def test_a_dry_run_is_refused_instead_of_trained(tiny, monkeypatch):
    ending(monkeypatch, 0, Status("done"))
    with pytest.raises(UserError, match="dry_run"):
        run_hosted(tiny("dry_run=true"), [])
