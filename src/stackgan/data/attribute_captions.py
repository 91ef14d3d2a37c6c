"""Captions written from CUB's attributes, in the manner of Reed's annotators, for a data set that has none."""

from collections.abc import Sequence

import numpy as np

from stackgan.data.records import hash_fraction

CAPTIONS_PER_IMAGE = 10
# An attribute is said of a class if this share of its pictures has it. A picture's own labels are 0 or 1.
MINIMUM_SHARE = 0.3
_PARTS = ("wing", "back", "breast", "throat", "belly", "crown", "forehead", "nape", "leg", "upper_tail", "under_tail")
_PATTERNS = ("wing", "back", "breast", "belly", "tail", "head")
_BILLS = {
    "curved_(up_or_down)": "curved",
    "all-purpose": "pointed",
    "hooked_seabird": "hooked",
    "specialized": "unusual",
}
_LENGTHS = {"longer_than_head": "long", "shorter_than_head": "short", "about_the_same_as_head": "medium-length"}
_OPENINGS = ("this {bird} has {first}", "a {bird} with {first}", "{bird_the} has {first}", "a {bird} that has {first}")


def write_captions(name: str, attributes: np.ndarray, attribute_names: Sequence[str]) -> tuple[str, ...]:
    """Ten captions for one picture: a function of its name and attributes alone.

    Args:
        name: of the picture; decides the wording.
        attributes: float [A] in 0..1.
        attribute_names: A names such as "has_wing_color::blue".
    """
    groups = _strongest(attributes, attribute_names)
    phrases = _phrases(groups)
    rng = np.random.default_rng(int(hash_fraction(f"captions:{name}") * 2**53))
    return tuple(_sentence(groups, phrases, rng) for _ in range(CAPTIONS_PER_IMAGE))


def _strongest(attributes: np.ndarray, names: Sequence[str]) -> dict[str, list[str]]:
    """Of each group ("wing_color") its values that hold, the strongest first, at most two."""
    found: dict[str, list[tuple[float, str]]] = {}
    for value, full in zip(attributes.tolist(), names, strict=True):
        if value >= MINIMUM_SHARE:
            group, _, word = full.partition("::")
            found.setdefault(group.removeprefix("has_"), []).append((-value, word))
    return {group: [word for _, word in sorted(pairs, key=lambda pair: pair[0])[:2]] for group, pairs in found.items()}


def _phrases(groups: dict[str, list[str]]) -> list[str]:
    """Things that can be said of the bird: "a black crown", "brown and white wings"."""
    phrases = []
    for part in _PARTS:
        if colours := groups.get(f"{part}_color"):
            phrases.append(_noun(" and ".join(colours), part))
    for part in _PATTERNS:
        pattern = groups.get(f"{part}_pattern", ["plain"])[0]
        if pattern in ("spotted", "striped", "multi-colored", "crested"):
            phrases.append(_noun(pattern, part))
        elif pattern in ("eyebrow", "eyering", "eyeline"):
            phrases.append(f"a visible {pattern}")
    bill = [_LENGTHS.get(w, w) for w in groups.get("bill_length", [])[:1]] + groups.get("bill_color", [])[:1]
    bill += [_BILLS.get(w, w) for w in groups.get("bill_shape", [])[:1]]
    if bill:
        phrases.append(_noun(" ".join(bill), "bill"))
    if eye := groups.get("eye_color"):
        phrases.append(f"{eye[0]} eyes")
    return phrases or ["feathers and a bill"]


def _noun(adjective: str, part: str) -> str:
    if part in ("wing", "leg"):
        return f"{adjective} {part}s"
    article = "an" if adjective[0] in "aeiou" else "a"
    return f"{article} {adjective} {part.replace('upper_tail', 'tail').replace('under_tail', 'undertail')}"


def _sentence(groups: dict[str, list[str]], phrases: list[str], rng: np.random.Generator) -> str:
    bird = ["bird"]
    if (colours := groups.get("primary_color")) and rng.random() < 0.6:
        bird.insert(0, " and ".join(colours))
    if (size := groups.get("size")) and rng.random() < 0.5:
        bird.insert(0, size[0].partition("_(")[0].replace("_", " "))
    count = min(len(phrases), int(rng.integers(2, 5)))
    chosen = [phrases[i] for i in rng.permutation(len(phrases))[:count]]
    listing = chosen[0] if count == 1 else f"{', '.join(chosen[:-1])} and {chosen[-1]}"
    noun = " ".join(bird)
    opening = _OPENINGS[int(rng.integers(len(_OPENINGS)))].format(bird=noun, bird_the=f"the {noun}", first=listing)
    return (f"an{opening[1:]}" if opening.startswith("a ") and noun[0] in "aeiou" else opening) + "."
