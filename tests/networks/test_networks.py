"""Both stages of every architecture and norm: sizes, shapes, gradients, precision, round trip."""

import json

import pytest
import torch
from torch import nn

from stackgan.errors import UserError
from stackgan.networks.architecture import ARCHITECTURES, DISCRIMINATOR_NORMS, GENERATOR_NORMS
from stackgan.networks.build import build_discriminator, build_generator
from stackgan.networks.discriminator import Discriminator
from stackgan.networks.layers import LEAK
from stackgan.networks.stage_two import StageTwoGenerator

TEXT, CONDITION, NOISE, BATCH = 12, 6, 5, 3


def small_generator(stage: str, **settings):
    sizes = {"image_size": 32, "noise_dim": NOISE} if stage == "one" else {"image_size": 64, "stage_one_size": 32}
    return build_generator(
        stage, **{"text_dim": TEXT, "base_channels": 4, "condition_dim": CONDITION, **sizes, **settings}
    )


def small_discriminator(stage: str, **settings) -> Discriminator:
    size = 32 if stage == "one" else 128
    return build_discriminator(
        stage, **{"text_dim": TEXT, "image_size": size, "base_channels": 4, "condition_dim": CONDITION, **settings}
    )


def generate(generator, batch: int = BATCH):
    text, condition_noise = torch.randn(batch, TEXT), torch.randn(batch, CONDITION)
    if isinstance(generator, StageTwoGenerator):
        size = generator.stage_one_size
        return generator(text, torch.rand(batch, 3, size, size) * 2 - 1, condition_noise)
    return generator(text, torch.randn(batch, NOISE), condition_noise)


def condition_for(discriminator: Discriminator) -> torch.Tensor:
    return torch.randn(BATCH, TEXT if discriminator.condition_source == "text" else CONDITION)


def millions(network: nn.Module) -> float:
    return round(sum(p.numel() for p in network.parameters()) / 1e6, 2)


@pytest.mark.parametrize(
    ("kind", "stage", "arch", "base_channels", "expected"),
    [
        ("generator", "one", "tf", 128, 14.26),
        ("generator", "one", "pytorch", 128, 10.30),
        ("generator", "one", "pytorch", 192, 20.02),
        ("generator", "one", "stackgan", 128, 10.30),
        ("generator", "two", "tf", 128, 26.29),
        ("generator", "two", "pytorch", 128, 26.29),
        ("discriminator", "one", "tf", 64, 4.03),
        ("discriminator", "one", "pytorch", 64, 5.72),
        ("discriminator", "one", "pytorch", 96, 12.41),
        ("discriminator", "two", "tf", 64, 48.60),
        ("discriminator", "two", "pytorch", 64, 71.27),
        ("discriminator", "two", "pytorch", 96, 159.89),
    ],
)
def test_parameter_counts_are_the_references(kind, stage, arch, base_channels, expected):
    settings = {"text_dim": 1024, "arch": arch, "base_channels": base_channels}
    with torch.device("meta"):
        if kind == "generator":
            network = build_generator(stage, **settings)
        else:
            network = build_discriminator(stage, image_size=64 if stage == "one" else 256, **settings)
    assert millions(network) == expected


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_stage_one_makes_every_size(arch, size):
    output = generate(small_generator("one", arch=arch, image_size=size))
    assert output.images.shape == (BATCH, 3, size, size)
    assert output.images.abs().max() <= 1
    assert output.condition.mean.shape == (BATCH, CONDITION)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("norm", ["batch", "conditional_batch", "spectral"])
