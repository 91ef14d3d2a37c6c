"""Which painted birds would be trained on, known before any is painted."""

from collections.abc import Sequence

from stackgan.data.birds.species import all_species
from stackgan.data.splits import split_by_class


def picture_names(classes: int, images_per_class: int) -> tuple[list[str], list[int]]:
    """The pictures of a set as its images.txt lists them, and their class ids."""
    wanted = [(kind, number) for kind in all_species()[:classes] for number in range(1, images_per_class + 1)]
    return [f"{kind.folder}/{kind.name}_{number:04d}.jpg" for kind, number in wanted], [k.class_id for k, _ in wanted]


def check_class_split(classes: int, images_per_class: int, test_classes: Sequence[int]) -> None:
    """Refuse a set of which data.split=class would leave none to train on. Raises UserError."""
    split_by_class(*picture_names(classes, images_per_class), test_classes)
