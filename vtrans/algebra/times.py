"""Which frames of a stream make a value at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from vtrans.errors import refusal


@dataclass(frozen=True)
class Reads:
    """Which frames of a stream make a value at time t: those at t + offset, or (``recurrent``) all before t.

    ``stacked`` says that the frames arrive on a time axis, ``(batch, time, channel, height, width)``, instead of
    one frame ``(batch, channel, height, width)``.
    """

    offsets: tuple[int, ...] = (0,)
    stacked: bool = False
    recurrent: bool = False

    @classmethod
    def of(cls, network: nn.Module) -> Reads:
        """What a network declares: ``context`` frames before t, a ``window`` of frames ending at t, or one frame."""
        declared: Any = network
        if hasattr(network, "context"):
            if declared.context is None:
                return cls(offsets=(), stacked=True, recurrent=True)
            return cls(offsets=tuple(range(-_count(network, "context"), 0)), stacked=True)
        if hasattr(network, "window"):
            return cls(offsets=tuple(range(1 - _count(network, "window"), 1)), stacked=True)
        return cls()


def _count(network: nn.Module, attribute: str) -> int:
    declared = getattr(network, attribute)
    if isinstance(declared, bool) or not isinstance(declared, int) or declared < 1:
        raise ValueError(
            refusal(
                f"{type(network).__name__}.{attribute}",
                allowed="a whole number of frames above 0" + (" or None" if attribute == "context" else ""),
                got=type(declared).__name__ if isinstance(declared, nn.Module) else repr(declared),
                why="By this attribute a network says which frames it reads",
                fix="Give the attribute another name if it means something else",
            )
        )
    return declared
