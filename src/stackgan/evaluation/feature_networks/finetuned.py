"""StackGAN's own protocol: an Inception-v3 fine-tuned on the classes that the scores are measured on."""

from typing import Any

from stackgan.evaluation.feature_networks.trained import TrainedNetwork


class FinetunedInception(TrainedNetwork):
    """Inception-v3 (torchvision's) trained on the test classes, as StackGAN-inception-model's `inception_score.py` uses it.

    Pictures are brought to 299 px bilinearly and scaled to x / 127.5 - 1; the classes' probabilities are the softmax of
    the logits. Near-circular by design: it scores pictures by classes of which it has seen the real ones, so that real
    test pictures score far above real training pictures (22.7 and 5.1 on CUB with the published weights).
    """

    name, resize, feature_dim = "inception_finetuned", "bilinear, antialias, 299", 2048
    side, architecture, split = 299, "torchvision inception_v3", "test"

    @classmethod
    def module(cls, classes: int, *, training: bool = False) -> Any:
        from torchvision.models import inception_v3

        # transform_input would undo ImageNet's mean and deviation; these pictures are in -1..1 already, as the weights want
        return inception_v3(
            weights=None, num_classes=classes, aux_logits=training, transform_input=False, init_weights=training
        )
