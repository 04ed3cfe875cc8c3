"""Checks of arguments and words for them that several files share."""

from numbers import Integral
from pathlib import Path

from vtrans.errors import refusal


def whole(argument: str, value: object, *, least: int) -> int:
    """The value if it is a whole number of at least ``least``; refuses anything else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(refusal(argument, allowed=f"a whole number of at least {least}", got=repr(value)))
    if value < least:
        raise ValueError(refusal(argument, allowed=f"a whole number of at least {least}", got=value))
    return int(value)


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
    if isinstance(value, str) and value:
        return Path(value)
    if isinstance(value, Path):
        return value
    raise TypeError(refusal(argument, allowed="a path, as text or pathlib.Path", got=repr(value)))
