"""A run that goes on has all that it had: running means, and each rank its own random state."""

from types import SimpleNamespace

import pytest
import torch

from stackgan.training.averages import Averages
from stackgan.training.checkpoint import LAST, PREVIOUS, random_state, read_checkpoint, restore
from stackgan.training.preemption import StopRequest
from stackgan.training.saving import Checkpoints, SavePlan
from training_support import build_again, same, state, steps

CPU, NEVER = torch.device("cpu"), 10**9


@pytest.fixture
def saves(tmp_path):
    """saves(budget, ...): the callback, writing to tmp_path after the budget's last batch."""
    with StopRequest() as stop:
        yield lambda budget=NEVER, **rest: Checkpoints(tmp_path, SavePlan(NEVER, None, budget), {}, stop, **rest)


@pytest.fixture
def resumed(tiny, tmp_path, saves):
    """The checkpoint after two steps, and a module that has it."""
    config = tiny("dropout=on")
    first = build_again(config)
    first.extra = {"lr_factor": 0.5}
    steps(config, 2, module=first, callbacks=[saves(2 * 8)])
    module, found = build_again(config), read_checkpoint(tmp_path / LAST)
    restore(module, found)
    return SimpleNamespace(config=config, module=module, checkpoint=found)


def test_a_resumed_run_has_the_weights_and_the_means_of_one_that_never_stopped(resumed, saves):
    whole = steps(resumed.config, 4, module=build_again(resumed.config))
    steps(resumed.config, 4, module=resumed.module, callbacks=[saves(resume=resumed.checkpoint)])
    for network in ("generator", "discriminator"):
        assert same(state(getattr(resumed.module, network)), state(getattr(whole, network)))
    means = whole.averages.take()
    assert "loss/d" in means and resumed.module.averages.take() == means
    assert resumed.module.extra == {"lr_factor": 0.5}


def test_what_is_saved_before_the_first_batch_is_what_was_restored(resumed, saves, tmp_path):
    before = read_checkpoint(tmp_path / LAST)
    steps(resumed.config, 3, module=resumed.module, callbacks=[saves(resume=resumed.checkpoint, save_first=True)])
    assert (tmp_path / PREVIOUS).exists()
    assert same(read_checkpoint(tmp_path / LAST), before)


def test_between_two_saves_lie_the_minutes_of_the_plan(tiny, tmp_path, monkeypatch):
    config = tiny()
    module = build_again(config)
    monkeypatch.setattr("time.monotonic", lambda: 30.0 * module.step_count)  # each step takes half a minute
    with StopRequest() as stop:
        callback = Checkpoints(tmp_path, SavePlan(1.0, None, NEVER), {}, stop)
        steps(config, 3, module=module, callbacks=[callback])
    assert callback.saved_images == 16


@pytest.mark.parametrize(("rank", "ranks", "whose"), [(0, 2, 0), (1, 2, 1), (0, 1, 0), (2, 3, 0)])
def test_each_of_as_many_ranks_goes_on_with_its_own_state_else_all_with_the_firsts(saves, rank, ranks, whose):
    saved, draws = [], []
    for seed in range(2):
        averages = Averages()
        averages.add("loss/d", torch.tensor(float(seed)))
        torch.manual_seed(seed)
        saved.append({"random": random_state(CPU), "averages": averages.state()})
        draws.append(torch.rand(3))
    callback = saves(resume={"images_seen": 8, "optimizers": [], "ranks": saved})
    module = SimpleNamespace(averages=Averages(), device=CPU)
    trainer = SimpleNamespace(
        global_rank=rank, world_size=ranks, optimizers=[], strategy=SimpleNamespace(launcher=None)
    )
    callback.on_train_start(trainer, module)
    torch.rand(1)  # as making the loader's iterator does
    callback.on_train_batch_start(trainer, module)
    assert torch.equal(torch.rand(3), draws[whose])
    assert module.averages.take() == {"loss/d": whose}
