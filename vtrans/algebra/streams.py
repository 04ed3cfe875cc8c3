"""Streams of frames as data: the clips that are given, and views of other streams; and when each has a frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar

from vtrans.algebra.times import Reads
from vtrans.errors import refusal


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


class Stream(ABC):
    """A sequence of frames, each at a time; the base of every expression.

    Streams are immutable and compare by structure: writing the same expression twice names the same frames.
    """

    cuts_gradient: ClassVar[bool] = False
    """Whether no gradient flows through to the parts."""

    @property
    def parts(self) -> tuple[Stream, ...]:
        """The streams this one is written in terms of: the fields that are streams."""
        values = (getattr(self, part.name) for part in fields(self))  # type: ignore[arg-type]
        return tuple(value for value in values if isinstance(value, Stream))

    @property
    def domain(self) -> str:
        """The domain whose frames these are, ``"x"`` or ``"y"``."""
        return self.parts[0].domain

    @abstractmethod
    def times(self, scope: Scope) -> tuple[int, ...]:
        """The times, ascending, at which the stream has a frame."""


class Leaf(Stream):
    """A stream whose frames are given, not computed."""


@dataclass(frozen=True)
class Clip(Leaf):
    """The frames of a clip, or another stream that comes with it (labels, flow)."""

    of: str
    name: str = "frames"

    @property
    def domain(self) -> str:
        return self.of

    def times(self, scope: Scope) -> tuple[int, ...]:
        if self not in scope.lengths:
            given = ", ".join(f"{clip.domain}[{clip.name!r}]" for clip in scope.lengths)
            raise ValueError(
                refusal(
                    f"{self.domain}[{self.name!r}]",
                    allowed="the streams that the losses name",
                    got=given or "none",
                    fix=f"Pass the clip as a mapping with 'frames' and {self.name!r}.",
                )
            )
        return tuple(range(scope.lengths[self]))


@dataclass(frozen=True)
class Carried(Leaf):
    """Frames computed in an earlier phase, detached, through a history pool when ``pool`` is above 0."""

    stream: Stream
    pool: int = 0
    cuts_gradient: ClassVar[bool] = True

    def times(self, scope: Scope) -> tuple[int, ...]:
        return scope.times(self.stream)


class View(Stream):
    """A stream each frame of which is a frame of another stream; costs nothing."""

    @abstractmethod
    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        """The stream and the time that frame t stands for."""


@dataclass(frozen=True)
class Past(View):
    """All frames of a stream but its last: x_{1:t} where the next frame is known."""

    stream: Stream

    def times(self, scope: Scope) -> tuple[int, ...]:
        return scope.times(self.stream)[:-1]

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        return self.stream, t


@dataclass(frozen=True)
class Join(View):
    """``first``'s frame where it has one, else ``second``'s."""

    first: Stream
    second: Stream

    def times(self, scope: Scope) -> tuple[int, ...]:
        return tuple(sorted({*scope.times(self.first), *scope.times(self.second)}))

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        return (self.first if t in scope.times(self.first) else self.second), t
