"""CLIPScore (Hessel et al. 2021, arXiv 2104.08718) with CLIP weights that the user has; nothing is downloaded.

Each picture scores max(100 cos(picture, caption), 0), the scale of torchmetrics: the paper multiplies by 2.5 instead of 100
and begins every caption with "A photo depicts". Values of different CLIP weights cannot be compared.
"""

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stackgan.errors import UserError

TEXTS = 256  # captions embedded at a time


class ClipScorer:
    """CLIP's two encoders, frozen, in float32, with CLIP's own resizing of pictures and cutting of captions (77 tokens).

    Args:
        source: a folder with config.json, model.safetensors and the tokenizer's files, as `save_pretrained` writes it, or the
            name of a model in the local Hugging Face cache, such as openai/clip-vit-base-patch32.

    Attributes:
        name: `clip_` and the folder's or the model's own name.
        weights: sha256 of the weights' files, 16 hex digits.

    Raises:
        UserError: transformers is not installed, or the folder or the cache does not hold the model.
    """

    def __init__(self, source: str, device: torch.device | str = "cpu") -> None:
        if find_spec("transformers") is None:
            raise UserError("CLIPScore needs the package transformers; run python -m pip install transformers.")
        from transformers import CLIPModel, CLIPProcessor

        folder = _folder(source)
        files = _weight_files(folder)
        if not files or not (folder / "config.json").is_file():
            raise UserError(f"{folder} lacks config.json or model.safetensors; {_WANTED}.")
        try:
            self._model: Any = CLIPModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
            self._processor: Any = CLIPProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{folder} holds no complete CLIP model ({_first_line(error)}); {_WANTED}.") from error
        self._model.eval().requires_grad_(False).to(device)
        self.name = f"clip_{source.rstrip('/').rsplit('/', 1)[-1]}"
        self.weights = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]

    @torch.inference_mode()
    def image_vectors(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, H, W] -> CLIP's vectors of the pictures [B, E], float32 on the CPU."""
        device = self._model.device
        pixels = self._processor(images=list(images.cpu()), return_tensors="pt").to(device)
        with torch.autocast(device.type, enabled=False):
            return _vectors(self._model.get_image_features(**pixels))

    @torch.inference_mode()
    def text_vectors(self, captions: Sequence[str]) -> Tensor:
        """CLIP's vectors of captions [N, E], float32 on the CPU."""
        device = self._model.device
        parts = []
        for start in range(0, len(captions), TEXTS):
            part = list(captions[start : start + TEXTS])
            tokens = self._processor(text=part, return_tensors="pt", padding=True, truncation=True).to(device)
            with torch.autocast(device.type, enabled=False):
                parts.append(_vectors(self._model.get_text_features(**tokens)))
        return torch.cat(parts)

    def to(self, device: torch.device | str) -> "ClipScorer":
        """The same on another device."""
        self._model.to(device)
        return self


def _vectors(found: Any) -> Tensor:
    """Since version 5 of transformers the projected vectors come wrapped."""
    vectors: Tensor = getattr(found, "pooler_output", found)
    return vectors.cpu()


def clip_scores(pictures: Tensor, texts: Tensor) -> Tensor:
    """max(100 cos, 0) of each picture's vector and its caption's, [N, E] each -> float64 [N], 0..100.

    Raises ValueError where there are not as many of one as of the other.
    """
    if len(pictures) != len(texts):
        raise ValueError(f"{len(texts)} captions for {len(pictures)} pictures")
    return 100 * F.cosine_similarity(pictures.double(), texts.double()).clamp(min=0)


_WANTED = "give the folder of a CLIP model as `save_pretrained` writes it, or the name of one in the Hugging Face cache"


def _folder(source: str) -> Path:
    """The given folder, or that of the model in the Hugging Face cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if Path(source).is_dir():
        return Path(source)
    try:
        return Path(snapshot_download(source, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise UserError(
            f"no CLIP model {source} is here, as a folder or in the Hugging Face cache; {_WANTED}."
        ) from error


def _weight_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
