"""Each number is low or high where the fault is, and far on the other side of the configured threshold where it is not."""

import pytest
import torch
from painted import PaintedGenerator, anything, framed, grain, soft

from stackgan.config import Thresholds
from stackgan.health.border import framed_share
from stackgan.health.measures import measure_pictures
from stackgan.health.probe import Pictures
from stackgan.health.spread import caption_spread, duplicate_rate, noise_spread
from stackgan.health.verdicts import RULES

CPU = torch.device("cpu")
THRESHOLDS = vars(Thresholds())


def black(picture):
    return torch.full_like(picture, 0.01)


def nearly_black(picture):
    return 0.03 * picture


FAULTS = {
    "black": (anything(), black, {"black"}),
    "nearly black": (anything(), nearly_black, {"black"}),
    "white with grain": (anything(), lambda picture: grain(0.05)(torch.full_like(picture, 0.95)), {"black"}),
    "noise changes nothing": (lambda caption, noise: 31 * caption, soft, {"mode_collapse"}),
    "noise changes nothing, pale": (
        lambda caption, noise: 31 * caption,
        lambda picture: 0.3 + 0.4 * picture,
        {"mode_collapse"},
    ),
    "noise changes grain": (lambda caption, noise: 31 * caption, grain(0.05), {"mode_collapse"}),
    "two pictures only": (lambda caption, noise: (caption + noise) % 2, soft, {"mode_collapse"}),
    "one picture only": (lambda caption, noise: 0, soft, {"mode_collapse", "ignores_text"}),
    "text changes nothing": (lambda caption, noise: 17 * noise, soft, {"ignores_text"}),
    "white frame": (anything(), framed(4), {"white_border"}),
    "white frame, soft": (anything(), lambda picture: grain(0.01)(soft(framed(4)(picture))), {"white_border"}),
    "black letterbox": (anything(), lambda picture: framed(6, 0.0)(picture), {"white_border"}),
}


def found(measured):
    """The verdicts that a picture's measurement is bad enough for."""
    return {name for name, (value, _) in measured.items() if RULES[name].is_bad(value, THRESHOLDS[name])}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_its_verdict_and_no_other(birds, probe, fault):
    choose, after, expected = FAULTS[fault]
    measured = measure_pictures(probe.draw(PaintedGenerator(birds.store, choose, after), CPU))
    verdicts = found(measured)
    assert expected <= verdicts
    assert verdicts <= expected | (
        set(measured) if "black" in expected else set()
    )  # the monitor asks about black first


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("after", [lambda picture: picture, soft, grain(0.05), lambda picture: 0.3 + 0.4 * picture],
                         ids=["sharp", "soft", "grainy", "pale"])  # fmt: skip
def test_healthy_pictures_have_no_verdict_and_stay_clear_of_each(birds, probe, seed, after):
    measured = measure_pictures(probe.draw(PaintedGenerator(birds.store, anything(seed), after), CPU))
    assert found(measured) == set()
    values = {name: value for name, (value, _) in measured.items()}
    assert values["black"] > 3 * THRESHOLDS["black"]
    assert values["mode_collapse"] > 2 * THRESHOLDS["mode_collapse"]
    assert values["ignores_text"] > 3 * THRESHOLDS["ignores_text"]
    assert values["white_border"] < THRESHOLDS["white_border"] / 3


def table(captions, noises, size=16, seed=0):
    """Random pictures whose vectors are the sum of a part of the caption and a part of the noise, with known variances."""
    rng = torch.Generator().manual_seed(seed)
    by_caption = torch.randn(captions, 1, 3, size, size, generator=rng)
    by_noise = torch.randn(1, noises, 3, size, size, generator=rng)
    return by_caption, by_noise


def test_the_spreads_are_the_variances_of_a_two_way_table():
    by_caption, by_noise = table(40, 30)
    real = torch.randn(500, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2  # variance 4
    pictures = Pictures(0.5 * by_caption + 0.2 * by_noise, real)
    assert caption_spread(pictures) == pytest.approx(0.25 / 4, rel=0.02)
    assert noise_spread(pictures) == pytest.approx(0.04 / 4, rel=0.02)


def test_duplicates_are_counted_across_captions_and_never_between_pictures_of_the_same_noise():
    by_caption, by_noise = table(6, 4)
    real = torch.randn(48, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    only_noise, only_caption = by_noise.expand(6, -1, -1, -1, -1), by_caption.expand(-1, 4, -1, -1, -1)
    assert duplicate_rate(Pictures(only_noise.contiguous(), real)) == 0  # equal pictures, but of the same noise
    assert duplicate_rate(Pictures(only_caption.contiguous(), real)) == 1
    both = by_caption + by_noise
    twin = both.clone()
    twin[0, 0] = twin[3, 2]  # one pair of twins among 24
    assert duplicate_rate(Pictures(both, real)) == 0
    assert duplicate_rate(Pictures(twin, real)) == pytest.approx(2 / 24)


def test_a_frame_that_only_the_real_pictures_have_is_the_data_sets_fault():
    real = torch.cat([picture_with(6, 6)] * 4)
    measured = measure_pictures(Pictures(torch.cat([picture_with(0, 0)] * 4)[None], real))
    assert measured["white_border"] == (1, "generated 0%, real 100%")


def test_real_pictures_without_any_difference_say_nothing():
    flat = torch.full((2, 2, 3, 16, 16), 0.5)
    assert set(measure_pictures(Pictures(flat, flat[0]))) == {"white_border"}


def test_what_one_real_picture_cannot_tell_is_left_out():
    pictures = torch.rand(1, 4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert set(measure_pictures(Pictures(pictures, pictures[0, :1]))) == {"black", "white_border"}
    two = torch.rand(2, 4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert len(measure_pictures(Pictures(two, two[:, 0]))) == 4


def picture_with(top, left):
    """A busy picture with white bands of the given widths."""
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.6
    if top:
        picture[:, :, :top] = picture[:, :, -top:] = 1.0
    if left:
        picture[:, :, :, :left] = picture[:, :, :, -left:] = 1.0
    return picture


@pytest.mark.parametrize(("top", "left", "share"), [(0, 0, 0), (1, 1, 1), (5, 5, 1), (10, 10, 1), (6, 0, 1), (0, 6, 1)])
def test_frames_and_letterboxes_of_any_width_are_found(top, left, share):
    assert framed_share(picture_with(top, left)) == share


def test_a_drawing_on_a_plain_background_has_no_frame():
    drawing = torch.ones(1, 3, 64, 64)
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    drawing[:, :, (rows - 32) ** 2 + (columns - 32) ** 2 < 28**2] = 0.2  # reaches nearly to the edge
    assert framed_share(drawing) == 0


def test_two_bands_of_different_colours_are_sky_and_ground():
    picture = picture_with(5, 0)
    picture[:, :, -5:] = 0.1
    assert framed_share(picture) == 0
