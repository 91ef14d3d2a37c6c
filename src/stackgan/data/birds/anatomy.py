"""Where a bird's parts are: outlines and landmarks in image pixels for one individual in one pose.

Parts are modelled in a frame of their own (x forward, y down, one unit = about the length of the body), for a bird that
lies level; `Anatomy.build` poses them, joins them, and places the whole bird in the image. All birds face right, as on the
plates of a field guide: a small network has one view to learn, not two.
"""

from dataclasses import dataclass

import numpy as np

from stackgan.data.birds.attributes import Individual

Points = np.ndarray  # float64 [K, 2]: x, y

_LEAN = {"perched": 24.0, "upright": 34.0, "leaning": 14.0}  # degrees from level
_NECK, _SHOULDER, _RUMP = (0.46, -0.46), (0.28, 0.05), (-0.58, -0.02)
_HEAD_RADIUS = 0.42
_BODY = (
    *((0.42, -0.43), (0.12, -0.48), (-0.26, -0.37), (-0.58, -0.16), (-0.72, 0.00), (-0.54, 0.20)),
    *((-0.18, 0.43), (0.20, 0.49), (0.50, 0.34), (0.65, 0.02), (0.60, -0.26)),
)
_BREAST = (
    *((0.98, -0.55), (0.55, -0.29), (0.40, -0.07), (0.10, 0.07), (-0.34, 0.12)),
    *((-0.90, 0.08), (-0.60, 0.54), (0.00, 0.84), (0.60, 0.72), (1.00, 0.24)),
)
_WING = (
    *((0.38, 0.02), (0.20, -0.13), (-0.12, -0.14), (-0.48, -0.03), (-0.86, 0.16)),
    *((-0.58, 0.25), (-0.22, 0.38), (0.12, 0.39), (0.34, 0.24)),
)
_CAP = (
    *((0.44, -0.05), (0.18, 0.00), (-0.16, -0.03), (-0.39, 0.13)),
    *((-0.59, -0.13), (-0.39, -0.52), (0.13, -0.65), (0.52, -0.39)),
)
_CREST = (
    *((0.26, -0.22), (0.14, -0.42), (-0.10, -0.56), (-0.36, -0.66), (-0.67, -0.74), (-0.43, -0.50)),
    *((-0.70, -0.50), (-0.43, -0.32), (-0.60, -0.26), (-0.34, -0.10), (-0.06, -0.12)),
)
_NAPE = ((-0.78, -0.78), (-0.16, -0.39), (-0.13, 0.07), (-0.26, 0.29), (-0.39, 0.78), (-0.91, 0.39))
_TAILS = {
    "forked_tail": (
        *((0.08, -0.08), (-0.14, -0.15), (-0.38, -0.29), (-0.60, -0.44), (-0.41, -0.15), (-0.22, 0.01)),
        *((-0.41, 0.17), (-0.60, 0.46), (-0.38, 0.32), (-0.14, 0.16), (0.08, 0.11)),
    ),
    "pointed_tail": (
        *((0.08, -0.09), (-0.26, -0.09), (-0.49, -0.05), (-0.70, 0.02)),
        *((-0.49, 0.09), (-0.26, 0.13), (0.08, 0.12)),
    ),
    "fan-shaped_tail": (
        *((0.08, -0.08), (-0.11, -0.15), (-0.35, -0.38), (-0.43, -0.25), (-0.48, 0.00)),
        *((-0.45, 0.23), (-0.36, 0.37), (-0.11, 0.16), (0.08, 0.11)),
    ),
}
_TAIL_CENTERS = {"forked_tail": (-0.35, -0.17), "pointed_tail": (-0.36, 0.02), "fan-shaped_tail": (-0.33, 0.02)}
_BILLS = {  # upper edge from the forehead to the tip, then the lower edge back to the chin
    "dagger": ((0.34, -0.14), (0.49, -0.07), (0.68, 0.00), (0.89, 0.07), (0.68, 0.11), (0.49, 0.14), (0.34, 0.14)),
    "cone": ((0.23, -0.29), (0.47, -0.18), (0.70, 0.00), (0.47, 0.17), (0.23, 0.27)),
    "hooked": (
        *((0.27, -0.20), (0.47, -0.23), (0.70, -0.17), (0.84, 0.03), (0.85, 0.26), (0.76, 0.47)),
        *((0.68, 0.26), (0.58, 0.16), (0.47, 0.13), (0.27, 0.16)),
    ),
    "all-purpose": ((0.36, -0.09), (0.48, -0.04), (0.62, 0.04), (0.48, 0.09), (0.36, 0.11)),
}
_SHARP = {"forked_tail", "pointed_tail"}
_CLIPPED = {"breast", "nape", "cap"}  # drawn larger than they show, and cut to the body or the head


