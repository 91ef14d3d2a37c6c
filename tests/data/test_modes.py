"""Every mode of an image file against the values it was written from."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from stackgan.data.modes import to_rgb

RAMP = np.linspace(0, 65535, 96).reshape(8, 12).astype(np.uint16)  # reaches both ends
GREY = (RAMP >> 8).astype(np.uint8)


def png(path, rows, depth, colour_type, clear=b""):
    """A PNG of packed big-endian rows, written by hand: nothing of the reader is used."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    width = len(rows[0]) * 8 // (depth * {0: 1, 2: 3, 4: 2, 6: 4}[colour_type])
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    trns = chunk(b"tRNS", clear) if clear else b""
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + trns + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def rgb(path):
    with Image.open(path) as image:
        return np.asarray(to_rgb(image))


def three(grey):
    return np.repeat(grey[..., None], 3, axis=2)


def big_endian(values):
    return [row.tobytes() for row in np.ascontiguousarray(values.astype(">u2"))]


def test_greys_of_16_bits_keep_their_upper_byte(tmp_path):
    np.testing.assert_array_equal(rgb(png(tmp_path / "a.png", big_endian(RAMP), 16, 0)), three(GREY))
    for name, kind in ("little.tif", "<u2"), ("big.tif", ">u2"):
        Image.fromarray(RAMP.astype(kind)).save(tmp_path / name)
        np.testing.assert_array_equal(rgb(tmp_path / name), three(GREY))


def test_a_transparent_grey_of_16_bits_is_that_value_alone(tmp_path):
    values = RAMP.copy()
    values[2, 3:5] = 1000, 1001  # one upper byte
    expected = three((values >> 8).astype(np.uint8))
    expected[2, 3] = 255
    found = rgb(png(tmp_path / "a.png", big_endian(values), 16, 0, struct.pack(">H", 1000)))
    np.testing.assert_array_equal(found, expected)


