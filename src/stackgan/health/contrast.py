"""`black`: pictures of one colour."""

from torch import Tensor

from stackgan.health.probe import Pictures, averaged
from stackgan.health.spread import COARSE


def contrast(images: Tensor) -> Tensor:
    """Mean standard deviation within a picture, averaged to 16x16 so that grain does not count: [N, 3, S, S] -> []."""
    return averaged(images, COARSE).flatten(2).std(dim=2).mean()


def contrast_ratio(pictures: Pictures) -> float:
    """Contrast of generated pictures, of that of real ones: 0 where each picture has one colour."""
    return float(contrast(pictures.generated.flatten(0, 1)) / contrast(pictures.real))


def brightness(pictures: Pictures) -> float:
    """Mean of all generated pixels: 0 black, 1 white."""
    return float(pictures.generated.mean())
