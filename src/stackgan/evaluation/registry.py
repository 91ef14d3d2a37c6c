"""Every score there is: its name, which way is better, what it says. Page, sweeps, W&B and checks read it here. No torch.

A score's whole name carries its feature network (`kid_efflite0`; none for the official Inception) and, where it is of the captions that
nothing may be chosen by, `/test`: `kid_efflite0/test`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TEST = "/test"
FEATURES = "the feature network"


@dataclass(frozen=True)
class Kind:
    """A score by whatever network.

    Attributes:
        way: 1 where more is better, -1 where less is, 0 where neither is known to be.
        meaning: what it says, as the end of a sentence.
        judge: the network that it is read from; `FEATURES` is chosen by `network=` and is part of the whole name.
    """

    name: str
    way: int
    meaning: str
    judge: str


KINDS = (
    Kind("kid", -1, "distance of the generated pictures' features to the real ones' (Binkowski et al. 2018)", FEATURES),
    Kind("fid", -1, "the same by mean and covariance (Heusel et al. 2017); biased where pictures are few", FEATURES),
    Kind(
        "attribute_accuracy",
        1,
        "share of the caption's attributes that a classifier finds in its picture",
        "a classifier of painted attributes",
    ),
    Kind("r_precision", 1, "share of pictures whose own caption is the nearest of a hundred", FEATURES),
    Kind("clip_score", 1, "likeness of picture and caption by CLIP", "CLIP"),
    Kind("precision", 1, "share of generated pictures that lie among real ones", FEATURES),
    Kind("recall", 1, "share of real pictures that lie among generated ones", FEATURES),
    Kind("is", 1, "Inception Score: how sure and how varied a classifier is; confident nonsense scores high", FEATURES),
    Kind("lpips_diversity", 0, "how much pictures of one caption differ", "AlexNet (LPIPS)"),
    Kind("nearest_train", 0, "distance to the nearest training picture: copies have none", FEATURES),
)
METRICS = tuple(kind.name for kind in KINDS)
WHILE_TRAINING = ("kid", "is")  # the scores that a run takes of itself
LEAST = 8  # generated, test and training images each, of the scores of src/evaluate.py


def kind_of(metric: str) -> Kind | None:
    """The kind of a score by its whole name."""
    name = metric.removesuffix(TEST)
    return next((kind for kind in KINDS if name == kind.name or name.startswith(kind.name + "_")), None)


def way(metric: str) -> int:
    """1 where more is better, -1 where less is, 0 where it is not known."""
    kind = kind_of(metric)
    return kind.way if kind else 0


def whole_name(metric: str, captions: str) -> str:
    """A score's name with the captions it is of: validation ones go without saying."""
    return metric + (TEST if captions == "test" else "")


def by_name(records: Iterable[Any]) -> dict[str, float]:
    """Values of protocol records by their whole names: those that choices are made by first, and the surest first."""
    values = {whole_name(record.metric, record.captions): record.value for record in records}
    return {name: values[name] for name in sorted(values, key=_rank)}


def _rank(name: str) -> tuple[bool, int]:
    kind = kind_of(name)
    return name.endswith(TEST), KINDS.index(kind) if kind else len(KINDS)


def find(scores: Mapping[str, float], objective: str) -> tuple[str, float] | None:
    """The score that an objective names: by its whole name, or by its kind, whatever network it is of. Never one of test captions."""
    for name, value in scores.items():
        kind = kind_of(name)
        if not name.endswith(TEST) and (name == objective or (kind is not None and kind.name == objective)):
            return name, value
    return None
