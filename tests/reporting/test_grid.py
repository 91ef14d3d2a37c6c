"""Captioned grids."""

import numpy as np
from PIL import ImageFont

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
