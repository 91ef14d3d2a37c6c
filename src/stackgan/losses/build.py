"""Losses by name."""

from __future__ import annotations

from stackgan.errors import UserError
from stackgan.losses.adversarial import AdversarialLoss, BinaryCrossEntropy, Hinge, LeastSquares, Wasserstein
from stackgan.losses.names import LOSSES, PAPER_WEIGHTS, PENALTIES
from stackgan.losses.penalties import R1, GradientPenalty, MatchingAwarePenalty, Penalty

_PENALTIES: dict[str, type[Penalty]] = {
    "gradient": GradientPenalty,
    "r1": R1,
    "matching_aware": MatchingAwarePenalty,
}


def build_loss(
    name: str,
    *,
    n_critic: int = 1,
    label_smoothing: float = 0.0,
    clip: float | None = None,
    penalty: str = "none",
    penalty_weight: float | None = None,
    penalty_every: int = 1,
) -> AdversarialLoss:
    """The loss called `name`, any of `LOSSES`, with any of `PENALTIES`.

    `wgan` with penalty `gradient` and n_critic 5 is WGAN-GP; `bce` with `r1` is what Mescheder et al. propose; `hinge`
    with `matching_aware` is DF-GAN's.

    Args:
        n_critic: discriminator steps per generator step, at least 1.
        label_smoothing: `bce` only; real pairs aim at 1 - label_smoothing.
        clip: `wgan` only; bound of the critic's parameters, None: no clipping.
        penalty_weight: None: the weight of the penalty's paper (gradient 10, r1 10, matching_aware 2).
        penalty_every: steps between two penalties; the weight is multiplied by it.

    Raises:
        UserError: an unknown name, a value out of range, or an option that the named loss does not have.
    """
    if name not in LOSSES:
        raise UserError(f"loss.name: {name!r} is not known; choose one of {', '.join(LOSSES)}.")
    if n_critic < 1:
        raise UserError(f"loss.n_critic: {n_critic} must be at least 1.")
    if label_smoothing and name != "bce":
        raise UserError(f"loss.label_smoothing: {name} has no labels to smooth; use 0, or loss.name=bce.")
    if not 0 <= label_smoothing < 1:
        raise UserError(f"loss.label_smoothing: {label_smoothing} must be at least 0 and below 1.")
    if clip is not None and name != "wgan":
        raise UserError(f"loss.clip: {name} does not clip weights; use null, or loss.name=wgan.")
    if clip is not None and clip <= 0:
        raise UserError(f"loss.clip: {clip} must be above 0, or null for no clipping.")
    regulariser = build_penalty(penalty, penalty_weight, penalty_every)
    match name:
        case "bce":
            return BinaryCrossEntropy(label_smoothing, n_critic, regulariser)
        case "wgan":
            return Wasserstein(clip, n_critic, regulariser)
        case "hinge":
            return Hinge(n_critic, regulariser)
        case _:
            return LeastSquares(n_critic, regulariser)


def build_penalty(name: str, weight: float | None = None, every: int = 1) -> Penalty | None:
    """The penalty called `name`, or None for `none`."""
    if name not in PENALTIES:
        raise UserError(f"loss.penalty: {name!r} is not known; choose one of {', '.join(PENALTIES)}.")
    if every < 1:
        raise UserError(f"loss.penalty_every: {every} must be at least 1.")
    if name == "none":
        return None
    return _PENALTIES[name](PAPER_WEIGHTS[name] if weight is None else weight, every)
