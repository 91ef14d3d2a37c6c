"""Attribute accuracy as a score: the judge of `attribute_accuracy`, fed a batch at a time so that no picture is kept."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stackgan.evaluation.attribute_accuracy import attribute_classifier, judged, make_exam, seen
from stackgan.evaluation.extraction import Workers, extract
from stackgan.evaluation.feature_networks import file_hash
from stackgan.evaluation.feature_store import FeatureStore
from stackgan.evaluation.scores import Score
from stackgan.evaluation.subjects import GeneratedPictures
from stackgan.networks.text_to_image import TextToImage
from stackgan.text.encoder import TextEncoder

NETWORK, RESIZE, CAPTIONS = "attribute classifier", "bilinear, antialias, 64", "unseen individuals"


class AttributeReader(nn.Module):
    """The value of each judged attribute that the classifier sees: uint8 [B, 3, H, H] -> `found`, int64 [B, attributes]."""

    def __init__(self, classifier: nn.Module, weights: str) -> None:
        super().__init__()
        self.classifier, self.weights = classifier, weights

    def identity(self) -> dict[str, Any]:
        return {"classifier": self.weights}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"found": seen(self.classifier, images)}


def attribute_score(
    sampler: TextToImage, encoder: TextEncoder, count: int, seed: int, truncation: float, cache: Path, workers: Workers
) -> tuple[Score, str, FeatureStore]:
    """Which of the named attributes are in pictures of painted individuals of unseen combinations.

    Returns the score, the classifier's hash, and the store of what was seen.
    """
    path, classifier = attribute_classifier(cache)
    reader, exam = AttributeReader(classifier, file_hash(path)), make_exam(count)
    text = torch.from_numpy(encoder.encode(exam.captions))
    subject = GeneratedPictures(sampler, text, seed, truncation, "attributes")
    store = extract(subject, reader, cache, workers, "drawing captions of unseen birds")
    found = store.read("found")
    painted = seen(classifier, exam.painted.to(_device(reader))).cpu()
    accuracy, shuffled = judged(found, painted, exam), judged(found.roll(1, 0), painted, exam)
    parts = {"generated": accuracy.generated, "painted": accuracy.painted, "chance": accuracy.chance}
    details = {f"{name}/{part}": value for part, values in parts.items() for name, value in values.items()}
    score = Score(
        "attribute_accuracy", accuracy.relative, count, real=1.0, shuffled=shuffled.relative, details=details
    )  # fmt: skip
    return score, reader.weights, store


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