def test_a_transparent_colour_of_16_bits_is_that_value_alone(tmp_path):
    values = np.stack([RAMP, RAMP[::-1], RAMP // 2], axis=2)
    values[1, 1], values[1, 2] = (513, 514, 515), (513, 514, 516)
    expected = (values >> 8).astype(np.uint8)
    expected[1, 1] = 255
    found = rgb(png(tmp_path / "a.png", big_endian(values.reshape(8, -1)), 16, 2, struct.pack(">HHH", 513, 514, 515)))
    np.testing.assert_array_equal(found, expected)


def test_a_transparent_colour_of_8_bits_becomes_white(tmp_path):
    values = np.dstack([GREY, GREY[::-1], GREY // 2])
    values[1, 1] = 7, 8, 9
    expected = values.copy()
    expected[1, 1] = 255
    clear = struct.pack(">HHH", 7, 8, 9)
    np.testing.assert_array_equal(rgb(png(tmp_path / "a.png", values.reshape(8, -1), 8, 2, clear)), expected)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_transparent_grey_of_few_bits_becomes_white(tmp_path, depth):
    most = 2**depth - 1
    values = np.random.default_rng(depth).integers(0, most + 1, (6, 16))
    bits = (values[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    rows = np.packbits(bits.reshape(6, -1).astype(np.uint8), axis=1)
    clear = 0 if depth == 1 else 1
    expected = np.where(values == clear, 255, values * 255 // most).astype(np.uint8)
    np.testing.assert_array_equal(
        rgb(png(tmp_path / "a.png", rows, depth, 0, struct.pack(">H", clear))), three(expected)
    )
    plain = (values * 255 // most).astype(np.uint8)
    np.testing.assert_array_equal(rgb(png(tmp_path / "b.png", rows, depth, 0)), three(plain))


@pytest.mark.parametrize(("depth", "kind"), [(8, np.uint8), (16, np.uint16)])
@pytest.mark.parametrize("colours", [1, 3])
def test_transparency_is_over_white(tmp_path, depth, kind, colours):
    full = 2**depth - 1
    colour = np.random.default_rng(0).integers(0, full + 1, (6, 7, colours))
    alpha = np.random.default_rng(1).integers(0, full + 1, (6, 7, 1))
    alpha[0, :3, 0] = 0, full, full // 2
    rows = np.concatenate([colour, alpha], axis=2).astype(kind).astype(f">u{depth // 8}").reshape(6, -1)
    found = rgb(png(tmp_path / "a.png", [row.tobytes() for row in rows], depth, 4 if colours == 1 else 6))
    share = alpha / full
    np.testing.assert_allclose(found, np.broadcast_to((colour / full * share + 1 - share) * 255, (6, 7, 3)), atol=1.6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (RAMP.astype(np.int32), GREY),
        (GREY.astype(np.int32), GREY),
        ((RAMP / 65535).astype(np.float32), np.floor(RAMP / 65535 * 255 + 0.5).astype(np.uint8)),
        (GREY.astype(np.float32), GREY),
        (RAMP.astype(np.float32), np.floor(RAMP / 65535 * 255 + 0.5).astype(np.uint8)),
        (np.zeros((8, 12), np.int32), GREY * 0),
        (np.zeros((8, 12), np.float32), GREY * 0),
    ],
)
def test_the_range_of_deep_greys_is_the_evident_one(tmp_path, values, expected):
    Image.fromarray(values).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(rgb(tmp_path / "a.tif"), three(expected))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((4, 4), -1, np.int32), "from -1"),
        (np.full((4, 4), 65536, np.int32), "to 65536"),
        (np.full((4, 4), 4000, np.int32), "4000 where white is 65535"),
        (np.full((4, 4), 200, np.uint16), "200 where white is 65535"),
        (np.full((4, 4), np.nan, np.float32), "finite"),
        (np.full((4, 4), np.inf, np.float32), "finite"),
        (np.full((4, 4), -0.25, np.float32), "from -0.25"),
        (np.full((4, 4), 1.5, np.float32), "1.5 where white is 255"),
        (np.full((4, 4), 1e6, np.float32), "to 1e\\+06"),
    ],
)
def test_a_range_that_cannot_be_told_is_refused(tmp_path, values, words):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=f"{words}.*save it with 8 bits"):
        rgb(tmp_path / "a.tif")


def test_a_dark_pgm_of_16_bits_is_refused_and_a_bright_one_is_read(tmp_path):
    for name, values in ("dark.pgm", RAMP >> 8), ("bright.pgm", RAMP):
        (tmp_path / name).write_bytes(b"P5 12 8 65535\n" + values.astype(">u2").tobytes())
    np.testing.assert_array_equal(rgb(tmp_path / "bright.pgm"), three(GREY))
    with pytest.raises(ValueError, match="255 where white is 65535"):
        rgb(tmp_path / "dark.pgm")


@pytest.mark.parametrize("mode", ["CMYK", "HSV", "YCbCr", "LAB"])
def test_other_colour_spaces_come_back(mode):
    from PIL import ImageCms

    colours = Image.new("RGB", (4, 4), (200, 60, 40))
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        there = ImageCms.profileToProfile(colours, srgb, lab, outputMode="LAB")
    else:
        there = colours.convert(mode)
    assert there is not None
    np.testing.assert_allclose(np.asarray(to_rgb(there)), np.asarray(colours), atol=4)


def test_the_first_frame_of_an_animation_is_taken(tmp_path):
    frames = [Image.new("RGB", (5, 5), colour) for colour in ("red", "blue")]
    for name in "a.gif", "a.webp", "a.png", "a.tif":
        options = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
        assert rgb(tmp_path / name)[2, 2].tolist() == [255, 0, 0], name


def test_a_palette_with_a_transparent_entry_is_over_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    for name in "a.png", "a.gif":
        image.save(tmp_path / name, transparency=1)
        assert rgb(tmp_path / name).tolist() == [[[10, 20, 30], [255, 255, 255]]], name
