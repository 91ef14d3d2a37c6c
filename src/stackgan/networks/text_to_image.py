"""The whole way from a text embedding to a picture, through one stage or both: what samples, scores and bundles are made with."""

import torch
from torch import Tensor, nn

from stackgan.networks.stage_one import StageOneGenerator
from stackgan.networks.stage_two import StageTwoGenerator

ALIKE = 1e-12  # largest variance of embeddings that are all the same, but for rounding
POWER = 0.75  # of the components' deviations: 1 leaves them, 0 is whitening


class TextWhitener(nn.Module):
    """Principal components of text embeddings, partly whitened: each component's deviation is raised to the power 3/4.

    Most of an embedding's variance says what matters little (how long a sentence is, how it begins); what is said of which part
    lies in small components, and a linear layer that learns by gradient steps learns those last. Wholly whitened, the small
    components would be as loud as the large ones, and the easy distinctions (the shape of a bill) would take longer.

    Args:
        text_dim: T, size of the embedding.
        components: k, how many components are kept; None: the embedding passes as it is.

    Attributes:
        dim: size of what comes out: k or T.
    """

    mean: Tensor
    basis: Tensor

    def __init__(self, text_dim: int, components: int | None = None) -> None:
        super().__init__()
        self.components = components
        self.dim = components or text_dim
        if components is not None:
            self.register_buffer("mean", torch.zeros(text_dim))
            self.register_buffer("basis", torch.eye(text_dim, components))

    def fit(self, vectors: Tensor) -> None:
        """Take mean and components of training captions' vectors, float32 [M, T]."""
        centred = vectors - vectors.mean(0)
        variances, directions = torch.linalg.eigh((centred.T @ centred / len(vectors)).double())  # ascending
        kept = slice(-self.dim, None)
        if variances[-1] < ALIKE:  # one caption, or equal ones: nothing to whiten by
            variances = torch.ones_like(variances)
        variances = variances[kept].clamp(min=1e-6 * variances[-1])  # a direction without variance stays without
        scale = variances.pow(POWER).mean().sqrt()  # the outputs' mean square is 1
        self.mean.copy_(vectors.mean(0))
        self.basis.copy_((directions[:, kept] * variances.pow((POWER - 1) / 2) / scale).flip(1))

    def forward(self, text: Tensor) -> Tensor:
        """[..., T] -> [..., dim], in at least float32."""
        if self.components is None:
            return text
        with torch.autocast(text.device.type, enabled=False):
            return (text - self.mean) @ self.basis


class TextToImage(nn.Module):
    """Stage I, and Stage II on top of it where there is one; a pure function of text and noise, always in eval mode.

    All random numbers of a picture come as one vector: z, Stage I's condition noise, then Stage II's.
    """

    def __init__(
        self,
        stage_one: StageOneGenerator,
        stage_two: StageTwoGenerator | None = None,
        whitener: TextWhitener | None = None,
    ) -> None:
        super().__init__()
        self.stage_one, self.stage_two = stage_one, stage_two
        self.whitener = whitener or TextWhitener(stage_one.settings["text_dim"])
        self.noise_sizes = [stage_one.noise_dim, stage_one.condition_dim]
        if stage_two is not None:
            self.noise_sizes.append(stage_two.condition_dim)
        self.eval()

    @property
    def noise_size(self) -> int:
        """Length of a picture's noise vector."""
        return sum(self.noise_sizes)

    @property
    def image_size(self) -> int:
        """Side of the pictures in pixels."""
        return (self.stage_one if self.stage_two is None else self.stage_two).image_size

    @torch.inference_mode()
    def forward(self, text: Tensor, noise: Tensor) -> Tensor:
        """text [B, T] from the encoder, noise [B, noise_size] standard normal -> pictures [B, 3, H, H] in [-1, 1], float32."""
        text = self.whitener(text)
        z, *condition_noise = noise.split(self.noise_sizes, dim=1)
        images = self.stage_one(text, z, condition_noise[0]).images
        if self.stage_two is not None:
            images = self.stage_two(text, images, condition_noise[1]).images
        return images.float()

    def pixels(self, text: Tensor, noise: Tensor) -> Tensor:
        """The same pictures as uint8 [B, 3, H, H], rounded and clamped."""
        return to_pixels(self(text, noise))


def to_pixels(images: Tensor) -> Tensor:
    """[-1, 1] to uint8 0..255, rounded and clamped: a conversion that truncates would darken and wrap."""
    return (images.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)


def from_pixels(pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """uint8 0..255 to [-1, 1]; keeps the memory layout."""
    values = pixels.to(dtype)
    return torch.add(torch.tensor(-1.0, dtype=dtype), values, alpha=1 / 127.5, out=values)  # one pass over memory
