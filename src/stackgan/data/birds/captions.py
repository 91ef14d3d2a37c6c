"""Captions in the manner of Reed et al. 2016 (arXiv 1605.05395): ten short sentences a bird, each true of that bird.

A caption mentions two to five of the judged attributes and sometimes the perch: only what can be seen in the picture,
so never the bird's size (the reference crop normalises it).
"""

from collections.abc import Callable

import numpy as np

from stackgan.data.birds.attributes import Individual
from stackgan.data.birds.plumage import marking_color

_SYNONYMS = {"grey": "gray", "purple": "violet", "red": "scarlet", "yellow": "golden"}
_SYNONYM_SHARE = 0.06
_BILLS = {
    "dagger": ("long {}pointed", "long, sharp {}", "long {}dagger-like"),
    "cone": ("short, thick {}", "thick {}cone-shaped", "stout {}conical"),
    "hooked": ("hooked {}", "large {}hooked", "curved, hooked {}"),
    "all-purpose": ("small {}", "short, thin {}", "tiny {}"),
}
_BILLED = {"dagger": "long-billed", "cone": "thick-billed", "hooked": "hook-billed", "all-purpose": "small-billed"}
_TAILS = {
    "forked_tail": ("forked", "deeply forked"),
    "pointed_tail": ("long pointed", "pointed"),
    "fan-shaped_tail": ("fan-shaped", "fanned"),
}
_TAILED = {"forked_tail": "fork-tailed", "pointed_tail": "pointy-tailed", "fan-shaped_tail": "fan-tailed"}
_CROWNS = {"capped": ("{} crown", "{} crown", "{} cap"), "crested": ("{} crest", "pointed {} crest", "{} crown")}
_UNDERPARTS = ("belly", "breast", "breast and belly", "belly and throat")
_PLACES = {
    "branch": ("perched on a branch", "sitting on a branch"),
    "reed": ("perched on a reed", "clinging to a reed"),
    "rock": ("standing on a rock", "sitting on a rock"),
    "water": ("floating on the water", "swimming on the water"),
    "ground": ("standing on the ground", "on the ground"),
}
_OPENINGS = (*3 * ("this bird has",), "the bird has", "a bird with", "this is a bird with")
_FEATURES = ("crown", "breast", "back", "wing", "bill", "tail")
# Wings, breast and crown are what people name first.
_WEIGHTS = np.array([0.22, 0.24, 0.13, 0.22, 0.12, 0.07])


def write_captions(individual: Individual, rng: np.random.Generator, count: int = 10) -> list[str]:
    """`count` different captions, lower case, without a line break. Raises ValueError if `count` is not in 1..50."""
    if not 1 <= count <= 50:
        raise ValueError(f"count must be in 1..50, not {count}")
    captions: dict[str, None] = {}
    while len(captions) < count:
        frame = _FRAMES[rng.choice(len(_FRAMES), p=_FRAME_SHARES)]
        caption = frame(_Describer(individual, rng))
        captions[caption + ("." if rng.random() < 0.8 else "")] = None
    return list(captions)


