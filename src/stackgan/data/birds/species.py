"""The 200 invented species: what their typical plumage is, what they are called, and how individuals differ from it."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from stackgan.data.birds.attributes import ATTRIBUTES, HABITATS, POSES, SIZES, Individual

SPECIES_COUNT = 200
# Sex, age and morph change a bird's plumage; bill and tail keep their shape within a species.
_PLUMAGE = ("crown_color", "breast_color", "back_color", "wing_color", "wing_pattern", "head_pattern")
_VARIANT_SHARE = 0.8
_HABITAT_FIDELITY = 0.5
_NOUNS = {
    "dagger": {"forked_tail": "Kingfisher", "pointed_tail": "Jacamar", "fan-shaped_tail": "Woodpecker"},
    "cone": {"forked_tail": "Finch", "pointed_tail": "Bunting", "fan-shaped_tail": "Grosbeak"},
    "hooked": {"forked_tail": "Drongo", "pointed_tail": "Parakeet", "fan-shaped_tail": "Shrike"},
    "all-purpose": {"forked_tail": "Swallow", "pointed_tail": "Warbler", "fan-shaped_tail": "Fantail"},
}


@dataclass(frozen=True)
class Species:
    """A class of the data set: CUB class id (1-based), name (words joined by underscores) and typical individual."""

    class_id: int
    name: str
    typical: Individual

    @property
    def folder(self) -> str:
        """The class as CUB spells it, e.g. '017.Red_crowned_Blue_Warbler'."""
        return f"{self.class_id:03d}.{self.name}"


@cache
def all_species() -> tuple[Species, ...]:
    """The 200 species: always the same ones; every value of every attribute is typical of equally many of them."""
    rng = np.random.default_rng(200_2011)
    choices = {**ATTRIBUTES, "size": SIZES, "habitat": HABITATS}
    columns = {name: _balanced(values, rng) for name, values in choices.items()}
    taken: set[str] = set()
    species = []
    for row in range(SPECIES_COUNT):
        typical = Individual(**{name: column[row] for name, column in columns.items()})
        name = next(name for name in _possible_names(typical) if name not in taken)
        taken.add(name)
        species.append(Species(row + 1, name, typical))
    return tuple(species)


def draw_individual(species: Species, rng: np.random.Generator) -> Individual:
    """One member of a species: typical, or (four in five) with one to three traits of its plumage changed."""
    changes: dict[str, str] = {"pose": POSES[rng.integers(len(POSES))]}
    if rng.random() >= _HABITAT_FIDELITY:
        changes["habitat"] = HABITATS[rng.integers(len(HABITATS))]
    if rng.random() < _VARIANT_SHARE:
        for trait in rng.choice(_PLUMAGE, size=rng.integers(1, 4), replace=False):
            others = [value for value in ATTRIBUTES[trait] if value != getattr(species.typical, trait)]
            changes[trait] = others[rng.integers(len(others))]
    return replace(species.typical, **changes)


def _balanced(values: tuple[str, ...], rng: np.random.Generator) -> list[str]:
    repeated = [values[i % len(values)] for i in range(SPECIES_COUNT)]
    return [repeated[i] for i in rng.permutation(SPECIES_COUNT)]


def _possible_names(bird: Individual) -> list[str]:
    """Names from the plainest on; the last one is unique unless two species have the same colours, bill and tail."""
    crown, breast, back, wing = (
        color.capitalize() for color in (bird.crown_color, bird.breast_color, bird.back_color, bird.wing_color)
    )
    noun = _NOUNS[bird.bill_shape][bird.tail_shape]
    return [
        f"{crown}_crowned_{back}_{noun}",
        f"{breast}_breasted_{back}_{noun}",
        f"{wing}_winged_{back}_{noun}",
        f"{crown}_crowned_{wing}_winged_{back}_{noun}",
        f"{crown}_crowned_{breast}_breasted_{wing}_winged_{back}_{noun}",
    ]
