import numpy as np

from stackgan.data.attribute_captions import write_captions

NAMES = [
    *(
        f"has_{part}_color::{colour}"
        for part in ("wing", "crown", "primary", "bill")
        for colour in ("red", "olive", "black")
    ),
    "has_size::very_small_(3_-_5_in)",
    "has_bill_length::longer_than_head",
    "has_bill_shape::all-purpose",
    "has_head_pattern::eyering",
]


def vector(*names):
    return np.array([float(n in names) for n in NAMES], dtype=np.float32)


def test_captions_say_what_holds_and_nothing_else():
    captions = write_captions("a.jpg", vector("has_wing_color::red", "has_crown_color::olive"), NAMES)
    text = " ".join(captions)
    assert len(captions) == 10
    assert "red wings" in text and "an olive crown" in text
    assert "black" not in text and "small" not in text


def test_wording_varies_and_depends_on_the_name_alone():
    values = vector(*NAMES[::3], *NAMES[12:])
    captions = write_captions("a.jpg", values, NAMES)
    assert captions == write_captions("a.jpg", values, NAMES)
    assert captions != write_captions("b.jpg", values, NAMES)
    assert len(set(captions)) >= 6
    assert any("very small" in c for c in captions) and any("a long red pointed bill" in c for c in captions)


def test_articles_fit_the_noun():
    for caption in write_captions("a.jpg", vector("has_primary_color::olive", "has_wing_color::red"), NAMES):
        assert "a olive" not in caption
    assert any(
        c.startswith("an olive")
        for i in range(9)
        for c in write_captions(f"{i}", vector("has_primary_color::olive"), NAMES)
    )


def test_a_bird_of_which_nothing_is_known_still_has_captions():
    assert all(write_captions("a.jpg", vector(), NAMES))
