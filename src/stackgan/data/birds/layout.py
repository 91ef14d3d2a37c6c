"""Writes a set of painted birds in the layout of CUB-200-2011, captions and segmentations included."""

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from stackgan.data.birds.attributes import attribute_names, attribute_vector
from stackgan.data.birds.captions import write_captions
from stackgan.data.birds.painter import PARTS, paint
from stackgan.data.birds.species import SPECIES_COUNT, Species, all_species, draw_individual
from stackgan.data.files import exclusive
from stackgan.errors import UserError
from stackgan.progress import progress_bar

PAINTER_VERSION = 4  # raise it when the same request would paint other pictures
REQUEST_FILE = "birds.json"
_CERTAINTIES = ("not visible", "guessing", "probably", "definitely")
_IN_PROCESS_LIMIT = 100  # starting processes costs more than painting this many birds


@dataclass(frozen=True)
class _Painted:
    """What the annotation files need to know about one image."""

    name: str
    class_id: int
    in_training_half: bool
    box: tuple[float, float, float, float]
    parts: dict[str, tuple[float, float] | None]
    attributes: np.ndarray  # float32 [312]


def paint_birds(
    root: Path,
    *,
    classes: int = 200,
    images_per_class: int = 20,
    size: int = 320,
    seed: int = 0,
    workers: int | None = None,
) -> Path:
    """Paint `classes` x `images_per_class` birds into `root` and return it; nothing is done if they are there already.

    Each image is a function of (seed, class id, number within the class) alone: a larger set contains the smaller one,
    and `workers` (processes; None: one a core) changes no byte. The folder appears under its name only
    when it is complete.
    Raises UserError for an impossible request, or if `root` holds something else.
    """
    root = Path(root)
    if check_birds(root, classes, images_per_class, size, seed):
        return root
    request = _checked_request(classes, images_per_class, size, seed)
    with exclusive(root) as alone:
        if check_birds(root, classes, images_per_class, size, seed):  # by the process that was waited for
            return root
        if alone:
            _remove_leftovers(root)
        temporary = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
        try:
            _write_all(temporary, all_species()[:classes], images_per_class, size, seed, workers or _usable_cores())
            (temporary / REQUEST_FILE).write_text(json.dumps(request, indent=2) + "\n", encoding="utf-8")
            temporary.chmod(0o755)
            _move_into_place(temporary, root, request)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return root


