"""What this machine can do at most: python bench/limits.py [--device cuda]

The largest rates of matrix products and convolutions, over shapes that occur in the networks and large square products, and of
copying memory. A percentage of the limit elsewhere in the bench is of the largest rate measured at the step's precision.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
COPIED = 2**28  # bytes


@dataclass(frozen=True)
class Work:
    """Something to do over and over, and how many floating-point operations it takes."""

    name: str
    flop: float
    run: Callable[[], object]


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], object], device: str, count: int = 1) -> float:
    """Seconds of one call, averaged over `count` in a row."""
    synchronise(device)
    start = time.perf_counter()
    for _ in range(count):
        work()
    synchronise(device)
    return (time.perf_counter() - start) / count


def best_seconds(work: Callable[[], object], device: str, repetitions: int = 5) -> float:
    """The least of several, each at least 20 ms long, after a warm-up."""
    work()
    count = max(1, round(0.02 / max(seconds_of(work, device), 1e-6)))
    return min(seconds_of(work, device, count) for _ in range(repetitions))


def square_product(side: int, dtype: torch.dtype, device: str) -> Work:
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return Work(f"product {side}^3", 2 * side**3, lambda: torch.mm(a, b, out=out))


def convolution(batch: int, channels: int, out_channels: int, side: int, dtype: torch.dtype, device: str) -> Work:
    """3x3, in channels_last: a residual layer of Stage II, a decoder layer."""
    x = torch.randn(batch, channels, side, side, device=device)
    weight = torch.randn(out_channels, channels, 3, 3, device=device)
    x, weight = (t.to(dtype).contiguous(memory_format=torch.channels_last) for t in (x, weight))
    flop = 2 * 9 * batch * channels * out_channels * side**2
    name = f"3x3 {channels}->{out_channels} at {side}x{side}, batch {batch}"
    return Work(name, flop, lambda: convolve(x, weight))


def convolve(x: Tensor, weight: Tensor) -> Tensor:
    with torch.no_grad():
        return F.conv2d(x, weight, padding=1)


def candidates(dtype: torch.dtype, device: str) -> list[Work]:
    """From small to large; on a GPU all larger, to fill it."""
    more = 1 if device == "cpu" else 8
    return [
        square_product(512, dtype, device),
        square_product(2048 * (2 if more > 1 else 1), dtype, device),
        convolution(2 * more, 256, 256, 32, dtype, device),
        convolution(4 * more, 512, 512, 16, dtype, device),
        convolution(8 * more, 512, 512, 16, dtype, device),
    ]


@dataclass(frozen=True)
class Limit:
    """The largest rate measured at a precision, in operations per second, and what reached it."""

    rate: float
    work: Work


def limit(precision: str, device: str = "cpu", patience: float = 2.0) -> Limit:
    """The largest rate over the candidates; those that would take longer than `patience` seconds a call are left out."""
    best: Limit | None = None
    for work in candidates(DTYPES[precision], device):
        if best is not None and work.flop / best.rate > patience:
            continue
        rate = work.flop / best_seconds(work.run, device, 5 if best is None or work.flop / best.rate < 0.2 else 2)
        if best is None or rate > best.rate:
            best = Limit(rate, work)
    assert best is not None
    return best


def copy_rate(device: str = "cpu") -> float:
    """Bytes per second read and written by a copy of 256 MiB."""
    source = torch.ones(COPIED // 4, device=device)
    target = torch.empty_like(source)
    return 2 * COPIED / best_seconds(lambda: target.copy_(source), device)


def measure(device: str = "cpu") -> dict[str, float | str]:
    """All limits as JSON values."""
    result: dict[str, float | str] = {}
    for precision in DTYPES:
        found = limit(precision, device)
        result[f"{precision}_gflops"] = round(found.rate / 1e9, 1)
        result[f"{precision}_by"] = found.work.name
    result["copy_gb_per_second"] = round(copy_rate(device) / 1e9, 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="The largest rates of this machine.")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    for name, value in measure(parser.parse_args().device).items():
        print(f"{name:24}{value}")


if __name__ == "__main__":
    main()
