"""Folded upsampling against the two layers that it replaces."""

from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stackgan.networks.layers import UpsampleConv


def upsample_then_convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, bias, padding=1)


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    bias=st.booleans(),
    channels_last=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_values_and_gradients_are_those_of_upsampling_and_convolving(batch, channels, size, bias, channels_last, seed):
    torch.manual_seed(seed)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    layer = UpsampleConv(*channels, bias=bias).double().to(memory_format=layout)
    if bias:
        torch.nn.init.normal_(layer.bias)
    x = torch.randn(batch, channels[0], *size, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    expected = upsample_then_convolve(x, layer.weight, layer.bias)
    result = layer(x)
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    cotangent = torch.randn_like(expected)
    inputs = [x, *layer.parameters()]
    for ours, theirs in zip(
        torch.autograd.grad(result, inputs, cotangent), torch.autograd.grad(expected, inputs, cotangent), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("size", [(4, 4), (2, 3)])
def test_wide_layers_on_small_maps_are_products_of_matrices_with_the_same_values_and_gradients(bias, layout, size):
    torch.manual_seed(0)
    layer = UpsampleConv(512, 6, bias=bias).double().to(memory_format=layout)
    if bias:
        torch.nn.init.normal_(layer.bias)
    x = torch.randn(3, 512, *size, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    expected = upsample_then_convolve(x, layer.weight, layer.bias)
    with mock.patch.object(F, "conv_transpose2d", side_effect=AssertionError("a transposed convolution")):
        result = layer(x)
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    cotangent, inputs = torch.randn_like(expected), [x, *layer.parameters()]
    ours, theirs = (torch.autograd.grad(y, inputs, cotangent) for y in (result, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_under_autocast_the_products_round_the_folded_kernels_too():
    torch.manual_seed(0)
    layer, x = UpsampleConv(512, 8), torch.randn(2, 512, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        result = layer(x)
    assert result.dtype == torch.bfloat16
    exact = upsample_then_convolve(x.double(), layer.weight.double(), None)
    error = (result - exact).norm() / exact.norm()
    assert error < 2**-8  # that of rounding both factors and the result once


def test_second_derivatives_are_exact():
    torch.manual_seed(0)
    layer = UpsampleConv(2, 2, bias=True).double()
    x = torch.randn(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    weight = layer.weight.detach().clone().requires_grad_()

    def function(x: Tensor, weight: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (x,)).pow(3)

    assert torch.autograd.gradcheck(function, (x, weight))
    assert torch.autograd.gradgradcheck(function, (x, weight))


def test_the_parameter_is_the_3x3_kernel_and_nothing_else_is_saved():
    assert {name: tuple(value.shape) for name, value in UpsampleConv(3, 5).state_dict().items()} == {
        "weight": (5, 3, 3, 3)
    }


def test_under_autocast_the_kernel_is_folded_before_it_is_rounded():
    torch.manual_seed(0)
    layer, x = UpsampleConv(16, 16), torch.randn(2, 16, 4, 4).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        result = layer(x)
    assert result.dtype == torch.bfloat16
    folded = (layer.weight.detach().reshape(-1, 9) @ layer.fold).view(16, 16, 4, 4).transpose(0, 1)
    expected = F.conv_transpose2d(
        x, folded.bfloat16(), stride=2, padding=1
    )  # by the same kernel: CPUs without bfloat16 round more
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_works_in_the_precision_of_its_parameters(dtype):
    layer = UpsampleConv(3, 4, bias=True).to(dtype)
    assert layer(torch.randn(1, 3, 5, 5, dtype=dtype)).dtype == dtype
