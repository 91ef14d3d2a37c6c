"""How a score was made: another network, another number of pictures or splits makes another number."""

from dataclasses import dataclass
from typing import Any

from stackgan.evaluation.record import ProtocolRecord
from stackgan.evaluation.registry import kind_of
from stackgan.reporting.page.files import number, text, whole


@dataclass(frozen=True)
class Protocol:
    """How a score was made: a record without its values."""

    metric: str
    network: str = ""
    weights: str = ""
    resize: str = ""
    samples: int = 0
    real_samples: int = 0
    splits: int = 0
    seed: int = 0
    captions: str = ""
    generator: str = ""
    truncation: float = 1.0
    frames: str = "kept"
    image_size: int = 0
    data: str = ""
    recorded: bool = True

    @classmethod
    def of(cls, record: ProtocolRecord) -> "Protocol":
        """A record's protocol."""
        return cls(
            text(record.metric), text(record.network), text(record.weights), text(record.resize), whole(record.samples),
            whole(record.real_samples), whole(record.splits), whole(record.seed), text(record.captions), text(record.generator),
            _factor(record.truncation), text(record.frames), whole(record.image_size), text(record.data),
        )  # fmt: skip

    @property
    def parts(self) -> str:
        """What the score's own deviation is over."""
        kind = kind_of(self.metric)
        return "splits" if kind and kind.name == "is" else "subsets"

    @property
    def short(self) -> str:
        """What tells most of the columns of one metric apart."""
        if not self.recorded:
            return "protocol not recorded"
        splits = f", {self.splits} {self.parts}" if self.splits > 1 else ""
        frames = ", frames cropped" if self.frames == "cropped" else ""
        return f"{self.captions}, {self.samples:,} pictures{splits}{frames}"

    @property
    def sentence(self) -> str:
        """Everything that must be equal for two values to be compared."""
        if not self.recorded:
            return "as the run's status quotes it; how it was measured is not in evaluation.json"
        parts = f"{self.splits} {self.parts}, " if self.splits > 1 else ""
        return (
            f"{self.network} (weights {self.weights or 'not recorded'}), {self.samples:,} pictures of {self.captions} captions, "
            f"{self.real_samples:,} real pictures, {parts}seed {self.seed}, resize {self.resize}, "
            f"{'averaged' if self.generator == 'ema' else self.generator} generator{self._unusual}"
        )

    @property
    def _unusual(self) -> str:
        """What is said only where it is not as usual, or known."""
        parts = [
            f", {self.image_size} px" if self.image_size else "",
            f", truncation {self.truncation:g}" if self.truncation != 1 else "",
            ", frames cropped" if self.frames == "cropped" else "",
        ]
        return "".join(parts)


def _factor(value: Any) -> float:
    found = number(value)
    return 1.0 if found is None else found
