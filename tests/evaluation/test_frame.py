"""Frames of one colour: found in every colour and width, not found where there are none, and taken off."""

import csv

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from stackgan.data.birds import paint, random_individual
from stackgan.data.randomness import generator
from stackgan.evaluation.feature_networks import build_feature_network, efflite0_path
from stackgan.evaluation.frame import find_frames, frame_report, without_frames
from stackgan.evaluation.kernel_distance import kernel_distance_of

SIDE = 64


def painted(seed, count):
    """uint8 [count, 3, 64, 64]: the whole paintings, with their skies."""
    pictures = []
    for index in range(count):
        rng = generator(seed, "frame test", index)
        pictures.append(np.asarray(paint(random_individual(rng), rng, SIDE).image))
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(scope="module")
def birds():
    return painted(0, 160)


def padded(pictures, top, bottom, left, right, colour):
    """The pictures made smaller and put on one colour, as padding does."""
    inner = (SIDE - top - bottom, SIDE - left - right)
    small = F.interpolate(pictures.float(), size=inner, mode="bilinear", antialias=True).round().byte()
    return F.pad(small, (left, right, top, bottom), value=colour)


def noisy(pictures):
    draws = torch.Generator().manual_seed(0)
    return (pictures + 5 * torch.randn(pictures.shape, generator=draws)).round().clamp(0, 255).byte()


def soft(pictures):
    padding = F.pad(pictures.float(), (1, 1, 1, 1), mode="replicate")
    return F.avg_pool2d(padding, 3, stride=1).round().byte()


def found(pictures, *widths):
    """The share of pictures whose four widths are right to a pixel."""
    frames = find_frames(pictures)
    right = (frames - torch.tensor(widths)).abs() <= 1
    return float((right & ((frames > 0) == (torch.tensor(widths) > 0))).all(dim=1).float().mean())


@pytest.mark.parametrize("colour", [255, 0, 128], ids=["white", "black", "grey"])
@pytest.mark.parametrize("width", [2, 5, 12])
@pytest.mark.parametrize(
    "after", [lambda x: x, noisy, soft, lambda x: noisy(soft(x))], ids=["clean", "noisy", "soft", "both"]
)
def test_a_padded_painting_has_its_frame(birds, colour, width, after):
    assert found(after(padded(birds[:32], *[width] * 4, colour)), *[width] * 4) >= 0.9


@pytest.mark.parametrize("widths", [(3, 4, 6, 5), (8, 8, 0, 0), (0, 0, 7, 8)])
def test_sides_have_widths_of_their_own_and_a_letterbox_has_two(birds, widths):
    assert found(padded(birds[:32], *widths, 255), *widths) >= 0.9


@pytest.mark.parametrize("all_sides", [True, False], ids=["frame", "letterbox"])
def test_a_band_wider_than_a_third_of_the_side_is_a_plain_picture(birds, all_sides):
    third = SIDE // 3
    across = (third, third) if all_sides else (0, 0)
    assert found(padded(birds[:32], third, third, *across, 255), third, third, *across) >= 0.9
    wider = [third + 1 if width else 0 for width in (third, third, *across)]
    assert not find_frames(padded(birds[:32], *wider, 255)).any()


def test_two_bands_of_unlike_widths_are_no_letterbox(birds):
    assert find_frames(padded(birds[:32], 4, 12, 0, 0, 255)).any(dim=1).float().mean() <= 0.05


def test_a_painting_with_a_plain_sky_has_no_frame(birds):
    assert find_frames(birds).any(dim=1).float().mean() <= 0.02


def test_a_band_at_one_side_only_and_a_picture_of_one_colour_have_no_frame(birds):
    one_side = birds[:8].clone()
    one_side[:, :, :6] = 255
    assert not find_frames(one_side).any()
    assert not find_frames(torch.full((2, 3, SIDE, SIDE), 200, dtype=torch.uint8)).any()


def test_a_frame_that_the_picture_runs_into_on_one_side_keeps_its_width():
    draws = torch.Generator().manual_seed(0)
    picture = torch.randint(0, 150, (1, 3, SIDE, SIDE), generator=draws, dtype=torch.uint8)
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    picture[:, :, rows < 15 - (columns - 32).abs() * 10 / 32] = 255  # a white sky that sinks towards the middle
    picture[:, :, :5] = picture[:, :, -5:] = 255
    picture[:, :, :, :5] = picture[:, :, :, -5:] = 255
    assert find_frames(picture).tolist() == [[5, 5, 5, 5]]
    picture[:, :, 2:5, 30:34] = 0  # where the picture reaches nearly to the edge there is no frame
    assert find_frames(picture).tolist() == [[0, 0, 5, 5]]


def test_taking_a_frame_off_is_cropping_and_resizing():
    draws = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (3, 3, 40, 48), generator=draws, dtype=torch.uint8)
    frames = torch.tensor([[4, 6, 3, 9], [0, 0, 0, 0], [5, 5, 0, 0]])
    inside = without_frames(pictures, frames)
    for picture, (top, bottom, left, right), result in zip(pictures, frames.tolist(), inside, strict=True):
        cut = picture[None, :, top : 40 - bottom, left : 48 - right].float()
        expected = F.interpolate(cut, size=(40, 48), mode="bilinear", align_corners=False)[0]
        assert (result.float() - expected).abs().max() <= 0.51  # rounding
    assert torch.equal(inside[1], pictures[1])


def test_other_than_uint8_pictures_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        find_frames(torch.zeros(1, 3, 32, 32))


def test_the_report_has_a_row_a_file(tmp_path):
    frame_report(tmp_path / "frames.csv", ["a, b.png", "c.png"], torch.tensor([[1, 2, 3, 4], [0, 0, 0, 0]]))
    with (tmp_path / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"name": "a, b.png", "top": "1", "bottom": "2", "left": "3", "right": "4"}
    assert [row["name"] for row in rows] == ["a, b.png", "c.png"] and len(rows[1]) == 5


@pytest.mark.skipif(efflite0_path() is None, reason="the package of requirements/offline.txt is not installed")
@pytest.mark.slow
def test_scores_of_a_padded_folder_fall_and_recover_without_the_frames(birds, tmp_path):
    for index, picture in enumerate(padded(birds[80:], 8, 8, 8, 8, 255)):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / f"{index:03d}.png")
    read = [np.asarray(Image.open(path)) for path in sorted(tmp_path.glob("*.png"))]
    framed = torch.from_numpy(np.stack(read)).permute(0, 3, 1, 2)
    frames = find_frames(framed)
    assert frames.all(dim=1).float().mean() > 0.95
    network = build_feature_network("efflite0")
    real = network.features(birds[:80])
    kid = {}
    for name, pictures in {"clean": birds[80:], "framed": framed, "cropped": without_frames(framed, frames)}.items():
        features = network.features(pictures)
        kid[name] = kernel_distance_of(real, features, subsets=20, subset_size=60)[0]
    assert kid["cropped"] - kid["clean"] < 0.5 * (kid["framed"] - kid["clean"])
    assert kid["framed"] > kid["clean"] + 0.1
