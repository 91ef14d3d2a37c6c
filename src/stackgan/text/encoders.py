"""The encoders that embed new captions, by name."""

from stackgan.errors import UserError
from stackgan.text.encoder import TextEncoder
from stackgan.text.minilm import MiniLM, MiniLMTokens

ENCODERS: dict[str, type[MiniLM]] = {"minilm": MiniLM, "minilm_tokens": MiniLMTokens}


def build_encoder(name: str) -> TextEncoder:
    """The frozen encoder called `name`. Raises UserError for one that cannot embed free text."""
    if name not in ENCODERS:
        raise UserError(f"text={name} cannot embed free text; train with text={' or text='.join(ENCODERS)}.")
    return ENCODERS[name]()
