"""All scores of 30,000 pictures of 256 px by features as wide as Inception's, in a process of its own; prints its peak in GB."""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from stackgan.evaluation.extraction import PictureReader, Workers, extract
from stackgan.evaluation.feature_networks import FeatureNetwork
from stackgan.evaluation.scores import Anchors, Said, distribution_scores

ALL = ("is", "fid", "kid", "precision", "recall", "nearest_train")


class Wide(FeatureNetwork):
    """As wide as Inception, with hardly any arithmetic."""

    name, resize, weights, feature_dim = "wide", "none", "0", 2048

    def __init__(self) -> None:
        super().__init__()
        draws = torch.Generator().manual_seed(0)
        self.mix = torch.randn(192, 2048, generator=draws)
        self.head = torch.randn(2048, 1008, generator=draws) / 45

    def pooled(self, images):
        return F.relu(F.adaptive_avg_pool2d(images.float() / 255, 8).flatten(1) @ self.mix)

    def classes(self, pooled):
        return pooled @ self.head


@dataclass
class Noise:
    """Pictures of 256 px, each a function of its number."""

    count: int
    seed: int
    name: str = "noise"

    def identity(self):
        return {"count": self.count, "seed": self.seed}

    def batches(self, pictures, batch_size, device):
        for start in range(pictures.start, pictures.stop, batch_size):
            size = min(batch_size, pictures.stop - start)
            draws = torch.Generator().manual_seed(self.seed + start)
            small = torch.randint(0, 256, (size, 3, 32, 32), generator=draws, dtype=torch.uint8)
            yield small.repeat_interleave(8, 2).repeat_interleave(8, 3)


def said(cache: Path, count: int, seed: int) -> Said:
    """What the network says of `count` pictures."""
    store = extract(Noise(count, seed), PictureReader(Wide(), frames=True), cache, Workers(), "reading")
    return Said(store.read("features"), store.read("logits"))


if __name__ == "__main__":
    cache = Path(sys.argv[1])
    fake, anchors = said(cache, 30_000, 1), Anchors(said(cache, 3_000, 10**6), said(cache, 8_000, 2 * 10**6))
    found = [score for measure in distribution_scores(fake, anchors, "_wide", ALL, 10, 0) for score in measure()]
    assert len(found) == len(ALL)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}")
