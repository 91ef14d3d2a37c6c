"""Plumage pigments and the few colour operations of the painter. A colour is an (r, g, b) tuple of ints in 0..255."""

import numpy as np

Rgb = tuple[int, int, int]

# CUB's colour names, set apart in hue or lightness so that they stay distinct after shading, at 64 pixels.
PIGMENTS: dict[str, Rgb] = {
    "blue": (38, 98, 214),
    "brown": (116, 70, 36),
    "grey": (142, 148, 154),
    "yellow": (248, 216, 48),
    "green": (44, 146, 62),
    "orange": (246, 128, 24),
    "black": (26, 26, 31),
    "white": (244, 243, 238),
    "red": (206, 30, 36),
    "purple": (132, 58, 172),
}
LIGHT_PIGMENTS = frozenset({"white", "yellow", "grey", "orange"})


def pigment(name: str, rng: np.random.Generator) -> Rgb:
    """The named pigment as one bird wears it: a little lighter or darker, a little off in hue."""
    return vary(PIGMENTS[name], rng, spread=5.0)


def vary(color: Rgb, rng: np.random.Generator, spread: float) -> Rgb:
    """`color` with common and per-channel Gaussian jitter of standard deviation `spread` (levels of 255)."""
    return _rgb(np.asarray(color) + rng.normal(0.0, spread) + rng.normal(0.0, 0.6 * spread, 3))


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """`share` of `other` in `one`, 0..1."""
    return _rgb((1.0 - share) * np.asarray(one) + share * np.asarray(other))


def darker(color: Rgb, amount: float = 0.35) -> Rgb:
    return mix(color, (8, 8, 14), amount)


def lighter(color: Rgb, amount: float = 0.25) -> Rgb:
    return mix(color, (255, 253, 246), amount)


def feather_line(color: Rgb) -> Rgb:
    """A line that shows on `color`: darker, or lighter where the colour is nearly black."""
    return lighter(color, 0.22) if sum(color) < 150 else darker(color, 0.32)


def _rgb(values: np.ndarray) -> Rgb:
    red, green, blue = np.clip(np.rint(values), 0, 255).astype(int).tolist()
    return red, green, blue
