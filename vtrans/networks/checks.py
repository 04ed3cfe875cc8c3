"""Checks of constructor options that the networks share."""

import math
from collections.abc import Sequence

from vtrans.errors import refusal


def require_count(argument: str, value: object, *, least: int = 1) -> None:
    """Refuses anything but a whole number of at least ``least``.

    Raises:
        TypeError: If the value is no whole number.
        ValueError: If it is too small.
    """
    allowed = f"a whole number of at least {least}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(refusal(argument, allowed=allowed, got=repr(value)))
    if value < least:
        raise ValueError(refusal(argument, allowed=allowed, got=value))


def require_choice(argument: str, value: object, allowed: Sequence[str]) -> None:
    """Refuses a name that is not on the list.

    Raises:
        ValueError: If the value is not one of those allowed.
    """
    if value not in allowed:
        raise ValueError(refusal(argument, allowed=f"one of {', '.join(map(repr, allowed))}", got=repr(value)))


def require_dropout(value: object) -> None:
    """Refuses a dropout rate outside [0, 1).

    Raises:
        TypeError: If the value is no number.
        ValueError: If it is outside [0, 1).
    """
    allowed = "a number in [0, 1), where 0 is off"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(refusal("dropout", allowed=allowed, got=repr(value), fix="Pass dropout=0.5 to switch it on."))
    if not 0.0 <= value < 1.0:
        raise ValueError(refusal("dropout", allowed=allowed, got=value))


def require_gain(value: object) -> None:
    """Refuses a scale of initial weights that is not above 0.

    Raises:
        TypeError: If the value is neither a number nor None.
        ValueError: If it is not above 0, or not finite.
    """
    allowed = "a number above 0, or None for the law's own"
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise TypeError(refusal("init_gain", allowed=allowed, got=repr(value)))
    if value is not None and not 0 < value < math.inf:
        raise ValueError(refusal("init_gain", allowed=allowed, got=value))
