"""The encoders that embed new captions, by name."""

import torch

from stackgan.errors import UserError
from stackgan.precision import cpu_multiplies_bfloat16
from stackgan.text.encoder import TextEncoder
from stackgan.text.minilm import MiniLM, MiniLMTokens, Precision
from stackgan.text.multilingual import MultilingualMiniLM

ENCODERS: dict[str, type[MiniLM]] = {encoder.name: encoder for encoder in (MiniLM, MiniLMTokens, MultilingualMiniLM)}


def build_encoder(name: str, precision: Precision = "float32") -> TextEncoder:
    """The frozen encoder called `name`. Raises UserError for one that cannot embed free text.

    What a person types is embedded in float32 everywhere, so that a caption has the same picture on every machine.
    """
    if name not in ENCODERS:
        raise UserError(f"text={name} cannot embed free text; train with text={' or text='.join(ENCODERS)}.")
    return ENCODERS[name](precision=precision)


def fast_encoder(name: str) -> TextEncoder | None:
    """The same encoder in bfloat16, for a whole data set on a processor that multiplies it; None elsewhere."""
    if torch.cuda.is_available() or not cpu_multiplies_bfloat16():
        return None
    return build_encoder(name, "bfloat16")
