"""The packaged network, and the official one where its weights are."""

from unittest import mock

import pytest
import torch

from stackgan.errors import UserError
from stackgan.evaluation.feature_networks import EfficientNetLite0, build_feature_network, efflite0_path, inception_path

needs_package = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)
INCEPTION = inception_path(None)


@needs_package
def test_the_packaged_network_classifies_frozen_and_in_float32_also_under_autocast():
    network = EfficientNetLite0()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    expected = network(images)
    assert expected.shape == (2, 1000) and network.features(images).shape == (2, 1280)
    network.train()
    with torch.autocast("cpu", torch.bfloat16):
        under = network(images)
    assert under.dtype == torch.float32
    torch.testing.assert_close(under, expected, rtol=0, atol=0)
    assert not any(p.requires_grad for p in network.parameters())


@needs_package
def test_it_knows_a_flat_picture_from_a_structured_one():
    flat = torch.full((1, 3, 64, 64), 128, dtype=torch.uint8)
    stripes = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    stripes[..., ::8] = 255
    network = EfficientNetLite0()
    assert (network.features(flat) - network.features(stripes)).norm() > 1


@needs_package
@pytest.mark.skipif(INCEPTION is not None, reason="the official weights are in torch's cache here")
def test_auto_takes_the_packaged_network_and_never_calls_its_score_is():
    network = build_feature_network("auto")
    assert (network.name, network.metric) == ("efflite0", "is_efflite0")


def test_inception_without_weights_says_which_file_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(UserError, match=r"weights-inception-2015-12-05-6726825d\.pth"):
        build_feature_network("inception")
    with pytest.raises(UserError, match="does not exist"):
        build_feature_network("auto", str(tmp_path / "nowhere.pth"))


@pytest.fixture(scope="module")
def random_inception(tmp_path_factory):
    """Random weights in the format of the official file: the code path without the download."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    download = "torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url"
    with (
        mock.patch(download, lambda *args, **kwargs: {}),
        mock.patch.object(FeatureExtractorInceptionV3, "load_state_dict"),
    ):
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["logits_unbiased"])
    torch.save(network.state_dict(), path)
    return path


def test_the_official_network_equals_torch_fidelitys_with_the_same_weights(random_inception):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    reference = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048", "logits_unbiased"], str(random_inception)
    ).eval()
    network = build_feature_network("inception", str(random_inception))
    assert network.metric == "is"
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        features, logits = reference(images)
    torch.testing.assert_close(network(images), logits, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(network.features(images), features, rtol=1e-5, atol=1e-6)
