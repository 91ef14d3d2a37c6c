"""`white_border`: bands of one colour along the edges, as padding leaves them."""

import torch
from torch import Tensor

EVEN = 0.05  # largest standard deviation within both bands, of 1
STEP = 0.08  # difference from the band that counts as picture, of 1
STRAIGHT = 0.6  # share of the line just inside a band that must differ from it
WIDEST = 6  # the widest band is side / WIDEST


def framed_share(images: Tensor) -> float:
    """Share of pictures with a frame, 0..1: bands of equal colour at top and bottom or left and right, with a straight inner edge.

    The straight edge tells padding from a plain background, where something in the middle touches the line only here and there.

    Args:
        images: [N, 3, S, S] in 0..1.
    """
    vertical = _bands(images)
    horizontal = _bands(images.transpose(2, 3))
    return float((vertical | horizontal).float().mean())


def _bands(images: Tensor) -> Tensor:
    """Which pictures have a band of some width at top and bottom, bool [N]."""
    found = torch.zeros(len(images), dtype=torch.bool)
    for width in range(1, images.shape[-1] // WIDEST + 1):
        bands = torch.cat([images[:, :, :width], images[:, :, -width:]], dim=2).flatten(2)  # [N, 3, 2 width S]
        even = bands.std(dim=2).amax(dim=1) < EVEN
        # a generated edge is soft: one line is left out
        inside = torch.stack([images[:, :, width + 1], images[:, :, -width - 2]], dim=3)  # [N, 3, S, 2]
        step = (inside - bands.mean(dim=2)[:, :, None, None]).abs().amax(dim=1) > STEP  # [N, S, 2]
        straight = step.float().mean(dim=1).amin(dim=1) > STRAIGHT
        found |= even & straight
    return found
