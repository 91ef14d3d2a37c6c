"""What the networks trained on a data set's own classes share."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stackgan.data.records import Split
from stackgan.errors import UserError
from stackgan.evaluation.feature_networks.base import FeatureNetwork
from stackgan.evaluation.feature_networks.checkpoint import Checkpoint

AUXILIARY = "AuxLogits."  # torchvision's second classifier, which only training uses


class TrainedNetwork(FeatureNetwork):
    """A classifier of a data set's classes, from its checkpoint. Its last layer is `fc`; what enters it are the features.

    Raises UserError where the checkpoint belongs to another network.
    """

    side: ClassVar[int]  # of the pictures that the network reads, in pixels
    architecture: ClassVar[str]
    split: ClassVar[Split]  # whose classes it learns

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        # copies of its own: tensors mapped from a file lie unaligned, and their products then differ in the last digits
        state = {name: tensor.clone() for name, tensor in checkpoint.state.items() if not name.startswith(AUXILIARY)}
        foreign = UserError(f"{checkpoint.path} holds no {self.architecture} as {self.name} reads it.")
        if "fc.bias" not in state or (checkpoint.record and checkpoint.record.network != self.name):
            raise foreign
        with torch.device("meta"):  # no initial weights: they would cost time and draw from the global random state
            module = self.module(len(state["fc.bias"]))
        try:
            module.load_state_dict(state, assign=True)
        except RuntimeError as error:
            raise foreign from error
        module.float()
        self.head, module.fc = module.fc, nn.Identity()
        self.body = module
        self.weights, self.record = checkpoint.weights, checkpoint.record
        self.eval().requires_grad_(False)

    @classmethod
    def module(cls, classes: int, *, training: bool = False) -> Any:
        """A new network with `classes` outputs; its last layer is `fc`. `training`: with initial weights worth training."""
        raise NotImplementedError

    @classmethod
    def scaled(cls, images: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] to [B, 3, side, side] in -1..1: bilinear as PIL's (antialiased where it shrinks), x / 127.5 - 1."""
        x = images.float()
        if x.shape[-2:] != (cls.side, cls.side):
            x = F.interpolate(x, size=(cls.side, cls.side), mode="bilinear", antialias=True, align_corners=False)
        return x / 127.5 - 1

    def pooled(self, images: Tensor) -> Tensor:
        return self.body(self.scaled(images))

    def classes(self, pooled: Tensor) -> Tensor:
        return self.head(pooled)
