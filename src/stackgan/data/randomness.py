"""Random numbers as a function of (seed, purpose, step): the same for any number of ranks, resumed or not."""

import zlib

import numpy as np


def generator(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """A fresh generator for one purpose at one step. The purpose keeps draws apart: one more caption moves no crop."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, zlib.crc32(purpose.encode()), step))))
