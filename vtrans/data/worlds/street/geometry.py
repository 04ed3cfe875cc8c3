"""The camera of a street, the flat things it looks at, and which of them is seen where.

A ray through the point (row, column) has the direction (u, -v, 1): right, up and ahead. On a plane the inverse of the
depth is an affine function of u and v, and so is the side of an edge on which a ray passes; whatever is largest in
inverse depth is seen.
"""

from dataclasses import dataclass

import numpy as np

from vtrans.data.worlds.drawing import Array
from vtrans.data.worlds.motion import Things

HEIGHT, FOCAL, HORIZON = 1.9, 0.75, 0.45
NEAR, FAR = 0.5, 110.0
SKY, SKYLINE, GROUND, FIRST = 0, 1, 2, 3


@dataclass(frozen=True)
class Camera:
    """A camera that looks straight ahead, 1.9 m above the ground."""

    x: Array  # how far to the right it is, in metres, one each frame
    z: Array  # how far along the street, in metres, one each frame
    size: int  # height and width of the picture, in pixels

    def ray(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        """The slopes (u to the right, v down) of the rays through points in pixels."""
        focal = FOCAL * self.size
        return (columns - self.size / 2) / focal, (rows - HORIZON * self.size) / focal

    def project(self, t: int, x: Array, y: Array, depth: Array) -> tuple[Array, Array]:
        """Rows and columns of points at ``x``, height ``y`` and a depth before the camera, in metres."""
        focal = FOCAL * self.size
        depth = np.maximum(depth, 0.05)
        return HORIZON * self.size + focal * (HEIGHT - y) / depth, self.size / 2 + focal * (x - self.x[t]) / depth


@dataclass(frozen=True)
class Solids:
    """Flat things, numbered from 0, and the convex polygons and discs that they consist of; lengths are in metres.

    Legs swing about their thing's origin.
    """

    origin: Array  # where each thing, and a point of its plane, is at frame 0: right, up, ahead, ``(things, 3)``
    normal: Array  # towards where it faces, ``(things, 3)``
    velocity: Array  # way per frame, ``(things, 3)``
    swing: Array  # greatest slope of a leg, how often it goes to and fro per frame, and its phase, ``(things, 3)``
    kind: Things  # number of its material
    label: Things  # number of its class
    colour: Array  # RGB from 0 to 255, ``(things, 3)``
    detail: Array  # numbers that its material asks for, ``(things, 4)``
    ahead: Array  # where the object that it belongs to begins, along the street; seen from less than 110 m away
    corners: Array  # of each part, relative to its thing, padded with the last one, ``(parts, 8, 3)``; a disc's centre
    counts: Things  # how many corners each part has; 0 for a disc
    radius: Array  # of the discs
    part_of: Things  # the thing that each polygon or disc belongs to

    def lean(self, t: int) -> Array:
        """Slope of each leg at a frame: how far to the right its end is, per metre below its origin."""
        return self.swing[:, 0] * wave(self.swing[:, 1] * t + self.swing[:, 2])


def wave(phase: Array) -> Array:
    """A smooth periodic function of period 1, between -1 and 1, much like a sine, of two parabolas."""
    turn = 2.0 * (phase - np.floor(phase)) - 1.0
    return -4.0 * turn * (1.0 - np.abs(turn))


class View:
    """What a camera sees of things at one frame.

    Args:
        camera: Where it is.
        solids: The things.
        skyline: Height of the far skyline above the horizon, as a slope, one for each of equal steps of u over [-1, 1].
        t: The frame's number.
    """

    def __init__(self, camera: Camera, solids: Solids, skyline: Array, t: int) -> None:
        self.skyline = skyline
        at = np.array([camera.x[t], HEIGHT, camera.z[t]])
        self.origin = solids.origin + solids.velocity * t
        offset = (self.origin - at)[:, None]
        corners = solids.corners + offset[solids.part_of]
        corners[..., 0] -= solids.lean(t)[solids.part_of, None] * solids.corners[..., 1]
        towards = _dot(solids.normal, offset[:, 0])
        ahead = solids.ahead + solids.velocity[:, 2] * t - at[2]
        seen = ((towards < -1e-9) & (ahead < FAR))[solids.part_of] & (corners[..., 2].max(1) > NEAR)
        self.inverse = _screen(solids.normal / np.where(towards == 0, 1.0, towards)[:, None])
        self._part_of: list[int] = solids.part_of[seen].tolist()
        self._planes: list[list[float]] = self.inverse[self._part_of].tolist()
        self._corners, self._radius = corners[seen], solids.radius[seen]
        self._edges = _edges(self._corners, solids.counts[seen])
        self._boxes = _boxes(self._corners, self._radius)

    def depth(self, things: Things, u: Array, v: Array) -> Array:
        """Depth of points of things, in metres; of the sky and the skyline, infinite."""
        solid = np.maximum(things - FIRST, 0)
        a, b, c = (self.inverse[solid, i] for i in range(3))
        inverse = np.where(things == GROUND, v / HEIGHT, a * u + b * v + c)
        return np.where(things < GROUND, np.inf, 1.0 / np.where(inverse == 0, 1.0, inverse))

    def at(self, u: Array, v: Array) -> Things:
        """The thing that is seen along each ray, for arrays of any one shape; 3 is the first of the solids."""
        order = np.argsort(u, axis=None, kind="stable")
        across, down = (slopes.ravel()[order][None] for slopes in (u, v))
        things, nearest = self._background(across, down)
        first = np.searchsorted(across[0], self._boxes[:, 0])
        last = np.searchsorted(across[0], self._boxes[:, 1], side="right")
        for i in np.flatnonzero(first < last).tolist():
            window = slice(None), slice(first[i], last[i])
            self._put(i, across[window], down[window], things[window], nearest[window])
        placed = np.empty(u.shape, np.int64)
        placed.flat[order] = things[0]
        return placed

    def grid(self, u: Array, v: Array) -> Things:
        """The same for every column u and row v, both evenly spaced, ``(rows, columns)``."""
        things, nearest = self._background(u[None, :], v[:, None])
        step = u[1] - u[0]
        first = np.ceil((self._boxes[:, ::2] - [u[0], v[0]]) / step)
        last = np.floor((self._boxes[:, 1::2] - [u[0], v[0]]) / step) + 1
        first, last = (np.clip(edge, 0, len(u)).astype(np.int64) for edge in (first, last))
        for i in np.flatnonzero((first < last).all(1)).tolist():
            (left, top), (right, bottom) = first[i].tolist(), last[i].tolist()
            window = slice(top, bottom), slice(left, right)
            self._put(i, u[None, left:right], v[top:bottom, None], things[window], nearest[window])
        return things

    def _background(self, u: Array, v: Array) -> tuple[Things, Array]:
        cell = np.clip((u + 1.0) * (len(self.skyline) / 2), 0, len(self.skyline) - 1).astype(np.int64)
        things = np.where(v > 0, GROUND, np.where(-v < self.skyline[cell], SKYLINE, SKY))
        nearest = np.broadcast_to(np.maximum(v, 0.0) / HEIGHT, things.shape).copy()
        return things, nearest

    def _put(self, i: int, u: Array, v: Array, things: Things, nearest: Array) -> None:
        """Draws a polygon or a disc where it is nearer than what is there."""
        a, b, c = self._planes[i]
        seen = (a * u + c) + b * v
        inside = seen > nearest
        if (edges := self._edges[i]) is not None:
            inside &= (edges[0] * u + edges[2] >= -edges[1] * v).all(axis=0)
        else:
            x, y, z = self._corners[i, 0].tolist()
            right, down, radius = u - x / z, v + y / z, float(self._radius[i]) / z
            inside &= right * right + down * down <= radius * radius
        np.copyto(things, self._part_of[i] + FIRST, where=inside)
        np.copyto(nearest, seen, where=inside)


def _edges(corners: Array, counts: Things) -> list[Array | None]:
    """For each polygon the factors of u, v and 1 of what is positive inside its edges, ``(3, edges, 1, 1)``."""
    after = np.roll(corners, -1, axis=1)
    p, q = np.moveaxis(corners, 2, 0), np.moveaxis(after, 2, 0)
    across = np.stack([p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]], axis=2)
    across = np.where((_dot(across[:, 0], corners[:, 2]) < 0)[:, None, None], -across, across)
    # The edge that closes a polygon comes after its padding.
    across[np.arange(len(across)), counts - 1] = across[:, -1]
    factors = np.moveaxis(_screen(across), 2, 1)[..., None, None]
    return [of[:, :count] if count else None for of, count in zip(factors, counts.tolist(), strict=True)]


def _boxes(corners: Array, radius: Array) -> Array:
    """Least and greatest u, and v, of each polygon or disc, ``(parts, 4)``."""
    x, y, z = np.moveaxis(corners, 2, 0)
    behind = z <= NEAR
    z = np.where(behind, 1.0, z)
    u, v, wide = x / z, -y / z, radius[:, None] / z
    left = np.where(behind, np.where(x < 0, -np.inf, np.inf), u - wide).min(1)
    right = np.where(behind, np.where(x > 0, np.inf, -np.inf), u + wide).max(1)
    top = np.where(behind, -np.inf, v - wide).min(1)
    bottom = np.where(behind, np.inf, v + wide).max(1)
    return np.stack([left, right, top, bottom], axis=1).clip(-1e3, 1e3)


def _dot(a: Array, b: Array) -> Array:
    product: Array = a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]
    return product


def _screen(directions: Array) -> Array:
    """Coefficients of u, v and 1 of the product with the ray (u, -v, 1)."""
    factors: Array = directions * np.array([1.0, -1.0, 1.0])
    return factors