def _remove_leftovers(root: Path) -> None:
    """What killed processes had painted of this set."""
    for leftover in root.parent.glob(f".{glob.escape(root.name)}-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def check_birds(root: Path | None, classes: int, images_per_class: int, size: int, seed: int) -> bool:
    """Whether this set is painted at `root` already (None: the folder is the cache's own).

    Raises UserError for an impossible request, or if `root` holds something else.
    """
    request = _checked_request(classes, images_per_class, size, seed)
    return root is not None and _holds(root, request)


def _checked_request(classes: int, images_per_class: int, size: int, seed: int) -> dict[str, int]:
    if not 1 <= classes <= SPECIES_COUNT:
        raise UserError(
            f"data.classes={classes}: there are {SPECIES_COUNT} painted species; give 1 to {SPECIES_COUNT}."
        )
    if images_per_class < 1:
        raise UserError(f"data.images_per_class={images_per_class}: give at least 1.")
    if size < 64:
        raise UserError(f"data.picture_size={size}: painted birds need images of at least 64 pixels; give 64 or more.")
    if seed < 0:
        raise UserError(f"data.seed={seed}: give 0 or a positive number.")
    values = {"classes": classes, "images_per_class": images_per_class, "size": size, "seed": seed}
    return {"painter_version": PAINTER_VERSION, **values}


def _holds(root: Path, request: dict[str, int]) -> bool:
    """Whether `root` is this request's finished set. Absent or empty: no. Anything else is the user's: an error."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / REQUEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found == request:
        return True
    what = "another set of painted birds" if isinstance(found, dict) else "something other than painted birds"
    raise UserError(f"{root} holds {what}; move it away, or choose another data.cache.")


def _move_into_place(temporary: Path, root: Path, request: dict[str, int]) -> None:
    try:
        os.replace(temporary, root)  # also over an empty folder
    except OSError:
        if not _holds(root, request):  # another process may have finished the same set meanwhile
            raise


def _write_all(root: Path, species: tuple[Species, ...], count: int, size: int, seed: int, workers: int) -> None:
    paint_one = partial(_paint_class, root=root, count=count, size=size, seed=seed)
    images: list[_Painted] = []
    with progress_bar(len(species) * count, "image", "painting birds") as progress:
        for painted in _map(paint_one, species, workers if len(species) * count > _IN_PROCESS_LIMIT else 1):
            images += painted
            progress.update(len(painted))
    _write_tables(root, species, images)
    _write_attributes(root / "attributes", species, images)


def _map(task: partial[list[_Painted]], species: tuple[Species, ...], workers: int) -> Iterator[list[_Painted]]:
    """Results in the order of `species`. Processes are spawned: forking a process with threads (torch) is unsafe."""
    if workers == 1:
        yield from map(task, species)
        return
    with ProcessPoolExecutor(min(workers, len(species)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(task, species)


def _paint_class(species: Species, *, root: Path, count: int, size: int, seed: int) -> list[_Painted]:
    """Paint the images of one class with their captions and segmentations."""
    for folder in ("images", "segmentations", "text"):
        (root / folder / species.folder).mkdir(parents=True)
    painted = []
    for number in range(1, count + 1):
        rng = np.random.default_rng([seed, species.class_id, number])
        individual = draw_individual(species, rng)
        captions = write_captions(individual, rng, 10)
        in_training_half = bool(rng.random() < 0.5)
        painting = paint(individual, rng, size)
        stem = f"{species.folder}/{species.name}_{number:04d}"
        painting.image.save(root / "images" / f"{stem}.jpg", quality=95, subsampling="4:4:4")
        painting.mask.save(root / "segmentations" / f"{stem}.png", compress_level=3)
        (root / "text" / f"{stem}.txt").write_text("\n".join(captions) + "\n", encoding="utf-8")
        vector = attribute_vector(individual)
        painted.append(
            _Painted(f"{stem}.jpg", species.class_id, in_training_half, painting.box, painting.parts, vector)
        )
    return painted


def _write_tables(root: Path, species: tuple[Species, ...], images: list[_Painted]) -> None:
    numbered = list(enumerate(images, start=1))
    _write_lines(root / "images.txt", (f"{i} {image.name}" for i, image in numbered))
    _write_lines(root / "classes.txt", (f"{kind.class_id} {kind.folder}" for kind in species))
    _write_lines(root / "image_class_labels.txt", (f"{i} {image.class_id}" for i, image in numbered))
    _write_lines(root / "train_test_split.txt", (f"{i} {int(image.in_training_half)}" for i, image in numbered))
    _write_lines(
        root / "bounding_boxes.txt", (f"{i} {' '.join(f'{v:.1f}' for v in image.box)}" for i, image in numbered)
    )
    (root / "parts").mkdir()
    _write_lines(root / "parts" / "parts.txt", (f"{j} {part}" for j, part in enumerate(PARTS, start=1)))
    _write_lines(root / "parts" / "part_locs.txt", (line for i, image in numbered for line in _part_lines(i, image)))


def _part_lines(image_id: int, image: _Painted) -> Iterator[str]:
    for part_id, part in enumerate(PARTS, start=1):
        point = image.parts[part]
        yield (
            f"{image_id} {part_id} 0.0 0.0 0"
            if point is None
            else f"{image_id} {part_id} {point[0]:.1f} {point[1]:.1f} 1"
        )


def _write_attributes(folder: Path, species: tuple[Species, ...], images: list[_Painted]) -> None:
    """In the archive attributes.txt lies one level above CUB_200_2011/; here all four files are together."""
    folder.mkdir()
    _write_lines(folder / "attributes.txt", (f"{j} {name}" for j, name in enumerate(attribute_names(), start=1)))
    _write_lines(folder / "certainties.txt", (f"{j} {name}" for j, name in enumerate(_CERTAINTIES, start=1)))
    surely = len(_CERTAINTIES)
    _write_lines(
        folder / "image_attribute_labels.txt",
        (
            f"{i} {j} {int(present)} {surely} 1.0"
            for i, image in enumerate(images, start=1)
            for j, present in enumerate(image.attributes.tolist(), start=1)
        ),
    )
    by_class = {kind.class_id: [im.attributes for im in images if im.class_id == kind.class_id] for kind in species}
    percentages = (100.0 * np.stack(by_class[kind.class_id]).mean(axis=0, dtype=np.float64) for kind in species)
    _write_lines(
        folder / "class_attribute_labels_continuous.txt",
        (" ".join(f"{v:.10g}" for v in row.tolist()) for row in percentages),
    )


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
