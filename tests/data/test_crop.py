import pytest

from stackgan.data.crop import reference_crop


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
