"""Names of the losses and of the discriminator's penalties; this file imports no torch, so that a configuration can
be checked without it.
"""

from typing import Literal, get_args

LossName = Literal["bce", "wgan", "hinge", "lsgan"]
PenaltyName = Literal["none", "gradient", "r1", "matching_aware"]

LOSSES: tuple[str, ...] = get_args(LossName)
PENALTIES: tuple[str, ...] = get_args(PenaltyName)
