"""On real pictures the scores put into order what people would: how bad each kind of damage is, how varied, how well described.

Strengths are chosen so that each step is plain: EfficientNet-Lite0 is touchy about noise on flat painted colours, where four
grey levels already cost more than a mild blur. The Frechet distance of 120 pictures in 1,280 dimensions is far too large, by the
same amount for all: fit for an order, not for a value.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from stackgan.data.birds import paint, random_individual
from stackgan.data.crop import reference_crop
from stackgan.data.cub import read_cub
from stackgan.data.randomness import generator
from stackgan.evaluation.feature_networks import build_feature_network, efflite0_path
from stackgan.evaluation.frechet_distance import frechet_distance
from stackgan.evaluation.kernel_distance import kernel_distance_of
from stackgan.evaluation.lpips_diversity import Lpips, lpips_diversity
from stackgan.evaluation.weight_files import lpips_files

pytestmark = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)
COUNT, SIDE = 120, 64
CUB10 = Path(__file__).resolve().parents[3] / "shared" / "data" / "cub10"
ORDER = ["unseen", "noise", "blur", "style", "collapse", "junk"]


def painted():
    """uint8 [2 COUNT, 3, SIDE, SIDE] of as many individuals."""
    pictures = []
    for index in range(2 * COUNT):
        rng = generator(0, "ordering test", index)
        pictures.append(np.asarray(paint(random_individual(rng), rng, SIDE).image))
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def photographs():
    """The same of CUB, cropped as the references do, in a shuffled order."""
    if not CUB10.is_dir():
        pytest.skip(f"{CUB10} is not here")
    records = read_cub(CUB10).records
    pictures = []
    for index in generator(0, "ordering test").permutation(len(records))[: 2 * COUNT]:
        picture = Image.open(records[index].path).convert("RGB")
        box = reference_crop(picture.size, records[index].box)
        pictures.append(np.asarray(picture.crop(box).resize((SIDE, SIDE), Image.Resampling.BICUBIC)))
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def damaged(pictures, modes):
    """The pictures in ways that get worse; `modes` is how many of them a collapsed generator draws."""
    draws = torch.Generator().manual_seed(0)
    noise = torch.randn(pictures.shape, generator=draws)
    smooth = F.avg_pool2d(F.pad(pictures.float(), (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return {
        "unseen": pictures,
        "noise": (pictures + 0.5 * noise).round().clamp(0, 255).byte(),
        "blur": smooth.round().byte(),
        "style": pictures // 128 * 255,  # a poster: two levels a colour
        "collapse": pictures[:modes].repeat(COUNT // modes, 1, 1, 1),
        "junk": torch.randint(0, 256, pictures.shape, generator=draws, dtype=torch.uint8),
    }


@pytest.mark.slow
@pytest.mark.parametrize(("source", "modes"), [(painted, 4), (photographs, 8)])
def test_distances_grow_from_unseen_pictures_to_junk(source, modes):
    pictures, network = source(), build_feature_network("efflite0")
    real = network.features(pictures[:COUNT])
    features = {name: network.features(images) for name, images in damaged(pictures[COUNT:], modes).items()}
    for distance in (frechet_distance, lambda a, b: kernel_distance_of(a, b, subsets=20, subset_size=100)[0]):
        found = {name: distance(real, values) for name, values in features.items()}
        assert sorted(found, key=found.__getitem__) == ORDER, found


@pytest.mark.skipif(lpips_files("alex") is None, reason="the packages of requirements/offline.txt are not installed")
def test_diversity_drops_for_a_generator_that_repeats_itself():
    pictures, lpips = painted()[:48].unflatten(0, (12, 4)), Lpips()
    faint = (pictures[:, :1] * 0.9 + pictures * 0.1).byte()  # four pictures that are nearly the same
    diversity = [
        lpips_diversity(lpips, group)[0] for group in (pictures, faint, pictures[:, :1].expand(-1, 4, -1, -1, -1))
    ]
    assert diversity[0] > 2 * diversity[1] > 4 * diversity[2]
    assert diversity[2] == pytest.approx(0, abs=1e-6)
