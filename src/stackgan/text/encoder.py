"""What every text encoder can do."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from stackgan.text.reading import Reading


class TextEncoder(Protocol):
    """Captions to vectors. Frozen: equal captions have equal vectors, so a table of them can be kept."""

    name: str  # as in conf/text
    dim: int
    LIMIT: int  # tokens of a caption that are read

    def fingerprint(self) -> str:
        """16 hex digits of all that decides the vectors: weights and settings, but not the device.

        `-bf16` follows where they were computed in bfloat16; see stackgan.text.precision.
        """
        ...

    def encode(self, captions: Sequence[str]) -> np.ndarray:
        """float32 [N, dim], in the order of the captions."""
        ...

    def encode_by_length(self, captions: Sequence[str]) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        """The same in batches, in the order that costs least, longest first: indices of captions, and their vectors."""
        ...

    def readings(self, captions: Sequence[str]) -> list[Reading]:
        """What of each caption does not count."""
        ...

    def remarks(self, caption: str) -> list[str]:
        """Plain sentences about parts of a caption that do not count: unknown characters, words beyond the limit."""
        ...