@dataclass(frozen=True)
class Anatomy:
    """A posed bird in image pixels (origin: upper left corner of the image; a pixel's centre is at + 0.5).

    outlines: closed outlines by part: body, neck, head, cap, crest, nape, breast, wing, tail, bill.
    landmarks: points by name: CUB's parts (eye and wing are those turned to us), hips and feet of both legs, shoulder.
    unit: pixels per unit of the bird's own frame.
    """

    outlines: dict[str, Points]
    landmarks: dict[str, Points]
    wing_axis: Points  # unit vector from the shoulder to the wing's tip
    unit: float

    @staticmethod
    def build(individual: Individual, rng: np.random.Generator, size: int) -> "Anatomy":
        """Pose `individual` and place it in a square image of `size` pixels, filling 54 to 62 % of its side."""
        pose = _Pose.draw(individual, rng)
        outlines, landmarks = pose.outlines(individual), pose.landmarks(individual)
        everything = np.vstack(
            [*(shape for name, shape in outlines.items() if name not in _CLIPPED), *landmarks.values()]
        )
        low, high = everything.min(axis=0), everything.max(axis=0)
        unit = size * rng.uniform(0.54, 0.62) / float((high - low).max())
        offset = size * (0.5 + rng.uniform(-0.03, 0.03, 2)) - unit * (low + high) / 2.0
        outlines = {name: unit * points + offset for name, points in outlines.items()}
        landmarks = {name: unit * point + offset for name, point in landmarks.items()}
        axis = landmarks["wing tip"] - landmarks["shoulder"]
        return Anatomy(outlines, landmarks, axis / np.hypot(*axis), unit)


