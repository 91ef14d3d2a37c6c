"""A pass over pictures in its own process, so that a test can kill it: python extraction_job.py <cache> <devices> <pause in seconds>."""

import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from stackgan.evaluation.extraction import PictureReader, Workers, extract
from stackgan.evaluation.feature_networks import FeatureNetwork
from stackgan.evaluation.feature_store import FeatureStore
from stackgan.evaluation.subjects import GeneratedPictures
from stackgan.networks.build import build_generator
from stackgan.networks.text_to_image import TextToImage

COUNT = 1_100  # five chunks, the last one short


class MeanColours(FeatureNetwork):
    """A feature network without weights: the mean colours of a 4 x 4 grid; their products with fixed numbers as logits."""

    name, resize, weights, feature_dim = "colours", "none", "0", 48

    def __init__(self, pause: float = 0.0) -> None:
        super().__init__()
        self.pause = pause

    def pooled(self, images):
        time.sleep(self.pause)
        return F.adaptive_avg_pool2d(images.float() / 255, 4).flatten(1)

    def classes(self, pooled):
        return pooled @ torch.arange(48 * 10, device=pooled.device).float().reshape(48, 10).sin()


def generated(count: int = COUNT, seed: int = 0) -> GeneratedPictures:
    """Pictures of 16 px by an untrained generator."""
    torch.manual_seed(0)
    sampler = TextToImage(build_generator("one", text_dim=6, image_size=16, base_channels=8, noise_dim=5))
    with torch.no_grad():
        for weight in sampler.parameters():
            weight.mul_(4)  # as it is at the start, every picture is grey
    return GeneratedPictures(sampler, torch.randn(count, 6), seed)


def read(cache: Path, devices: int = 1, batch_size: int = 50, pause: float = 0.0, count: int = COUNT) -> FeatureStore:
    """The pass."""
    return extract(
        generated(count), PictureReader(MeanColours(pause), frames=True), cache, Workers(devices, batch_size), "test"
    )


if __name__ == "__main__":
    read(Path(sys.argv[1]), int(sys.argv[2]), pause=float(sys.argv[3]))
