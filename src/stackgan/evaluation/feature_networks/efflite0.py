"""The ImageNet network that a package ships, so that scores need no download."""

import torch
import torch.nn.functional as F
from torch import Tensor

from stackgan.errors import UserError
from stackgan.evaluation.feature_networks.base import FeatureNetwork, file_hash
from stackgan.evaluation.weight_files import efflite0_path
from stackgan.install import offline_packages


class EfficientNetLite0(FeatureNetwork):
    """ImageNet EfficientNet-Lite0 (Tan & Le 2019; the Lite weights), 1,000 classes, pictures at 128 px."""

    name, resize, feature_dim = "efflite0", "bilinear, antialias, 128", 1280

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        path = efflite0_path()
        if path is None:
            raise UserError(f"the feature network efflite0 is not installed: {offline_packages()}")
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.weights = file_hash(path)
        self.eval().requires_grad_(False)

    def pooled(self, images: Tensor) -> Tensor:
        x = F.interpolate(images.float(), size=(128, 128), mode="bilinear", antialias=True, align_corners=False)
        x = (x - 127) / 128  # the Lite networks' own scaling
        return self.network.extract_features(x).mean(dim=(2, 3))

    def classes(self, pooled: Tensor) -> Tensor:
        return self.network._fc(pooled)
