"""Captioned grids."""

import unicodedata

import numpy as np
import pytest
from PIL import ImageFont

from stackgan.reporting import fonts
from stackgan.reporting.grid import Column, draw_grid, wrap


def test_the_pictures_in_a_grid_are_the_exact_pixels():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, 3, 16, 16, 3), dtype=np.uint8)
    page = np.asarray(
        draw_grid([Column(f"caption {i}", list(pictures[i])) for i in range(2)], ["a", "b", "c"], cell=32)
    )
    for picture in pictures.reshape(-1, 16, 16, 3):
        enlarged = picture.repeat(2, 0).repeat(2, 1)
        windows = np.lib.stride_tricks.sliding_window_view(page, enlarged.shape)[:, :, 0]
        corners = (windows[:, :, 0, 0] == enlarged[0, 0]).all(-1) & (windows[:, :, -1, -1] == enlarged[-1, -1]).all(-1)
        assert any((windows[y, x] == enlarged).all() for y, x in zip(*corners.nonzero(), strict=True))


def test_captions_fit_their_column():
    font = ImageFont.load_default(size=11)
    lines = wrap(
        "this bird has a long pointed beak, a red crown and a white belly with black wings and more and more", 128, font
    )
    assert len(lines) > 1 and all(font.getlength(line) <= 128 for line in lines)
    assert " ".join(wrap("a red bird", 500, font)) == "a red bird"
    assert len(wrap("word " * 100, 60, font, most=4)) == 4


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("一只红色的小鸟\uff0c站在水边", ["一只红色", "的小鸟\uff0c", "站在水边"]),
        ("一只红色的鸟\uff0c站在水边", ["一只红色", "的鸟\uff0c站", "在水边"]),
        ("一只红色鸟。red", ["一只红色", "鸟。", "red"]),
        ("一只红鸟。", ["一只红", "鸟。"]),
        ("abcdefghi j", ["abcd", "efgh", "i j"]),
        ("abe\u0301de\u0301f", ["abe\u0301d", "e\u0301f"]),
        ("빨간 새 둘", ["빨간 새", "둘"]),
    ],
)
def test_lines_break_where_the_script_allows_it(text, lines):
    class FourLetters:
        def getlength(self, text):
            return sum(unicodedata.combining(char) == 0 for char in text)

    assert wrap(text, 4, FourLetters()) == lines


@pytest.mark.parametrize("font", [ImageFont.load_default(size=11)])
def test_a_caption_that_is_cut_still_fits(font):
    lines = wrap("W" * 300, 60, font, most=2)
    assert len(lines) == 2 and lines[1].endswith(" …") and all(font.getlength(line) <= 60 for line in lines)


def grid_of(*captions):
    picture = np.zeros((64, 64, 3), np.uint8)
    return np.asarray(draw_grid([Column(caption, [picture]) for caption in captions], ["1"]))


@pytest.fixture
def no_fonts(monkeypatch):
    """A machine with Pillow's own font alone."""
    monkeypatch.setattr(fonts, "NAMES", ())
    fonts._choose.cache_clear()
    fonts._say.cache_clear()
    yield
    fonts._choose.cache_clear()


def test_letters_without_a_font_are_boxes_and_said_once(no_fonts, capsys):
    assert (grid_of("빨간 새", "a 🐦") == grid_of("가나 다", "a 🔴")).all()  # boxes
    capsys.readouterr()
    fonts._say.cache_clear()
    for _ in range(2):
        grid_of("빨간 새", "a 🐦", "a red bird")
    note = capsys.readouterr().err
    assert note.count("\n") == 1 and "no font here has 간빨새🐦" in note
    assert "fonts-noto-cjk" in note and "pip install -e" in note and "[fonts]" in note


def test_a_font_of_the_system_is_taken_where_it_has_the_letters(capsys):
    (font,) = fonts.fonts_for(["빨간 새"], 11)
    if "no font here" in capsys.readouterr().err:
        pytest.skip("no font with Korean letters is installed")
    assert (grid_of("빨간 새") != grid_of("가나 다")).any()
    assert fonts.fonts_for(["a red bird"], 11)[0].getname() == ImageFont.load_default(11).getname() != font.getname()
