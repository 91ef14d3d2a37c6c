"""Several ranks train as one does."""

import pytest
import torch

from stackgan.assembly import synchronises_batchnorm
from stackgan.errors import UserError
from stackgan.training.checkpoint import LAST, read_checkpoint
from stackgan.training.strategy import share_statistics
from support import composed

TWENTY_STEPS = ["trainer.precision=64-true", "images=160", "loss.n_critic=1", "arch.init=scaled", "health.every=1000"]


@pytest.fixture
def weights(train, tmp_path):
    """The networks' weights after a run in a study of its own, and the run's folder name."""

    def of(study, *settings):
        result = train(*TWENTY_STEPS, *settings, f"study={study}")
        assert result.returncode == 0, result.stderr
        (folder,) = tmp_path.glob(f"{study}/*/checkpoints")
        checkpoint = read_checkpoint(folder / LAST)
        assert checkpoint["step_count"] == 20
        return checkpoint["module"], folder.parent.name

    return of


def assert_same(weights, others):
    """Relative to each tensor's length: Adam makes a visible step of the rounding error of a gradient near zero."""
    for key, value in weights.items():
        distance = torch.linalg.vector_norm((others[key] - value).double())
        assert distance <= 1e-8 * torch.linalg.vector_norm(value.double()), key


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["none", "group"])
def test_two_ranks_with_half_the_batch_each_equal_one_rank(weights, norm):
    (one, name), (two, same_name) = (
        weights(f"devices_{devices}", f"norm={norm}", "loss=wgan_gp", f"trainer.devices={devices}")
        for devices in (1, 2)
    )
    assert name == same_name  # the same run: devices are not in its signature
    assert_same(one, two)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_gpus_with_synchronised_batch_norm_equal_one(weights):
    one, two = (weights(f"devices_{n}", "trainer.accelerator=gpu", f"trainer.devices={n}")[0] for n in (1, 2))
    assert_same(one, two)


def test_batch_norm_is_synchronised_where_several_gpus_train(monkeypatch):
    one, two, off, on = (
        composed(*overrides).trainer
        for overrides in (
            [],
            ["trainer=ddp"],
            ["trainer=ddp", "trainer.sync_batchnorm=off"],
            ["trainer=ddp", "trainer.sync_batchnorm=on"],
        )
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [synchronises_batchnorm(t) for t in (one, two, off, on)] == [False, True, False, True]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [synchronises_batchnorm(t) for t in (one, two, off)] == [False, False, False]
    with pytest.raises(UserError, match="needs GPUs"):
        synchronises_batchnorm(on)


def test_batch_norms_running_statistics_become_their_means_over_the_ranks(monkeypatch):
    # the other one of two ranks has this one's numbers plus 2
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda sums: sums.mul_(2).add_(2))
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    norms = [torch.nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3, track_running_stats=False), torch.nn.BatchNorm2d(5)]
    networks = [torch.nn.Sequential(*norms[:2]), norms[2]]
    before = [{name: value.clone() for name, value in network.state_dict().items()} for network in networks]
    share_statistics(networks)
    for network, old in zip(networks, before, strict=True):
        for name, value in network.state_dict().items():
            torch.testing.assert_close(value, old[name] + ("running" in name))
