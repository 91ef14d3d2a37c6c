"""All scores of a finished run on its test captions, each recorded with its protocol."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stackgan.config import saved_config
from stackgan.data.views import real_images
from stackgan.errors import UserError
from stackgan.evaluation.attribute_accuracy import attribute_classifier, judge, make_exam
from stackgan.evaluation.feature_networks import FeatureNetwork, build_feature_network, file_hash
from stackgan.evaluation.inception_score import inception_score
from stackgan.evaluation.kernel_distance import kernel_distance
from stackgan.evaluation.record import ProtocolRecord, append_record
from stackgan.evaluation.samples import caption_vectors, generated_pixels
from stackgan.inputs import Inputs, prepare_inputs
from stackgan.progress import progress_bar
from stackgan.text.encoders import ENCODERS, build_encoder
from stackgan.training.bundle import GeneratorBundle, load_bundle


@dataclass(frozen=True)
class ScoreRequest:
    """What to measure."""

    samples: int = 1000
    splits: int = 10
    seed: int = 0
    batch_size: int = 50
    network: str = "auto"
    inception_weights: str | None = None
    cache: Path = Path("cache")


def score_run(run: Path, request: ScoreRequest) -> list[ProtocolRecord]:
    """Inception Score and KID on test captions; on painted birds also the accuracy of the attributes that captions name."""
    if request.samples < max(request.splits, 2):
        raise UserError(f"samples={request.samples} must be at least splits={request.splits}.")
    config = saved_config(run)
    config.data.cache = str(request.cache)
    bundle, inputs = load_bundle(run / "generator"), prepare_inputs(config)
    network = build_feature_network(request.network, request.inception_weights)
    fakes = test_pictures(bundle, inputs, request)
    records = [
        inception_record(network, fakes, bundle, inputs, request),
        kid_record(network, fakes, bundle, inputs, request),
    ]
    if inputs.store.source == "birds" and bundle.text.name in ENCODERS:
        records.append(attribute_record(bundle, request))
    for record in records:
        append_record(run, record)
    return records


def test_pictures(bundle: GeneratorBundle, inputs: Inputs, request: ScoreRequest) -> Tensor:
    """uint8 [samples, 3, H, H]: picture i from test caption i and noise i."""
    text = caption_vectors(inputs.store, inputs.table, "test", request.samples)
    return draw(bundle, text, request)


def draw(bundle: GeneratorBundle, text: Tensor, request: ScoreRequest) -> Tensor:
    """Pictures for each row of text, with a progress bar."""
    device = torch.device("cpu")
    parts = []
    with progress_bar(len(text), "img", "drawing") as bar:
        for part in generated_pixels(bundle.sampler, text, request.seed, range(len(text)), request.batch_size, device):
            parts.append(part)
            bar.update(len(part))
    return torch.cat(parts)


def inception_record(
    network: FeatureNetwork, fakes: Tensor, bundle: GeneratorBundle, inputs: Inputs, request: ScoreRequest
) -> ProtocolRecord:
    """The Inception Score, with the same of real test pictures beside it."""
    device, (real, count) = torch.device("cpu"), real_pictures(bundle, inputs, request)
    mean, std = inception_score(network, fakes.split(request.batch_size), request.splits, request.seed, device)
    real_mean, _ = inception_score(
        network, real.split(request.batch_size), min(request.splits, count), request.seed, device
    )
    return record(network, network.metric, mean, std, real_mean, count, bundle, request)


def kid_record(
    network: FeatureNetwork, fakes: Tensor, bundle: GeneratorBundle, inputs: Inputs, request: ScoreRequest
) -> ProtocolRecord:
    """KID of the fakes to real test pictures; beside it that of one half of the real ones to the other."""
    real, count = real_pictures(bundle, inputs, request)
    size, batch = min(250, count // 2, len(fakes)), request.batch_size
    mean, std = kernel_distance(network, real.split(batch), fakes.split(batch), request.seed, subset_size=size)
    halves = kernel_distance(network, real[::2].split(batch), real[1::2].split(batch), request.seed, subset_size=size)
    return record(network, f"kid_{network.name}", mean, std, halves[0], count, bundle, request)


def real_pictures(bundle: GeneratorBundle, inputs: Inputs, request: ScoreRequest) -> tuple[Tensor, int]:
    """Up to `samples` real test pictures, uint8 [N, 3, H, H], and N."""
    chunks = real_images(inputs.store, "test", bundle.sampler.image_size, limit=request.samples)
    real = torch.cat(list(chunks))
    return real, len(real)


def record(
    network: FeatureNetwork,
    metric: str,
    mean: float,
    std: float,
    real: float,
    count: int,
    bundle: GeneratorBundle,
    request: ScoreRequest,
) -> ProtocolRecord:
    """A score with this request's protocol."""
    return ProtocolRecord(
        metric, mean, std, real, network.name, network.weights, network.resize,
        request.samples, count, request.splits, request.seed, "test", "ema", bundle.images,
    )  # fmt: skip


def attribute_record(bundle: GeneratorBundle, request: ScoreRequest) -> ProtocolRecord:
    """Which of the named attributes are in the picture, for painted individuals of unseen combinations."""
    path, classifier = attribute_classifier(request.cache)
    exam = make_exam(request.samples)
    text = torch.from_numpy(build_encoder(bundle.text.name).encode(exam.captions))
    accuracy = judge(classifier, exam, draw(bundle, text, request))
    parts = {"generated": accuracy.generated, "painted": accuracy.painted, "chance": accuracy.chance}
    details = {f"{name}/{part}": value for part, values in parts.items() for name, value in values.items()}
    return ProtocolRecord(
        "attribute_accuracy", accuracy.relative, None, 1.0, "attribute classifier", file_hash(path), "bilinear, antialias, 64",
        request.samples, request.samples, 1, request.seed, "unseen individuals", "ema", bundle.images, details,
    )  # fmt: skip
