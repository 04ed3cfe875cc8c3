"""Helpers that worlds draw with: motion, soft-edged masks, gradients.

Only additions, products, quotients and square roots are used, whose results are the same on every machine; sines,
powers and exponentials aren't.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SAMPLES = 8


def bounce(start: float, velocity: float, low: float, high: float, length: int) -> Array:
    """Positions of a point that moves at constant speed between two walls and bounces.

    Args:
        start: Position at time 0, between ``low`` and ``high``.
        velocity: Way per frame; its sign is the direction.
        low: The lower wall.
        high: The upper wall, above ``low``.
        length: How many positions.

    Returns:
        float array ``(length,)``.

    Example:
        >>> bounce(1.0, 2.0, 0.0, 4.0, 4).tolist()
        [1.0, 3.0, 3.0, 1.0]
    """
    span = high - low
    way = np.mod(start - low + velocity * np.arange(length, dtype=np.float64), 2 * span)
    return low + np.where(way > span, 2 * span - way, way)


def disc(size: int, row: float, column: float, radius: float) -> Array:
    """How much of each pixel a disc covers, by supersampling.

    Args:
        size: Height and width of the picture, in pixels.
        row: Row of the centre, in pixels from the upper edge.
        column: Column of the centre, in pixels from the left edge.
        radius: In pixels.

    Returns:
        float array ``(size, size)`` in [0, 1].

    Example:
        >>> float(disc(8, 4.0, 4.0, 2.0)[4, 4])
        1.0
    """
    points = (np.arange(size * SAMPLES, dtype=np.float64) + 0.5) / SAMPLES
    inside = ((points - row) ** 2)[:, None] + ((points - column) ** 2)[None, :] <= radius * radius
    covered: Array = inside.reshape(size, SAMPLES, size, SAMPLES).mean(axis=(1, 3), dtype=np.float64)
    return covered


def square(size: int, row: float, column: float, half: float) -> Array:
    """How much of each pixel an upright square covers, exactly.

    Args:
        size: Height and width of the picture, in pixels.
        row: Row of the centre, in pixels from the upper edge.
        column: Column of the centre, in pixels from the left edge.
        half: Half of its side, in pixels.

    Returns:
        float array ``(size, size)`` in [0, 1].

    Example:
        >>> float(square(8, 4.0, 4.0, 1.5).sum())
        9.0
    """
    edges = np.arange(size, dtype=np.float64)

    def overlap(centre: float) -> Array:
        covered: Array = np.minimum(edges + 1, centre + half) - np.maximum(edges, centre - half)
        return covered.clip(0.0, 1.0)

    return overlap(row)[:, None] * overlap(column)[None, :]


def smooth(values: Array) -> Array:
    """An S-shaped step from 0 to 1 with flat ends, over values in [0, 1]."""
    return values * values * (3.0 - 2.0 * values)


def blend(picture: Array, colour: tuple[float, float, float] | Array, mask: Array) -> Array:
    """Lays a colour, or another picture, over a picture where a mask in [0, 1] says so."""
    return picture + (np.asarray(colour, dtype=np.float64) - picture) * mask[..., None]


def to_bytes(picture: Array) -> npt.NDArray[np.uint8]:
    """Rounds a picture of values 0 to 255 to 8 bits."""
    return np.floor(np.clip(picture, 0.0, 255.0) + 0.5).astype(np.uint8)
