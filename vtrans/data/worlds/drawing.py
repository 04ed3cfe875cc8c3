"""What worlds draw with: motion, soft-edged masks, gradients.

Pictures are float arrays ``(height, width, 3)`` of values 0 to 255, places are in pixels from the upper left corner.

Only additions, products, quotients and square roots are used, whose results are the same on every machine; sines,
powers and exponentials aren't.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Colour = tuple[float, float, float]
SAMPLES = 8


def bounce(start: float, velocity: float, low: float, high: float, length: int) -> Array:
    """Positions, one a frame, of a point that moves at constant speed between two walls and bounces.

    Example:
        >>> bounce(1.0, 2.0, 0.0, 4.0, 4).tolist()
        [1.0, 3.0, 3.0, 1.0]
    """
    span = high - low
    way = np.mod(start - low + velocity * np.arange(length, dtype=np.float64), 2 * span)
    return low + np.where(way > span, 2 * span - way, way)


def centres(size: int) -> Array:
    """Middles of the pixels along a side of a picture, as shares of it."""
    return (np.arange(size) + 0.5) / size


def plain(size: int, colour: Colour) -> Array:
    """A picture of one colour; not to be written to."""
    return np.broadcast_to(np.array(colour), (size, size, 3))


def disc(size: int, row: float, column: float, radius: float, *, around: bool = False) -> Array:
    """How much of each pixel of ``(size, size)`` a disc covers, by supersampling.

    With ``around`` the picture is a cylinder: a disc that leaves at one side enters at the other.

    Example:
        >>> float(disc(8, 4.0, 4.0, 2.0)[4, 4])
        1.0
    """
    points = (np.arange(size * SAMPLES, dtype=np.float64) + 0.5) / SAMPLES
    first, last = np.clip([np.floor(row - radius), np.ceil(row + radius)], 0, size).astype(int).tolist()
    down, across = points[first * SAMPLES : last * SAMPLES] - row, np.abs(points - column)
    if around:
        across = np.minimum(across, size - across)
    inside = (down * down)[:, None] + (across * across)[None, :] <= radius * radius
    covered = np.zeros((size, size))
    covered[first:last] = inside.reshape(last - first, SAMPLES, size, SAMPLES).mean(axis=(1, 3), dtype=np.float64)
    return covered


def square(size: int, row: float, column: float, half: float) -> Array:
    """How much of each pixel of ``(size, size)`` an upright square covers, exactly; ``half`` is half of its side.

    Example:
        >>> float(square(8, 4.0, 4.0, 1.5).sum())
        9.0
    """
    return box(size, (row - half, row + half), (column - half, column + half))


def box(size: int, rows: tuple[float, float], columns: tuple[float, float]) -> Array:
    """How much of each pixel of ``(size, size)`` an upright box covers, exactly."""
    edges = np.arange(size, dtype=np.float64)

    def covered(low: float, high: float) -> Array:
        share: Array = np.minimum(edges + 1, high) - np.maximum(edges, low)
        return share.clip(0.0, 1.0)

    return covered(*rows)[:, None] * covered(*columns)[None, :]


def smooth(values: Array) -> Array:
    """An S-shaped step from 0 to 1 with flat ends, over values in [0, 1]."""
    return values * values * (3.0 - 2.0 * values)


def blend(picture: Array, colour: Colour | Array, mask: Array) -> Array:
    """Lays a colour, or another picture, over a picture where a mask in [0, 1] says so."""
    return picture + (np.asarray(colour, dtype=np.float64) - picture) * mask[..., None]


def to_bytes(picture: Array) -> npt.NDArray[np.uint8]:
    """Rounds a picture to 8 bits."""
    return np.floor(np.clip(picture, 0.0, 255.0) + 0.5).astype(np.uint8)
