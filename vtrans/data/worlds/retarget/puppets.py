"""Puppets: rigid parts in front of each other, each a tapered capsule or an ellipse in a moving frame of its own."""

from dataclasses import dataclass

import numpy as np

from vtrans.data.worlds.drawing import Array, blend, smooth
from vtrans.data.worlds.motion import Motion, Things, exact_motion

Colour = tuple[float, float, float]
Box = tuple[slice, slice]


@dataclass(frozen=True)
class Part:
    """What doesn't change about a part: its outline in its own frame, and its colours.

    In its frame, a point lies ``u`` along the part's axis and ``v`` across it. A capsule runs from ``u = 0`` to
    ``u = length``; without a length the part is the ellipse ``u² + v² <= 1``.
    """

    name: str  # what the part is
    colour: Colour  # RGB, 0 to 255
    length: float = 0.0  # of a capsule's bone, above 0; 0 makes an ellipse
    start: float = 0.0  # radius of a capsule where its bone starts
    end: float = 0.0  # radius where it ends
    shade: float = 0.3  # how much darker its rim is than its middle, 0 to 1
    stripes: int = 0  # how many stripes cross it
    stripe: Colour = (255.0, 255.0, 255.0)  # RGB of the stripes

    def beyond(self, u: Array, v: Array, along: float, across: float) -> Array:
        """How many pixels a point lies outside of the outline; below 0 inside, and 0 exactly on it.

        An ellipse's distances are estimates, good to a fraction of a pixel near its outline. ``along`` and ``across``
        are the pixels to the unit of ``u`` and ``v``; for a capsule they are the same.
        """
        if self.length:
            bone = np.clip(u / self.length, 0.0, 1.0)
            off = u - bone * self.length
            return (np.sqrt(off * off + v * v) - self._radius(bone)) * across
        far = np.sqrt(u * u + v * v)
        x, y = u / along, v / across
        # First order: how far beyond 1 it is, over how fast that grows with the way. That is too little beside the tips
        # of a thin ellipse, where the box around it is the better bound.
        estimate = far * (far - 1.0) / np.maximum(np.sqrt(x * x + y * y), 1e-9)
        return np.maximum(estimate, np.maximum((np.abs(u) - 1.0) * along, (np.abs(v) - 1.0) * across))

    def paint(self, u: Array, v: Array) -> Array:
        """The colour at each point: darker towards the sides, which turning doesn't change, and crossed by stripes."""
        bone = np.clip(u / self.length, 0.0, 1.0) if self.length else 0.5 + 0.5 * u
        side = v * v / (self._radius(bone) * self._radius(bone)) if self.length else u * u + v * v
        colour = np.broadcast_to(np.array(self.colour), (*u.shape, 3))
        if self.stripes:
            wave = np.abs(2.0 * np.mod(bone * self.stripes + 0.5, 1.0) - 1.0)
            colour = blend(colour, self.stripe, smooth(np.clip(2.0 * wave - 0.5, 0.0, 1.0)))
        light: Array = colour * (1.0 - self.shade * np.minimum(side, 1.0))[..., None]
        return light

    def _radius(self, bone: Array) -> Array:
        return self.start + (self.end - self.start) * bone


@dataclass(frozen=True)
class Puppet:
    """Parts from back to front, and where the frame of each is at every time."""

    parts: tuple[Part, ...]  # the parts; the last one is in front
    rows: Array  # Rows of the origins of their frames in pixels, ``(part, time)``, as all that follow
    columns: Array  # columns of the origins, in pixels
    down: Array  # the part of the axes' direction, of length 1, that goes down
    right: Array  # the part that goes right
    along: Array  # pixels to the unit of ``u``
    across: Array  # pixels to the unit of ``v``

    def draw(self, picture: Array, t: int) -> Array:
        """The picture, ``(height, width, 3)`` of values 0 to 255, with the puppet at a time in front of it."""
        picture = picture.copy()
        for number, part in enumerate(self.parts):
            box = self._box(number, t, picture.shape[0], picture.shape[1])
            rows, columns = (np.arange(side.start, side.stop, dtype=np.float64) + 0.5 for side in box)
            u, v = self._local(number, t, rows[:, None], columns[None, :])
            beyond = part.beyond(u, v, self.along[number, t], self.across[number, t])
            picture[box] = blend(picture[box], part.paint(u, v), np.clip(0.5 - beyond, 0.0, 1.0))
        return picture

    def thing_at(self, t: int, rows: Array, columns: Array) -> Things:
        """What is seen at points in pixels: 0 where no part is, else the part's number, counted from 1 at the back."""
        things = np.zeros(rows.shape, np.int64)
        for number, part in enumerate(self.parts):
            u, v = self._local(number, t, rows, columns)
            things[part.beyond(u, v, self.along[number, t], self.across[number, t]) <= 0.0] = number + 1
        return things

    def moved(self, t: int, things: Things, rows: Array, columns: Array) -> tuple[Array, Array]:
        """Where points of parts lie in the next frame: each part carries its points along, and stretches them."""
        part = np.maximum(things - 1, 0)
        u, v = self._local(part, t, rows, columns)
        u, v = u * self.along[part, t + 1], v * self.across[part, t + 1]
        down, right = self.down[part, t + 1], self.right[part, t + 1]
        to_rows = self.rows[part, t + 1] + u * down - v * right
        to_columns = self.columns[part, t + 1] + u * right + v * down
        return np.where(things > 0, to_rows, rows), np.where(things > 0, to_columns, columns)

    def motion(self, *, height: int, width: int) -> Motion:
        """How the puppet moves in front of a background that stands still."""
        length = self.rows.shape[1]
        return exact_motion(self.thing_at, self.moved, height=height, width=width, length=length)

    def _local(self, part: int | Things, t: int, rows: Array, columns: Array) -> tuple[Array, Array]:
        below, beside = rows - self.rows[part, t], columns - self.columns[part, t]
        down, right = self.down[part, t], self.right[part, t]
        u = (below * down + beside * right) / self.along[part, t]
        v = (beside * down - below * right) / self.across[part, t]
        return u, v

    def _box(self, number: int, t: int, height: int, width: int) -> Box:
        """The pixels that a part may touch."""
        part = self.parts[number]
        along = float(self.along[number, t])
        radius = max(part.start, part.end) * along if part.length else max(along, float(self.across[number, t]))

        def reach(place: Array, direction: Array, limit: int) -> slice:
            start = float(place[number, t])
            end = start + part.length * along * float(direction[number, t])
            first = min(max(int(min(start, end) - radius - 1.0), 0), limit)
            return slice(first, max(min(int(max(start, end) + radius + 2.0), limit), first))

        return reach(self.rows, self.down, height), reach(self.columns, self.right, width)
