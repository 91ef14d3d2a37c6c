"""The regulariser of Conditioning Augmentation (StackGAN section 3.1)."""

from torch import Tensor

from stackgan.networks.layers import full_precision


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, I)), [B, C] x 2 -> [].

    Averaged over the batch *and* the dimensions, as in both references, which weigh it by 2.0. In at least float32.
    """
    mean, log_variance = full_precision(mean), full_precision(log_variance)
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
