"""What can be said of the trackers before any work starts. No torch and no W&B here: it costs nothing to ask."""

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from stackgan.errors import UserError

WANDB_MODES = ("auto", "online", "offline", "disabled")  # from the loudest to the quietest
USERS_MODES = {"online": "online", "run": "online", "shared": "online", "offline": "offline", "dryrun": "offline",
               "disabled": "disabled"}  # WANDB_MODE  # fmt: skip
YES = ("true", "1", "yes", "on", "y", "t")
LONGEST_NAME, LONGEST_TAG = 128, 64  # characters that W&B takes
NOT_IN_PROJECTS = "/\\#?%:"


def check_wandb_names(project: str, tags: Sequence[str]) -> None:
    """Refuse what W&B would refuse. Raises UserError."""
    found = [character for character in NOT_IN_PROJECTS if character in project]
    if not project or found or len(project) > LONGEST_NAME:
        raise UserError(
            f"logger.project={project} is no name of a W&B project: 1 to {LONGEST_NAME} characters, "
            f"none of {' '.join(NOT_IN_PROJECTS)}."
        )
    for tag in tags:
        if not 0 < len(tag) <= LONGEST_TAG:
            raise UserError(f"logger.tags: '{tag}' is no tag for W&B, which takes 1 to {LONGEST_TAG} characters.")


def require_trackers(wandb: str, tensorboard: bool) -> None:
    """Refuse a run whose trackers cannot be there. Raises UserError.

    Args:
        wandb, tensorboard: the keys of the group `logger`.
    """
    wandb_mode(wandb)
    if tensorboard and find_spec("tensorboard") is None:
        raise UserError("logger.tensorboard=true needs the package tensorboard: pip install -e '.[tensorboard]'.")


def require_wandb_run(run: Path, asked: str) -> None:
    """Refuse to send scores of a run that has no W&B run, or where the environment says to go without. Raises UserError.

    Args:
        asked: logger.wandb of the run's configuration.
    """
    if asked == "disabled":
        raise UserError(f"wandb=true, but {run} was trained with logger.wandb=disabled: it has no W&B run.")
    if wandb_mode(asked) == "disabled":
        raise UserError("wandb=true, but the environment disables W&B; unset WANDB_MODE and WANDB_DISABLED.")


def wandb_mode(asked: str, environment: Mapping[str, str] = os.environ) -> str:
    """What W&B does in this run: of `logger.wandb` and the user's environment the quieter one.

    Raises UserError where WANDB_MODE is a word that W&B does not know.
    """
    mode = environment.get("WANDB_MODE", "")
    if mode and mode not in USERS_MODES:
        raise UserError(f"WANDB_MODE={mode} is not known to W&B; set one of {', '.join(USERS_MODES)}, or unset it.")
    off = environment.get("WANDB_DISABLED", "").lower() in YES
    users = "disabled" if off else USERS_MODES.get(mode, "auto")
    return max(asked, users, key=WANDB_MODES.index)
