"""A run in the process of a launcher that is not ours, as submitit's on a cluster: it takes a value or an exception, not an exit code."""

from stackgan.config import Config
from stackgan.errors import UserError
from stackgan.run_directory import locate_run, read_status
from stackgan.run_lookup import name_runs


def run_hosted(config: Config, overrides: list[str]) -> dict[str, float]:
    """Train, continue or skip the run. Returns its scores: none where it diverged, which its status.json says.

    A run that was preempted, or failed with its reason told, ends the process with train.py's exit code and leaves no result:
    the launcher then asks the scheduler what became of the job. Raises UserError for dry_run=true, which only ours knows.
    """
    if config.dry_run:
        raise UserError("dry_run=true belongs to the default launcher; list the jobs without hydra/launcher=.")
    name_runs(config)
    from stackgan.experiment import FAILED, PREEMPTED, run  # imports torch

    code = run(config, overrides)
    if code in (FAILED, PREEMPTED):
        raise SystemExit(code)
    status = read_status(locate_run(config, overrides).folder)
    return dict(status.scores) if status is not None and status.state == "done" else {}
