"""The Inception Score against closed forms, and what surrounds it."""

import math
import warnings

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torchmetrics.image.inception import InceptionScore

from stackgan.evaluation.feature_networks import FeatureNetwork
from stackgan.evaluation.inception_score import SeededInceptionScore, inception_score_of
from support import slow

CPU = torch.device("cpu")


def inception_score(network, images, splits, seed, device):
    """By the metric, of uint8 batches [B, 3, H, W]; with several ranks, of all their pictures."""
    metric = SeededInceptionScore(network, splits, seed).to(device)
    for batch in images:
        metric.update(batch.to(device))
    mean, std = metric.compute()
    return float(mean), float(std)


class ClassByBrightness(FeatureNetwork):
    """A sure classifier: the value of the first pixel is the class, of 8."""

    name, metric, resize, weights, feature_dim = "test", "is_test", "none", "0", 8

    def __init__(self, sharpness: float = 300.0) -> None:
        super().__init__()
        self.sharpness = sharpness

    def logits(self, images):
        return self.sharpness * nn.functional.one_hot(images[:, 0, 0, 0].long(), 8).float()


def pictures(classes):
    return torch.tensor(classes, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4)


@pytest.mark.parametrize("classes", [1, 2, 5, 8])
def test_sure_and_evenly_spread_over_k_classes_is_k(classes):
    images = pictures([i % classes for i in range(40 * classes)])
    mean, std = inception_score(ClassByBrightness(), [images], splits=1, seed=0, device=CPU)
    assert mean == pytest.approx(classes, rel=1e-9)
    assert std == 0


def test_unsure_of_everything_is_one():
    mean, _ = inception_score(ClassByBrightness(0.0), [pictures([0, 1, 2, 3] * 10)], splits=2, seed=0, device=CPU)
    assert mean == pytest.approx(1)


def test_it_equals_the_formula_in_float64_on_soft_probabilities():
    torch.manual_seed(0)
    images = pictures(torch.randint(0, 8, (64,)).tolist())
    mean, std = inception_score(ClassByBrightness(2.0), [images], splits=4, seed=5, device=CPU)
    generator = torch.Generator().manual_seed(5)
    order = torch.randperm(64, generator=generator)
    p = (2.0 * nn.functional.one_hot(images[order, 0, 0, 0].long(), 8).double()).softmax(1)
    scores = torch.stack([(q * (q.log() - q.mean(0, keepdim=True).log())).sum(1).mean().exp() for q in p.chunk(4)])
    assert mean == pytest.approx(scores.mean().item(), rel=1e-12)
    assert std == pytest.approx(scores.std(correction=0).item(), rel=1e-9)


def test_saturated_logits_give_a_number():
    images = pictures([0, 1] * 10)
    mean, _ = inception_score(
        ClassByBrightness(300.0), [images], splits=1, seed=0, device=CPU
    )  # float32 would give NaN
    assert mean == pytest.approx(2)


def test_batches_do_not_matter_and_training_randomness_is_left_alone():
    images = pictures([i % 8 for i in range(48)])
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    whole = inception_score(ClassByBrightness(2.0), [images], splits=4, seed=0, device=CPU)
    assert torch.equal(torch.rand(3), expected)
    assert whole == inception_score(ClassByBrightness(2.0), images.split(7), splits=4, seed=0, device=CPU)


def test_fewer_pictures_than_splits_is_refused():
    with pytest.raises(ValueError, match="3 pictures"):
        inception_score(ClassByBrightness(), [pictures([0, 1, 2])], splits=10, seed=0, device=CPU)


def test_of_logits_it_is_what_it_is_of_pictures():
    images = pictures(torch.randint(0, 8, (50,), generator=torch.Generator().manual_seed(0)).tolist())
    network = ClassByBrightness(2.0)
    whole = inception_score(network, [images], splits=4, seed=3, device=CPU)
    assert inception_score_of(network(images), 4, 3) == whole
    assert inception_score_of(network(images), 4, 4) != whole


def test_a_mixture_of_known_distributions_is_exp_of_its_mutual_information():
    sure, torn = [0.7, 0.2, 0.1], [0.1, 0.45, 0.45]
    logits = torch.tensor([sure, torn]).log().repeat(30, 1)
    mean = [0.4, 0.325, 0.275]
    information = sum(p * math.log(p / q) for row in (sure, torn) for p, q in zip(row, mean, strict=True)) / 2
    assert inception_score_of(logits, splits=1)[0] == pytest.approx(math.exp(information), rel=1e-6)


def test_as_many_splits_as_asked_for_where_they_do_not_divide_the_pictures():
    logits = torch.randn(11, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(0))
    p = logits[order].softmax(1)
    parts = [p[i * 11 // 4 : (i + 1) * 11 // 4] for i in range(4)]  # 2, 3, 3, 3
    scores = [(q * (q.log() - q.mean(0).log())).sum(1).mean().exp().item() for q in parts]
    assert inception_score_of(logits, splits=4)[0] == pytest.approx(sum(scores) / 4, rel=1e-12)
    assert inception_score_of(logits, splits=10)[1] > 0  # torchmetrics would make 6


def test_classes_of_probability_zero_add_nothing():
    logits = 5000 * nn.functional.one_hot(torch.arange(40) % 4, 8).float()  # exp(-5000) is 0 in float64 too
    assert inception_score_of(logits, splits=1)[0] == pytest.approx(4, rel=1e-12)


@pytest.mark.parametrize(
    ("logits", "splits", "message"),
    [
        (torch.zeros(9, 4), 10, "9 pictures cannot be divided into 10"),
        (torch.zeros(9, 4), 0, "splits=0"),
        (torch.full((9, 4), torch.nan), 1, "logits: features hold NaN"),
    ],
)
def test_logits_that_have_no_score_are_refused(logits, splits, message):
    with pytest.raises(ValueError, match=message):
        inception_score_of(logits, splits)


def test_train_mode_does_not_reach_the_network():
    metric = SeededInceptionScore(ClassByBrightness())
    metric.train()
    assert not metric.inception.training


CLASSES = [(3 * i) % 7 for i in range(65)]  # two ranks have 32 and 33: unequal shares, and numbers of batches


def score_on_rank(rank, world_size, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world_size)
    images = pictures(CLASSES)
    share = images[len(CLASSES) * rank // world_size : len(CLASSES) * (rank + 1) // world_size]
    result = inception_score(ClassByBrightness(2.0), share.split(8), splits=5, seed=0, device=CPU)
    torch.save(result, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("world_size", [2, slow(3)])
def test_several_ranks_score_all_their_pictures(tmp_path, world_size):
    mp.spawn(score_on_rank, (world_size, str(tmp_path)), nprocs=world_size)
    alone = inception_score(ClassByBrightness(2.0), [pictures(CLASSES)], splits=5, seed=0, device=CPU)
    for rank in range(world_size):
        assert torch.load(tmp_path / f"{rank}.pt") == pytest.approx(alone, rel=1e-12)


def test_the_mean_is_torchmetrics_where_the_splits_divide_the_pictures():
    logits = 3 * torch.randn(120, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it keeps all features
        theirs = InceptionScore(feature=torch.nn.Identity(), splits=4)
    theirs.update(logits)
    torch.manual_seed(5)  # it shuffles by the global generator
    mean, _ = theirs.compute()
    assert inception_score_of(logits, splits=4, seed=5)[0] == pytest.approx(mean.item(), rel=1e-9)
