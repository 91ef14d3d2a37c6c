import numpy as np
import pytest
from PIL import Image, ImageDraw

from stackgan.data.crop import CROP, Fit, fit_square, reference_crop

BICUBIC = Image.Resampling.BICUBIC


@pytest.mark.parametrize(
    ("size", "box", "window"),
    [
        # R = int(.75 * 100) = 75, centre (150, 120): all inside the picture
        ((500, 400), (100.0, 80.0, 100.0, 80.0), (75, 45, 225, 195)),
        # the first photograph of CUB: R = int(.75 * 325) = 243, centre (222, 179); clipped on three sides
        ((500, 335), (60.0, 27.0, 325.0, 304.0), (0, 0, 465, 335)),
        # halves are cut, not rounded: R = int(.75 * 11) = 8, centre (int(10.5), int(8.5))
        ((64, 64), (5.0, 3.0, 11.0, 11.0), (2, 0, 18, 16)),
        # and so are those that Python would round up: centre (int(11.5), int(9.5))
        ((64, 64), (6.0, 4.0, 11.0, 11.0), (3, 1, 19, 17)),
    ],
)
def test_crop_with_a_box_is_the_references(size, box, window):
    assert reference_crop(size, box) == window


@pytest.mark.parametrize(
    ("size", "window"), [((100, 60), (20, 0, 80, 60)), ((60, 101), (0, 20, 60, 80)), ((7, 7), (0, 0, 7, 7))]
)
def test_crop_without_a_box_is_the_centred_square(size, window):
    assert reference_crop(size, None) == window


@pytest.fixture
def wide():
    """120 x 40: blue with a red left end and a green right end."""
    image = Image.new("RGB", (120, 40), (0, 0, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 5, 39), "red")
    draw.rectangle((114, 0, 119, 39), (0, 255, 0))
    return image


@pytest.mark.parametrize("size", [76, 152, 304])
@pytest.mark.parametrize(("padding", "colour"), [("border", (0, 0, 200)), ("white", (255, 255, 255))])
def test_a_padded_image_lies_whole_in_the_training_window(wide, size, padding, colour):
    page = np.asarray(fit_square(wide, size, None, Fit("pad", padding), BICUBIC))
    side, inner = size, size * 64 // 76
    offset, height = (side - inner) // 2, round(40 * inner / 120)
    top = (side - height) // 2
    whole = np.asarray(wide.resize((inner, height), BICUBIC))
    np.testing.assert_array_equal(page[top : top + height, offset : offset + inner], whole)
    outside = np.ones((side, side), dtype=bool)
    outside[top : top + height, offset : offset + inner] = False
    assert (page[outside] == colour).all()


def test_a_squeezed_image_keeps_its_ends_and_a_cropped_one_does_not(wide):
    squeezed = np.asarray(fit_square(wide, 76, None, Fit("squeeze"), BICUBIC))
    np.testing.assert_array_equal(squeezed, np.asarray(wide.resize((76, 76), BICUBIC)))
    cropped = np.asarray(fit_square(wide, 76, None, CROP, BICUBIC))
    assert (cropped == (0, 0, 200)).all()


@pytest.mark.parametrize("how", ["crop", "pad", "squeeze"])
def test_a_box_is_cut_out_whatever_the_fit(wide, how):
    box = (70.0, 10.0, 20.0, 10.0)
    expected = wide.crop(reference_crop(wide.size, box)).resize((19, 19), BICUBIC)
    found = fit_square(wide, 19, box, Fit(how), BICUBIC)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("shape", [(1, 1), (5000, 1), (1, 5000)])
@pytest.mark.parametrize("how", ["crop", "pad", "squeeze"])
def test_images_of_one_pixel_s_height_are_fitted_too(shape, how):
    found = fit_square(Image.new("RGB", shape, (9, 8, 7)), 76, None, Fit(how), BICUBIC)
    assert (np.asarray(found) == (9, 8, 7)).all()
