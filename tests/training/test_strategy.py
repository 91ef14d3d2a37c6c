"""Several ranks train as one does."""

import pytest
import torch

from stackgan.training.bundle import load_bundle


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["none", "group"])
def test_two_ranks_with_half_the_batch_each_equal_one_rank(train, tmp_path, norm):
    settings = [
        f"norm={norm}",
        "trainer.precision=64-true",
        "images=80",
        "loss=wgan_gp",
        "loss.n_critic=1",
        "arch.init=scaled",
    ]
    assert train(*settings, "study=one").returncode == 0
    result = train(*settings, "study=two", "trainer.devices=2")
    assert result.returncode == 0, result.stderr
    one, two = (
        load_bundle(next(tmp_path.glob(f"{study}/*/generator"))).sampler.state_dict() for study in ("one", "two")
    )
    assert (
        next(tmp_path.glob("one/*")).name == next(tmp_path.glob("two/*")).name
    )  # the same run: devices are not in its signature
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-6, atol=1e-9)
