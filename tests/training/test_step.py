"""One training step: who learns when, and what stays as it is."""

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from stackgan.assembly import build_module
from stackgan.inputs import prepare_inputs
from stackgan.networks.text_to_image import TextWhitener, from_pixels, to_pixels
from stackgan.training.callbacks import crossed
from stackgan.training.noise import NoiseSource
from training_support import build_again, stage_one_sampler, state, steps


def changed(before, network):
    return [key for key, value in network.state_dict().items() if not torch.equal(before[key], value)]


@pytest.mark.parametrize(
    "overrides",
    [
        [], ["norm=none"], ["norm=group"], ["norm=spectral"], ["norm=conditional_batch"], ["loss=hinge"], ["loss=lsgan"], ["dropout=on"],
        ["loss=wgan", "loss.n_critic=2", "optim=rmsprop"], ["loss=wgan_gp", "norm=layer", "loss.n_critic=1"],
        ["loss=bce_r1", "norm=none", "loss.penalty_every=1"], ["loss=hinge_matching", "norm=none"], ["optim=adamw"], ["optim=sgd"],
        ["arch=tf", "loss.mismatch=image", "scale.one.image_size=64", "scale.two.image_size=128"], ["arch=pytorch"],
        ["data.augment=on"], ["optim.clip_norm=1.0"], ["trainer.precision=bf16-mixed"], ["trainer.precision=64-true"],
        ["arch.unconditional_head=true"], ["lr=cosine"], ["arch.init=scaled"], ["arch.projection=true"],
        ["arch.picture_skips=true"],
        ["text.whiten=16", "arch.joint_kernel=1"],
    ],
    ids=lambda value: " ".join(value) or "base",
)  # fmt: skip
def test_both_networks_learn_and_stay_finite_under_every_choice(tiny, overrides):
    config = tiny(*overrides)
    torch.manual_seed(0)
    module = build_module(config, prepare_inputs(config), 1000, None)
    before = [state(module.generator), state(module.discriminator)]
    steps(config, 2 * config.loss.n_critic, module=module)
    weights = [{name for name, _ in network.named_parameters()} for network in (module.generator, module.discriminator)]
    for old, network, names in zip(before, (module.generator, module.discriminator), weights, strict=True):
        # the bias of a head cancels between real and negative pairs inside hinge's margins and under Wasserstein
        still = {name for name in names - set(changed(old, network)) if not name.endswith("_head.bias")}
        assert not still, f"never trained: {still}"
        assert all(torch.isfinite(p).all() for p in network.parameters())
    assert module.images_seen == 2 * config.loss.n_critic * 8


def test_the_generator_steps_once_in_n_critic(tiny):
    config = tiny("loss=wgan", "loss.n_critic=3")
    module = steps(config, 2)
    fresh = build_again(config)
    weights = {name for name, _ in module.generator.named_parameters()}
    assert not weights & set(
        changed(state(fresh.generator), module.generator)
    )  # two critic steps, none of the generator's
    module = steps(config, 3)
    assert weights <= set(changed(state(fresh.generator), module.generator))


def test_clipping_bounds_every_weight_of_the_critic(tiny):
    module = steps(tiny("loss=wgan", "loss.clip=0.005", "norm=none"), 2)
    assert max(p.abs().max().item() for p in module.discriminator.parameters()) <= 0.005
    module = steps(tiny("loss=wgan", "loss.clip=null", "norm=none"), 2)
    assert max(p.abs().max().item() for p in module.discriminator.parameters()) > 0.005


def test_without_cross_entropy_the_logged_judgement_is_the_score_itself(tiny):
    config = tiny("loss=hinge", "norm=none")
    module = build_again(config)
    module.discriminator.conditional_head.bias.data.fill_(5.0)
    steps(config, 1, module=module)
    assert module.averages.take()["d/real"] == pytest.approx(5, abs=0.5)


def test_a_lazy_penalty_is_due_on_each_so_many_th_step(tiny):
    config, due = tiny("loss=bce_r1", "norm=none", "loss.penalty_every=2"), []
    module = build_again(config)
    plain = module.adversarial.penalty
    module.adversarial.penalty = lambda *args: due.append(module.step_count) or plain(*args)
    steps(config, 5, module=module)
    assert due == [0, 2, 4]