def test_picture_skips_add_the_colours_of_every_coarser_map(arch, norm):
    torch.manual_seed(0)
    generator = (
        small_generator("one", arch={"name": arch, "picture_skips": True}, norm=norm, image_size=64).double().eval()
    )
    maps = {}  # the last of each side
    for block in generator.trunk:
        block.register_forward_hook(lambda module, inputs, output: maps.update({output.shape[-1]: output.clone()}))
    arguments = [torch.randn(BATCH, n).double() for n in (TEXT, NOISE, CONDITION)]
    picture = generator(*arguments).images.atanh()
    expected = generator.to_rgb(maps[32 if arch == "tf" else 64])
    for side in (8, 16, 32):
        weight = generator.skips[str(side)].weight[:, :, 0, 0]
        colours = torch.einsum("oc,bchw->bohw", weight, maps[side])
        if generator.skips[str(side)].bias is not None:
            colours = colours + generator.skips[str(side)].bias[:, None, None]
        while colours.shape[-1] < 64:
            colours = nn.functional.interpolate(colours, scale_factor=2, mode="bilinear")
        expected = expected + colours
    assert sorted(generator.skips) == ["16", "32", "8"]
    torch.testing.assert_close(picture, expected)


@pytest.mark.parametrize(("small", "large"), [(16, 32), (16, 64), (32, 64), (32, 128)])
def test_stage_two_doubles_or_quadruples(small, large):
    generator = small_generator("two", image_size=large, stage_one_size=small, residual_blocks=1)
    assert generate(generator).images.shape == (BATCH, 3, large, large)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("stage", ["one", "two"])
@pytest.mark.parametrize("size", [16, 64, 128])
def test_the_discriminator_reads_every_size(arch, stage, size):
    discriminator = small_discriminator(stage, arch=arch, image_size=size)
    features = discriminator.features(torch.randn(BATCH, 3, size, size))
    assert features.shape[2:] == (4, 4) and features.shape[1] <= 8 * 4
    scores = discriminator.score(features, condition_for(discriminator))
    assert scores.conditional.shape == (BATCH,)
    has_head = stage == "two" and arch == "pytorch"
    assert (scores.unconditional is not None) == has_head
    if has_head:
        assert scores.unconditional.shape == (BATCH,)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("stage", ["one", "two"])
