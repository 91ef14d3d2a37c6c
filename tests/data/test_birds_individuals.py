"""Attributes, species, captions and single paintings of the embedded data set."""

import re
from dataclasses import replace

import numpy as np
import pytest

from stackgan.data.birds import (
    ATTRIBUTES,
    HABITATS,
    PARTS,
    SPECIES_COUNT,
    all_species,
    attribute_indices,
    attribute_names,
    attribute_vector,
    attributes_from_vector,
    draw_individual,
    paint,
    random_individual,
    write_captions,
)

COLOR_WORDS = {color: color for color in ATTRIBUTES["crown_color"]} | {
    "gray": "grey",
    "violet": "purple",
    "scarlet": "red",
    "golden": "yellow",
}
COLOR = "|".join(COLOR_WORDS)
# Each pattern finds a colour and what it is said of, wherever a caption may say it.
STATEMENTS = {
    "crown_color": (rf"({COLOR})(?:-crowned|-crested| crown| cap| crest)", rf"its crown is ({COLOR})"),
    "breast_color": (rf"({COLOR})(?:-breasted|-bellied| breast| belly)", rf"its (?:breast|belly) is ({COLOR})"),
    "back_color": (rf"({COLOR})(?:-backed| back| upperparts| tail)", rf"its back is ({COLOR})"),
    "wing_color": (rf"({COLOR})(?:-winged| wings)", rf"its wings are (?:plain )?({COLOR})"),
    "bill_color": (rf"({COLOR})(?: pointed| dagger-like| cone-shaped| conical| hooked)? (?:bill|beak)",),
}
SHAPES = {
    "bill_shape": {
        "dagger": r"long-billed|dagger|long, sharp|long (?:\w+ )?pointed (?:bill|beak)",
        "cone": r"thick-billed|conical|cone-shaped|short, thick",
        "hooked": r"hook",
        "all-purpose": r"small-billed|small (?:\w+ )?(?:bill|beak)|thin|tiny",
    },
    "tail_shape": {
        "forked_tail": r"fork",
        "pointed_tail": r"pointed(?: \w+)? tail|pointy-tailed",
        "fan-shaped_tail": r"fan",
    },
    "wing_pattern": {"solid": r"plain", "striped": r"bars|stripes", "spotted": r"spots|dots"},
    "head_pattern": {"capped": r"\bcap\b|-crowned", "crested": r"crest"},
}
PLACES = {"branch": "branch", "reed": "reed", "rock": "rock", "water": "water", "ground": "ground"}


def birds(count: int):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        yield random_individual(rng), rng


def test_captions_say_only_what_is_true():
    said = dict.fromkeys([*STATEMENTS, *SHAPES, "habitat"], 0)
    for bird, rng in birds(150):
        for caption in write_captions(bird, rng, 10):
            for attribute, patterns in STATEMENTS.items():
                for pattern in patterns:
                    for word in re.findall(pattern, caption):
                        assert COLOR_WORDS[word] == getattr(bird, attribute), (caption, bird)
                        said[attribute] += 1
            for attribute, shapes in SHAPES.items():
                for value, pattern in shapes.items():
                    if re.search(pattern, caption):
                        assert value == getattr(bird, attribute), (caption, bird)
                        said[attribute] += 1
            for place in PLACES:
                if re.search(rf"\b{PLACES[place]}\b", caption):
                    assert place == bird.habitat, (caption, bird)
                    said["habitat"] += 1
    assert min(said.values()) > 50  # every attribute is in fact spoken of


def test_every_colour_word_of_a_caption_belongs_to_a_visible_part():
    for bird, rng in birds(100):
        marks = "black" if bird.wing_color in ("white", "yellow", "grey", "orange") else "white"
        colors = {bird.crown_color, bird.breast_color, bird.back_color, bird.wing_color, bird.bill_color}
        colors |= set() if bird.wing_pattern == "solid" else {marks}
        for caption in write_captions(bird, rng, 10):
            assert {COLOR_WORDS[word] for word in re.findall(rf"\b({COLOR})\b", caption)} <= colors, (caption, bird)


def test_captions_are_distinct_lower_case_sentences_with_right_articles():
    for bird, rng in birds(100):
        captions = write_captions(bird, rng, 10)
        assert len(captions) == len(set(captions)) == 10
        for caption in captions:
            assert re.fullmatch(r"(?:[a-z\-]+,? )+[a-z\-]+\.?", caption), caption
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|\b(\w+) \1\b", caption), caption
    for count in (0, 51):
        with pytest.raises(ValueError, match="count"):
            write_captions(bird, rng, count)


