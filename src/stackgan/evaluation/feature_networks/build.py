"""A feature network by its name."""

from pathlib import Path

from stackgan.errors import UserError
from stackgan.evaluation.feature_networks.base import FeatureNetwork
from stackgan.evaluation.feature_networks.checkpoint import Checkpoint, checkpoint_folder, read_checkpoint
from stackgan.evaluation.feature_networks.classifier import Classifier
from stackgan.evaluation.feature_networks.efflite0 import EfficientNetLite0
from stackgan.evaluation.feature_networks.finetuned import FinetunedInception
from stackgan.evaluation.feature_networks.inception import Inception
from stackgan.evaluation.feature_networks.trained import TrainedNetwork
from stackgan.evaluation.weight_files import NETWORKS, official_or_packaged

TRAINED: dict[str, type[TrainedNetwork]] = {network.name: network for network in (FinetunedInception, Classifier)}


def build_feature_network(
    name: str,
    inception_weights: str | None = None,
    *,
    path: Path | str | None = None,
    cache: Path | str | None = None,
    data: str | None = None,
) -> FeatureNetwork:
    """The network of this name; `auto` is inception where its weights are at hand, else efflite0.

    Args:
        inception_weights: file of the official weights; None: the one in torch's cache, if any.
        path: inception_finetuned and classifier: a folder of src/fit_classifier.py, or a plain state dict.
        cache, data: where no path is given: the cache folder and `data_fingerprint` of the store to be judged on.

    Raises:
        UserError: the name is unknown, or the network's weights are not at hand; it says how to get them.
    """
    if name not in NETWORKS:
        raise UserError(f"network={name} is not known; choose one of {', '.join(NETWORKS)}.")
    if name in TRAINED:
        if path is not None:
            return TRAINED[name](read_checkpoint(Path(path)))
        return TRAINED[name](_trained_here(name, cache, data))
    weights = official_or_packaged(name, inception_weights, "network_path" if path else "evaluation.inception_weights")
    if weights is None:
        return EfficientNetLite0()
    return Inception(weights)


def _trained_here(name: str, cache: Path | str | None, data: str | None) -> Checkpoint:
    """The network of this name that was trained on the data set."""
    command = (
        f"run python src/fit_classifier.py network={name} with the settings of this data set (data=... data.root=...)"
    )
    if cache is None or data is None:
        raise UserError(f"network={name} needs a trained network; {command} and give its folder.")
    folder = checkpoint_folder(cache, name, data)
    if not folder.is_dir():
        raise UserError(f"network={name} is not trained on this data set: {folder} is missing; {command}.")
    checkpoint = read_checkpoint(folder)
    if checkpoint.record is None or checkpoint.record.data != data:
        raise UserError(f"network={name}: {folder} was trained on another data set; {command}.")
    return checkpoint
