"""What do the scores cost beside the feature pass?      python bench/evaluation.py [--samples 10000] [--network efflite0]

Prints the CPU seconds of one network's pass over `samples` generated pictures (measured on a part, before and after the rest) and of
each score's arithmetic on as many real and generated features. CPU seconds, so that other work on the machine disturbs less.
`--network inception` runs the official network with random weights unless --weights=<file> is given: its cost is the same.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch

from stackgan.evaluation.feature_networks import EfficientNetLite0, FeatureNetwork, Inception
from stackgan.evaluation.frechet_distance import frechet_distance
from stackgan.evaluation.inception_score import inception_score_of
from stackgan.evaluation.pair_scores import pair_scores

BATCH = 50


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def random_inception(folder: str) -> Path:
    """Weights in the official file's format, as they are before training."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Extractor

    download = "torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url"
    with mock.patch(download, lambda *args, **kwargs: {}), mock.patch.object(Extractor, "load_state_dict"):
        network = Extractor("inception-v3-compat", ["2048"])
    path = Path(folder) / "weights.pth"
    torch.save(network.state_dict(), path)
    return path


def build(name: str, weights: str | None) -> FeatureNetwork:
    if name == "efflite0":
        return EfficientNetLite0()
    with tempfile.TemporaryDirectory() as folder:
        return Inception(Path(weights) if weights else random_inception(folder))


def spread(count: int, width: int, seed: int) -> torch.Tensor:
    """Features [count, width] of many variances, not negative, as pooled ones are."""
    draws = torch.Generator().manual_seed(seed)
    scales = torch.linspace(2, 0.05, width)
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(0)) * scales[:, None] / width**0.5
    return (torch.randn(count, width, generator=draws) @ mixing + 0.1).relu()


def measure(network: FeatureNetwork, samples: int, pictures: int, side: int) -> dict[str, float]:
    images = torch.randint(0, 256, (BATCH, 3, side, side), dtype=torch.uint8)
    _, logits = network.both(images)

    def part_of_pass() -> None:
        for _ in range(max(1, pictures // BATCH)):
            network.both(images)

    before = cpu_seconds(part_of_pass)
    real, fake = (spread(samples, network.feature_dim, seed) for seed in (1, 2))
    classes = torch.randn(samples, logits.shape[1], generator=torch.Generator().manual_seed(0))
    scores = {
        "inception score": cpu_seconds(lambda: inception_score_of(classes)),
        "fid": cpu_seconds(lambda: frechet_distance(real, fake)),
        "kid, precision, recall": cpu_seconds(lambda: pair_scores(real, fake, subset_size=min(1000, samples))),
    }
    measured = max(1, pictures // BATCH) * BATCH
    whole = (before + cpu_seconds(part_of_pass)) / 2 * samples / measured
    return {f"feature pass ({measured} measured)": whole, **scores, "all scores": sum(scores.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--pictures", type=int, default=500, help="measured pictures of the pass")
    parser.add_argument("--side", type=int, default=64, help="of a picture, px")
    parser.add_argument("--network", choices=["efflite0", "inception"], default="efflite0")
    parser.add_argument("--weights", help="the official Inception file")
    options = parser.parse_args()
    result = measure(build(options.network, options.weights), options.samples, options.pictures, options.side)
    whole = next(iter(result.values()))
    print(f"{options.network}, {options.samples} real and {options.samples} generated pictures")
    for name, seconds in result.items():
        print(f"{name:32} {seconds:9.2f} s {100 * seconds / whole:7.2f} % of the pass over the generated ones")
    print(f"{'all scores':32} {'':11} {50 * result['all scores'] / whole:7.2f} % of the pass over both sets")


if __name__ == "__main__":
    main()
