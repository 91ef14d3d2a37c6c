"""Which other picture a sample is mismatched with."""

import numpy as np


class Mismatcher:
    """For each row of a split, a uniform draw among the rows of other classes.

    A row without a class (-1) is a class of its own: its partner is any other row.

    Args:
        class_ids: int64 [n] of the split's rows; -1 where there is none.
    """

    def __init__(self, class_ids: np.ndarray) -> None:
        count = len(class_ids)
        alone = class_ids.max(initial=0) + 1 + np.arange(count)
        groups = np.where(class_ids < 0, alone, class_ids)
        self._by_group = np.argsort(groups, kind="stable")
        ordered = groups[self._by_group]
        self._first = np.searchsorted(ordered, groups, side="left")  # where the row's own class begins in the order
        self._own = np.searchsorted(ordered, groups, side="right") - self._first

    def draw(self, rows: np.ndarray, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A row of another class for each of `rows`, and whether there is one (else the row itself is returned).

        No rejection: the draw skips over the stretch that the own class takes in the order by class.

        Args:
            rows: int64, positions in the split, of any shape.
            uniforms: float64 in [0, 1), of a shape that `rows` broadcasts to: several draws for a row.
        """
        first, own = self._first[rows], self._own[rows]
        others = len(self._by_group) - own
        place = (uniforms * others).astype(np.int64)
        place += np.where(place >= first, own, 0)
        valid = others > 0
        return np.where(valid, self._by_group[np.where(valid, place, 0)], rows), np.broadcast_to(valid, place.shape)