@pytest.mark.parametrize("norm", GENERATOR_NORMS)
@pytest.mark.parametrize("autocast", [False, True])
def test_generators_train_with_every_norm(arch, stage, norm, autocast):
    torch.manual_seed(0)
    generator = small_generator(stage, arch=arch, norm=norm).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        images = generate(generator).images
    assert images.dtype == (torch.bfloat16 if autocast else torch.float32)
    images.float().square().sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        # A bias before a norm that takes the mean away has no effect; all else must learn.
        assert parameter.grad.abs().sum() > 0 or name == "stem.fc.bias", name


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("stage", ["one", "two"])
@pytest.mark.parametrize("norm", DISCRIMINATOR_NORMS)
@pytest.mark.parametrize("autocast", [False, True])
def test_discriminators_train_twice_over_with_every_norm(arch, stage, norm, autocast):
    """The scores are float32, and the norm of their gradient by the image has gradients itself."""
    torch.manual_seed(0)
    discriminator = small_discriminator(stage, arch=arch, norm=norm, dropout=0.1).to(memory_format=torch.channels_last)
    images = torch.randn(BATCH, 3, discriminator.image_size, discriminator.image_size, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        scores = discriminator(images, condition_for(discriminator))
    assert scores.conditional.dtype == torch.float32
    total = scores.conditional.square().sum()
    if scores.unconditional is not None:
        assert scores.unconditional.dtype == torch.float32
        total = total + scores.unconditional.square().sum()
    (gradient,) = torch.autograd.grad(total, images, create_graph=True)
    (total + gradient.square().sum()).backward()
    for name, parameter in discriminator.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("stage", ["one", "two"])
@pytest.mark.parametrize("norm", ["batch", "conditional_batch", "spectral"])
def test_settings_and_weights_rebuild_the_generator(arch, stage, norm):
    generator = small_generator(stage, arch=arch, norm=norm).eval()
    twin = build_generator(**json.loads(json.dumps(generator.settings))).eval()
    twin.load_state_dict(generator.state_dict())
    assert twin.settings == generator.settings
    pictures = []
    for network in (generator, twin):
        torch.manual_seed(1)  # the same inputs
        pictures.append(generate(network).images)
    torch.testing.assert_close(*pictures, rtol=0, atol=0)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("stage", ["one", "two"])
@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_settings_and_weights_rebuild_the_discriminator(arch, stage, norm):
    discriminator = small_discriminator(stage, arch=arch, norm=norm, dropout=0.25).eval()
    twin = build_discriminator(**json.loads(json.dumps(discriminator.settings))).eval()
    twin.load_state_dict(discriminator.state_dict())
    assert twin.settings == discriminator.settings
    images = torch.randn(BATCH, 3, discriminator.image_size, discriminator.image_size)
    condition = condition_for(discriminator)
    ours, theirs = discriminator(images, condition), twin(images, condition)
    torch.testing.assert_close(ours.conditional, theirs.conditional, rtol=0, atol=0)


def test_the_text_and_both_noises_reach_the_picture():
    torch.manual_seed(0)
    generator = small_generator("one", norm="none", init="scaled").eval()
    arguments = [torch.randn(BATCH, n) for n in (TEXT, NOISE, CONDITION)]
    before = generator(*arguments).images
    for i, argument in enumerate(arguments):
        changed = [*arguments[:i], torch.randn_like(argument), *arguments[i + 1 :]]
        assert (generator(*changed).images - before).abs().max() > 1e-3


def test_features_do_not_depend_on_the_text_but_the_score_does():
    torch.manual_seed(0)
    discriminator = small_discriminator("two", arch={"unconditional_head": "both"}).eval()
    images = torch.randn(BATCH, 3, 128, 128)
    features = discriminator.features(images)
    right, wrong = (discriminator.score(features, condition_for(discriminator)) for _ in range(2))
    assert not torch.allclose(right.conditional, wrong.conditional)
    torch.testing.assert_close(right.unconditional, wrong.unconditional)


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("norm", ["none", "group", "spectral"])
def test_several_texts_of_a_picture_score_as_each_alone(projection, kernel, norm):
    torch.manual_seed(0)
    arch = {"name": "stackgan", "joint_kernel": kernel, "unconditional_head": "both", "projection": projection}
    discriminator = small_discriminator("one", text_dim=6, arch=arch, norm=norm).double().eval()
    images, texts = torch.randn(BATCH, 3, 32, 32).double(), torch.randn(BATCH, 3, 6).double()
    features = discriminator.features(images)
    together = discriminator.score(features, texts.flatten(0, 1))
    for k in range(3):
        alone = discriminator.score(features, texts[:, k])
        torch.testing.assert_close(together.conditional.view(BATCH, 3)[:, k], alone.conditional)
        torch.testing.assert_close(together.unconditional, alone.unconditional)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_projection_adds_the_product_of_picture_and_text(arch):
    torch.manual_seed(0)
    discriminator = small_discriminator("one", arch={"name": arch, "projection": True}).double().eval()
    images, condition = torch.randn(BATCH, 3, 32, 32).double(), condition_for(discriminator).double()
    features = discriminator.features(images)
    with_product = discriminator.score(features, condition).conditional
    weight = discriminator.project_features.weight.detach().clone()
    torch.nn.init.zeros_(discriminator.project_features.weight)
    without = discriminator.score(features, condition).conditional
    text = condition
    if arch != "pytorch":
        text = discriminator.project_text(condition)
    if arch == "tf":
        text = torch.where(text > 0, text, 0.2 * text)
    kernel = weight.unflatten(1, (4, 4, -1))  # [C, 4, 4, F]
    product = torch.einsum("chwf,bfhw,bc->b", kernel, features, text) / text.shape[1] ** 0.5
    torch.testing.assert_close(with_product - without, product)


def test_the_pytorch_discriminator_sees_the_generators_mean_without_a_way_back():
    output = generate(small_generator("one"))
    text = torch.randn(BATCH, TEXT)
    selected = small_discriminator("one", arch="pytorch").select_condition(text, output.condition)
    assert not selected.requires_grad
    torch.testing.assert_close(selected, output.condition.mean)
    assert small_discriminator("one", arch="tf").select_condition(text, output.condition) is text


def test_tf_leaves_out_the_activation_before_the_last_halving_in_stage_one_only():
    def activations(stage: str) -> list[bool]:
        trunk = small_discriminator(stage, arch="tf", image_size=64).trunk
        return [isinstance(block.activation, nn.LeakyReLU) for block in trunk]

    assert activations("one") == [True, True, False, False, True]  # the last is the residual bottleneck's
    assert activations("two") == [True, True, True, False, True]
    leaks = {m.negative_slope for m in small_discriminator("one").modules() if isinstance(m, nn.LeakyReLU)}
    assert leaks == {LEAK}


def test_tf_concatenates_the_condition_first():
    torch.manual_seed(0)
    seen = []
    for arch in ("tf", "pytorch"):
        generator = small_generator("one", arch=arch)
        generator.stem.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
        text, noise = torch.randn(BATCH, TEXT), torch.randn(BATCH, NOISE)
        generator(text, noise, None)
        torch.testing.assert_close(seen[-1][:, CONDITION:] if arch == "tf" else seen[-1][:, :NOISE], noise)


def test_batch_norm_is_the_references():
    for module in small_discriminator("one").modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.eps, module.momentum) == (1e-5, 0.1)


