"""The white-border study: which generated pictures have a frame of one colour, how wide it is, and the same pictures without it.

A frame is what padding leaves: on two opposite sides, or on all four, some lines of one and the same colour, whichever, that end
together along a straight inner edge. One side alone does not count, because a plain sky or a water line looks the same. The
straight edge tells padding from a plain background, which a subject touches only here and there. The tolerances are those
of the health verdict `white_border`, which answers yes or no for training; here each side has a width in pixels.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from stackgan.health.border import EVEN, STEP, STRAIGHT

WIDEST = 3  # a band wider than side / WIDEST is a plain picture, not a frame
SOFT = 3  # lines over which a generated edge goes from frame to picture
SIDES = ("top", "bottom", "left", "right")


def find_frames(pictures: Tensor) -> Tensor:
    """The width in pixels of the frame on each side, 0 where there is none.

    Args:
        pictures: uint8 [B, 3, H, W], each side at least 8 pixels.

    Returns:
        int64 [B, 4]: top, bottom, left, right. Top and bottom are both 0 or both positive; so are left and right.

    Raises:
        ValueError: the pictures are of another type or shape.
    """
    if pictures.dtype != torch.uint8 or pictures.dim() != 4 or pictures.shape[1] != 3 or min(pictures.shape[2:]) < 8:
        raise ValueError(f"uint8 [B, 3, H, W] of at least 8 pixels, not {pictures.dtype} {list(pictures.shape)}")
    sides = [pictures, pictures.flip(2), pictures.transpose(2, 3), pictures.transpose(2, 3).flip(2)]
    strips = [_strip(side) for side in sides]
    runs = torch.stack([_even_lines(strip) for strip in strips], dim=1)  # [B, 4]
    across = runs[:, [2, 2, 0, 0, 3, 3, 1, 1]].view(-1, 2, 4)  # [B, both neighbours, 4]
    seen = [_inner_edge(strip, runs[:, i], across[:, :, i]) for i, strip in enumerate(strips)]
    widths, straight = (torch.stack(parts, dim=1) for parts in zip(*seen, strict=True))  # each [B, 4]
    colours = torch.stack([strip[:, :, 0].mean(dim=2) for strip in strips], dim=1)  # [B, 4, 3]
    return _pairs(widths.view(-1, 2, 2), straight.view(-1, 2, 2), runs.view(-1, 2, 2), colours.view(-1, 2, 2, 3))


def _strip(side: Tensor) -> Tensor:
    """The lines along one edge that can be a frame, and what comes inside the widest: float32 [B, 3, lines, along], 0..1."""
    lines = side.shape[2] // WIDEST + SOFT
    return side[:, :, :lines].contiguous().float() / 255


def _even_lines(strip: Tensor) -> Tensor:
    """How many lines from the edge on are even and of the edge's colour, int64 [B]."""
    spread, means = torch.std_mean(strip, dim=3)  # [B, 3, lines]
    even = (spread < EVEN) & ((means - means[:, :, :1]).abs() < EVEN)
    return even.all(dim=1).long().cumprod(dim=1).sum(dim=1)


