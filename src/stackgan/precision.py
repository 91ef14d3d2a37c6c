"""`trainer.precision=auto`, resolved without torch: it is part of what a run is, which a sweep asks of hundreds at once."""

import re
import subprocess
from functools import cache
from pathlib import Path

from stackgan.gpus import gpus_here

FULL, HALF = "32-true", "bf16-mixed"
NATIVE = {
    "avx512_bf16",
    "amx_bf16",
}  # instructions for products of bfloat16; without them torch emulates, slower than float32
LEAST_GPU = 8.0  # compute capability with bfloat16 units: Ampere


def resolve_precision(precision: str, accelerator: str) -> str:
    """`auto` is bf16-mixed where the hardware multiplies bfloat16 natively, else 32-true."""
    if precision != "auto":
        return precision
    if accelerator != "cpu" and gpus_here():
        return HALF if gpus_multiply_bfloat16() else FULL
    return HALF if cpu_multiplies_bfloat16() else FULL


@cache
def cpu_multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for products of bfloat16 numbers."""
    try:
        flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:  # no Linux: x86 alone is known to have them
        return False
    return flags is not None and bool(NATIVE & set(flags[1].split()))


@cache
def gpus_multiply_bfloat16() -> bool:
    """Whether the first GPU has units for bfloat16; torch is asked where nvidia-smi is not there."""
    command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()
        return float(found[0]) >= LEAST_GPU
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        import torch

        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
