import torch
from torch import nn

from stackgan.networks.build import build_discriminator, build_generator
from stackgan.networks.layers import ConvBlock, UpsampleConv

SETTINGS = {"text_dim": 64, "image_size": 64, "base_channels": 16}


def weights(network: nn.Module, kinds) -> torch.Tensor:
    return torch.cat([m.weight.detach().flatten() for m in network.modules() if isinstance(m, kinds)])


def test_reference_weights_have_a_deviation_of_two_hundredths():
    torch.manual_seed(0)
    for network in (build_generator("one", **SETTINGS), build_discriminator("one", **SETTINGS)):
        values = weights(network, nn.Conv2d | UpsampleConv)
        assert abs(values.std() - 0.02) < 3e-4 and values.abs().max() > 0.06
        gains = weights(network, nn.BatchNorm2d | nn.BatchNorm1d)
        assert abs(gains.mean() - 1) < 0.01 and abs(gains.std() - 0.02) < 0.005


def test_tf_cuts_the_convolutions_at_two_deviations_but_not_the_fully_connected_layers():
    torch.manual_seed(0)
    generator = build_generator("one", arch="tf", **SETTINGS)
    assert weights(generator, nn.Conv2d | UpsampleConv).abs().max() <= 0.04
    assert weights(generator, nn.Linear).abs().max() > 0.06


def last_activation_size(network: nn.Module, *inputs: torch.Tensor) -> float:
    sizes: list[float] = []
    for module in network.modules():
        if isinstance(module, ConvBlock):
            module.register_forward_hook(lambda module, inputs, output: sizes.append(output.std().item()))
    with torch.no_grad():
        network(*inputs)
    return sizes[-1]


def test_without_norm_reference_signals_vanish_and_scaled_ones_do_not():
    torch.manual_seed(0)
    text, noise, condition_noise = torch.randn(8, 64), torch.randn(8, 100), torch.randn(8, 128)
    for init, low, high in (("reference", 0.0, 0.01), ("scaled", 0.2, 5.0)):
        generator = build_generator("one", norm="none", init=init, **SETTINGS)
        assert low < last_activation_size(generator, text, noise, condition_noise) < high


def test_spectral_norm_bounds_every_layer_but_conditioning_augmentation():
    torch.manual_seed(0)
    generator = build_generator("one", norm="spectral", **SETTINGS)
    discriminator = build_discriminator("one", norm="spectral", **SETTINGS)
    text, images = torch.randn(2, 64), torch.randn(2, 3, 64, 64)
    for _ in range(10):  # the power method runs with the forward passes
        generator(text, torch.randn(2, 100), torch.randn(2, 128)), discriminator(images, text)
    layers = 0
    for network in (generator.eval(), discriminator.eval()):
        for name, module in network.named_modules():
            if not isinstance(module, nn.Conv2d | nn.Linear | UpsampleConv):
                continue
            largest = torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2)
            if name.startswith("conditioning"):
                assert abs(largest - 1) > 0.1
            else:
                assert abs(largest - 1) < 0.03, name
                layers += 1
    assert layers == 6 + 7