def test_dropout_acts_in_training_only_and_is_off_by_default():
    torch.manual_seed(0)
    discriminator = small_discriminator("one", norm="none", dropout=0.5)
    images = torch.randn(BATCH, 3, 32, 32)
    assert not torch.equal(discriminator.features(images), discriminator.features(images))
    discriminator.eval()
    assert torch.equal(discriminator.features(images), discriminator.features(images))
    assert not any(isinstance(m, nn.Dropout2d) for m in small_discriminator("one").modules())
    assert not any(isinstance(m, nn.Dropout2d) for m in small_generator("one").modules())


def test_conditional_batch_norm_lets_the_condition_change_the_layers():
    torch.manual_seed(0)
    generator = small_generator("two", norm="conditional_batch")
    block = generator.decoder[0]
    x = torch.randn(BATCH, 16, 4, 4)
    block.eval()
    assert not torch.allclose(block(x, torch.ones(BATCH, CONDITION)), block(x, -torch.ones(BATCH, CONDITION)))


def test_the_first_map_is_channels_last_without_a_copy():
    generator = small_generator("one")
    assert generator.stem(torch.randn(BATCH, NOISE + CONDITION)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: build_generator("three", text_dim=4), "stage.*three.*one, two"),
        (lambda: small_generator("one", image_size=48), "48.*16, 32, 64, 128"),
        (lambda: small_generator("two", image_size=256), "256.*64, 128"),
        (lambda: small_generator("one", base_channels=6), "base_channels=6.*multiple of 4"),
        (lambda: small_generator("one", norm="bn"), "norm.generator.*bn"),
        (lambda: small_generator("one", init="xavier"), "init.*xavier"),
        (lambda: small_discriminator("one", norm="conditional_batch"), "norm.discriminator: conditional_batch"),
        (lambda: small_discriminator("one", norm="bn"), "norm.discriminator.*bn"),
        (lambda: small_discriminator("one", dropout=1.0), "dropout"),
        (lambda: small_discriminator("one", image_size=48), "48.*power of two"),
    ],
)
def test_unsupported_settings_are_named(call, words):
    with pytest.raises(UserError, match=words):
        call()


def test_a_residual_picture_starts_as_the_enlarged_stage_one_picture():
    torch.manual_seed(0)
    generator = build_generator(
        "two",
        text_dim=5,
        image_size=32,
        stage_one_size=16,
        base_channels=8,
        residual_blocks=1,
        init="scaled",
        arch={"residual_picture": True},
    ).eval()
    below = torch.rand(2, 3, 16, 16) * 1.8 - 0.9
    made = generator(torch.randn(2, 5), below, torch.randn(2, 128)).images
    expected = torch.nn.functional.interpolate(torch.atanh(0.99 * below), scale_factor=2, mode="bilinear").tanh()
    torch.testing.assert_close(made, expected)
    generator.to_rgb.weight.data.normal_()
    assert (generator(torch.randn(2, 5), below, None).images - expected).abs().max() > 0.1
    ones = generator(torch.randn(2, 5), torch.ones(2, 3, 16, 16), None).images
    assert ones.isfinite().all()
