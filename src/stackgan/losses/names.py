"""Names of the losses and of the discriminator's penalties; this file imports no torch, so that a configuration can
be checked without it.
"""

from typing import Literal, get_args

LossName = Literal["bce", "wgan", "hinge", "lsgan"]
PenaltyName = Literal["none", "gradient", "r1", "matching_aware"]

LOSSES: tuple[str, ...] = get_args(LossName)
PENALTIES: tuple[str, ...] = get_args(PenaltyName)
# Gulrajani et al. 2017 (arXiv 1704.00028), Mescheder et al. 2018 (arXiv 1801.04406), Tao et al. 2022 (arXiv 2008.05865).
PAPER_WEIGHTS = {"gradient": 10.0, "r1": 10.0, "matching_aware": 2.0}
