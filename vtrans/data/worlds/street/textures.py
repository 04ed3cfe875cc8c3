"""Patterns of surfaces, averaged over the width of a pixel so that they don't flicker as they pass."""

import numpy as np

from vtrans.data.worlds.drawing import Array, smooth
from vtrans.data.worlds.motion import Things


def step(x: Array, width: Array | float) -> Array:
    """Share of the interval of a width about x that is above 0."""
    share: Array = np.clip(x / width + 0.5, 0.0, 1.0)
    return share


def band(x: Array, low: Array | float, high: Array | float, width: Array | float) -> Array:
    """Share of the interval of a width about x that lies between two numbers."""
    return step(x - low, width) - step(x - high, width)


def pulses(x: Array, share: Array | float, width: Array) -> Array:
    """Share of the interval of a width about x in which a square wave of period 1 is up: the first part of it is."""

    def area(x: Array) -> Array:
        whole = np.floor(x)
        return whole * share + np.minimum(x - whole, share)

    return (area(x + width / 2) - area(x - width / 2)) / width


def speckle(table: Array, a: Array, b: Array, seed: Array | int = 0) -> Array:
    """A random number in [0, 1) for each unit square of a plane, from 4096 of them."""
    return table[_place(np.floor(a).astype(np.int64), np.floor(b).astype(np.int64), seed)]


def noise(table: Array, a: Array, b: Array, seed: Array | int = 0) -> Array:
    """Smooth random numbers in [0, 1) over a plane, from 4096 of them at its whole places."""
    left, low = np.floor(a), np.floor(b)
    right, up = smooth(a - left), smooth(b - low)
    i, j = left.astype(np.int64), low.astype(np.int64)
    p, q, r, s = (table[_place(i + m, j + n, seed)] for n in (0, 1) for m in (0, 1))
    bottom = p + (q - p) * right
    return bottom + (r + (s - r) * right - bottom) * up


def fade(pixel: Array, period: float) -> Array:
    """How much of a pattern of a period is left where a pixel is as wide as told: all, or less, or nothing."""
    share: Array = np.clip(1.5 - 2.0 * pixel / period, 0.0, 1.0)
    return share


def _place(i: Things, j: Things, seed: Array | int) -> Things:
    return (i * 1619 + j * 31337 + (i ^ j) * 53 + np.asarray(seed, dtype=np.int64) * 691) & 4095
