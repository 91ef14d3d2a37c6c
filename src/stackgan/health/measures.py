"""What a probe's pictures measure, by the verdict that each number is for."""

import math
from typing import NamedTuple

from stackgan.health.border import framed_share
from stackgan.health.contrast import brightness, contrast_ratio
from stackgan.health.probe import Pictures
from stackgan.health.spread import caption_spread, duplicate_rate, noise_spread


class Measurement(NamedTuple):
    """A verdict's number, and what its sentence says beside it."""

    value: float
    detail: str


def measure_pictures(pictures: Pictures) -> dict[str, Measurement]:
    """`black`, `mode_collapse`, `ignores_text` and `white_border`. Spreads are those at the contrast of real pictures.

    What cannot be measured is left out: spreads of one real picture or caption, ratios where real pictures have no contrast.
    """
    contrast = contrast_ratio(pictures)
    framed, really = framed_share(pictures.generated.flatten(0, 1)), framed_share(pictures.real)
    measured = {
        "black": Measurement(contrast, f"their mean brightness is {brightness(pictures):.2f} of 1"),
        **(_spreads(pictures, contrast) if min(len(pictures.real), len(pictures.generated)) > 1 else {}),
        # a framed data set is the fault itself; how cleanly the generator draws its frame varies
        "white_border": Measurement(max(framed, really), f"generated {framed:.0%}, real {really:.0%}"),
    }
    return {name: measurement for name, measurement in measured.items() if math.isfinite(measurement.value)}


def _spreads(pictures: Pictures, contrast: float) -> dict[str, Measurement]:
    """Of two real pictures or more, and as many captions."""
    duplicates = duplicate_rate(pictures)
    # a pale generator's pictures all lie close together, and a garish one's far apart, whatever they show
    noise, captions = (spread(pictures) / max(contrast**2, 1e-6) for spread in (noise_spread, caption_spread))
    of_noise = f"{duplicates:.0%} have a near-twin; between captions the spread is {captions:.3g}"
    return {
        "mode_collapse": Measurement(noise * (1 - duplicates), of_noise),
        "ignores_text": Measurement(captions, f"between noises it is {noise:.3g}"),
    }