class _Describer:
    """Words for one caption about one bird; each feature is used at most once."""

    def __init__(self, bird: Individual, rng: np.random.Generator) -> None:
        self.bird, self.rng = bird, rng
        count = rng.choice([2, 3, 4, 5], p=[0.32, 0.38, 0.22, 0.08])
        self.features = [_FEATURES[i] for i in rng.choice(len(_FEATURES), size=count, replace=False, p=_WEIGHTS)]

    def pick(self, options: tuple[str, ...]) -> str:
        return options[self.rng.integers(len(options))]

    def color(self, part: str) -> str:
        name: str = getattr(self.bird, f"{part}_color")
        return _SYNONYMS[name] if name in _SYNONYMS and self.rng.random() < _SYNONYM_SHARE else name

    def join(self, phrases: list[str]) -> str:
        """'a', 'a and b', 'a, b and c': with or without the comma before 'and'."""
        if len(phrases) < 3:
            return " and ".join(phrases)
        return f"{', '.join(phrases[:-1])}{self.pick((',', ''))} and {phrases[-1]}"

    def listing(self, features: list[str]) -> str:
        return self.join([self.noun_phrase(feature) for feature in features])

    def noun_phrase(self, feature: str) -> str:
        """A feature as an object: 'a red crown', 'black wings with white bars'."""
        if feature == "wing":
            return self._wings()
        if feature == "bill":
            hue = f"{self.bird.bill_color} " if self.rng.random() < 0.6 else ""
            shape = self.pick(_BILLS[self.bird.bill_shape]).format(hue).strip()
            return _article(f"{shape} {self.pick(('bill', 'bill', 'beak'))}")
        if feature == "tail":
            hue = f"{self.color('back')} " if self.rng.random() < 0.5 else ""
            return _article(f"{self.pick(_TAILS[self.bird.tail_shape])} {hue}tail")
        if feature == "breast":
            return _article(f"{self.color('breast')} {self.pick(_UNDERPARTS)}")
        if feature == "crown":
            return _article(self.pick(_CROWNS[self.bird.head_pattern]).format(self.color("crown")))
        if self.bird.back_color == self.bird.wing_color and self.rng.random() < 0.15:
            return f"{self.color('back')} upperparts"
        return _article(f"{self.color('back')} back")

    def clause(self, feature: str) -> str:
        """A feature as a statement: 'its wings are black with white bars'."""
        if feature == "wing":
            return f"its wings are {self._wings().removesuffix(' wings').replace(' wings with', ' with')}"
        if feature in ("bill", "tail"):
            return f"it has {self.noun_phrase(feature)}"
        noun = {"crown": "crown", "breast": self.pick(("belly", "breast")), "back": "back"}[feature]
        return f"its {noun} is {self.color(feature)}"

    def adjective(self, feature: str) -> str:
        """A feature as an adjective of the bird: 'red-crowned'."""
        if feature == "bill":
            return _BILLED[self.bird.bill_shape]
        if feature == "tail":
            return _TAILED[self.bird.tail_shape]
        crown = "crested" if self.bird.head_pattern == "crested" else "crowned"
        suffix = {"crown": crown, "breast": self.pick(("breasted", "bellied")), "back": "backed", "wing": "winged"}
        return f"{self.color(feature)}-{suffix[feature]}"

    def _wings(self) -> str:
        color, marks = self.color("wing"), marking_color(self.bird.wing_color)
        if self.bird.wing_pattern == "solid":
            return f"plain {color} wings" if self.rng.random() < 0.3 else f"{color} wings"
        noun = self.pick(("bars", "stripes", "wingbars") if self.bird.wing_pattern == "striped" else ("spots", "dots"))
        return f"{color} wings with {marks} {noun}" if self.rng.random() < 0.85 else f"{color} wings"


def _with_list(words: _Describer) -> str:
    return f"{words.pick(_OPENINGS)} {words.listing(words.features)}"


def _adjective_first(words: _Describer) -> str:
    first, rest = words.features[0], words.features[1:]
    start = words.pick(("{} bird with", "this is {} bird with", "this {} bird has"))
    adjective = words.adjective(first)
    start = start.format(adjective if start.startswith("this {}") else _article(adjective))
    return f"{start} {words.listing(rest)}"


def _placed(words: _Describer) -> str:
    place = words.pick(_PLACES[words.bird.habitat])
    return f"a bird {place}, with {words.listing(words.features[:3])}"


def _statements(words: _Describer) -> str:
    clauses = [words.clause(feature) for feature in words.features[:3]]
    return f"a bird with {words.noun_phrase(words.features[0])}, and {words.join(clauses[1:])}"


def _whole_body(words: _Describer) -> str:
    """'a mostly blue bird ...' where it is so; otherwise a plain list."""
    bird = words.bird
    colors = [bird.crown_color, bird.breast_color, bird.back_color, bird.wing_color]
    if colors.count(bird.breast_color) < 3:
        return _with_list(words)
    return f"a mostly {bird.breast_color} bird with {words.listing(words.features)}"


_FRAMES: tuple[Callable[[_Describer], str], ...] = (_with_list, _adjective_first, _placed, _statements, _whole_body)
_FRAME_SHARES = (0.46, 0.24, 0.10, 0.12, 0.08)


def _article(phrase: str) -> str:
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"
