"""Frames of two domains that show the same scenes, position by position."""

from vtrans.data.sequences import FrameSource
from vtrans.errors import refusal

ASPECT = 0.02
"""By how much of itself the ratio of height to width may differ: sizes are whole numbers of pixels."""


def check_pairs(x: FrameSource, y: FrameSource, *, length: int | None = None) -> None:
    """Checks that frames at the same position can be each other's translation; ``length`` of each are used, or all.

    Refused are other numbers of sequences, and sequences that differ in length or in their ratio of height to width.

    Example:
        >>> import numpy as np
        >>> from vtrans.data import open_source
        >>> large, small = (open_source(np.zeros((5, 3, side, side), dtype=np.uint8)) for side in (16, 8))
        >>> check_pairs(large, small)
    """
    counts = [len(source.sequences) for source in (x, y)]
    if counts[0] != counts[1]:
        got = f"{counts[0]} in {x.name}, {counts[1]} in {y.name}"
        raise ValueError(refusal("paired", allowed="as many sequences of X as of Y", got=got))
    for pair in zip(x.sequences, y.sequences, strict=True):
        lengths = [s.length if length is None else min(length, s.length) for s in pair]
        if lengths[0] != lengths[1]:
            got = f"{lengths[0]} frames in {pair[0].name}, {lengths[1]} frames in {pair[1].name}"
            fix = "Use as many frames of each"
            raise ValueError(refusal("paired", allowed="sequences of one length", got=got, fix=fix))
        aspects = [s.height / s.width for s in pair]
        if abs(aspects[0] / aspects[1] - 1) > ASPECT:
            sizes = [f"{s.height}x{s.width} in {s.name}" for s in pair]
            allowed, fix = "frames of one shape (height to width)", "Cut both to the same part of the scene"
            raise ValueError(refusal("paired", allowed=allowed, got=", ".join(sizes), fix=fix))
