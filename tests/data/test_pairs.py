"""Frames of X and Y that are each other's translation, position by position."""

import numpy as np
import pytest

from vtrans.data import ArraySequence, FrameSource
from vtrans.data.pairs import check_pairs


def source(name, *shapes):
    arrays = [np.zeros((length, height, width, 3), np.uint8) for length, height, width in shapes]
    return FrameSource([ArraySequence(array, name=f"{name}{i}") for i, array in enumerate(arrays)], name=name)


@pytest.mark.parametrize(
    ("other", "length"),
    [
        (((5, 16, 24), (3, 8, 8)), None),
        (((5, 32, 48), (3, 64, 64)), None),  # twice as large
        (((5, 160, 241), (3, 1000, 1019)), None),  # up to 2 % wider or narrower: sizes are whole numbers of pixels
        (((5, 160, 239), (3, 1000, 981)), None),
        (((9, 16, 24), (4, 8, 8)), 3),
        (((9, 16, 24), (3, 8, 8)), 5),  # of the short ones all are used
    ],
)
def test_what_fits(other, length):
    mine, other = source("x", (5, 16, 24), (3, 8, 8)), source("y", *other)
    check_pairs(mine, other, length=length)
    check_pairs(other, mine, length=length)


@pytest.mark.parametrize(
    ("other", "length", "message"),
    [
        (((5, 16, 24),), None, "expected as many sequences of X as of Y, got 2 in x, 1 in y."),
        (
            ((5, 16, 24), (4, 8, 8)),
            None,
            "expected sequences of one length, got 3 frames in x1, 4 frames in y1. Use as many frames of each.",
        ),
        (((5, 16, 24), (4, 8, 8)), 4, "got 3 frames in x1, 4 frames in y1."),
        (((2, 16, 24), (3, 8, 8)), 5, "got 5 frames in x0, 2 frames in y0."),
        (
            ((5, 16, 24), (3, 1000, 1021)),
            None,
            "expected frames of one shape (height to width), got 8x8 in x1, 1000x1021 in y1. "
            "Cut both to the same part of the scene.",
        ),
        (((5, 16, 24), (3, 1000, 979)), None, "got 8x8 in x1, 1000x979 in y1."),
        (((5, 24, 16), (3, 8, 8)), None, "got 16x24 in x0, 24x16 in y0."),
    ],
)
def test_what_does_not_fit(other, length, message):
    with pytest.raises(ValueError) as error:
        check_pairs(source("x", (5, 16, 24), (3, 8, 8)), source("y", *other), length=length)
    assert str(error.value).startswith("paired: expected") and message in str(error.value)