def test_fresh_fakes_train_the_whole_generator_under_autocast(tiny):
    # autocast keeps the weights it cast for the discriminator's fakes, which were made without a graph
    config = tiny("arch.fresh_noise=true", "trainer.precision=bf16-mixed")
    fresh = state(build_again(config).generator)
    module = steps(config, 1)
    weights = {name for name, _ in module.generator.named_parameters()}
    assert weights <= set(changed(fresh, module.generator))


def test_fresh_fakes_differ_from_reused_ones(tiny):
    reused, fresh = (state(steps(tiny(f"arch.fresh_noise={flag}"), 1).generator) for flag in ("false", "true"))
    assert any(not torch.equal(reused[key], fresh[key]) for key in reused)


def noise_of(config, count, monkeypatch):
    """Everything that `count` steps draw, in order."""
    drawn = []
    for kind in ("normal", "uniform"):
        plain = getattr(NoiseSource, kind)
        recorded = lambda *args, plain=plain: drawn.append(plain(*args)) or drawn[-1]  # noqa: E731
        monkeypatch.setattr(NoiseSource, kind, recorded)
    steps(config, count)
    monkeypatch.undo()
    return [draw.flatten().tolist() for draw in drawn]


def test_every_draw_of_every_step_is_its_own_and_every_run_draws_the_same(tiny, monkeypatch):
    config = tiny("arch.fresh_noise=true", "data.augment=on", "loss=wgan_gp", "loss.n_critic=1", "norm=none")
    first, second = (noise_of(config, 2, monkeypatch) for _ in range(2))
    assert first == second
    assert len(first) == 2 * 6  # two networks' noise, the augmentation of real, fake and the generator's, the penalty
    assert not any(a == b[: len(a)] for a in first for b in first if a is not b)


def moved(module, fresh, network):
    """How far the step took the network's weights."""
    pairs = zip(getattr(module, network).parameters(), getattr(fresh, network).parameters(), strict=True)
    return sum((a - b).double().square().sum() for a, b in pairs).sqrt().item()


@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_clip_norm_bounds_the_gradient_of_each_network(tiny, network):
    plain = ["optim=sgd", "optim.momentum=0", "lr.generator=1", "lr.discriminator=1", "trainer.precision=64-true"]
    fresh = build_again(tiny(*plain)).double()
    free, bounded = (
        moved(steps(tiny(*plain, f"optim.clip_norm={bound}"), 1), fresh, network) for bound in ("null", 0.01)
    )
    assert bounded == pytest.approx(0.01, rel=1e-3) and free > 0.05


def test_the_average_moves_by_the_images_since_the_generators_last_step(tiny):
    config = tiny("loss=wgan", "loss.n_critic=2", "trainer.precision=64-true")
    fresh, module = build_again(config).double(), steps(config, 2)
    stays = 0.5 ** (2 * 8 / (0.05 * 2 * 8))  # two batches; the half-life is still 5 % of the images seen
    before, live = fresh.average.state_dict(), module.generator.state_dict()
    for name, value in module.average.named_parameters():
        torch.testing.assert_close(value, stays * before[name] + (1 - stays) * live[name], rtol=1e-12, atol=0)


def test_frozen_stage_one_keeps_its_weights_and_statistics_while_stage_two_trains(tiny):
    sampler = stage_one_sampler(tiny)
    before = state(sampler.stage_one)
    module = steps(tiny("stage=two"), 3, stage_one=sampler)
    assert changed(before, module.stage_one) == []
    assert not module.stage_one.training and module.generator.training and not module.average.training


def test_stage_two_learns(tiny):
    sampler = stage_one_sampler(tiny)
    config = tiny("stage=two")
    inputs = prepare_inputs(config)
    pl.seed_everything(0, verbose=False)
    before = state(build_module(config, inputs, 1000, sampler).generator)
    module = steps(config, 1, stage_one=sampler)
    assert {name for name, _ in module.generator.named_parameters()} <= set(changed(before, module.generator))
    noise = torch.randn(2, module.noise_size)
    assert module.sampler()(torch.randn(2, 312), noise).shape == (2, 3, 32, 32)


