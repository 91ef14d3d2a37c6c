"""What saves memory leaves the training as it is: gradient accumulation and activation checkpointing."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from stackgan.assembly import build_module
from stackgan.errors import UserError
from stackgan.inputs import prepare_inputs
from stackgan.networks.recompute import recompute_activations
from support import composed
from training_support import stage_one_sampler, state, steps

EXACT = ["trainer.precision=64-true"]


def trained(tiny, overrides, count=3):
    """Weights and statistics of both networks after a few steps, and the module."""
    config = tiny(*overrides)
    stage_one = stage_one_sampler(tiny) if "stage=two" in overrides else None
    if stage_one is not None and "trainer.precision=64-true" in overrides:
        stage_one.double()
    torch.manual_seed(0)
    module = build_module(config, prepare_inputs(config), 1000, stage_one)
    steps(config, count, module=module)
    return {**state(module.generator), **{f"d.{k}": v for k, v in state(module.discriminator).items()}}, module


@pytest.mark.parametrize(
    "overrides",
    [
        ["norm=group"], ["norm=instance", "stage=two"], ["norm=group", "arch.fresh_noise=true", "loss.mismatch=image"],
        ["norm=layer", "loss=wgan_gp", "loss.n_critic=2"], ["norm=none", "loss=bce_r1", "loss.penalty_every=1", "data.augment=on"],
        ["norm=group", "loss.matching_discriminator=1", "loss.matching_generator=0.1", "loss.wrong_texts=3"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_batch_in_parts_trains_as_the_whole_does(tiny, overrides):
    whole, _ = trained(tiny, [*EXACT, *overrides])
    split, _ = trained(tiny, [*EXACT, *overrides, "trainer.accumulate=4"])
    for name, value in whole.items():
        assert (split[name] - value).norm() <= 1e-10 * value.norm() + 1e-14, name


def test_the_networks_see_one_part_at_a_time(tiny):
    config, sizes = tiny("norm=group", "trainer.accumulate=4"), []
    module = build_module(config, prepare_inputs(config), 1000, None)
    for network in (module.generator, module.discriminator.trunk):
        network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    steps(config, 1, module=module)
    assert set(sizes) == {2, 4}  # two pictures of eight; in the discriminator two real and two generated


def test_what_is_logged_is_the_mean_over_the_parts(tiny):
    names = ["loss/d", "loss/g", "loss/kl", "d/real", "grad_norm/g"]
    _, whole = trained(tiny, [*EXACT, "norm=group"], count=1)
    _, split = trained(tiny, [*EXACT, "norm=group", "trainer.accumulate=4"], count=1)
    whole, split = whole.averages.take(), split.averages.take()
    assert [split[name] for name in names] == pytest.approx([whole[name] for name in names], rel=1e-6)


@pytest.mark.parametrize(
    "overrides",
    [
        [], ["norm=conditional_batch", "norm.discriminator=none", "loss=bce_r1", "loss.penalty_every=1"], ["dropout=on"],
        ["norm=layer", "loss=wgan_gp"], ["stage=two"], ["arch=tf", "scale.one.image_size=64", "scale.two.image_size=128"],
        ["trainer.precision=bf16-mixed"], ["trainer.accumulate=2", "norm=group"],
    ],
    ids=lambda value: " ".join(value) or "base",
)  # fmt: skip
def test_activations_computed_twice_change_no_bit(tiny, overrides):
    kept, _ = trained(tiny, overrides)
    again, module = trained(tiny, [*overrides, "trainer.recompute=true"])
    for network in (module.generator, module.discriminator):
        assert any(getattr(block, "recompute", False) for block in network.modules())
    assert [name for name, value in kept.items() if not torch.equal(again[name], value)] == []


def test_blocks_keep_their_inputs_only(tiny):
    config = tiny()
    module = build_module(config, prepare_inputs(config), 1000, None)

    def kept_bytes():
        sizes = {}
        text, noise = torch.randn(8, module.whitener.dim), torch.randn(8, module.noise_size)

        def pack(tensor):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        weights = {p.untyped_storage().data_ptr() for p in module.parameters()}
        with saved_tensors_hooks(pack, lambda tensor: tensor):
            module.discriminator.features(module.generate(text, noise).images)
        return sum(size for place, size in sizes.items() if place not in weights)

    everything = kept_bytes()
    recompute_activations(module.generator)
    recompute_activations(module.discriminator)
    assert kept_bytes() < everything / 2


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["trainer.accumulate=3"], ["trainer.accumulate=3", "64 pictures"]),
        (["trainer.accumulate=64"], ["batch norm", "two pictures"]),
        (["trainer.accumulate=0"], ["trainer.accumulate=0"]),
        (["trainer.recompute=true", "norm=spectral"], ["trainer.recompute", "spectral"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_cannot_work_is_refused(overrides, words):
    with pytest.raises(UserError) as refusal:
        composed(*overrides)
    for word in words:
        assert word in str(refusal.value)
