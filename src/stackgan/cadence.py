"""How often something happens in a run: given in images, or as a share of the budget, which fits runs of any length. No torch here."""


def in_images(every: float, budget: int) -> int:
    """A cadence in images: from 1 on it is one already, below 1 it is a share of the budget (at least an image)."""
    return round(every) if every >= 1 else max(1, round(every * budget))


def warm_up_images(warm_up: float, budget: int) -> int:
    """The same for a beginning, of which there may be none."""
    return in_images(warm_up, budget) if warm_up else 0