def test_a_fixed_seed_gives_a_fixed_run(tiny):
    first, second = (state(steps(tiny("dropout=on"), 3).generator) for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_schedule_reaches_both_optimizers(tiny):
    config = tiny("lr.warmup_images=64")
    module = steps(config, 3)  # the third step starts after 16 images
    rates = [optimizer.param_groups[0]["lr"] for optimizer in module.optimizers()]
    assert rates == [2e-4 * 16 / 64] * 2


def test_a_stage_may_learn_slower(tiny):
    sampler = stage_one_sampler(tiny)
    module = steps(tiny("stage=two", "scale.two.lr_factor=0.25"), 1, stage_one=sampler)
    assert [optimizer.param_groups[0]["lr"] for optimizer in module.optimizers()] == [0.25 * 2e-4] * 2


def test_matching_losses_teach_both_networks(tiny):
    """With and without, from the same start: the weights of both networks move differently, and the losses are seen."""
    wrong = ("loss.wrong_texts=3", "norm.discriminator=none")
    plain = steps(tiny(*wrong), 2)
    module = steps(tiny(*wrong, "loss.matching_discriminator=1.0", "loss.matching_generator=0.5"), 2)
    assert changed(state(plain.discriminator), module.discriminator) and changed(
        state(plain.generator), module.generator
    )
    row = module.averages.take()
    assert {"loss/matching_d", "loss/matching_g"} <= row.keys()
    assert 0 < row["loss/matching_d"] < 3 * np.log(4)  # four captions to choose from, networks that know nothing


def test_text_is_whitened_alike_in_training_and_in_sampling(tiny):
    module = steps(tiny("text.whiten=12", "images=8"), 1)
    inputs = prepare_inputs(tiny())
    rows = torch.from_numpy(np.array(inputs.table.vectors[inputs.table.starts[inputs.store.indices("train")]]))
    white = module.whitener(rows)  # an image's captions have one attribute vector
    assert white.shape == (len(rows), 12) and module.generator.settings["text_dim"] == 12
    torch.testing.assert_close(white.mean(0), torch.zeros(12), atol=1e-4, rtol=0)
    assert white.square().mean() == pytest.approx(1, rel=0.2)
    noise = torch.randn(4, module.noise_size)
    expected = module.average(white[:4], noise[:, :100], noise[:, 100:]).images
    torch.testing.assert_close(module.sampler()(rows[:4], noise), expected)


def test_whitening_is_the_principal_components_with_smaller_deviations(tiny):
    """Against a singular value decomposition in float64."""
    vectors = torch.randn(200, 9, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, 10)
    whitener = TextWhitener(9, 3)
    whitener.fit(vectors)
    left, deviations, _ = torch.linalg.svd(vectors.double() - vectors.double().mean(0), full_matrices=False)
    expected = left[:, :3] * deviations[:3].pow(0.75)
    expected = expected / expected.square().mean().sqrt()
    found = whitener(vectors).double()
    torch.testing.assert_close(found.abs(), expected.abs(), rtol=1e-3, atol=1e-3)  # the sign of a component is free


@pytest.mark.parametrize("captions", [1, 3])
def test_captions_that_are_all_the_same_are_not_whitened_to_infinity(captions):
    whitener = TextWhitener(9, 2)
    vectors = torch.randn(1, 9, generator=torch.Generator().manual_seed(0)).expand(captions, 9)
    whitener.fit(vectors)
    assert whitener(vectors).abs().max() < 1e-5
    assert whitener(vectors + 1).abs().max() < 10


def test_few_captions_give_few_components(tiny):
    module = build_module(tiny("text.whiten=300"), inputs := prepare_inputs(tiny()), 1000, None)
    captions = sum(int(inputs.table.counts()[row]) for row in inputs.store.indices("train"))
    assert module.whitener.dim == min(300, captions // 2)


def test_pixels_survive_the_way_to_the_network_and_back():
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    torch.testing.assert_close(to_pixels(from_pixels(every)), every, rtol=0, atol=0)
    assert to_pixels(torch.tensor([-1.2, -1.0, 1.0, 1.004])).tolist() == [0, 0, 255, 255]  # nothing wraps round


def test_a_cadence_in_images_fires_for_any_batch_size():
    fired = [after for after in range(24, 24 * 100, 24) if crossed(100, after - 24, after)]
    assert len(fired) == 23 and all(0 <= after % 100 < 24 for after in fired)
