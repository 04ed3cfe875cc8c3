"""When: which frames of a stream make a value, and at which times a stream has frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn

from vtrans.errors import refusal

if TYPE_CHECKING:
    from vtrans.expressions import Clip, Stream


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


@dataclass(frozen=True)
class Scope:
    """What the times of an expression depend on: each clip's length, and what each network reads."""

    lengths: Mapping[Clip, int]
    reads: Mapping[str, Reads]
    _known: dict[int, tuple[Stream, tuple[int, ...]]] = field(default_factory=dict, compare=False, repr=False)

    def times(self, stream: Stream) -> tuple[int, ...]:
        """The times of a stream, worked out once for each."""
        known = self._known.get(id(stream))
        if known is None:
            known = self._known[id(stream)] = (stream, stream.times(self))
        return known[1]
