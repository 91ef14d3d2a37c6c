"""Networks by stage and name: the way in for training, and back from a bundle's `settings`."""

from __future__ import annotations

from typing import Any

from stackgan.networks.architecture import STAGES, check_choice
from stackgan.networks.discriminator import Discriminator
from stackgan.networks.stage_one import StageOneGenerator
from stackgan.networks.stage_two import StageTwoGenerator


def build_generator(stage: str, **settings: Any) -> StageOneGenerator | StageTwoGenerator:
    """The generator of stage `one` or `two`; `settings` are the arguments of its class, which says what they mean.

    Raises:
        UserError: an unknown stage, or what the class refuses.
    """
    check_choice("stage", stage, STAGES)
    return StageOneGenerator(**settings) if stage == "one" else StageTwoGenerator(**settings)


def build_discriminator(stage: str, **settings: Any) -> Discriminator:
    """The discriminator of stage `one` or `two`; `settings` are the other arguments of `Discriminator`."""
    return Discriminator(stage, **settings)
