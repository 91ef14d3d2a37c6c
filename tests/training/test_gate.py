"""A gradient, loss or activation that is not finite leaves no trace: not in weights, moments, averages or running statistics."""

import copy
import math
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from stackgan.assembly import build_module, build_trainer
from stackgan.config import stage_scale
from stackgan.data.batches import BatchStream
from stackgan.inputs import prepare_inputs
from stackgan.training.gate import FiniteGate, passes_on
from stackgan.training.optimizers import OptimizerSettings, build_optimizer

BAD, STEPS = 2, 5


class Snapshots(pl.Callback):
    """Everything that a step may move, before the first step and after each one."""

    def __init__(self):
        self.states = []

    def on_train_start(self, trainer, module):
        self.keep(trainer, module)

    def on_train_batch_end(self, trainer, module, *_):
        self.keep(trainer, module)

    def keep(self, trainer, module):
        networks = {f"{part}.{name}": value.clone() for part in ("discriminator", "generator", "average")
                    for name, value in getattr(module, part).state_dict().items()}  # fmt: skip
        for network, optimizer in zip(("discriminator", "generator"), trainer.optimizers, strict=True):
            state = copy.deepcopy(optimizer.state_dict()["state"])
            networks |= {
                f"{network} optimizer.{i}.{key}": value for i, values in state.items() for key, value in values.items()
            }
        self.states.append(networks)

    def changed(self, step):
        """Names of what step number `step` moved."""
        before, after = self.states[step], self.states[step + 1]
        return {name for name, value in after.items() if name in before and not torch.equal(before[name], value)}


def spoiled_run(config, network, value, spoil="gradient"):
    """Train `STEPS` steps; in step `BAD` one gradient (or the loss) of the network is `value`. Returns snapshots and module."""
    inputs = prepare_inputs(config)
    pl.seed_everything(0, verbose=False)
    module = build_module(config, inputs, 1000, None)
    if spoil == "gradient":
        parameter = next(getattr(module, network).parameters())

        def spoiled(gradient):
            return gradient.index_fill(0, torch.tensor([0]), value) if module.step_count == BAD else None

        parameter.register_hook(spoiled)
    else:
        plain = module.adversarial.critic
        module.adversarial.critic = lambda *scores: plain(*scores) + (value if module.step_count == BAD else 0)
    snapshots = Snapshots()
    stream = BatchStream(
        inputs.store, inputs.table, image_size=16, batch_size=stage_scale(config).batch_size, seed=0, steps=STEPS
    )
    build_trainer(config, [snapshots], []).fit(module, DataLoader(stream, batch_size=None))
    return snapshots, module


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "64-true"])
@pytest.mark.parametrize("optim", ["adam", "adamw", "rmsprop", "sgd"])
def test_a_step_with_an_infinite_gradient_changes_nothing_and_the_next_one_trains(tiny, precision, optim):
    momentum = ["optim.momentum=0.5", "optim.weight_decay=0.01"] if optim in ("rmsprop", "sgd") else []
    config = tiny(f"optim={optim}", f"trainer.precision={precision}", *momentum)
    snapshots, module = spoiled_run(config, "discriminator", math.inf)
    assert snapshots.changed(BAD) == set()
    moved = snapshots.changed(BAD + 1)
    assert {name.split(".")[0] for name in moved} >= {"discriminator", "generator", "average"}
    assert any("running_var" in name for name in moved)
    assert all(value.isfinite().all() for value in snapshots.states[-1].values() if torch.is_tensor(value))
    assert module.gate.take() == (1 / STEPS, BAD * 8, BAD, "discriminator")


@pytest.mark.parametrize(
    "overrides", [["norm=batch"], ["norm=spectral"], ["norm=conditional_batch"], ["arch.fresh_noise=true"]]
)
def test_the_generators_bad_step_leaves_generator_average_and_running_statistics(tiny, overrides):
    snapshots, module = spoiled_run(tiny(*overrides), "generator", math.nan)
    moved = snapshots.changed(BAD)
    weights = {f"discriminator.{name}" for name, _ in module.discriminator.named_parameters()}
    assert {
        name for name in moved if not name.startswith("discriminator optimizer")
    } <= weights  # its gradient was good
    assert module.gate.take() == (1 / STEPS, BAD * 8, BAD, "generator")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_held_back_though_it_adds_no_gradient(tiny, value):
    snapshots, module = spoiled_run(tiny(), "discriminator", value, spoil="loss")
    assert snapshots.changed(BAD) == set()
    assert module.gate.take().network == "discriminator"


