"""What the demo page may ask of a generator: a question is a query string, an answer is what src/generate.py would write.

The query is caption (one or more times), count, seed and truncation; the same question gives the same bytes as there.
"""

import base64
import io
import json
import tempfile
import zipfile
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qs

import numpy as np
from PIL import Image

from stackgan.errors import UserError
from stackgan.reporting.generate import GRID_CAPTIONS, bundle_folder, draw, manifest_of, matching_encoder, write
from stackgan.reporting.grid import grid_layout
from stackgan.reporting.picture_folder import slug
from stackgan.training.bundle import load_bundle

CAPTION_LENGTH, MOST_PICTURES, MOST_EACH, MOST_SEED, MOST_TRUNCATION = 2000, 64, 16, 2**31 - 1, 2.0
REMEMBERED = 8  # questions whose pictures are kept, so that a download draws nothing again


@dataclass(frozen=True)
class Question:
    """What to draw: `count` pictures of each caption, from the noise of `seed` times `truncation`."""

    captions: tuple[str, ...]
    count: int
    seed: int = 0
    truncation: float = 1.0


@dataclass(frozen=True)
class Answer:
    """What goes back to the browser; with a file name it is saved instead of shown."""

    body: bytes
    kind: str
    file: str = ""
    status: int = 200


def read_question(query: str, count: int) -> Question:
    """The question of a query string. Raises UserError with a sentence for the person at the page.

    Args:
        count: pictures of each caption, where the query does not say.
    """
    try:
        fields = parse_qs(query, keep_blank_values=True, max_num_fields=32)
    except ValueError as error:
        raise UserError(f"The question cannot be read ({error}).") from error
    lines = [line.strip() for text in fields.get("caption", []) for line in text.splitlines()]
    captions = tuple(line for line in lines if line)
    if not captions:
        raise UserError("Type a caption first.")
    if len(captions) > GRID_CAPTIONS:
        raise UserError(f"These are {len(captions)} captions; {GRID_CAPTIONS} at a time can be drawn.")
    if max(map(len, captions)) > CAPTION_LENGTH:
        raise UserError(f"A caption has {max(map(len, captions)):,} characters; {CAPTION_LENGTH:,} are the limit.")
    question = Question(
        captions,
        int(_number(fields, "count", count, 1, MOST_EACH)),
        int(_number(fields, "seed", 0, 0, MOST_SEED)),
        _number(fields, "truncation", 1.0, 0.0, MOST_TRUNCATION),
    )
    wanted = len(captions) * question.count
    if wanted > MOST_PICTURES:
        raise UserError(f"These are {wanted} pictures; {MOST_PICTURES} at a time can be drawn.")
    return question


def _number(fields: dict[str, list[str]], key: str, default: float, least: float, most: float) -> float:
    text = fields.get(key, [str(default)])[-1]
    whole = isinstance(default, int)
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise UserError(f"{key} is {text[:40]!r}; give a {'whole ' if whole else ''}number from {least} to {most}.")
    return value


class Demo:
    """One generator and its text encoder; draws for one question at a time.

    Args:
        run: a run's folder, or its `generator/` folder.
        device: torch device.
        count: pictures of each caption, where a question does not say.

    Raises:
        UserError: no bundle in `run`, or one whose text encoder is not at hand or knows no free text.
    """

    def __init__(self, run: Path, device: str = "cpu", count: int = 8) -> None:
        if not 1 <= count <= MOST_EACH:
            raise UserError(f"count={count} must be from 1 to {MOST_EACH}.")
        self.run, self.count = run, count
        self.bundle = load_bundle(bundle_folder(run), device)
        self.encoder = matching_encoder(self.bundle)
        self._lock = Lock()
        self._drawn: OrderedDict[Question, list[np.ndarray]] = OrderedDict()

    def draw(self, question: Question) -> list[np.ndarray]:
        """The question's pictures, uint8 [H, W, 3] each, those of the first caption first."""
        with self._lock:
            if question not in self._drawn:
                q = question
                pictures = draw(self.bundle, self.encoder, q.captions, q.count, q.seed, q.truncation, progress=False)
                self._drawn[question] = pictures
            self._drawn.move_to_end(question)
            while len(self._drawn) > REMEMBERED:
                self._drawn.popitem(last=False)
            return self._drawn[question]

    def close(self) -> None:
        """Wait for the pictures being drawn, and draw no more."""
        self._lock.acquire()

    def about(self, query: str) -> Answer:
        """What the page says about the generator, and what it may ask for."""
        sampler = self.bundle.sampler
        return json_answer(
            {
                "run": self.run.resolve().name,
                "stage": "Stage I" if sampler.stage_two is None else "Stage II",
                "size": sampler.image_size,
                "images": self.bundle.images,
                "count": self.count,
                "examples": sample_captions(self.run),
                "most": {"captions": GRID_CAPTIONS, "each": MOST_EACH, "pictures": MOST_PICTURES},
            }
        )

    def pictures(self, query: str) -> Answer:
        """The PNGs as base64, caption by caption."""
        question = read_question(query, self.count)
        pngs = [base64.b64encode(_png(picture)).decode() for picture in self.draw(question)]
        n = question.count
        return json_answer(
            {
                "drawn": [
                    {
                        "caption": caption,
                        "remarks": self.encoder.remarks(caption),
                        "pictures": pngs[j * n : (j + 1) * n],
                    }
                    for j, caption in enumerate(question.captions)
                ]
            }
        )

    def grid(self, query: str) -> Answer:
        """The grid that src/generate.py makes."""
        question = read_question(query, self.count)
        return Answer(self._written(question)["grid.png"], "image/png", f"{_file_name(question)}.png")

    def archive(self, query: str) -> Answer:
        """All that src/generate.py writes, zipped."""
        question = read_question(query, self.count)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in self._written(question).items():
                archive.writestr(f"{_file_name(question)}/{name}", content)
        return Answer(buffer.getvalue(), "application/zip", f"{_file_name(question)}.zip")

    def _written(self, question: Question) -> dict[str, bytes]:
        q, pictures = question, self.draw(question)
        with tempfile.TemporaryDirectory() as folder:
            manifest = manifest_of(q.captions, q.count, q.seed, q.truncation, self.bundle)
            write(Path(folder), q.captions, q.count, pictures, manifest)
            return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def sample_captions(run: Path) -> list[str]:
    """The captions of the run's last sample grid: of its own data set, and not trained on. None where there is no grid."""
    for path in sorted((run / "samples").glob("*.png"), reverse=True):
        with suppress(OSError), Image.open(path) as page:
            layout = grid_layout(page)
            if layout:
                return list(dict.fromkeys(layout.captions))
    return []


def json_answer(value: object, status: int = 200) -> Answer:
    """A value as JSON."""
    return Answer(json.dumps(value).encode(), "application/json", status=status)


def _png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def _file_name(question: Question) -> str:
    return f"{slug(question.captions[0])}-seed{question.seed}"
