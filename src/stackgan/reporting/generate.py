"""Captions to pictures with a finished run's generator: one captioned grid, every picture as a PNG, and a manifest."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import numpy as np
import torch
from PIL import Image

from stackgan.errors import UserError
from stackgan.progress import progress_bar
from stackgan.reporting.grid import Column, draw_grid, save_grid
from stackgan.reporting.picture_folder import MANIFEST, filling, is_finished, slug
from stackgan.text.encoder import TextEncoder
from stackgan.text.encoders import build_encoder
from stackgan.text.minilm_files import DOWNLOAD
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
    """Draw `count` pictures of each caption. A request whose pictures are in its folder already is not drawn again.

    Args:
        run: a run's folder, or its `generator/` folder.
        captions: free text, one or more.
        count: pictures of each caption.
        seed: picture i of caption j has noise number j * count + i of this seed.
        truncation: factor on the noise.
        out: folder; by default <run>/generated/<first words of the first caption>-<digest of all that decides the pictures>.

    Raises:
        UserError: no bundle in `run`, no caption, a text encoder that knows no free text, or a folder with other pictures.
    """
    captions = [caption.strip() for caption in captions if caption.strip()]
    if not captions:
        raise UserError("no caption: give caption='a small red bird' or captions=<text file with one a line>.")
    if count < 1:
        raise UserError(f"count={count} must be at least 1.")
    for caption in captions:
        _check_characters(caption)
    place = bundle_folder(run)
    bundle = load_bundle(place, device)
    encoder = matching_encoder(bundle)
    for caption, remarks in zip(captions, map(encoder.remarks, captions), strict=True):
        if remarks:
            print(f"note: {shorten(caption, 60)!r}: {' '.join(remarks)}", file=sys.stderr)
    manifest = manifest_of(captions, count, seed, truncation, bundle)
    home = run.parent if place == run and run.name.startswith("generator") else run
    digest = hashlib.sha256(manifest.encode()).hexdigest()[:8]
    folder = out or home / "generated" / f"{slug(captions[0])}-{digest}"
    names = grid_names(len(captions))
    files = [*files_of(manifest), *names]
    if not is_finished(folder, manifest, files):
        pictures = draw(bundle, encoder, captions, count, seed, truncation)
        try:
            with filling(folder) as temporary:
                write(temporary, captions, count, pictures, manifest)
        except OSError as error:
            raise UserError(f"{folder} cannot be written ({error.strerror}); give out=<folder>.") from error
        is_finished(folder, manifest, files)  # another request may have filled the same out= in the meantime
    return Generated(folder, [folder / name for name in names], folder / MANIFEST)


def _check_characters(caption: str) -> None:
    try:
        caption.encode()
    except UnicodeEncodeError as error:
        shown = caption.encode("utf-8", "backslashreplace").decode()
        raise UserError(f"caption={shown} is not UTF-8; type it in a terminal whose encoding is UTF-8.") from error


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
            + (DOWNLOAD if encoder.name == "multilingual" else "install the versions of requirements/offline.txt.")
        )
    return encoder


def manifest_of(captions: Sequence[str], count: int, seed: int, truncation: float, bundle: GeneratorBundle) -> str:
    """One line of JSON a picture: its file, and all that decides it, the generator's weights and the kind of device too."""
    lines = []
    device = next(bundle.sampler.parameters()).device.type
    for noise in range(len(captions) * count):
        row = {
            "file": f"{noise // count:04d}-{noise % count:02d}.png",
            "caption": captions[noise // count],
            "seed": seed,
            "noise": noise,
            "truncation": truncation,
            "signature": bundle.signature,
            "generator": bundle.identity,
            "device": device,
        }
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines)


def files_of(manifest: str) -> list[str]:
    """The files of the pictures that a manifest lists."""
    return [json.loads(line)["file"] for line in manifest.split("\n")[:-1]]  # a caption may hold other line separators


def grid_names(captions: int) -> list[str]:
    """The files of the grids of so many captions."""
    if captions <= GRID_CAPTIONS:
        return ["grid.png"]
    return [f"grid-{start // GRID_CAPTIONS:03d}.png" for start in range(0, captions, GRID_CAPTIONS)]


def write(folder: Path, captions: Sequence[str], count: int, pictures: list[np.ndarray], manifest: str) -> None:
    """The pictures as PNGs, the grids, and the manifest (`manifest_of`) that lists the pictures."""
    for name, picture in zip(files_of(manifest), pictures, strict=True):
        Image.fromarray(picture).save(folder / name)
    columns = [Column(caption, pictures[j * count : (j + 1) * count]) for j, caption in enumerate(captions)]
    for i, name in enumerate(grid_names(len(columns))):
        shown = columns[i * GRID_CAPTIONS : (i + 1) * GRID_CAPTIONS]
        save_grid(draw_grid(shown, [str(j + 1) for j in range(count)]), folder / name)
    (folder / MANIFEST).write_bytes(manifest.encode())
