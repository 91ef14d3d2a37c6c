"""What a painted bird looks like, in words: attributes, individuals, and CUB-200-2011's 312-number vector of both.

Every field of `Individual` that CUB has a name for is spelled as in CUB, so `crown_color="red"` is the attribute
`has_crown_color::red`. `ATTRIBUTES` holds the attributes that are meant to be judged: each is painted so that it can be
read from a 64 x 64 crop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from types import MappingProxyType

import numpy as np

COLORS = ("blue", "brown", "grey", "yellow", "green", "orange", "black", "white", "red", "purple")
SIZES = ("small_(5_-_9_in)", "medium_(9_-_16_in)", "large_(16_-_32_in)")
HABITATS = ("branch", "reed", "rock", "water", "ground")
POSES = ("perched", "upright", "leaning")

ATTRIBUTES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "crown_color": COLORS,
        "breast_color": COLORS,
        "back_color": COLORS,
        "wing_color": COLORS,
        "wing_pattern": ("solid", "striped", "spotted"),
        "bill_shape": ("dagger", "cone", "hooked", "all-purpose"),
        "bill_color": ("black", "orange"),
        "tail_shape": ("forked_tail", "pointed_tail", "fan-shaped_tail"),
        "head_pattern": ("capped", "crested"),
    }
)

_BILL_LENGTHS = {
    "dagger": "longer_than_head",
    "cone": "shorter_than_head",
    "hooked": "about_the_same_as_head",
    "all-purpose": "shorter_than_head",
}
_PAINTED_AREA = {"breast_color": 0.36, "wing_color": 0.34, "back_color": 0.20, "crown_color": 0.10}


@dataclass(frozen=True)
class Individual:
    """One bird, described. The first nine fields are the keys of `ATTRIBUTES`; the last three are its size and scene.

    `breast_color` is the colour of all underparts (throat, breast, belly), `back_color` of all upperparts but the wing
    (nape, back, tail), `bill_color` of bill and legs. Size shows as the scale of the perch relative to the bird.
    """

    crown_color: str
    breast_color: str
    back_color: str
    wing_color: str
    wing_pattern: str
    bill_shape: str
    bill_color: str
    tail_shape: str
    head_pattern: str
    size: str = SIZES[1]
    habitat: str = "branch"
    pose: str = "perched"

    def __post_init__(self) -> None:
        allowed = {**ATTRIBUTES, "size": SIZES, "habitat": HABITATS, "pose": POSES}
        for field in fields(self):
            if getattr(self, field.name) not in allowed[field.name]:
                raise ValueError(f"{field.name}={getattr(self, field.name)!r} is not one of {allowed[field.name]}")


def random_individual(rng: np.random.Generator) -> Individual:
    """An individual whose every attribute is drawn uniformly and independently (so: mostly unseen combinations)."""
    choices = {**ATTRIBUTES, "size": SIZES, "habitat": HABITATS, "pose": POSES}
    return Individual(**{name: values[rng.integers(len(values))] for name, values in choices.items()})


@cache
def attribute_names() -> tuple[str, ...]:
    """CUB-200-2011's 312 attribute names in official order, e.g. 'has_bill_shape::dagger' (its attributes.txt)."""
    text = resources.files(__package__).joinpath("attribute_names.txt").read_text(encoding="utf-8")
    return tuple(text.split())


@cache
def attribute_indices(attribute: str) -> tuple[int, ...]:
    """Positions (0-based) in the 312-vector of the values of one judged attribute, in the order of `ATTRIBUTES`."""
    names = attribute_names()
    return tuple(names.index(f"has_{attribute}::{value}") for value in ATTRIBUTES[attribute])


def primary_color(individual: Individual) -> str:
    """The colour that covers the largest painted area."""
    area = dict.fromkeys(COLORS, 0.0)
    for part, share in _PAINTED_AREA.items():
        area[getattr(individual, part)] += share
    return max(area, key=lambda color: area[color])


def attribute_vector(individual: Individual) -> np.ndarray:
    """float32 [312] of zeros and ones: all that CUB's annotators could have ticked for this individual."""
    crown, breast, back = individual.crown_color, individual.breast_color, individual.back_color
    present = {f"{name}::{getattr(individual, name)}" for name in ATTRIBUTES}
    present |= {f"{part}_color::{breast}" for part in ("throat", "belly", "underparts")}
    present |= {f"{part}_color::{back}" for part in ("nape", "upper_tail", "under_tail", "upperparts")}
    present |= {f"{part}_pattern::solid" for part in ("breast", "belly", "back", "tail")}
    present |= {
        f"forehead_color::{crown}",
        f"upperparts_color::{individual.wing_color}",
        f"primary_color::{primary_color(individual)}",
        f"leg_color::{individual.bill_color}",
        "eye_color::black",
        f"bill_length::{_BILL_LENGTHS[individual.bill_shape]}",
        f"size::{individual.size}",
        "shape::perching-like",
        "wing_shape::rounded-wings",
    }
    return np.array([name.removeprefix("has_") in present for name in attribute_names()], dtype=np.float32)


def attributes_from_vector(vector: np.ndarray) -> dict[str, str]:
    """The judged attributes of a 312-vector (or of any scores in that order): for each, the highest scoring value."""
    if vector.shape != (len(attribute_names()),):
        raise ValueError(f"expected a vector of {len(attribute_names())} attributes, got shape {vector.shape}")
    return {name: values[int(vector[list(attribute_indices(name))].argmax())] for name, values in ATTRIBUTES.items()}
