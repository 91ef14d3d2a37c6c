"""A small network of a data set's own: quick to train on a CPU, at the size of Stage I's pictures."""

import itertools
from typing import Any

from torch import Tensor, nn

from stackgan.evaluation.feature_networks.trained import TrainedNetwork


class SmallConvolutional(nn.Module):
    """Pictures [B, 3, 64, 64] in -1..1 to logits [B, classes]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (32, 64, 128, 256)
        layers: list[nn.Module] = [nn.Conv2d(3, 32, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
        for i, o in itertools.pairwise(widths):
            layers += [nn.MaxPool2d(2)] if i > 32 else []
            layers += [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)  # [B, 256, 8, 8]
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(256, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(self.convolutions(x).mean(dim=(2, 3))))


class Classifier(TrainedNetwork):
    """A small convolutional network trained on the training classes; its features are the last layer's means over the picture."""

    name, resize, feature_dim = "classifier", "bilinear, antialias, 64", 256
    side, architecture, split = 64, "small convolutional, 64 px", "train"

    @classmethod
    def module(cls, classes: int, *, training: bool = False) -> Any:
        return SmallConvolutional(classes)
