"""Every verdict there is: when it is given, what it means and what people change. Page, W&B, docs and checks read it here. No torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

POLICIES = ("off", "warn", "stop", "rollback")


@dataclass(frozen=True)
class Verdict:
    """Something went wrong: which number crossed which threshold, and when.

    Attributes:
        images: seen in training when it was given for the first time.
        until: images seen when it no longer held; None while it holds.
    """

    name: str
    images: int
    value: float
    threshold: float
    sentence: str
    until: int | None = None

    def record(self) -> dict[str, Any]:
        """Plain values for status.json; `until` only where it is known."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Rule:
    """When a number is bad, and the words for it.

    Attributes:
        meaning: what it is, as the end of a sentence.
        bad: on which side of the threshold.
        threshold: of a configuration that sets none.
        finding: what is seen, with {value}, {threshold} and {detail} to fill in.
        remedy: what people change, as overrides that can be typed; {lower_lr} and the like are filled in by what the run has now.
        state: the run's state where the verdict ends it.
        patient: whether it takes several bad measurements after the warm-up; else the first one counts.
    """

    name: str
    meaning: str
    bad: Literal["above", "below"]
    threshold: float
    finding: str
    remedy: str
    state: Literal["diverged", "collapsed"] = "collapsed"
    patient: bool = True

    def is_bad(self, value: float, threshold: float) -> bool:
        """Whether the value lies at the threshold or beyond it."""
        return value >= threshold if self.bad == "above" else value <= threshold

    def sentence(self, value: float, threshold: float, detail: str, words: Mapping[str, str]) -> str:
        """The finding with its numbers, then the remedy with its `words` (see `remedy_words`)."""
        finding = self.finding.format(value=f"{value:.3g}", threshold=f"{threshold:g}", detail=detail)
        return f"{finding} {self.remedy.format_map(words)}"


def remedy_words(lr_g: float, lr_d: float, n_critic: int, kl_weight: float, channels_d: int) -> dict[str, str]:
    """What remedies fill in: overrides that lower or raise what this run has.

    Args:
        lr_g, lr_d: learning rates of the configuration, before the stage's factor.
        channels_d: the discriminator's base width.
    """
    return {
        "lower_lr": f"lr.generator={lr_g / 2:g} lr.discriminator={lr_d / 2:g}",
        "lower_lr_d": f"lr.discriminator={lr_d / 2:g}",
        "raise_lr_d": f"lr.discriminator={lr_d * 2:g}",
        "more_critic": f"loss.n_critic={n_critic + 1}",
        "wider_d": f"scale.discriminator_channels={channels_d * 2}",
        "more_kl": f"loss.kl_weight={kl_weight * 2 or 1:g}",
    }


_RULES = (
    Rule(
        "nan",
        "a loss, gradient or weight stopped being a finite number",
        "above",
        0.5,
        "{detail} was not finite; {value} of the updates since the last log row were skipped (threshold {threshold}).",
        "The weights are those before. People lower the learning rate ({lower_lr}), clip gradients (optim.clip_norm=1), warm up "
        "(lr.warmup_images=10000) or take trainer.precision=32-true.",
        state="diverged",
        patient=False,
    ),
    Rule(
        "diverging",
        "a loss or a gradient norm runs away",
        "above",
        50.0,
        "{detail} runs away: {value} times the lowest level it had (threshold {threshold}).",
        "People lower the learning rate ({lower_lr}), and bound the discriminator (norm=spectral, or loss=bce_r1 "
        "norm.discriminator=none) or the gradients (optim.clip_norm=1).",
        state="diverged",
    ),
    Rule(
        "discriminator_wins",
        "the discriminator tells every generated picture, so the generator learns nothing from it",
        "below",
        0.02,
        "The discriminator is sure of nearly every generated picture: {value} of its loss's slope is left (threshold {threshold}), so the "
        "generator learns next to nothing from it.",
        "People regularise it (loss=bce_r1 norm.discriminator=none, norm=spectral, dropout=on, data.augment=on) or lower its learning "
        "rate ({lower_lr_d}).",
    ),
    Rule(
        "generator_wins",
        "the discriminator cannot tell generated pictures, so its judgement teaches nothing",
        "below",
        0.25,
        "The discriminator prefers a real picture to a generated one in {value} of the pairs (threshold {threshold}; a coin "
        "reaches 0.5), so what it teaches is wrong.",
        "People raise its learning rate ({raise_lr_d}), give it more steps ({more_critic}), widen it ({wider_d}), or weaken its "
        "regulariser.",
    ),
    Rule(
        "black",
        "the pictures are black, or all of one colour",
        "below",
        0.1,
        "The pictures are of one colour: their contrast is {value} of that of real pictures (threshold {threshold}); {detail}.",
        "People use a norm in the generator (norm.generator=batch), a lower learning rate ({lower_lr}), or arch.init=scaled, which "
        "keeps tanh out of its flat ends.",
    ),
    Rule(
        "mode_collapse",
        "different noise gives nearly the same picture",
        "below",
        0.1,
        "Pictures of one caption hardly differ whatever the noise: {value} of the spread of real pictures (threshold "
        "{threshold}; {detail}).",
        "People regularise the discriminator (loss=bce_r1 norm.discriminator=none), lower the learning rate ({lower_lr}), or vary the "
        "conditioning more ({more_kl}).",
    ),
    Rule(
        "ignores_text",
        "the pictures hardly change with the caption",
        "below",
        0.03,
        "The pictures hardly depend on the caption: {value} of the spread of real pictures (threshold {threshold}; {detail}).",
        "People teach which caption a picture has (loss=bce_matching norm.discriminator=none), whiten the embeddings "
        "(text.whiten=256), or check that captions belong to their pictures.",
    ),
    Rule(
        "white_border",
        "the pictures, generated or real, have a frame of one colour",
        "above",
        0.5,
        "A share of {value} of the pictures has a frame of one colour with a straight inner edge (threshold {threshold}; {detail}).",
        "People crop their data inside the padding; a score of the uncropped pictures is also one of the frame.",
    ),
)
RULES = {rule.name: rule for rule in _RULES}
VERDICTS = tuple(RULES)