def test_attribute_vector_uses_cub_names_and_is_read_back():
    assert len(attribute_names()) == 312 and attribute_names()[1] == "has_bill_shape::dagger"
    for bird, _ in birds(100):
        vector = attribute_vector(bird)
        assert vector.dtype == np.float32 and vector.shape == (312,) and set(np.unique(vector)) == {0.0, 1.0}
        assert attributes_from_vector(vector) == {name: getattr(bird, name) for name in ATTRIBUTES}
        present = {name for name, value in zip(attribute_names(), vector, strict=True) if value}
        assert {f"has_crown_color::{bird.crown_color}", f"has_belly_color::{bird.breast_color}"} <= present
        assert {f"has_upperparts_color::{bird.back_color}", f"has_leg_color::{bird.bill_color}"} <= present
        for name in ATTRIBUTES:  # exactly one value of each judged attribute
            assert vector[list(attribute_indices(name))].sum() == 1
        groups = [name.split("::")[0] for name in present]
        assert {group for group in groups if groups.count(group) > 1} <= {"has_upperparts_color"}
        assert len(set(groups)) == 28  # every group of CUB's is answered
    with pytest.raises(ValueError, match="312"):
        attributes_from_vector(np.zeros(300))


def test_unknown_attribute_values_are_refused():
    bird = random_individual(np.random.default_rng(0))
    with pytest.raises(ValueError, match="crown_color"):
        replace(bird, crown_color="mauve")


def test_species_are_distinct_and_cover_every_attribute_value_evenly():
    species = all_species()
    assert [kind.class_id for kind in species] == list(range(1, SPECIES_COUNT + 1))
    assert len({kind.name for kind in species}) == len({kind.typical for kind in species}) == SPECIES_COUNT == 200
    for name, values in ATTRIBUTES.items():
        counts = [sum(getattr(kind.typical, name) == value for kind in species) for value in values]
        assert max(counts) - min(counts) <= 1
    for kind in species:
        assert re.fullmatch(r"\d{3}\.[A-Z][a-z]+(_[A-Za-z]+)+", kind.folder)


def test_individuals_differ_from_their_species_in_at_most_three_plumage_traits():
    kind, rng = all_species()[16], np.random.default_rng(5)
    members = [draw_individual(kind, rng) for _ in range(400)]
    changed = [sum(getattr(bird, name) != getattr(kind.typical, name) for name in ATTRIBUTES) for bird in members]
    assert set(changed) == {0, 1, 2, 3}
    assert 0.7 < np.mean(np.array(changed) > 0) < 0.9
    assert {bird.bill_shape for bird in members} == {kind.typical.bill_shape}


@pytest.mark.parametrize("habitat", HABITATS)
def test_painting_annotations_fit_the_picture(habitat):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        painting = paint(replace(random_individual(rng), habitat=habitat), rng, 96)
        assert painting.image.size == painting.mask.size == (96, 96) and painting.image.mode == "RGB"
        mask = np.asarray(painting.mask)
        assert set(np.unique(mask)) == {0, 255}
        rows, columns = np.nonzero(mask)
        left, top, width, height = painting.box
        assert (left, top) == (columns.min(), rows.min())
        assert (left + width, top + height) == (columns.max() + 1, rows.max() + 1)
        assert left > 0 and top > 0 and left + width < 96 and top + height < 96
        assert set(painting.parts) == set(PARTS)
        for part in ("belly", "breast", "crown", "throat", "back", "nape", "tail", "beak"):
            x, y = painting.parts[part]
            assert mask[min(int(y), 95), min(int(x), 95)] == 255 or habitat == "water", part
        eyes = [painting.parts["left eye"], painting.parts["right eye"]]
        assert eyes.count(None) == 1  # a bird in profile
        assert (painting.parts["left leg"] is None) == (habitat == "water")


def test_what_is_under_water_is_not_part_of_the_mask():
    shares = []  # of the box's lowest row: a body cut off straight fills more of it than a round body's end
    for seed in range(12):
        bird = random_individual(np.random.default_rng(seed))
        on_water = paint(replace(bird, habitat="water"), np.random.default_rng(seed), 96)
        left, top, width, height = (int(value) for value in on_water.box)
        shares.append(np.mean(np.asarray(on_water.mask)[top + height - 1, left : left + width] > 0))
    assert np.mean(shares) > 0.27  # 0.34; with the submerged part 0.14


@pytest.mark.parametrize(
    ("part", "landmark"), [("crown_color", "crown"), ("breast_color", "breast"), ("back_color", "tail")]
)
def test_a_part_is_painted_in_its_colour(part, landmark):
    expected = {"blue": (2,), "red": (0,), "green": (1,), "yellow": (0, 1)}
    for seed in range(4):
        bird = random_individual(np.random.default_rng(seed))
        for color, channels in expected.items():
            painting = paint(replace(bird, **{part: color}, habitat="branch"), np.random.default_rng(seed), 160)
            x, y = painting.parts[landmark]
            patch = np.asarray(painting.image, dtype=float)[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].mean(
                (0, 1)
            )
            others = [channel for channel in range(3) if channel not in channels]
            assert patch[list(channels)].min() > patch[others].max() + 25, (color, patch)


def test_painting_is_a_function_of_the_random_stream():
    bird = random_individual(np.random.default_rng(1))
    one, same, other = (np.asarray(paint(bird, np.random.default_rng(seed), 64).image) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    with pytest.raises(ValueError, match="32"):
        paint(bird, np.random.default_rng(0), 16)
