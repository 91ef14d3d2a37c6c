"""Does a picture show what its caption says? R-precision: how often its own caption is the closest of a hundred.

The protocol is AttnGAN's (Xu et al. 2018, arXiv 1711.10485, section 4; DM-GAN's code): one true and 99 wrong captions, those of
other classes, cosine similarity, mean and spread over ten splits. Their scorer, DAMSM, also trained their generators, and
theirs are other numbers than ours. Here ridge regression maps the pooled features of a frozen network to caption vectors; it is
fitted to real pictures of the training classes. No evaluator judges a network that it helped to train: neither this scorer nor
its score may enter a training loss.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stackgan.data.randomness import generator
from stackgan.errors import UserError

WRONG, SPLITS = 99, 10  # of AttnGAN's protocol

# Ridge penalties tried, in units of the features' mean eigenvalue: few classes want a strong one, many a weak one.
_PENALTIES = tuple(10.0**power for power in range(-3, 4))
_JUDGED = 2000  # held-out captions that choose between them, at most


@dataclass(frozen=True, eq=False)
class TextImageScorer:
    """A linear map from picture features to caption vectors, both centred: alike are those with a large cosine.

    It is fitted to real pictures alone, and judges: it must not be used in training.
    """

    feature_mean: Tensor  # float32 [D]
    text_mean: Tensor  # float32 [T]
    projection: Tensor  # float32 [D, T]

    def picture_vectors(self, features: Tensor) -> Tensor:
        """[N, D] -> unit vectors [N, T]."""
        return F.normalize((features.float() - self.feature_mean) @ self.projection, dim=1)

    def caption_vectors(self, text: Tensor) -> Tensor:
        """[N, T] -> unit vectors [N, T]."""
        return F.normalize(text.float() - self.text_mean, dim=1)


def fit_scorer(features: Tensor, text: Tensor, class_ids: Tensor, seed: int = 0) -> TextImageScorer:
    """Ridge regression from features to caption vectors; the penalty is the one that matches unseen classes best.

    That is found on the given rows alone: fitted to one half of the classes, judged on the other, and the reverse. Seconds on a
    CPU, in float64; no random numbers of the global state.

    Args:
        features: [N, D] pooled features of real training pictures; a picture with several captions comes once for each.
        text: [N, T] the caption vectors.
        class_ids: int64 [N]; -1: no class, the row stands alone.
        seed: of which captions judge where there are more than 2,000 in a half.

    Raises:
        UserError: fewer than two classes, or fewer than two rows in one half of them.
    """
    groups = _groups(class_ids)
    second = groups > groups.unique().double().median()
    if min(second.sum(), (~second).sum()) < 2:
        raise UserError(
            "a text-image scorer needs training pictures of at least two classes, two of each; add pictures."
        )
    x, y = features.double(), text.double()
    shares = torch.zeros(len(_PENALTIES), dtype=torch.float64)
    for half in (second, ~second):
        judged = _some(half, seed)
        for index, scorer in enumerate(_ridge(x[~half], y[~half], _PENALTIES)):
            shares[index] += _share_below_own(scorer, features[judged], text[judged])
    best = _PENALTIES[int(shares.argmax())]
    return next(_ridge(x, y, [best]))


def r_precision(
    scorer: TextImageScorer, features: Tensor, text: Tensor, class_ids: Tensor, wrong: int = WRONG, seed: int = 0
) -> tuple[float, float]:
    """The share of pictures whose own caption beats `wrong` others; mean and standard deviation over ten random splits.

    The wrong captions are other rows of `text`, drawn without repetition from the classes that the true caption is not of. A
    tie counts as the chance that a draw among the equals would win. Chance is 1 / (wrong + 1); permuted captions come close to
    it where there are many classes, and above where there are few, as all captions of a wrong class then go out of the way.

    Args:
        features: [N, D] of the pictures, picture i drawn for, or photographed with, caption i.
        text: [N, T] the caption vectors.
        class_ids: int64 [N], the captions' classes; -1: no class, any other row is a wrong caption.

    Raises:
        UserError: fewer than `wrong` captions outside some class, or fewer than ten pictures.
    """
    if len(features) < SPLITS:
        raise UserError(f"R-precision needs at least {SPLITS} pictures, not {len(features)}; raise samples.")
    pictures, captions = scorer.picture_vectors(features), scorer.caption_vectors(text)
    hits = torch.empty(len(pictures), dtype=torch.float64)
    for rows, choices in _choices(class_ids, wrong, seed):
        scores = (pictures[rows, None] * captions[choices]).sum(2)  # [b, 1 + wrong], the true caption first
        best = (scores[:, :1] >= scores).all(1)
        hits[rows] = best.double() / (scores[:, :1] == scores).sum(1)
    order = torch.from_numpy(generator(seed, "R-precision splits").permutation(len(hits)))
    means = torch.stack([part.mean() for part in hits[order].tensor_split(SPLITS)])
    return means.mean().item(), means.std(correction=0).item()


def _choices(class_ids: Tensor, wrong: int, seed: int, chunk: int = 256) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows [b] of one class, and for each its own and its wrong captions' rows [b, 1 + wrong]."""
    groups, rng = _groups(class_ids), generator(seed, "wrong captions")
    for group in groups.unique():
        others = (groups != group).nonzero()[:, 0]
        if len(others) < wrong:
            raise UserError(
                f"R-precision against {wrong} wrong captions found {len(others)} of other classes; raise samples, or use a "
                "data set of more classes."
            )
        for rows in (groups == group).nonzero()[:, 0].split(chunk):
            drawn = np.stack([rng.choice(len(others), wrong, replace=False, shuffle=False) for _ in rows])
            yield rows, torch.cat([rows[:, None], others[torch.from_numpy(drawn)]], dim=1)


def _groups(class_ids: Tensor) -> Tensor:
    """Class by row, int64 [N]; each row without a class is one of its own."""
    return torch.where(class_ids < 0, -1 - torch.arange(len(class_ids)), class_ids)


def _some(half: Tensor, seed: int) -> Tensor:
    """Rows of a half, bool [N], as many as are to judge."""
    rows = half.nonzero()[:, 0]
    return rows[torch.from_numpy(generator(seed, "judging captions").permutation(len(rows))[:_JUDGED])]


def _ridge(x: Tensor, y: Tensor, penalties: Sequence[float]) -> Iterator[TextImageScorer]:
    """Ridge regression from x [N, D] to y [N, T] for each penalty, all from one eigendecomposition."""
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    values, vectors = torch.linalg.eigh(x.T @ x)
    target = vectors.T @ (x.T @ y)  # [D, T]
    for penalty in penalties:
        projection = vectors @ (target / (values + penalty * values.mean())[:, None])
        yield TextImageScorer(x_mean.float(), y_mean.float(), projection.float())


def _share_below_own(scorer: TextImageScorer, features: Tensor, text: Tensor) -> float:
    """Share of the other captions that lie farther from a picture than its own, mean over the pictures; 1/2 is chance."""
    scores = scorer.picture_vectors(features) @ scorer.caption_vectors(text).T
    below = (scores < scores.diagonal()[:, None]).sum().item()
    return below / (len(scores) * (len(scores) - 1))
