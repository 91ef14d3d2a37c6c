"""Sample grids of all runs as small WebP sheets, within a budget of bytes: the same captions and noise, side by side, over time.

A sheet holds the pictures of one grid without gaps: a column for each caption, a row for each noise. Where there are too many,
fewer time points are shown, then coarser pictures; the page says so.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from stackgan.reporting.grid import grid_layout, grid_pictures
from stackgan.reporting.page.collect import RunRecord, Sample
from stackgan.reporting.page.files import text

ENOUGH, MOST = (
    6,
    16,
)  # time points: pictures get coarser before there are fewer than ENOUGH; MOST are plenty for a slider, and packed in seconds
WHOLE = 1024  # width in pixels of a grid that cannot be taken apart
REAL = "real"  # label of the row of real pictures
WEBP_SIDE = 16_000  # pixels; the format ends at 16,383
PROBES = 3  # runs of a gallery whose sheets are packed to learn how large they get


class Fineness(NamedTuple):
    """How finely sheets are packed."""

    quality: int  # of WebP, 0 to 100
    side: int  # greatest side of a picture in pixels


LADDER = (
    Fineness(82, 256),
    Fineness(68, 256),
    Fineness(68, 128),
    Fineness(52, 128),
    Fineness(45, 64),
    Fineness(35, 32),
)


class Frame(NamedTuple):
    """What a run shows at a time point: its latest grid until then."""

    sheet: int  # number in Album.sheets
    images: int
    file: str  # the grid itself, relative to the study's folder


@dataclass
class Gallery:
    """Runs of one stage whose grids have the same captions and noise."""

    stage: str
    captions: tuple[str, ...]  # empty: the PNGs do not say where their pictures are, so grids are shown whole
    rows: tuple[str, ...]  # labels of all rows of a grid
    native: tuple[int, int]  # width and height of a picture
    runs: list[RunRecord] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)  # chosen time points, in images
    cell: tuple[int, int] = (0, 0)  # width and height of a picture in the sheets
    frames: dict[str, list[Frame | None]] = field(default_factory=dict)  # by the run's key, one for each position
    real: int | None = None  # sheet of the real pictures

    @cached_property
    def times(self) -> list[int]:
        """All time points there are."""
        return sorted({sample.images for run in self.runs for sample in run.samples})

    @property
    def noises(self) -> list[str]:
        """Labels of the rows of generated pictures."""
        return [row for row in self.rows if row != REAL]

    def some_times(self, count: int) -> list[int]:
        """At most so many time points, evenly among those there are, the last one always."""
        last, count = len(self.times) - 1, min(count, len(self.times))
        return [self.times[round(i * last / (count - 1))] for i in range(count)] if count > 1 else self.times[last:]

    def needed(self, count: int) -> int:
        """How many sheets so many time points take."""
        return sum(len({latest(run, time) for time in self.some_times(count)} - {None}) for run in self.runs)


@dataclass
class Album:
    """All pictures of the page."""

    galleries: list[Gallery]
    fineness: Fineness = LADDER[0]
    sheets: list[str] = field(default_factory=list)  # WebP, base64
    size: int = 0  # of all sheets together
    left_out: int = 0  # grids for which there was no room

    def add(self, sheet: str) -> int:
        """Keep a sheet; its number."""
        self.sheets.append(sheet)
        self.size += len(sheet)
        return len(self.sheets) - 1


def latest(run: RunRecord, images: int) -> Sample | None:
    """The run's last grid at or before so many images."""
    return next((sample for sample in reversed(run.samples) if sample.images <= images), None)


def make_album(runs: Sequence[RunRecord], study: Path, budget: int) -> Album:
    """Pack the runs' grids into at most `budget` characters of base64. A grid that cannot be read becomes a problem of its run."""
    galleries = arrange(runs)
    costs = Costs(galleries)
    planned = float(budget)
    while True:
        fineness, count = plan(galleries, costs, planned)
        album = pack(galleries, study, fineness, count, budget)
        if not album.left_out or (fineness, count) == (LADDER[-1], 1):
            return album
        planned *= 0.85  # sheets came out larger than the probes


def arrange(runs: Sequence[RunRecord]) -> list[Gallery]:
    """Which runs can be set side by side. Grids that cannot be read are taken off their run."""
    found: dict[tuple[object, ...], Gallery] = {}
    for run in runs:
        while run.samples:
            try:
                with Image.open(run.samples[-1].path) as page:
                    layout, size = grid_layout(page), page.size
                break
            except Exception as error:  # half-written, damaged, not a picture, too large
                run.problems.append(f"samples/{run.samples[-1].path.name} cannot be read ({type(error).__name__}).")
                run.samples = run.samples[:-1]
        if not run.samples:
            continue
        if layout is not None and set(layout.rows) == {REAL}:
            layout = None  # nothing generated in it
        side = layout.side // layout.factor if layout else 0
        native = (side, side) if layout else (min(WHOLE, size[0]), round(size[1] * min(1, WHOLE / size[0])))
        captions, rows = (tuple(layout.captions), tuple(layout.rows)) if layout else ((), ("1",))
        noise = text(run.config.get("arch.noise_dim")) if layout else ""  # another size is another noise
        gallery = Gallery(run.stage, captions, rows, native)
        found.setdefault((run.stage, captions, rows, native, noise), gallery).runs.append(run)
    return sorted(found.values(), key=lambda gallery: {"one": 0, "two": 1}.get(gallery.stage, 2))


