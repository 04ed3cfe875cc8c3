"""Exact optical flow and occlusion of scenes that are drawn from things in front of each other."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vtrans.data.worlds.drawing import Array

Things = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Motion:
    """How what is seen moves from each frame to the next one.

    Attributes:
        flow: float32 array ``(time - 1, 2, height, width)``: for the point seen at a pixel's centre, how many pixels to
            the right (channel 0) and down (channel 1) it lies in the next frame.
        occluded: bool array ``(time - 1, height, width)``: whether that point can't be seen in the next frame, because
            something is in front of it or it lies outside the picture.
    """

    flow: npt.NDArray[np.float32]
    occluded: npt.NDArray[np.bool_]


def exact_motion(
    thing_at: Callable[[int, Array, Array], Things],
    moved: Callable[[int, Things, Array, Array], tuple[Array, Array]],
    *,
    height: int,
    width: int,
    length: int,
) -> Motion:
    """The motion of a scene, from what is seen at a point and where that is a frame later.

    A point is occluded if it leaves the picture or another thing is seen where it comes to lie. A thing that hides
    parts of itself is best told as several.

    Args:
        thing_at: From a frame's number, and rows and columns in pixels from the upper left corner, to the number of the
            thing that is seen there; called with arrays of any one shape.
        moved: From a frame's number, things, rows and columns to the rows and columns where these points of these
            things lie in the next frame.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        length: Frames of the scene.

    Returns:
        The motion, of ``length - 1`` steps.

    Example:
        >>> def one(t, rows, columns):
        ...     return np.zeros(rows.shape, np.int64)
        >>> def right(t, things, rows, columns):
        ...     return rows, columns + 1.5
        >>> motion = exact_motion(one, right, height=2, width=3, length=2)
        >>> motion.flow[0, 0].tolist(), motion.occluded[0, 0].tolist()
        ([[1.5, 1.5, 1.5], [1.5, 1.5, 1.5]], [False, True, True])
    """
    rows, columns = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    flow = np.empty((length - 1, 2, height, width), np.float32)
    occluded = np.empty((length - 1, height, width), np.bool_)
    for t in range(length - 1):
        things = thing_at(t, rows, columns)
        to_rows, to_columns = moved(t, things, rows, columns)
        flow[t] = to_columns - columns, to_rows - rows
        outside = (to_rows < 0) | (to_rows >= height) | (to_columns < 0) | (to_columns >= width)
        occluded[t] = outside | (thing_at(t + 1, to_rows, to_columns) != things)
    return Motion(flow, occluded)
