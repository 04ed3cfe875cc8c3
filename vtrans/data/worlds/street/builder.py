"""Collects the flat things of a street one by one: rectangles that face somewhere, polygons, discs."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from vtrans.data.worlds.street.geometry import Solids

Vector = tuple[float, float, float]
MOST_CORNERS = 8
Class = IntEnum("Class", "SKY ROAD MARKING PAVEMENT GRASS BUILDING TREE LAMP CAR PERSON", start=0)
Kind = IntEnum("Kind", "PLAIN WALL ROOF LEAVES BARK LIGHT BODY GLASS", start=0)
BACK: Vector = (0.0, 0.0, -1.0)
UP: Vector = (0.0, 1.0, 0.0)


class Builder:
    """Adds things to lists; :meth:`solids` turns the lists into arrays."""

    def __init__(self) -> None:
        self._things: list[tuple[Vector, Vector, Vector, Vector, int, int, Vector, Sequence[float], float]] = []
        self._parts: list[tuple[Sequence[Vector], float, int]] = []
        self._label, self._velocity, self._ahead = 0, (0.0, 0.0, 0.0), 0.0

    def begin(self, label: int, *, ahead: float, speed: float = 0.0) -> None:
        """Begins an object of a class: how far along the street its nearest part is, and how far it moves per frame."""
        self._label, self._velocity, self._ahead = label, (0.0, 0.0, speed), ahead

    def thing(
        self,
        origin: Vector,
        normal: Vector,
        kind: int,
        colour: Vector,
        *,
        detail: Sequence[float] = (),
        swing: Vector = (0.0, 0.0, 0.0),
    ) -> None:
        """Starts a thing, whose polygons and discs are added next."""
        detail = (*detail, *[0.0] * (4 - len(detail)))
        self._things.append((origin, normal, self._velocity, swing, kind, self._label, colour, detail, self._ahead))

    def polygon(self, *corners: Vector) -> None:
        """Adds a convex polygon to the last thing, its corners relative to the thing's origin and in turn."""
        self._parts.append((corners, 0.0, len(self._things) - 1))

    def rectangle(self, left: float, right: float, bottom: float, top: float) -> None:
        """Adds an upright rectangle that faces the camera to the last thing."""
        self.polygon((left, bottom, 0), (right, bottom, 0), (right, top, 0), (left, top, 0))

    def side(self, back: float, front: float, bottom: float, top: float) -> None:
        """Adds an upright rectangle along the street to the last thing."""
        self.polygon((0, bottom, back), (0, bottom, front), (0, top, front), (0, top, back))

    def disc(self, right: float, up: float, radius: float) -> None:
        """Adds a disc that faces the camera to the last thing."""
        self._parts.append((((right, up, 0.0),), radius, len(self._things) - 1))

    def solids(self) -> Solids:
        """Everything that was added."""
        origin, normal, velocity, swing, kind, label, colour, detail, ahead = zip(*self._things, strict=True)
        corners, radius, part_of = zip(*self._parts, strict=True)
        padded = [(*c, *[c[-1]] * (MOST_CORNERS - len(c))) for c in corners]
        return Solids(
            origin=np.array(origin, dtype=np.float64),
            normal=np.array(normal, dtype=np.float64),
            velocity=np.array(velocity, dtype=np.float64),
            swing=np.array(swing, dtype=np.float64),
            kind=np.array(kind, dtype=np.int64),
            label=np.array(label, dtype=np.int64),
            colour=np.array(colour, dtype=np.float64),
            detail=np.array(detail, dtype=np.float64),
            ahead=np.array(ahead, dtype=np.float64),
            corners=np.array(padded, dtype=np.float64),
            counts=np.array([0 if r else len(c) for c, r in zip(corners, radius, strict=True)], dtype=np.int64),
            radius=np.array(radius, dtype=np.float64),
            part_of=np.array(part_of, dtype=np.int64),
        )
