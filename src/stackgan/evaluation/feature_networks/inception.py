"""The Inception network of the published scores."""

import io
from pathlib import Path

import torch
from torch import Tensor

from stackgan.errors import UserError
from stackgan.evaluation.feature_networks.base import FeatureNetwork, file_hash
from stackgan.evaluation.feature_networks.checkpoint import read_state
from stackgan.evaluation.weight_files import INCEPTION_FILES


class Inception(FeatureNetwork):
    """The Inception network of the published scores (TensorFlow, 2015-12-05), 1,008 logits, TF1's bilinear resize to 299.

    Raises UserError where the file holds anything but its weights.
    """

    name, resize, feature_dim = "inception", "bilinear as TensorFlow 1, 299", 2048

    def __init__(self, path: Path) -> None:
        super().__init__()
        from torchmetrics.image.fid import NoTrainInceptionV3

        # torch-fidelity reads its file with an unpickler that runs what is in it: it is given a copy of the tensors alone
        tensors = io.BytesIO()
        torch.save(read_state(path), tensors)
        tensors.seek(0)
        try:
            self.network = NoTrainInceptionV3(
                name="inception-v3-compat",
                features_list=["2048"],
                feature_extractor_weights_path=tensors,  # type: ignore[arg-type]
                antialias=False,
            )
        except RuntimeError as error:
            raise UserError(f"{path} does not hold the Inception weights; give {INCEPTION_FILES[0]}.") from error
        self.weights = file_hash(path)
        self.eval().requires_grad_(False)

    def pooled(self, images: Tensor) -> Tensor:
        # the network's own forward flattens whatever output comes first; this one is what it is made of
        return self.network._torch_fidelity_forward(images)[0]

    def classes(self, pooled: Tensor) -> Tensor:
        """The logits without their bias, which the published scores leave out (`logits_unbiased`)."""
        return pooled @ self.network.fc.weight.T