def _inner_edge(strip: Tensor, run: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
    """How wide a side's band is, int64 [B], and whether it ends along a straight line, bool [B].

    Args:
        run: even lines of the side, [B].
        across: even lines of its two neighbours, [B, 2]: they may be frame too, so the inner edge is looked at between them.
    """
    between = _between(across, strip.shape[3])  # [B, along]
    edge = _away(strip, run)  # [B, SOFT, along]
    picture = (edge.amax(dim=1) > STEP) & between
    straight = picture.sum(dim=1) > STRAIGHT * between.sum(dim=1)
    strength = (edge * between[:, None]).sum(dim=2)  # [B, SOFT]
    half = strength[:, 0] < strength.amax(dim=1) / 2  # the first line is more frame than picture
    return run + half.long(), straight & (run > 0) & (run <= strip.shape[2] - SOFT)


def _pairs(widths: Tensor, straight: Tensor, runs: Tensor, colours: Tensor) -> Tensor:
    """The widths of those sides that make a frame, int64 [B, 4]. The arguments are [B, 2 pairs, 2 sides], the colours of 3 numbers.

    A pair needs one colour and two straight edges. Beside a pair of the same colour one straight edge is enough, since the picture
    may run into the frame at the other side (a white sky in a white frame); padding is even, so that side gets the same width.
    A pair alone needs nearly equal widths, as a letterbox has them: those of a plain background left and right of a subject differ.
    """
    alike = _alike(colours[:, :, 0], colours[:, :, 1])  # [B, 2]
    whole = alike & straight.all(dim=2)
    known = (widths * straight).amax(dim=2)  # [B, 2]
    same = _alike(colours[:, :1].mean(dim=2), colours[:, 1:].mean(dim=2))  # [B, 1]
    half = alike & ~whole & whole.flip(1) & same & straight.any(dim=2) & (runs.amin(dim=2) >= known - 1)
    uneven = (widths[:, :, 0] - widths[:, :, 1]).abs() > (widths.amax(dim=2) // 4).clamp(min=1)
    whole &= ~uneven | (whole | half).flip(1)
    return (widths * whole[:, :, None] + (known * half)[:, :, None]).flatten(1)


def _alike(one: Tensor, other: Tensor) -> Tensor:
    """Whether colours [..., 3] are nearly the same, bool [...]."""
    return (one - other).abs().amax(dim=-1) < EVEN


def _away(strip: Tensor, run: Tensor) -> Tensor:
    """How far the first lines after the even ones are from the edge's colour, in the farthest channel: [B, SOFT, along]."""
    colour = strip[:, :, :1].mean(dim=3, keepdim=True)  # [B, 3, 1, 1]
    lines, along = strip.shape[2:]
    rows = (run[:, None] + torch.arange(SOFT, device=run.device)).clamp(max=lines - 1)  # [B, SOFT]
    edge = strip.gather(2, rows[:, None, :, None].expand(-1, 3, -1, along))
    return (edge - colour).abs().amax(dim=1)


def _between(across: Tensor, length: int) -> Tensor:
    """Which pixels of a line are not in the even lines of the two sides that it runs between, bool [B, length].

    All of them where those sides are too wide to be frames.
    """
    across = across * (across <= length // WIDEST)
    place = torch.arange(length, device=across.device)
    return (place >= across[:, :1]) & (place < length - across[:, 1:])


def without_frames(pictures: Tensor, frames: Tensor) -> Tensor:
    """The pictures cropped to what is inside their frames and resized back, bilinear; one without a frame stays as it is.

    A frame at two sides only makes the inside oblong; it is stretched, as the references stretch a clipped crop.

    Args:
        pictures: uint8 [B, 3, H, W].
        frames: int64 [B, 4], as `find_frames` gives them.

    Returns:
        uint8 [B, 3, H, W].
    """
    height, width = pictures.shape[2:]
    y = _inside(frames[:, 0], frames[:, 1], height).to(pictures.device)
    x = _inside(frames[:, 2], frames[:, 3], width).to(pictures.device)
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=3)  # [B, H, W, 2]
    inside = F.grid_sample(pictures.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)
    return inside.round().clamp(0, 255).to(torch.uint8)


def _inside(before: Tensor, after: Tensor, size: int) -> Tensor:
    """Where each of `size` output pixels is taken from, in -1..1 over the pixel centres, [B, size].

    The outermost half pixels repeat the first pixel inside, so that no frame is mixed in.
    """
    inner = (size - before - after).float()[:, None]
    centres = (torch.arange(size, device=before.device) + 0.5) * inner / size - 0.5
    pixels = before[:, None] + centres.clamp(min=0).minimum(inner - 1)
    return pixels / (size - 1) * 2 - 1


def frame_report(path: Path, names: Iterable[str], frames: Tensor) -> None:
    """Write a CSV with one row a picture: name, top, bottom, left, right in pixels.

    Args:
        path: the file to write; an existing one is replaced.
        names: of the pictures, as many as `frames` has rows.
        frames: int64 [N, 4], as `find_frames` gives them.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", *SIDES])
        writer.writerows([name, *frame] for name, frame in zip(names, frames.tolist(), strict=True))
