"""The generator a run leaves behind: weights as safetensors and everything else as JSON; nothing in it can run code."""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from stackgan.errors import UserError
from stackgan.networks.stage_one import StageOneGenerator
from stackgan.networks.stage_two import StageTwoGenerator
from stackgan.networks.text_to_image import TextToImage, TextWhitener
from stackgan.text.precision import weights_part


@dataclass(frozen=True)
class TextEncoderId:
    """Which encoder made the embeddings that the generator was trained on."""

    name: str
    fingerprint: str
    dim: int


@dataclass(frozen=True)
class GeneratorBundle:
    """A `TextToImage` with what is needed to use it: `generator/weights.safetensors` + `generator/generator.json`.

    Attributes:
        origin: all that it came from: the settings that act, what it stands on, data, code, device.
    """

    sampler: TextToImage
    text: TextEncoderId
    signature: str = ""
    images: int = 0
    origin: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def identity(self) -> str:
        """12 hex digits of the weights and the text encoder: a run that was trained on, or trained again, has another."""
        digest = hashlib.sha256(weights_part(self.text.fingerprint).encode())
        for name, tensor in sorted(self.sampler.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:12]

    def save(self, folder: Path) -> None:
        """Write the bundle's folder as a whole: a reader finds the old one or the new one."""
        temporary = folder.with_name(f".{folder.name}.new.part")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in self.sampler.state_dict().items()}
        (temporary / "weights.safetensors").write_bytes(save(weights))  # a full disk is an OSError this way
        stage_two = self.sampler.stage_two
        about: dict[str, Any] = {
            "format": 1,
            "stage_one": self.sampler.stage_one.settings,
            "stage_two": None if stage_two is None else stage_two.settings,
            "text": asdict(self.text),
            "text_components": self.sampler.whitener.components,
            "image_size": self.sampler.image_size,
            "signature": self.signature,
            "images": self.images,
            "origin": self.origin,
        }
        (temporary / "generator.json").write_text(json.dumps(about, indent=1) + "\n")
        if folder.exists():
            old = folder.with_name(f".{folder.name}.old.part")
            shutil.rmtree(old, ignore_errors=True)
            os.replace(folder, old)
            os.replace(temporary, folder)
            shutil.rmtree(old)
        else:
            os.replace(temporary, folder)


def load_bundle(folder: Path, device: torch.device | str = "cpu") -> GeneratorBundle:
    """Read a run's `generator/` folder. Raises UserError where it is missing or damaged."""
    try:
        about = json.loads((folder / "generator.json").read_text())
        one = StageOneGenerator(**settings_of(about["stage_one"]))
        two = StageTwoGenerator(**settings_of(about["stage_two"])) if about["stage_two"] else None
        text = TextEncoderId(**about["text"])
        sampler = TextToImage(one, two, TextWhitener(text.dim, about["text_components"]))
        sampler.load_state_dict(load_file(folder / "weights.safetensors"))
        bundle = GeneratorBundle(sampler, text, about["signature"], about["images"], about.get("origin", {}))
    except FileNotFoundError as error:
        raise UserError(f"{folder} is no generator bundle: {Path(error.filename or '').name} is missing.") from error
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{folder} is a damaged generator bundle: {str(error).splitlines()[0]}") from error
    sampler.to(device).requires_grad_(False)
    return bundle


def settings_of(saved: dict[str, Any]) -> dict[str, Any]:
    """A network's constructor arguments from what its `settings` say."""
    return {key: value for key, value in saved.items() if key != "stage"}
