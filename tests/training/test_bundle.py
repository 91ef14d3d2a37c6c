"""The generator that a run leaves behind."""

import json

import pytest
import torch

from stackgan.errors import UserError
from stackgan.networks.build import build_generator
from stackgan.networks.text_to_image import TextToImage
from stackgan.training.bundle import GeneratorBundle, TextEncoderId, load_bundle

ENCODER = TextEncoderId("attributes", "0123", 12)


def bundle(stages: int = 1, arch: str = "stackgan") -> GeneratorBundle:
    torch.manual_seed(0)
    common = {"text_dim": 12, "base_channels": 8, "arch": arch}
    one = build_generator("one", image_size=16, noise_dim=10, **common)
    two = build_generator("two", image_size=32, stage_one_size=16, residual_blocks=1, **common) if stages == 2 else None
    return GeneratorBundle(TextToImage(one, two), ENCODER, "abcd", 640)


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("arch", ["stackgan", "tf", "pytorch"])
def test_a_loaded_bundle_draws_the_same_pictures(tmp_path, stages, arch):
    made = bundle(stages, arch)
    made.save(tmp_path / "generator")
    loaded = load_bundle(tmp_path / "generator")
    text, noise = torch.randn(3, 12), torch.randn(3, made.sampler.noise_size)
    torch.testing.assert_close(loaded.sampler(text, noise), made.sampler(text, noise), rtol=0, atol=0)
    assert (loaded.text, loaded.signature, loaded.images) == (ENCODER, "abcd", 640)


def test_saving_again_replaces_the_whole_folder_and_leaves_nothing_else(tmp_path):
    bundle().save(tmp_path / "generator")
    (tmp_path / "generator" / "stray").write_text("x")
    bundle(2).save(tmp_path / "generator")
    assert [path.name for path in tmp_path.iterdir()] == ["generator"]
    assert sorted(path.name for path in (tmp_path / "generator").iterdir()) == ["generator.json", "weights.safetensors"]
    assert load_bundle(tmp_path / "generator").sampler.stage_two is not None


def test_a_missing_or_damaged_bundle_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"generator\.json is missing"):
        load_bundle(tmp_path)
    bundle().save(tmp_path / "generator")
    weights = tmp_path / "generator" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged"):
        load_bundle(tmp_path / "generator")
    about = tmp_path / "generator" / "generator.json"
    about.write_text(json.dumps({"format": 1}))
    with pytest.raises(UserError, match="damaged"):
        load_bundle(tmp_path / "generator")


def test_a_hostile_pickle_in_place_of_the_weights_runs_nothing(tmp_path):
    import os
    import pickle

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    bundle().save(tmp_path / "generator")
    (tmp_path / "generator" / "weights.safetensors").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(UserError, match="damaged"):
        load_bundle(tmp_path / "generator")
    assert not (tmp_path / "executed").exists()


def test_a_picture_does_not_depend_on_its_batch():
    sampler = bundle(2).sampler
    text, noise = torch.randn(6, 12), torch.randn(6, sampler.noise_size)
    together = sampler.pixels(text, noise)
    apart = torch.cat([sampler.pixels(text[i : i + 1], noise[i : i + 1]) for i in range(6)])
    assert (together.int() - apart.int()).abs().max() <= 1  # rounding of the convolutions
