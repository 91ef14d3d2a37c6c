"""Ideas about speed, each as a change of the running code: what it is without one that it has, or with one that it lacks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stackgan.data.batches import Batch
from stackgan.memory import keep_freed_memory, return_freed_memory
from stackgan.networks.discriminator import Discriminator, Scores
from stackgan.networks.layers import UpsampleConv
from stackgan.training.module import TextToImageGAN

Patch = Callable[[TextToImageGAN], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Idea:
    """`change` takes the idea out where the code has it, and puts it in where it has not."""

    kept: bool
    what: str
    change: Patch
    norm: str | None = None  # the ideas of one norm only
    first_steps: int = 0  # not counted: a compiler is at work


# Ideas that the code has: without them.


def unfolded(module: TextToImageGAN) -> AbstractContextManager[Any]:
    def forward(self: UpsampleConv, x: Tensor) -> Tensor:
        return F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), self.weight, self.bias, padding=1)

    return mock.patch.object(UpsampleConv, "forward", forward)


def joined_by_concatenation(module: TextToImageGAN) -> AbstractContextManager[Any]:
    def join(self: Discriminator, features: Tensor, c: Tensor) -> Tensor:
        features = features.repeat_interleave(len(c) // len(features), dim=0)
        text = c[:, :, None, None].expand(-1, -1, 4, 4)
        return self.joint(torch.cat([features, text], dim=1))

    return mock.patch.object(Discriminator, "_join", join)


def heads_as_convolutions(module: TextToImageGAN) -> AbstractContextManager[Any]:
    return mock.patch(
        "stackgan.networks.discriminator.weighted_sum", lambda features, head: head(features).float().flatten()
    )


def two_feature_passes(module: TextToImageGAN) -> AbstractContextManager[Any]:
    def wrong_scores(batch: Batch, features: Tensor, condition: Tensor) -> Scores:
        assert batch.wrong_text is not None
        again = module.discriminator.features(batch.images.float().div_(127.5).sub_(1))
        return module.discriminator.score(again, module._condition(batch.wrong_text.flatten(0, 1)))

    return mock.patch.object(module, "_wrong_scores", wrong_scores)


def separate_passes(module: TextToImageGAN) -> AbstractContextManager[Any]:
    features = module.discriminator.features
    return mock.patch.object(module, "_features", lambda real, fake: (features(real), features(fake)))


def discriminator_learns_in_vain(module: TextToImageGAN) -> AbstractContextManager[Any]:
    return mock.patch("stackgan.training.module.frozen", lambda network: nullcontext())


@contextmanager
def plain_adam(module: TextToImageGAN) -> Iterator[None]:
    """One parameter after the other; such a step cannot be told to skip."""
    groups = [group for optimizer in module.trainer.optimizers for group in optimizer.param_groups]
    admit = module.gate.admit

    def admitted(optimizer: torch.optim.Optimizer, *arguments: Any) -> None:
        admit(optimizer, *arguments)
        optimizer.found_inf = None  # type: ignore[attr-defined]

    for group in groups:
        group["fused"], group["foreach"] = False, False
    with mock.patch.object(module.gate, "admit", admitted):
        yield
    for group in groups:
        group["fused"], group["foreach"] = True, None


@contextmanager
def channels_first(module: TextToImageGAN) -> Iterator[None]:
    """NCHW weights and activations in both networks."""
    networks = [module.generator, module.discriminator]
    for network in networks:
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(), *inputs[1:]))
        for network in networks
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | UpsampleConv)
    ]
    yield
    for hook in hooks:
        hook.remove()
    for network in networks:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def host_waits(module: TextToImageGAN) -> Iterator[None]:
    """Each observed value is read at once."""
    observe = module._observe
    with mock.patch.object(module, "_observe", lambda name, value: (observe(name, value), value.item())):
        yield


def averaged_one_by_one(module: TextToImageGAN) -> AbstractContextManager[Any]:
    def lerp(averages: list[Tensor], live: list[Tensor], weights: list[Tensor]) -> None:
        for a, b, weight in zip(averages, live, weights, strict=True):
            a.copy_(a * (1 - weight) + b * weight)

    return mock.patch("torch._foreach_lerp_", lerp)


@contextmanager
def one_thread(module: TextToImageGAN) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@contextmanager
def memory_returned(module: TextToImageGAN) -> Iterator[None]:
    """What is freed goes back to the system, so that large tensors are made of new pages at each step."""
    return_freed_memory()
    yield
    keep_freed_memory()


# Ideas that it lacks: with them.


@contextmanager
def halves_normalised_apart(module: TextToImageGAN) -> Iterator[None]:
    """Real and fake pictures in one pass of the discriminator's convolutions, each half normalised by itself: the same function."""

    def features(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([real, fake.to(real.dtype)]).contiguous(memory_format=torch.channels_last)
        with ExitStack() as stack:
            for layer in module.discriminator.trunk.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    stack.enter_context(mock.patch.object(layer, "forward", by_halves(layer)))
            first, second = module.discriminator.features(both).chunk(2)
        return first, second

    with mock.patch.object(module, "_features", features):
        yield


def by_halves(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    forward = layer.forward
    return lambda x: torch.cat([forward(half) for half in x.chunk(2)])


def folded_by_sums(module: TextToImageGAN) -> AbstractContextManager[Any]:
    """The 4x4 kernel by additions, made in the order of memory in which the convolution wants it: [in, 4, 4, out]."""

    def doubled(kernel: Tensor, dim: int) -> Tensor:
        a, b, c = kernel.unbind(dim)
        return torch.stack([c, b + c, a + b, a], dim)

    def forward(self: UpsampleConv, x: Tensor) -> Tensor:
        kernel = doubled(doubled(self.weight.permute(1, 2, 3, 0), 1), 2).permute(0, 3, 1, 2)
        return F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)

    return mock.patch.object(UpsampleConv, "forward", forward)


class Compiled:
    """torch.compile of both networks' forward passes, once."""

    def __init__(self) -> None:
        self.compiled: dict[str, Any] = {}

    @contextmanager
    def __call__(self, module: TextToImageGAN) -> Iterator[None]:
        if not self.compiled:
            self.compiled = {
                "forward": torch.compile(module.generator.forward),
                "features": torch.compile(module.discriminator.features),
                "score": torch.compile(module.discriminator.score),
            }
        with ExitStack() as stack:
            for name, function in self.compiled.items():
                network = module.generator if name == "forward" else module.discriminator
                stack.enter_context(mock.patch.object(network, name, function))
            yield


@contextmanager
def bfloat16(module: TextToImageGAN) -> Iterator[None]:
    step = module.training_step

    def under_autocast(*arguments: Any) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            step(*arguments)

    with mock.patch.object(module, "training_step", under_autocast):
        yield


IDEAS = {
    "folded_upsampling": Idea(True, "upsampling folded into a stride-2 transposed convolution", unfolded),
    "joint_as_sum": Idea(True, "joint layer as a sum of a convolution of features and one of text", joined_by_concatenation),
    "heads_as_products": Idea(True, "4x4 heads as products of matrices", heads_as_convolutions),
    "features_once": Idea(True, "features of real pictures once for both texts", two_feature_passes),
    "one_pass": Idea(True, "real and fake pictures in one pass of D (norm=group)", separate_passes, norm="group"),
    "frozen_discriminator": Idea(True, "no gradient for D's weights in G's step", discriminator_learns_in_vain),
    "fused_adam": Idea(True, "fused Adam", plain_adam),
    "channels_last": Idea(True, "channels_last", channels_first),
    "no_host_read": Idea(True, "no value is read within a step", host_waits),
    "foreach_average": Idea(True, "moving average by one foreach", averaged_one_by_one),
    "memory_kept": Idea(True, "malloc keeps what is freed (mallopt)", memory_returned),
    "all_cores": Idea(True, "a thread for each core", one_thread),
    "halves_apart": Idea(False, "one pass of D with batch norm, each half normalised by itself", halves_normalised_apart),
    "folded_by_sums": Idea(False, "the folded kernel by additions, in the order of memory it is used in", folded_by_sums),
    "bfloat16": Idea(False, "bfloat16 autocast", bfloat16),
    "compile": Idea(False, "torch.compile of G and D", Compiled(), first_steps=2),
}  # fmt: skip
