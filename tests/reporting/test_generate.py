"""Captions to pictures."""

import json
import os
import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image

from stackgan.errors import UserError
from stackgan.networks.build import build_generator
from stackgan.networks.text_to_image import TextToImage
from stackgan.reporting.generate import generate
from stackgan.reporting.picture_folder import slug
from stackgan.text.minilm import MiniLM, find_weights
from stackgan.training.bundle import GeneratorBundle, TextEncoderId, load_bundle


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


def everything(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_request_has_a_folder_of_its_own_and_the_same_one_again_finds_it(run):
    first = generate(run, CAPTIONS[:1], count=2)
    before = everything(first.folder)
    others = [
        generate(run, CAPTIONS[1:2], count=2),
        generate(run, [CAPTIONS[0] + "!"], count=2),
        generate(run, CAPTIONS[:1], count=1),
        generate(run, CAPTIONS[:1], count=2, seed=1),
        generate(run, CAPTIONS[:1], count=2, truncation=0.5),
    ]
    assert len({first.folder, *(made.folder for made in others)}) == 6
    assert generate(run / "generator", CAPTIONS[:1], count=2) == first and everything(first.folder) == before
    bundle = load_bundle(run / "generator")
    with torch.no_grad():
        next(bundle.sampler.stage_one.parameters()).add_(0.01)
    bundle.save(run / "generator_best")
    again = generate(run / "generator_best", CAPTIONS[:1], count=2)
    assert again.folder != first.folder and again.folder.parent == first.folder.parent
    assert everything(first.folder) == before


def test_captions_of_any_script_have_folders_that_a_person_recognises(run):
    made = [generate(run, [caption], count=1).folder.name for caption in ("빨간 새", "파란 새", "一只红色的小鸟")]
    assert [name.rsplit("-", 1)[0] for name in made] == ["빨간-새", "파란-새", "一只红色的小鸟"]


@pytest.mark.parametrize(
    ("caption", "name"),
    [
        ("A small Red bird's nest, with EGGS in it", "a-small-red-bird-s-nest"),
        (unicodedata.normalize("NFD", "Café 빨간"), "café-빨간"),
        ("../../etc\\passwd: <a>?", "etc-passwd-a"),
        (".hidden", "hidden"),
        ("काले पंखों", "काले-पंखों"),
        ("🐦🔴", "captions"),
        ("새" * 100, "새" * 24),
    ],
)
def test_a_slug_keeps_letters_and_nothing_a_file_system_minds(caption, name):
    assert slug(caption) == name and len(name.encode()) <= 72


@pytest.mark.parametrize("there", ["manifest.jsonl", "0003-00.png", "grid.png", "grid-001.png"])
def test_a_folder_with_other_pictures_is_refused_before_anything_is_drawn(run, tmp_path, monkeypatch, there):
    monkeypatch.setattr("stackgan.reporting.generate.draw", lambda *_, **__: pytest.fail("drew"))
    (tmp_path / there).write_text("somebody's")
    with pytest.raises(UserError, match=rf"{tmp_path.name} holds other images \({there}\).* give another out="):
        generate(run, CAPTIONS, count=1, out=tmp_path)
    assert (tmp_path / there).read_text() == "somebody's" and len(list(tmp_path.iterdir())) == 1


def test_out_may_hold_other_files_and_is_filled_once(run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    made = generate(run, CAPTIONS, count=2, out=tmp_path)
    before = everything(tmp_path)
    assert len(before) == 9 and before.keys() >= {path.relative_to(tmp_path) for path in (*made.grids, made.manifest)}
    assert generate(run, CAPTIONS, count=2, out=tmp_path) == made and everything(tmp_path) == before
    (tmp_path / "0001-00.png").unlink()
    generate(run, CAPTIONS, count=2, out=tmp_path)
    assert everything(tmp_path) == before
    with pytest.raises(UserError, match="holds other images"):
        generate(run, CAPTIONS[:1], count=2, out=tmp_path)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("files", [0, 1])
def test_what_breaks_off_leaves_nothing_that_looks_finished(run, tmp_path, monkeypatch, files):
    folder = tmp_path / "out"
    folder.mkdir()
    for i in range(files):
        (folder / f"note{i}.txt").write_text("mine")

    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("stackgan.reporting.generate.draw_grid", broken)
    with pytest.raises(KeyboardInterrupt):
        generate(run, CAPTIONS, count=1, out=folder)
    assert sum(len(each) for _, _, each in os.walk(tmp_path)) == files


def test_a_caption_that_is_no_text_is_refused(run, tmp_path):
    with pytest.raises(UserError, match=r"bird \\udce9 is not UTF-8"):
        generate(run, ["bird \udce9"], count=1, out=tmp_path / "out")
