"""Generators of known faults, made of painted birds: what they do with text and noise is written down, not learned."""

import numpy as np
import torch

from stackgan.data.batches import gather_windows

SIZE = 64


class PaintedGenerator:
    """Stands in for a TextToImage: `choose(caption, noise)` says which training picture of the store is drawn.

    Captions are told apart by their vectors and noises by theirs, in the order in which they come first. `after` changes the
    pixels, float [3, 64, 64] in 0..1, as a fault would.
    """

    noise_size, image_size = 8, SIZE

    def __init__(self, store, choose, after=lambda picture: picture):
        self.store, self.choose, self.after = store, choose, after
        self.captions, self.noises = [], []

    def pixels(self, text, noise):
        pairs = [(number(self.captions, t), number(self.noises, z)) for t, z in zip(text, noise, strict=True)]
        rows = self.store.indices("train")
        rows = np.array([rows[self.choose(*pair) % len(rows)] for pair in pairs])
        offset = (self.store.size - SIZE) // 2
        windows = gather_windows(self.store.images, rows, np.full((len(rows), 2), offset), SIZE)
        pictures = torch.from_numpy(windows).permute(0, 3, 1, 2).float() / 255
        return (torch.stack([self.after(picture) for picture in pictures]).clamp(0, 1) * 255).round().to(torch.uint8)


def number(known, vector):
    """The place of the vector among those known, to which it is added if it is new."""
    for place, other in enumerate(known):
        if torch.equal(other, vector):
            return place
    known.append(vector)
    return len(known) - 1


def anything(seed=0):
    """A healthy choice: another picture for every pair."""
    return lambda caption, noise: int(np.random.default_rng([seed, caption, noise]).integers(1_000_000))


def framed(width, color=1.0):
    """A frame of one colour, as padding leaves it."""

    def after(picture):
        picture = picture.clone()
        picture[:, :width] = picture[:, -width:] = color
        picture[:, :, :width] = picture[:, :, -width:] = color
        return picture

    return after


def grain(strength, seed=0):
    """Pixel noise, as generators make it early on."""
    rng = torch.Generator().manual_seed(seed)
    return lambda picture: picture + strength * torch.randn(picture.shape, generator=rng)


def soft(picture):
    """Blurred a little, as generated pictures are."""
    return torch.nn.functional.avg_pool2d(picture[None], 3, stride=1, padding=1, count_include_pad=False)[0]