@dataclass(frozen=True)
class _Pose:
    """Angles in degrees, counter-clockwise."""

    lean: float
    head_tilt: float
    wing_lift: float
    tail_lift: float

    @staticmethod
    def draw(individual: Individual, rng: np.random.Generator) -> "_Pose":
        lean = _LEAN[individual.pose] + rng.uniform(-5.0, 5.0)
        tail_lift = rng.uniform(-8.0, 8.0)
        if individual.habitat in ("ground", "rock"):  # keep the tail off the floor
            lean, tail_lift = min(lean, 32.0), tail_lift - 0.5 * min(lean, 32.0)
        if individual.habitat == "water":
            lean, tail_lift = rng.uniform(4.0, 12.0), tail_lift - 24.0
        return _Pose(lean, rng.uniform(-7.0, 9.0), rng.uniform(-14.0, 4.0), tail_lift)

    def outlines(self, individual: Individual) -> dict[str, Points]:
        body, head = self._body(smooth(_BODY)), self._head(_circle(_HEAD_RADIUS))
        tail = np.asarray(_TAILS[individual.tail_shape])
        tail = tail if individual.tail_shape in _SHARP else smooth(tail)
        collar = self._body(np.asarray([(0.16, -0.44), (0.66, 0.10)]))
        outlines = {
            "tail": self._tail(tail),
            "body": body,
            "neck": _convex_hull(np.concatenate([0.94 * (head - head.mean(0)) + head.mean(0), collar])),
            "breast": self._body(smooth(_BREAST)),
            "head": head,
            "nape": self._head(smooth(_NAPE)),
            "cap": self._head(smooth(_CAP)),
            "bill": self._head(np.asarray(_BILLS[individual.bill_shape])),
            "wing": self._wing(smooth(_WING)),
        }
        if individual.head_pattern == "crested":
            outlines["crest"] = self._head(np.asarray(_CREST))
        return outlines

    def landmarks(self, individual: Individual) -> dict[str, Points]:
        hips = self._body(np.asarray([(-0.02, 0.40), (0.14, 0.40)]))
        leg = 0.05 if individual.habitat == "water" else 0.30
        feet = hips + np.asarray([(0.03, leg), (0.06, leg - 0.02)])
        head = {"eye": (0.17, -0.01), "crown": (0.0, -0.31), "forehead": (0.31, -0.18), "throat": (0.18, 0.31)}
        head |= {"nape": (-0.31, 0.13), "beak": (0.46, 0.03)}
        body = {"back": (-0.20, -0.31), "belly": (0.10, 0.38), "breast": (0.55, 0.10)}
        points = {name: self._head(np.asarray(point)) for name, point in head.items()}
        points |= {name: self._body(np.asarray(point)) for name, point in body.items()}
        points |= {"near hip": hips[1], "far hip": hips[0], "near foot": feet[1], "far foot": feet[0]}
        points |= {"shoulder": self._wing(np.asarray(_SHOULDER)), "wing tip": self._wing(np.asarray(_WING[4]))}
        points |= {"wing": self._wing(np.asarray((-0.15, 0.12))), "rump": self._tail(np.asarray((-0.08, 0.0)))}
        points |= {"tail": self._tail(np.asarray(_TAIL_CENTERS[individual.tail_shape]))}
        return points

    def _body(self, points: Points) -> Points:
        return _turn(points, self.lean)

    def _head(self, points: Points) -> Points:
        return self._body(np.asarray(_NECK)) + _turn(points, self.head_tilt)

    def _wing(self, points: Points) -> Points:
        return self._body(np.asarray(_SHOULDER) + _turn(points - np.asarray(_SHOULDER), self.wing_lift))

    def _tail(self, points: Points) -> Points:
        return self._body(np.asarray(_RUMP) + _turn(points, self.tail_lift))


def smooth(points: Points | tuple[tuple[float, float], ...], per_segment: int = 6) -> Points:
    """The closed Catmull-Rom curve through `points`, `per_segment` vertices for each."""
    p = np.asarray(points, dtype=np.float64)
    before, after, beyond = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = (np.arange(per_segment) / per_segment)[:, None, None]
    curve = 0.5 * (
        2 * p
        + (after - before) * t
        + (2 * before - 5 * p + 4 * after - beyond) * t**2
        + (3 * p - before - 3 * after + beyond) * t**3
    )  # [per_segment, K, 2]
    return curve.transpose(1, 0, 2).reshape(-1, 2)


def _turn(points: Points, degrees: float) -> Points:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = points[..., 0], points[..., 1]
    return np.stack([x * cos + y * sin, y * cos - x * sin], axis=-1)


def _circle(radius: float, count: int = 40) -> Points:
    angles = np.arange(count) * (2.0 * np.pi / count)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _convex_hull(points: Points) -> Points:
    """Andrew's monotone chain."""
    ordered = sorted(map(tuple, points.tolist()))

    def chain(sequence: list[tuple[float, float]]) -> list[tuple[float, float]]:
        hull: list[tuple[float, float]] = []
        for x, y in sequence:
            while len(hull) > 1:
                (ax, ay), (bx, by) = hull[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                hull.pop()
            hull.append((x, y))
        return hull[:-1]

    return np.asarray(chain(ordered) + chain(ordered[::-1]))
