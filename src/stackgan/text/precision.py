"""In which arithmetic a frozen encoder computed its vectors, and when that matters.

The fingerprint says it: `<weights>` for float32, `<weights>-bf16` for bfloat16. Tables of the two are kept apart, and one table
holds vectors of one precision only. To a generator they are the same text: the vectors differ by less than AGREEMENT, so a
run that was trained on the ones can be used, evaluated, built upon and continued on a machine that makes the others.
"""

import numpy as np

BF16 = "-bf16"
AGREEMENT = 1e-2  # cosine distance between the two vectors of a caption, at most


def weights_part(fingerprint: str) -> str:
    """The fingerprint without its precision: 16 hex digits of all else that decides the vectors."""
    return fingerprint.removesuffix(BF16)


def same_encoder(one: str, other: str) -> bool:
    """Whether two fingerprints are of one encoder, in whichever precision."""
    return weights_part(one) == weights_part(other)


def cosine_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """1 - cos of the angle between vectors of equal rows, [N, D] each -> [N]."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return 1.0 - (one * other).sum(axis=1) / lengths
