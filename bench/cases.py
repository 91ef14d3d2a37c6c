"""The steps that are measured."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Case:
    """A training step by its sizes: arch=pytorch, norm=batch, loss=bce, optim=adam, as the baseline has them.

    gf, df: widths; size: of the stage's pictures; repetitions x steps are timed of ours and of the baseline in turn.
    """

    name: str
    stage: Literal["one", "two"]
    scale: Literal["paper", "small"]
    gf: int
    df: int
    size: int
    batch: int
    residuals: int = 4
    repetitions: int = 3
    steps: int = 1
    text_dim: int = 1024
    condition_dim: int = 128
    stage_one_size: int = 64

    def quick(self) -> "Case":
        """The same with a smaller batch."""
        return replace(self, batch=max(2, self.batch // 4), repetitions=3)


CASES = {
    case.name: case
    for case in (
        Case("stage1", "one", "paper", 128, 64, 64, batch=64),
        Case("stage2", "two", "paper", 128, 64, 256, batch=8),
        Case("stage1_small", "one", "small", 32, 32, 64, batch=64, repetitions=7, steps=2),
        Case("stage2_small", "two", "small", 32, 32, 128, batch=16, residuals=2, repetitions=5),
    )
}
