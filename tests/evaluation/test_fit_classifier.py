"""Training a feature network on a data set's classes, in the library and by the command."""

import json
from pathlib import Path

import pytest
import torch

from stackgan.errors import UserError
from stackgan.evaluation.feature_networks import build_feature_network, data_fingerprint
from stackgan.evaluation.feature_networks.checkpoint import checkpoint_folder
from stackgan.evaluation.feature_networks.classifier import Classifier
from stackgan.evaluation.feature_networks.finetuned import FinetunedInception
from stackgan.evaluation.feature_networks.fit import (
    FitPlan,
    fit_network,
    imagenet_path,
    labelled_rows,
    load_imagenet,
    requested_plan,
)
from stackgan.inputs import prepare_store
from support import TINY, composed, script

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(cache):
    """Painted birds of 12 training classes, ten pictures each, at 76 px; test classes beside them."""
    config = composed(
        *TINY, "data.classes=22", "data.images_per_class=10", f"data.cache={cache}", "scale.one.image_size=64",
        "scale.two.image_size=128",
    )  # fmt: skip
    return prepare_store(config)


def test_the_classifier_learns_the_training_classes_above_chance(store, tmp_path):
    plan = FitPlan(image_size=64, images=640, batch_size=16, learning_rate=4e-3, flip=False)
    state = torch.get_rng_state()
    made = fit_network("classifier", store, plan, tmp_path / "classifier", CPU)
    assert torch.equal(torch.get_rng_state(), state)
    record = made.record
    classes = sorted(set(store.class_ids[store.indices("train")].tolist()))
    assert list(record.class_names) == [str(i) for i in classes] and record.split == "train"
    assert record.data == data_fingerprint(store) and record.initial == "random"
    assert record.images == 640 and record.held_out >= len(classes)
    assert record.accuracy > 2.5 / len(classes)


def test_a_seed_is_a_network_and_another_seed_another_one(store, tmp_path):
    plan = FitPlan(image_size=64, images=32, batch_size=16, learning_rate=1e-3)
    made = [
        fit_network("classifier", store, requested_like(plan, seed), tmp_path / f"{i}", CPU).weights
        for i, seed in enumerate((0, 0, 1))
    ]
    assert made[0] == made[1] != made[2]


def requested_like(plan, seed):
    return FitPlan(**(vars(plan) | {"seed": seed}))


@pytest.mark.parametrize("network", [Classifier, FinetunedInception])
def test_each_network_learns_its_split_and_never_sees_what_is_held_out(store, network):
    data = labelled_rows(store, network)
    split = set(store.indices(network.split).tolist())
    trained, held = set(data.rows.tolist()), set(data.held_rows.tolist())
    assert trained | held == split and not trained & held
    labels = torch.cat([data.labels, data.held_labels]).tolist()
    ids = store.class_ids[[*data.rows, *data.held_rows]].tolist()
    assert [data.class_ids[label] for label in labels] == ids
    assert {store.class_ids[row] for row in held} == {store.class_ids[row] for row in split}


def test_the_fingerprint_is_that_of_the_data_set_at_any_size(store, cache):
    config = composed(*TINY, "data.classes=22", "data.images_per_class=10", f"data.cache={cache}")
    smaller = prepare_store(config)
    assert smaller.size != store.size and data_fingerprint(smaller) == data_fingerprint(store)
    config.data.split = "image"
    assert data_fingerprint(prepare_store(config)) != data_fingerprint(store)


@pytest.mark.slow
def test_a_fine_tuned_inception_is_saved_found_and_equal(store, tmp_path):
    plan = FitPlan(image_size=64, images=2, batch_size=2, learning_rate=1e-4)
    folder = checkpoint_folder(tmp_path, "inception_finetuned", data_fingerprint(store))
    made = fit_network("inception_finetuned", store, plan, folder, CPU)
    classes = set(store.class_ids[store.indices("test")].tolist())
    network = build_feature_network("inception_finetuned", cache=tmp_path, data=data_fingerprint(store))
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    logits = network(images)
    assert logits.shape == (1, len(classes)) and network.weights == made.weights
    torch.testing.assert_close(FinetunedInception(made)(images), logits, rtol=0, atol=0)
    assert not any(name.startswith("AuxLogits") for name in made.state)
    torch.save(dict(made.state), tmp_path / "plain.pth")
    plain = build_feature_network("inception_finetuned", path=tmp_path / "plain.pth")
    torch.testing.assert_close(plain(images), logits, rtol=0, atol=0)


def test_imagenet_weights_replace_all_but_the_classes(tmp_path):
    imagenet = FinetunedInception.module(1000, training=True).state_dict()
    torch.save(imagenet, tmp_path / "imagenet.pth")
    module = FinetunedInception.module(5, training=True)
    own = module.fc.weight.clone()
    load_imagenet(module, tmp_path / "imagenet.pth")
    loaded = module.state_dict()
    assert torch.equal(loaded["Mixed_7c.branch1x1.conv.weight"], imagenet["Mixed_7c.branch1x1.conv.weight"])
    assert torch.equal(loaded["AuxLogits.conv0.conv.weight"], imagenet["AuxLogits.conv0.conv.weight"])
    assert torch.equal(loaded["fc.weight"], own)
    del imagenet["Conv2d_1a_3x3.conv.weight"]
    torch.save(imagenet, tmp_path / "part.pth")
    with pytest.raises(UserError, match="no weights of torchvision's inception_v3"):
        load_imagenet(module, tmp_path / "part.pth")


def test_imagenet_weights_are_taken_from_torchs_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert imagenet_path("inception_finetuned", None) is None
    file = tmp_path / "checkpoints" / "inception_v3_google-0cc3c7bd.pth"
    file.parent.mkdir()
    file.touch()
    assert imagenet_path("inception_finetuned", None) == file
    assert imagenet_path("classifier", None) is None
    with pytest.raises(UserError, match="does not exist"):
        imagenet_path("inception_finetuned", str(tmp_path / "nowhere.pth"))
    with pytest.raises(UserError, match="network=inception_finetuned"):
        imagenet_path("classifier", str(file))


def test_what_cannot_work_is_refused(store):
    with pytest.raises(UserError, match="inception_finetuned, classifier"):
        requested_plan("efflite0")
    for choice in ({"images": 0}, {"batch_size": 1}, {"learning_rate": -1.0}, {"image_size": 8}):
        with pytest.raises(UserError, match=next(iter(choice))):
            requested_plan("classifier", **choice)


@pytest.mark.slow
def test_the_command_trains_and_says_where_the_network_is(cache, tmp_path):
    settings = [s for s in TINY if s.startswith(("data.", "trainer"))] + [f"data.cache={cache}"]
    result = script(
        "fit_classifier.py", "network=classifier", *settings, "images=32", "batch_size=16", "trainer.threads=1"
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "accuracy" in lines[-2] and "held-out" in lines[-2]
    folder = lines[-1].removeprefix("network: ")
    record = json.loads(Path(folder, "classifier.json").read_text())
    assert folder == str(checkpoint_folder(cache, "classifier", record["data"])) and record["images"] == 32
    assert build_feature_network("classifier", cache=cache, data=record["data"]).record.source == "birds"


@pytest.mark.slow
def test_the_command_refuses_a_name_it_does_not_know_in_one_sentence(tmp_path):
    result = script("fit_classifier.py", "network=vgg", f"data.cache={tmp_path}")
    assert result.returncode == 2 and result.stderr.startswith("network=vgg is not known")
    assert "Traceback" not in result.stderr
