"""The process that a run lives in: its threads, its warnings, and which of several ranks speaks."""

import logging
import warnings

import torch
from pytorch_lightning.utilities import rank_zero_only

from stackgan.config import Config
from stackgan.errors import UserError

HARMLESS = (  # Lightning's advice that does not apply: batches come from memory, and some networks are frozen on purpose
    ".*does not have many workers.*",
    ".*IterableDataset.*__len__.*",
    ".*number of training batches.*smaller than the logging interval.*",
    ".*in eval mode at the start of training.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
    ".*Total length of .* across ranks is zero.*",  # only the scores are left to do
)


def prepare_process(config: Config) -> None:
    """Threads, denormals, and the warnings that a run like ours cannot do anything about."""
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    torch.set_flush_denormal(True)  # they slow a CPU down as a network converges
    torch.set_float32_matmul_precision("high")
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in HARMLESS:
        warnings.filterwarnings("ignore", message=message)


def is_first_rank() -> bool:
    """Whether this process is the one that writes; known from the environment before any process group is."""
    return getattr(rank_zero_only, "rank", 0) == 0


@rank_zero_only
def say(text: str) -> None:
    """Print it once, however many ranks there are."""
    print(text, flush=True)


def find_device(name: str) -> str:
    """`auto`, `cpu` or `cuda` as torch calls it. Raises UserError for a GPU that is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: torch sees no GPU here; take device=cpu.")
    return name
