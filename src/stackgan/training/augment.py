"""Differentiable augmentation before the discriminator (Zhao et al. 2020, arXiv 2006.10738), where pictures are few.

Real and generated pictures are changed alike, so the discriminator cannot learn the training set by heart, and the generator
need not draw the changes. Colour (brightness, saturation, contrast) and translation, the paper's settings.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

DRAWS = 5  # uniform numbers a picture
TRANSLATION = 1 / 8  # largest shift, as a share of the picture's side


def augment(images: Tensor, draws: Tensor) -> Tensor:
    """Change each picture by its own draws.

    Args:
        images: [B, 3, H, W] in [-1, 1].
        draws: [B, DRAWS] uniform in [0, 1).
    """
    brightness, saturation, contrast, down, right = draws.to(images.device).unbind(1)
    return _translate(_colour(images, brightness, saturation, contrast), down, right)


def _colour(images: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    brightness, saturation, contrast = (
        x.to(images.dtype)[:, None, None, None] for x in (brightness, saturation, contrast)
    )
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)  # [B, 1, H, W]
    images = (images - grey) * (2 * saturation) + grey
    mean = images.mean(dim=(1, 2, 3), keepdim=True)  # [B, 1, 1, 1]
    return (images - mean) * (contrast + 0.5) + mean


def _translate(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Shift by whole pixels; what comes in from outside is zero, mid grey."""
    batch, _, height, width = images.shape
    reach = round(height * TRANSLATION)
    padded = F.pad(images, (reach, reach, reach, reach))
    rows = _offsets(down, reach)[:, None] + torch.arange(height, device=images.device)  # [B, H]
    columns = _offsets(right, reach)[:, None] + torch.arange(width, device=images.device)  # [B, W]
    index = torch.arange(batch, device=images.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]]  # [B, H, W, 3]
    return moved.permute(0, 3, 1, 2)


def _offsets(draws: Tensor, reach: int) -> Tensor:
    return (draws * (2 * reach + 1)).long().clamp(max=2 * reach)
