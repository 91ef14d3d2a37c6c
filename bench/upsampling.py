"""One layer that doubles its map, three ways: python bench/upsampling.py [--batch 64]

Milliseconds forward and backward, medians, the three in turn: upsampled and then convolved (as it is written in the papers), folded into a
transposed convolution, and folded into four products of matrices. `UpsampleConv` takes the last where it is wide and its map small.
"""

import argparse
import statistics
from collections.abc import Callable
from unittest import mock

import torch
import torch.nn.functional as F
from limits import seconds_of
from torch import Tensor

from stackgan.memory import keep_freed_memory
from stackgan.networks import layers
from stackgan.networks.layers import UpsampleConv

LAYERS = ((1024, 512, 4), (512, 256, 4), (256, 128, 4), (512, 256, 8), (256, 128, 16), (128, 64, 32))


def plain(layer: UpsampleConv, x: Tensor) -> Tensor:
    return F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), layer.weight, layer.bias, padding=1)


def folded(layer: UpsampleConv, x: Tensor) -> Tensor:
    with mock.patch.object(layers, "WIDE", 10**9):
        return layer(x)


def products(layer: UpsampleConv, x: Tensor) -> Tensor:
    with mock.patch.object(layers, "WIDE", 0), mock.patch.object(layers, "SMALL_MAP", 10**9):
        return layer(x)


WAYS: dict[str, Callable[[UpsampleConv, Tensor], Tensor]] = {"plain": plain, "folded": folded, "products": products}


def milliseconds(in_channels: int, out_channels: int, side: int, batch: int, repetitions: int = 5) -> dict[str, float]:
    layer = UpsampleConv(in_channels, out_channels).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(batch, in_channels, side, side).contiguous(memory_format=torch.channels_last).requires_grad_()
    cotangent = torch.randn(batch, out_channels, 2 * side, 2 * side).contiguous(memory_format=torch.channels_last)
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for repetition in range(repetitions + 1):
        for name, way in WAYS.items():
            seconds = seconds_of(lambda way=way: way(layer, x).backward(cotangent), "cpu")  # type: ignore[misc]
            if repetition:
                times[name].append(1000 * seconds)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="One layer that doubles its map, three ways.")
    parser.add_argument("--batch", type=int, default=64)
    batch = parser.parse_args().batch
    keep_freed_memory()
    print(f"{'layer, batch ' + str(batch):28}" + "".join(f"{name:>10}" for name in WAYS))
    for in_channels, out_channels, side in LAYERS:
        found = milliseconds(in_channels, out_channels, side, batch)
        label = f"{in_channels} -> {out_channels}, {side}x{side}"
        print(f"{label:28}" + "".join(f"{value:10.1f}" for value in found.values()), flush=True)


if __name__ == "__main__":
    main()
