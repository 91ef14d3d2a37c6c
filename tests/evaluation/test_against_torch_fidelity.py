"""Equal to torch-fidelity, in two parts: features of the same files, and scores of the same features."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image

from stackgan.evaluation.feature_networks import Inception
from stackgan.evaluation.frechet_distance import frechet_distance
from stackgan.evaluation.inception_score import inception_score_of
from stackgan.evaluation.kernel_distance import kernel_distance_of
from stackgan.evaluation.precision_recall import precision_recall

pytest.importorskip("torch_fidelity", reason="torch-fidelity is not installed")

from torch_fidelity.datasets import ImagesPathDataset
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kernel_mmd
from torch_fidelity.metric_prc import prc_features_to_metric

NAME = "inception-v3-compat"


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Random weights in the format of the official file, of a size that keeps the activations alive."""
    module = "torch_fidelity.feature_extractor_inceptionv3"
    with (
        mock.patch(f"{module}.load_state_dict_from_url", lambda *args, **kwargs: {}),
        mock.patch.object(FeatureExtractorInceptionV3, "load_state_dict"),
    ):
        network = FeatureExtractorInceptionV3(NAME, ["2048"])
    draws = torch.Generator().manual_seed(0)
    state = network.state_dict()
    for name, tensor in state.items():
        if tensor.ndim > 1:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=draws)
        elif name.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.1, generator=draws)
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    """PNGs of noise at several scales, of sizes below, at and above the network's 299 px."""
    folder, rng, paths = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0), []
    for index, (width, height) in enumerate([(64, 64), (256, 256), (299, 299), (400, 300)]):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((width, height))
        fine = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        paths.append(folder / f"{index}.png")
        Image.fromarray((np.asarray(coarse) // 2 + fine // 2).astype(np.uint8)).save(paths[-1])
    return paths


def test_features_and_logits_of_the_same_files_agree_to_float_rounding(weights, files):
    theirs = FeatureExtractorInceptionV3(NAME, ["2048", "logits_unbiased"], str(weights))
    ours = Inception(weights)
    for expected, path in zip(ImagesPathDataset([str(path) for path in files]), files, strict=True):
        with Image.open(path) as picture:
            image = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None]
        with torch.inference_mode():
            their_features, their_logits = theirs(expected[None])
        features, logits = ours.both(image)
        assert features.std() > 0.01  # the weights do not hide a difference
        for own, their in ((features, their_features), (logits, their_logits), (ours.features(image), their_features)):
            torch.testing.assert_close(own, their, rtol=1e-5, atol=1e-5 * float(their.abs().max()))


@pytest.fixture(scope="module")
def features() -> tuple[torch.Tensor, torch.Tensor]:
    """Well spread: more pictures than dimensions, every direction with its own variance, positive as pooled features are."""
    draws = torch.Generator().manual_seed(0)
    mixing = torch.randn(64, 64, generator=draws) / 8
    real = (torch.randn(2000, 64, generator=draws) @ mixing + 0.4).relu()
    fake = (torch.randn(1800, 64, generator=draws) @ mixing * 1.15 + 0.5).relu()
    return real, fake


def test_fid(features):
    real, fake = (fid_features_to_statistics(x) for x in features)
    expected = fid_statistics_to_metric(real, fake, verbose=False)["frechet_inception_distance"]
    assert expected > 0.1
    assert frechet_distance(*features) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("splits", [1, 10, 7])  # 7 does not divide 2,000
def test_inception_score_under_the_same_permutation(splits):
    logits = torch.randn(2000, 100, generator=torch.Generator().manual_seed(1)) * 2
    order = torch.randperm(2000, generator=torch.Generator().manual_seed(5))
    expected = isc_features_to_metric(logits[order], splits=splits, shuffle=False)
    mean, std = inception_score_of(logits, splits, seed=5)
    assert mean - 1 == pytest.approx(expected["inception_score_mean"] - 1, rel=1e-3)
    assert std == pytest.approx(expected["inception_score_std"], rel=1e-3, abs=1e-9)


def test_kid_over_the_same_subsets(features):
    draws = torch.Generator().manual_seed(5)
    subsets = [[x[torch.randperm(len(x), generator=draws)[:300]].numpy() for x in features] for _ in range(10)]
    kernel = {
        "kid_kernel": "poly",
        "kid_kernel_poly_degree": 3,
        "kid_kernel_poly_gamma": None,
        "kid_kernel_poly_coef0": 1,
    }
    values = [kernel_mmd(real, fake, **kernel) for real, fake in subsets]
    mean, std = kernel_distance_of(*features, seed=5, subsets=10, subset_size=300)
    assert mean > 1e-3
    assert mean == pytest.approx(np.mean(values), abs=1e-6) and std == pytest.approx(np.std(values), abs=1e-6)


@pytest.mark.parametrize("neighbours", [3, 5])
def test_precision_and_recall(features, neighbours):
    real, fake = features
    expected = prc_features_to_metric(fake, real, prc_neighborhood=neighbours, verbose=False)
    precision, recall = precision_recall(real, fake, neighbours)
    assert 0.05 < expected["precision"] < 0.95 and 0.05 < expected["recall"] < 0.99
    assert precision == pytest.approx(expected["precision"], rel=1e-3)
    assert recall == pytest.approx(expected["recall"], rel=1e-3)
