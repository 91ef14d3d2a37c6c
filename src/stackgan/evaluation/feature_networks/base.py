"""What every feature network is: frozen, in float32, with pooled features and class logits from one pass."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn


class FeatureNetwork(nn.Module):
    """uint8 pictures [B, 3, H, W] to class logits [B, classes]; frozen, never in train mode, float32 also under autocast.

    A network is written as `pooled` (pictures to features) and `classes` (features to logits); what is called is
    `features`, `forward` or, where both are wanted, `both`, which runs the network once.
    """

    name: str
    resize: str  # how pictures are brought to the network's size, for the record
    weights: str  # sha256 of the weights' file, 16 hex digits
    feature_dim: int

    @property
    def suffix(self) -> str:
        """What the names of this network's scores end with: nothing for the Inception network of the published ones."""
        return "" if self.name == "inception" else f"_{self.name}"

    @property
    def metric(self) -> str:
        """The name of the Inception Score by this network."""
        return f"is{self.suffix}"

    def pooled(self, images: Tensor) -> Tensor:
        """The features before the classes, [B, feature_dim], on the device of the weights."""
        raise NotImplementedError

    def classes(self, pooled: Tensor) -> Tensor:
        """Pooled features [B, feature_dim] to logits [B, classes]."""
        raise NotImplementedError

    def logits(self, images: Tensor) -> Tensor:
        """The whole network."""
        return self.classes(self.pooled(images))

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """uint8 pictures [B, 3, H, W] to logits [B, classes], float32."""
        with torch.autocast(images.device.type, enabled=False):
            return self.logits(images)

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """uint8 pictures [B, 3, H, W] to pooled features [B, feature_dim], float32."""
        with torch.autocast(images.device.type, enabled=False):
            return self.pooled(images)

    @torch.inference_mode()
    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 pictures [B, 3, H, W] to pooled features [B, feature_dim] and logits [B, classes], float32, in one pass."""
        with torch.autocast(images.device.type, enabled=False):
            pooled = self.pooled(images)
            return pooled, self.classes(pooled)

    def train(self, mode: bool = True) -> "FeatureNetwork":
        """Stays in eval mode: a metric's `train()` reaches its feature network."""
        return super().train(False)


def file_hash(path: Path) -> str:
    """sha256 of a file, 16 hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
