"""Captions to pictures."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from stackgan.errors import UserError
from stackgan.networks.build import build_generator
from stackgan.networks.text_to_image import TextToImage
from stackgan.reporting.generate import generate
from stackgan.text.minilm import MiniLM, find_weights
from stackgan.training.bundle import GeneratorBundle, TextEncoderId


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    try:
        find_weights()
    except UserError as error:
        pytest.skip(str(error))
    encoder = MiniLM()
    torch.manual_seed(0)
    generator = build_generator("one", text_dim=384, image_size=16, base_channels=8, init="scaled")
    folder = tmp_path_factory.mktemp("run")
    GeneratorBundle(TextToImage(generator), TextEncoderId("minilm", encoder.fingerprint(), 384), "cafe").save(
        folder / "generator"
    )
    return folder


CAPTIONS = ["a small red bird with black wings", "a white bird, with a long bill", "a blue bird"]


def test_every_picture_a_grid_and_a_manifest_that_says_which_caption_made_which(run, tmp_path):
    made = generate(run, CAPTIONS, count=2, out=tmp_path)
    rows = [json.loads(line) for line in made.manifest.read_text().splitlines()]
    assert [row["caption"] for row in rows] == [caption for caption in CAPTIONS for _ in range(2)]
    assert [row["noise"] for row in rows] == list(range(6))
    assert all(Image.open(tmp_path / row["file"]).size == (16, 16) for row in rows)
    assert [grid.name for grid in made.grids] == ["grid.png"] and Image.open(made.grids[0]).size[0] > 3 * 128


def pixels(folder):
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("0*.png"))]


def test_the_same_request_gives_the_same_pictures_another_seed_others(run, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        generate(run, CAPTIONS[:1], count=3, seed=seed, out=tmp_path / name)
    a, b, c = (pixels(tmp_path / name) for name in "abc")
    assert all((x == y).all() for x, y in zip(a, b, strict=True))
    assert any((x != y).any() for x, y in zip(a, c, strict=True))


def test_truncation_to_zero_leaves_one_picture_per_caption(run, tmp_path):
    generate(run, CAPTIONS[:1], count=3, truncation=0.0, out=tmp_path)
    first, *others = pixels(tmp_path)
    assert all(np.abs(first.astype(int) - other).max() <= 1 for other in others)


def test_many_captions_go_on_further_grids(run, tmp_path):
    made = generate(run, [f"bird {i}" for i in range(10)], count=1, out=tmp_path)
    assert [grid.name for grid in made.grids] == ["grid-000.png", "grid-001.png"]


@pytest.mark.parametrize(("captions", "count", "words"), [([" "], 1, "no caption"), (["a"], 0, "count=0")])
def test_a_bad_request_is_one_sentence(run, tmp_path, captions, count, words):
    with pytest.raises(UserError, match=words):
        generate(run, captions, count, out=tmp_path)


def test_a_generator_without_words_says_so(tmp_path):
    generator = build_generator("one", text_dim=312, image_size=16, base_channels=8)
    GeneratorBundle(TextToImage(generator), TextEncoderId("attributes", "x", 312)).save(tmp_path / "generator")
    with pytest.raises(UserError, match="text=attributes"):
        generate(tmp_path, ["a bird"], 1)