def plan(galleries: Sequence[Gallery], costs: "Costs", budget: float) -> tuple[Fineness, int]:
    """How finely, and how many time points: the finest with ENOUGH time points; else the least fine with as many as fit."""
    longest = max((len(gallery.times) for gallery in galleries), default=1)
    best = (LADDER[-1], 1)
    for fineness in LADDER:
        fitting = (n for n in range(min(MOST, longest), 0, -1) if costs.total(fineness, n) <= budget)
        count = next(fitting, 0)
        if count >= min(ENOUGH, longest):
            return fineness, count
        if count:
            best = (fineness, count)
    return best


class Costs:
    """How many characters of base64 sheets will take, estimated from a few of them."""

    def __init__(self, galleries: Sequence[Gallery]) -> None:
        self.galleries = galleries
        self._probes: dict[int, list[np.ndarray]] = {}
        self._each: dict[tuple[int, Fineness], float] = {}

    def total(self, fineness: Fineness, count: int) -> float:
        """Of all galleries at so many time points."""
        return sum(self._sheet(i, fineness) * (gallery.needed(count) + 1) for i, gallery in enumerate(self.galleries))

    def _sheet(self, i: int, fineness: Fineness) -> float:
        if (i, fineness) not in self._each:
            if i not in self._probes:
                gallery = self.galleries[i]
                samples = [sample for run in gallery.runs[:PROBES] for sample in {run.samples[0], run.samples[-1]}]
                found = [cut(gallery, sample) for sample in samples]
                self._probes[i] = [pictures for pictures in found if pictures is not None]
            sizes = [len(sheet(pictures, fineness)[0]) for pictures in self._probes[i]]
            self._each[i, fineness] = sum(sizes) / len(sizes) if sizes else 0.0
        return self._each[i, fineness]


def pack(galleries: Sequence[Gallery], study: Path, fineness: Fineness, count: int, budget: int) -> Album:
    """Pack what these time points show, as far as there is room."""
    album = Album(list(galleries), fineness)
    for gallery in galleries:
        gallery.positions, gallery.frames, gallery.real = gallery.some_times(count), {}, None
        for run in gallery.runs:
            shown = [latest(run, time) for time in gallery.positions]
            made = {
                sample: _pack_sample(album, gallery, run, sample, budget) for sample in dict.fromkeys(shown) if sample
            }
            numbers = [made[sample] if sample else None for sample in shown]
            gallery.frames[run.key] = [
                Frame(number, sample.images, sample.path.relative_to(study).as_posix())
                if sample and number is not None
                else None
                for sample, number in zip(shown, numbers, strict=True)
            ]
    return album


def _pack_sample(album: Album, gallery: Gallery, run: RunRecord, sample: Sample, budget: int) -> int | None:
    """Add a grid to the album, and the gallery's real pictures with its first; the sheet's number, or None."""
    pictures = cut(gallery, sample)
    if pictures is None:
        problem = f"samples/{sample.path.name} cannot be shown with the others."
        run.problems += [problem] if problem not in run.problems else []
        return None
    real = [row == REAL for row in gallery.rows]
    packed, gallery.cell = sheet(pictures[np.logical_not(real)], album.fineness)
    if album.size + len(packed) > budget:
        album.left_out += 1
        return None
    if gallery.real is None and any(real):
        gallery.real = album.add(sheet(pictures[real], album.fineness)[0])
    return album.add(packed)


def cut(gallery: Gallery, sample: Sample) -> np.ndarray | None:
    """A grid's pictures, uint8 [rows, captions, H, W, 3]; None if it cannot be read or is no grid of this gallery."""
    try:
        with Image.open(sample.path) as page:
            layout = grid_layout(page)
            if not gallery.captions:
                return np.asarray(page.convert("RGB").resize(gallery.native, Image.Resampling.LANCZOS))[None, None]
            if layout is None or (tuple(layout.captions), tuple(layout.rows)) != (gallery.captions, gallery.rows):
                return None
            pictures = grid_pictures(page, layout)
            return pictures if pictures.shape[2:4] == gallery.native[::-1] else None
    except Exception:  # half-written, damaged, not a picture, too large
        return None


def sheet(pictures: np.ndarray, fineness: Fineness) -> tuple[str, tuple[int, int]]:
    """uint8 [rows, columns, H, W, 3] as one WebP in base64; also width and height of a picture in it."""
    rows, columns, height, width, _ = pictures.shape
    page = Image.fromarray(pictures.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3))
    most = min(fineness.side * (4 if rows * columns == 1 else 1), WEBP_SIDE // max(rows, columns))
    if max(height, width) > most:
        factor = most / max(height, width)
        height, width = max(1, round(height * factor)), max(1, round(width * factor))
        page = page.resize((columns * width, rows * height), Image.Resampling.BOX)
    file = io.BytesIO()
    page.save(file, format="WEBP", quality=fineness.quality, method=2)
    return base64.b64encode(file.getvalue()).decode(), (width, height)
