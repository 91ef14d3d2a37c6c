"""Which W&B run belongs to a run folder, and how far its rows were sent: wandb_run.json, beside wandb/.

The id has a random part and is kept in the folder, not made from names: two people, or two folders, in one project never write
into one run, and the same command finds its own again wherever the folder is.
"""

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stackgan.run_directory import write_atomically

NAME = "wandb_run.json"
RESERVED = ":;,#?/'"  # what W&B refuses in an id


@dataclass
class WandbRecord:
    """The id of the W&B run, and the last row that it surely has."""

    id: str
    images: int = -1
    names: list[str] = field(default_factory=list)

    @classmethod
    def new(cls, signature: str) -> "WandbRecord":
        """Of a W&B run that nobody has: the id begins with the run's signature."""
        return cls(f"{signature}-{secrets.token_hex(4)}")

    @classmethod
    def read(cls, run: Path) -> "WandbRecord | None":
        """The folder's record, or None where there is none. Raises ValueError where it is damaged."""
        try:
            values = json.loads((run / NAME).read_text())
            record = cls(str(values["id"]), int(values["images"]), [str(name) for name in values["names"]])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{run / NAME} cannot be read") from error
        if not record.id.strip() or set(record.id) & set(RESERVED):
            raise ValueError(f"{run / NAME} holds no id of W&B's")
        return record

    def write(self, run: Path) -> None:
        """Replace the folder's record."""
        write_atomically(run / NAME, json.dumps(asdict(self)) + "\n")

    def has(self, images: int, names: Iterable[str]) -> bool:
        """Whether these values of the row at `images` were sent."""
        return images < self.images or (images == self.images and all(name in self.names for name in names))

    def add(self, images: int, names: Iterable[str]) -> None:
        """Remember that they are."""
        before = self.names if images == self.images else []
        self.images, self.names = images, list(dict.fromkeys([*before, *names]))
