"""The networks whose features and class probabilities the scores read, frozen, in float32.

A score carries its network's name: `is` for the Inception network of the published scores, `is_efflite0` for the ImageNet
EfficientNet-Lite0 that a package ships, `is_inception_finetuned` and `is_classifier` for networks trained on the data set's
own classes (`fit.py`). They are different quantities.
"""

from stackgan.evaluation.feature_networks.base import FeatureNetwork, file_hash
from stackgan.evaluation.feature_networks.build import TRAINED, build_feature_network
from stackgan.evaluation.feature_networks.checkpoint import Checkpoint, ClassifierRecord, data_fingerprint
from stackgan.evaluation.feature_networks.classifier import Classifier
from stackgan.evaluation.feature_networks.efflite0 import EfficientNetLite0
from stackgan.evaluation.feature_networks.finetuned import FinetunedInception
from stackgan.evaluation.feature_networks.inception import Inception
from stackgan.evaluation.feature_networks.trained import TrainedNetwork
from stackgan.evaluation.weight_files import INCEPTION_FILES, NETWORKS, efflite0_path, inception_path

__all__ = [
    "INCEPTION_FILES",
    "NETWORKS",
    "TRAINED",
    "Checkpoint",
    "Classifier",
    "ClassifierRecord",
    "EfficientNetLite0",
    "FeatureNetwork",
    "FinetunedInception",
    "Inception",
    "TrainedNetwork",
    "build_feature_network",
    "data_fingerprint",
    "efflite0_path",
    "file_hash",
    "inception_path",
]
