"""From features to scores: what one network says of generated, real test and real training pictures.

Beside each value stand the same of real test pictures and of real training pictures put in the place of the generated ones.
Where a score compares two sets (FID, KID, precision, recall), real test pictures are compared by halves.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stackgan.evaluation.bootstrap import bootstrap_interval
from stackgan.evaluation.clip_score import clip_scores
from stackgan.evaluation.frechet_distance import frechet_distance
from stackgan.evaluation.inception_score import inception_score_of
from stackgan.evaluation.kernel_distance import kernel_distance_of
from stackgan.evaluation.nearest_neighbours import nearest_distances
from stackgan.evaluation.pair_scores import pair_scores

SUBSETS, SUBSET_SIZE = 100, 1000  # of KID
NEIGHBOURS = 3  # of precision and recall
CLOSE = 0.01  # share of real test pictures that are taken to be close to a training picture
INTERVAL_FROM = 30  # pictures: below, an interval says more about the few than about the generator


@dataclass(frozen=True)
class Score:
    """A number before its protocol; the fields are those of `ProtocolRecord`."""

    metric: str
    value: float
    real_samples: int
    std: float | None = None
    splits: int = 1
    real: float | None = None
    real_train: float | None = None
    shuffled: float | None = None
    low: float | None = None
    high: float | None = None
    details: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """What a feature network said of some pictures."""

    features: Tensor  # float32 [N, D]
    logits: Tensor  # float32 [N, C]

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, chosen: Tensor | slice) -> "Said":
        """Some of the pictures."""
        return Said(self.features[chosen], self.logits[chosen])

    def spread(self, count: int) -> "Said":
        """Up to `count` pictures, evenly over all."""
        return self if count >= len(self) else self.rows(torch.arange(count) * len(self) // count)


@dataclass(frozen=True)
class Anchors:
    """What the network said of the data set's own pictures."""

    test: Said
    train: Said


def distribution_scores(
    fake: Said, anchors: Anchors, suffix: str, wanted: Collection[str], splits: int, seed: int
) -> list[Callable[[], list[Score]]]:
    """IS, FID, KID, precision, recall and the distance to the training pictures, as far as `wanted`: each still to be worked out.

    Args:
        fake: of the generated pictures.
        suffix: of the network, for the names.
        splits: of the Inception Score.
    """
    test, train = anchors.test, anchors.train.spread(len(fake))
    measures: dict[tuple[str, ...], Callable[[], list[Score]]] = {
        ("is",): lambda: [_inception(fake, test.spread(len(fake)), suffix, splits, seed, train)],
        ("fid",): lambda: [_frechet(fake, test, train, suffix)],
        ("kid", "precision", "recall"): lambda: [
            score for score in _pairs(fake, test, train, suffix, seed) if score.metric.removesuffix(suffix) in wanted
        ],
        ("nearest_train",): lambda: [nearest_train(fake.features, anchors, suffix, seed)],
    }
    return [measure for names, measure in measures.items() if any(name in wanted for name in names)]


def _halves(said: Said) -> tuple[Said, Said]:
    """Every second picture, and the others: both of all classes."""
    return said.rows(slice(0, None, 2)), said.rows(slice(1, None, 2))


def scores_of_training(fake: Said, real: Said, suffix: str, splits: int, seed: int) -> list[Score]:
    """What a run measures of itself: the same Inception Score and KID, this one where there are real pictures enough.

    Args:
        real: pictures of the split whose captions are drawn.
    """
    found = [_inception(fake, real.spread(len(fake)), suffix, splits, seed)]
    first, second = _halves(real)
    size = min(SUBSET_SIZE, len(second), len(fake))
    if size > 1:
        (value, std), (halves, _) = (
            kernel_distance_of(a.features, b.features, seed, SUBSETS, size) for a, b in ((real, fake), (first, second))
        )
        found.append(_kernel(value, std, len(real), halves, suffix, size))
    return found


def _inception(fake: Said, test: Said, suffix: str, splits: int, seed: int, train: Said | None = None) -> Score:
    mean, std = inception_score_of(fake.logits, splits, seed)
    real, real_train = (
        None if said is None or len(said) < splits else inception_score_of(said.logits, splits, seed)[0]
        for said in (test, train)
    )
    return Score(f"is{suffix}", mean, len(test), std, splits, real, real_train)


def _frechet(fake: Said, test: Said, train: Said, suffix: str) -> Score:
    first, second = _halves(test)
    return Score(
        f"fid{suffix}",
        frechet_distance(test.features, fake.features),
        len(test),
        real=frechet_distance(first.features, second.features),
        real_train=frechet_distance(test.features, train.features),
    )


def _pairs(fake: Said, test: Said, train: Said, suffix: str, seed: int) -> list[Score]:
    """KID, precision and recall."""
    first, second = _halves(test)
    size = min(SUBSET_SIZE, len(second), len(fake))
    value, real, real_train = (
        pair_scores(a.features, b.features, seed, SUBSETS, min(size, len(b)), NEIGHBOURS)
        for a, b in ((test, fake), (first, second), (test, train))
    )
    return [
        _kernel(value.kid, value.kid_std, len(test), real.kid, suffix, size, real_train.kid),
        Score(f"precision{suffix}", value.precision, len(test), real=real.precision, real_train=real_train.precision),
        Score(f"recall{suffix}", value.recall, len(test), real=real.recall, real_train=real_train.recall),
    ]


def _kernel(
    value: float, std: float, real_samples: int, real: float, suffix: str, size: int, real_train: float | None = None
) -> Score:
    details = {"subset_size": float(size)}
    return Score(f"kid{suffix}", value, real_samples, std, SUBSETS, real, real_train, details=details)


def nearest_train(features: Tensor, anchors: Anchors, suffix: str, seed: int) -> Score:
    """Memorisation: the mean cosine distance to the nearest training picture, 0 for a copy.

    Its detail `close` is the share of generated pictures nearer to a training picture than the nearest 1 % of real test
    pictures are: 0.01 is what unseen real pictures have, 1 a generator that repeats what it was shown.
    """
    distances, _ = nearest_distances(features, anchors.train.features)
    real, _ = nearest_distances(anchors.test.features, anchors.train.features)
    close = (distances < real.double().quantile(CLOSE)).double().mean()
    low, high = mean_interval(distances, seed)
    return Score(
        f"nearest_train{suffix}",
        float(distances.double().mean()),
        len(anchors.train),
        real=float(real.double().mean()),
        low=low,
        high=high,
        details={"close": float(close)},
    )


def mean_interval(values: Tensor, seed: int) -> tuple[float | None, float | None]:
    """The bootstrap interval of a mean over pictures; None for few pictures."""
    if len(values) < INTERVAL_FROM:
        return None, None
    values = values.double()
    return bootstrap_interval(lambda rows: float(values[rows].mean()), len(values), seed)


def clip_score_of(pictures: Tensor, texts: Tensor, real: Tensor, real_texts: Tensor, seed: int) -> Score:
    """CLIPScore from CLIP's vectors of pictures and of their captions, [N, E] each."""
    values = clip_scores(pictures, texts)
    low, high = mean_interval(values, seed)
    return Score(
        "clip_score",
        float(values.mean()),
        len(real),
        float(values.std(correction=0)),
        real=float(clip_scores(real, real_texts).mean()),
        shuffled=float(clip_scores(pictures, texts.roll(-1, 0)).mean()),
        low=low,
        high=high,
    )
