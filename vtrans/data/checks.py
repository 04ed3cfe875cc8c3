"""Checks of arguments and words for them that several files share."""

import os
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from vtrans.errors import refusal


def whole(argument: str, value: object, *, least: int) -> int:
    """The value if it is a whole number of at least ``least``; refuses anything else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(refusal(argument, allowed=f"a whole number of at least {least}", got=repr(value)))
    if value < least:
        raise ValueError(refusal(argument, allowed=f"a whole number of at least {least}", got=value))
    return int(value)


def number(
    argument: str,
    value: object,
    least: float,
    most: float,
    *,
    inside: bool = False,
    what: str = "a number",
    why: str = "",
) -> float:
    """The value if it is a number from ``least`` to ``most``, or between the two; refuses anything else, also booleans.

    Example:
        >>> number("share", 1, 0, 1)
        1.0
    """
    allowed = f"{what} above {least:g} and below {most:g}" if inside else f"{what} from {least:g} to {most:g}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(refusal(argument, allowed=allowed, got=repr(value)))
    given = float(value)
    if not (least < given < most if inside else least <= given <= most):
        raise ValueError(refusal(argument, allowed=allowed, got=value, why=why))
    return given


def ends(argument: str, value: object, allowed: str = "(least, greatest)") -> tuple[Any, Any]:
    """The two ends of a range; refuses what isn't two values."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(refusal(argument, allowed=allowed, got=repr(value)))
    return value[0], value[1]


def height_width(argument: str, value: object) -> tuple[int, int] | None:
    """Turns None, one side of a square, or (height, width) into (height, width) or None."""
    if value is None:
        return None
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return whole(argument, value[0], least=1), whole(argument, value[1], least=1)
    if isinstance(value, Integral):
        return whole(argument, value, least=1), whole(argument, value, least=1)
    allowed = "None, one side of a square, or (height, width)"
    raise TypeError(refusal(argument, allowed=allowed, got=repr(value)))


def counted(count: int, noun: str) -> str:
    """A number and what it counts.

    Example:
        >>> counted(1, "frame"), counted(2000, "frame")
        ('1 frame', '2000 frames')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def as_path(argument: str, value: object) -> Path:
    """The value as a path; refuses what isn't one."""
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(value, str) and value:
        return Path(value)
    raise TypeError(refusal(argument, allowed="a path, as text or pathlib.Path", got=repr(value)))


def came(value: object) -> str:
    """What came instead of an array that was wanted, in words."""
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
