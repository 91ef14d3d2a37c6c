"""A picture's attributes instead of a caption's embedding: what a perfect text encoder would know."""

import difflib
import hashlib
import math
from collections.abc import Sequence

import numpy as np

from stackgan.data.store import ImageStore
from stackgan.errors import UserError
from stackgan.text.table import EmbeddingTable


class AttributeEncoder:
    """Lists of attribute names to vectors: "has_wing_color::blue, has_size::small_(5_-_9_in)".

    Like MiniLM's, a vector is L2-normalised and then scaled by sqrt(dim). No attribute at all gives zeros.

    Args:
        names: of the A attributes, in the order of the store's columns.
    """

    name = "attributes"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.dim = len(self.names)

    def fingerprint(self) -> str:
        """16 hex digits of the names in their order."""
        return hashlib.sha256(repr(("attributes 1", self.names)).encode()).hexdigest()[:16]

    def encode(self, captions: Sequence[str]) -> np.ndarray:
        """float32 [N, A].

        Raises:
            UserError: a name that is not among the attributes.
        """
        position = {name: i for i, name in enumerate(self.names)}
        values = np.zeros((len(captions), self.dim), dtype=np.float32)
        for row, caption in enumerate(captions):
            for name in filter(None, (part.strip() for part in caption.split(","))):
                if name not in position:
                    close = difflib.get_close_matches(name, self.names, n=1)
                    hint = f"; did you mean {close[0]}?" if close else "; see attributes.txt for their names."
                    raise UserError(f"text=attributes: {name!r} is not one of the {self.dim} attributes{hint}")
                values[row, position[name]] = 1.0
        return _scaled(values)


def attribute_table(store: ImageStore) -> EmbeddingTable:
    """One vector for each picture of the store, made from its attributes.

    Raises:
        UserError: the store has none.
    """
    if store.attributes is None:
        raise UserError(f"text=attributes: the pictures of {store.source} have no attributes; use text=minilm.")
    encoder = AttributeEncoder(store.attribute_names)
    vectors = _scaled(np.asarray(store.attributes, dtype=np.float32))
    return EmbeddingTable(
        vectors, np.arange(len(store) + 1, dtype=np.int64), encoder.dim, encoder.fingerprint(), encoder.name
    )


def _scaled(values: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return (values / np.where(lengths > 0, lengths, 1.0) * math.sqrt(values.shape[1])).astype(np.float32)
