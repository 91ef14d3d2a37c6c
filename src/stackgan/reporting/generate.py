"""Captions to pictures with a finished run's generator: one captioned grid, every picture as a PNG, and a manifest."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from stackgan.errors import UserError
from stackgan.progress import progress_bar
from stackgan.reporting.grid import Column, draw_grid
from stackgan.text.encoder import TextEncoder
from stackgan.text.encoders import build_encoder
from stackgan.text.precision import same_encoder
from stackgan.training.bundle import GeneratorBundle, load_bundle
from stackgan.training.noise import picture_noise

GRID_CAPTIONS = 8  # columns of a grid; more captions continue on further grids
BATCH = 16


@dataclass(frozen=True)
class Generated:
    """What `generate` wrote."""

    folder: Path
    grids: list[Path]
    manifest: Path


def generate(
    run: Path,
    captions: list[str],
    count: int,
    seed: int = 0,
    truncation: float = 1.0,
    out: Path | None = None,
    device: str = "cpu",
) -> Generated:
    """Draw `count` pictures of each caption.

    Args:
        run: a run's folder, or its `generator/` folder.
        captions: free text, one or more.
        count: pictures of each caption.
        seed: picture i of caption j has noise number j * count + i of this seed.
        truncation: factor on the noise.
        out: folder; by default <run>/generated/<first words of the first caption>-<digest of all that was asked for>.

    Raises:
        UserError: no bundle in `run`, no caption, or a text encoder that knows no free text.
    """
    captions = [caption.strip() for caption in captions if caption.strip()]
    if not captions:
        raise UserError("no caption: give caption='a small red bird' or captions=<text file with one a line>.")
    if count < 1:
        raise UserError(f"count={count} must be at least 1.")
    bundle = load_bundle(bundle_folder(run), device)
    pictures = draw(bundle, matching_encoder(bundle), captions, count, seed, truncation)
    folder = out or run / "generated" / f"{slug(captions[0])}-{_digest(captions, count, seed, truncation)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); give out=<folder>.") from error
    return write(folder, captions, count, seed, truncation, pictures, bundle)


def _digest(*asked: object) -> str:
    """6 hex digits: other captions, counts or seeds get another folder."""
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:6]


def bundle_folder(run: Path) -> Path:
    """Where a run's bundle is; `run` may be that folder itself."""
    return run if (run / "generator.json").exists() else run / "generator"


def draw(
    bundle: GeneratorBundle,
    encoder: TextEncoder,
    captions: Sequence[str],
    count: int,
    seed: int,
    truncation: float,
    *,
    progress: bool = True,
) -> list[np.ndarray]:
    """`count` pictures of each caption, uint8 [H, W, 3] each; the first caption's come first. See `generate`."""
    device = next(bundle.sampler.parameters()).device
    vectors = torch.from_numpy(encoder.encode(captions)).to(device)  # [captions, T]
    text = vectors.repeat_interleave(count, dim=0)  # [captions * count, T]
    noise = truncation * picture_noise(seed, range(len(text)), bundle.sampler.noise_size).to(device)
    pictures: list[np.ndarray] = []
    with progress_bar(len(text), "img", "drawing", disable=not progress) as bar:
        for part in range(0, len(text), BATCH):
            pixels = bundle.sampler.pixels(text[part : part + BATCH], noise[part : part + BATCH])
            pictures += list(pixels.permute(0, 2, 3, 1).cpu().numpy())
            bar.update(len(pixels))
    return pictures


def matching_encoder(bundle: GeneratorBundle) -> TextEncoder:
    """The text encoder that the generator was trained with, in float32. Raises UserError where another one, or none, is at hand."""
    encoder = build_encoder(bundle.text.name)
    if not same_encoder(encoder.fingerprint(), bundle.text.fingerprint):
        raise UserError(
            f"the text encoder at hand ({encoder.fingerprint()}) is not the one of the training ({bundle.text.fingerprint}); "
            "install the versions of requirements/offline.txt."
        )
    return encoder


def write(
    folder: Path,
    captions: list[str],
    count: int,
    seed: int,
    truncation: float,
    pictures: list[np.ndarray],
    bundle: GeneratorBundle,
) -> Generated:
    """PNGs, manifest.jsonl (one line a picture: file, caption, seed, noise number) and the grids."""
    lines, grids = [], []
    for index, picture in enumerate(pictures):
        name = f"{index // count:04d}-{index % count:02d}.png"
        Image.fromarray(picture).save(folder / name)
        row = {
            "file": name,
            "caption": captions[index // count],
            "seed": seed,
            "noise": index,
            "truncation": truncation,
        }
        lines.append(json.dumps({**row, "signature": bundle.signature}, ensure_ascii=False))
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    columns = [Column(caption, pictures[j * count : (j + 1) * count]) for j, caption in enumerate(captions)]
    for start in range(0, len(columns), GRID_CAPTIONS):
        path = folder / ("grid.png" if len(columns) <= GRID_CAPTIONS else f"grid-{start // GRID_CAPTIONS:03d}.png")
        draw_grid(columns[start : start + GRID_CAPTIONS], [str(i + 1) for i in range(count)]).save(path)
        grids.append(path)
    return Generated(folder, grids, folder / "manifest.jsonl")


def slug(caption: str) -> str:
    """The first words of a caption as a folder name."""
    return "-".join(re.findall(r"[a-z0-9]+", caption.lower())[:6]) or "captions"
