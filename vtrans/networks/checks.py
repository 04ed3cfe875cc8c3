"""Checks of constructor options: what an option's name means is the same in every network."""

import math
from collections.abc import Sequence

from vtrans.errors import refusal

NORMS = ("instance", "batch", "group", "none")
INITS = ("normal", "xavier", "kaiming", "orthogonal")
PADDINGS = ("reflect", "replicate", "zero")

_LEAST = {"blocks": 0, "depth": 2}
_CHOICES = {"norm": NORMS, "init": INITS, "padding": PADDINGS}


def require(**options: object) -> None:
    """Refuses a bad value of any option that the networks share, by the rule that belongs to the option's name.

    Args:
        **options: ``norm``, ``init`` and ``padding`` are names from a list, ``dropout`` is a rate, ``init_gain`` a
            scale; all others are whole numbers, ``blocks`` from 0 up, ``depth`` from 2, the rest from 1.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If a value is out of range, or not on the list.
    """
    for name, value in options.items():
        if name in _CHOICES:
            require_choice(name, value, _CHOICES[name])
        elif name == "dropout":
            _check_dropout(value)
        elif name == "init_gain":
            _check_gain(value)
        else:
            _check_count(name, value, least=_LEAST.get(name, 1))


def require_choice(argument: str, value: object, allowed: Sequence[str]) -> None:
    """Refuses a name that is not on the list.

    Raises:
        ValueError: If the value is not one of those allowed.
    """
    if value not in allowed:
        raise ValueError(refusal(argument, allowed=f"one of {', '.join(map(repr, allowed))}", got=repr(value)))


def _check_count(argument: str, value: object, *, least: int) -> None:
    allowed = f"a whole number of at least {least}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(refusal(argument, allowed=allowed, got=repr(value)))
    if value < least:
        raise ValueError(refusal(argument, allowed=allowed, got=value))


def _check_dropout(value: object) -> None:
    allowed = "a number in [0, 1), where 0 is off"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(refusal("dropout", allowed=allowed, got=repr(value), fix="Pass dropout=0.5 to switch it on."))
    if not 0.0 <= value < 1.0:
        raise ValueError(refusal("dropout", allowed=allowed, got=value))


def _check_gain(value: object) -> None:
    allowed = "a number above 0, or None for the law's own"
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise TypeError(refusal("init_gain", allowed=allowed, got=repr(value)))
    if value is not None and not 0 < value < math.inf:
        raise ValueError(refusal("init_gain", allowed=allowed, got=value))