def test_a_gradient_whose_square_overflows_is_held_back(tiny):
    # finite itself; Adam's second moment would be infinite for ever, and the weight would never move again
    snapshots, _ = spoiled_run(tiny(), "discriminator", 1e25)
    assert snapshots.changed(BAD) == set()


@pytest.mark.parametrize("optim", ["adam", "rmsprop", "sgd"])
def test_the_first_step_may_be_the_bad_one(tiny, optim, monkeypatch):
    monkeypatch.setitem(globals(), "BAD", 0)
    momentum = ["optim.momentum=0.5"] if optim != "adam" else []
    snapshots, module = spoiled_run(tiny(f"optim={optim}", *momentum), "discriminator", math.inf)
    assert snapshots.changed(0) == set()
    assert all(value.isfinite().all() for value in snapshots.states[-1].values())
    skipping = [snapshots.states[1][name] for name in snapshots.states[0] if name.startswith("discriminator")]
    assert skipping and module.gate.take().images == 0


@pytest.mark.parametrize("optim", ["adam", "adamw", "rmsprop", "sgd"])
def test_good_steps_are_those_of_torchs_own_optimizer(optim):
    settings = OptimizerSettings(optim, 0.1, weight_decay=0.01, momentum=0.5)
    torch.manual_seed(0)
    ours, theirs = torch.nn.Linear(5, 3), torch.nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    mine = build_optimizer(ours.parameters(), settings)
    reference = {
        "adam": lambda p: torch.optim.Adam(p, 0.1, (0.5, 0.999), weight_decay=0.01),
        "adamw": lambda p: torch.optim.AdamW(p, 0.1, (0.5, 0.999), weight_decay=0.01),
        "rmsprop": lambda p: torch.optim.RMSprop(p, 0.1, weight_decay=0.01, momentum=0.5),
        "sgd": lambda p: torch.optim.SGD(p, 0.1, 0.5, weight_decay=0.01),
    }[optim](theirs.parameters())
    for step in range(6):
        bad = step in (0, 3)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            gradient = torch.randn_like(p)
            p.grad = torch.full_like(p, math.nan) if bad else gradient
            q.grad = gradient
        mine.found_inf = torch.tensor(float(bad))
        mine.step()
        if not bad:
            reference.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def test_a_row_of_the_log_is_the_mean_of_what_was_finite(tiny):
    _, module = spoiled_run(tiny(), "discriminator", math.nan, spoil="loss")
    row = module.averages.take()
    assert all(math.isfinite(value) for value in row.values())
    assert 0.5 < row["loss/d"] < 5  # a mean over the four good steps


def test_of_several_steps_held_back_the_first_is_told():
    gate, optimizer = FiniteGate(), SimpleNamespace()
    for step, norm in enumerate([1.0, math.nan, math.inf, 1.0]):
        gate.begin()
        gate.admit(optimizer, torch.tensor(norm), step % 2, 8 * step, step)
        gate.end()
    assert gate.take() == (0.5, 8, 1, "generator")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("optim", ["adam", "adamw", "rmsprop", "sgd"])
def test_on_a_gpu_a_step_is_held_back_without_the_host_waiting(optim):
    network = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8)).cuda()
    optimizer = build_optimizer(network.parameters(), OptimizerSettings(optim, 0.1, weight_decay=0.01, momentum=0.5))
    gate, x = FiniteGate().cuda(), torch.randn(16, 8, device="cuda")
    gate.watch([network])
    states = []
    for step in range(3):
        torch.cuda.set_sync_debug_mode("error")
        try:
            gate.begin()
            optimizer.zero_grad()
            passes_on(network(x).square().mean() * (math.inf if step == 1 else 1.0)).backward()
            gate.admit(
                optimizer, torch.nn.utils.get_total_norm([p.grad for p in network.parameters()]), 0, 16 * step, step
            )
            optimizer.step()
            gate.end()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        moments = [value for state in optimizer.state.values() for value in state.values() if value.is_cuda]
        states.append([value.clone() for value in (*network.state_dict().values(), *moments)])
    assert all(torch.equal(a, b) for a, b in zip(states[0], states[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(states[1], states[2], strict=True))
    assert gate.take() == (pytest.approx(1 / 3), 16, 1, "discriminator")
