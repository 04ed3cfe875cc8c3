"""The leaves and views that expressions are written with: clips, what an earlier phase made, frames of other times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import ClassVar

from vtrans.algebra.streams import Leaf, Network, Operation, Scope, Stream, View, as_stream
from vtrans.errors import refusal


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
            given = ", ".join(f"{clip.domain}[{clip.name!r}]" for clip in scope.lengths if isinstance(clip, Clip))
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
class Ticks(Leaf):
    """Frames with nothing in them, one at every time of the longest clip: what draws are made for."""

    @property
    def domain(self) -> str:
        return ""

    def times(self, scope: Scope) -> tuple[int, ...]:
        return tuple(range(scope.lengths[self] if self in scope.lengths else max(scope.lengths.values(), default=0)))


@dataclass(frozen=True)
class Carried(Leaf):
    """Frames computed in an earlier phase, detached, through the history pool of that name if there is one."""

    stream: Stream
    pool: int = 0
    key: str = ""
    cuts_gradient: ClassVar[bool] = True

    def times(self, scope: Scope) -> tuple[int, ...]:
        return scope.times(self.stream)


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


@dataclass(frozen=True)
class Hold(View):
    """At all times of ``over``, the frame that the stream has at its first time."""

    stream: Stream
    over: Stream

    def times(self, scope: Scope) -> tuple[int, ...]:
        return scope.times(self.over) if scope.times(self.stream) else ()

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        return self.stream, scope.times(self.stream)[0]


@dataclass(frozen=True)
class Placeholder(Leaf):
    """Within the body of a recursion, its own frame of the time before; see :func:`vtrans.recur`."""

    name: str
    of: str

    @property
    def domain(self) -> str:
        return self.of

    def times(self, scope: Scope) -> tuple[int, ...]:
        raise ValueError(f"{self.name}: the frame before stands in the body of its recursion alone.")


@dataclass(frozen=True)
class Recursion(View):
    """The stream whose frame at t is made from its own frame at t − 1, by a body written with a placeholder."""

    name: str
    over: Stream
    start: Stream
    template: Stream

    @cached_property
    def body(self) -> Stream:
        """The expression of a frame, with the recursion itself in the placeholder's place."""
        itself, before = Placeholder(self.name, self.start.domain), Before(self)
        return rebuilt(self.template, lambda stream: before if stream is itself else None)

    @property
    def domain(self) -> str:
        return self.template.domain

    def times(self, scope: Scope) -> tuple[int, ...]:
        return scope.times(self.body)

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        return self.body, t


@dataclass(frozen=True)
class Before(View):
    """A recursion's own frame of the time before; at its first time, what it starts from."""

    recursion: Recursion

    @property
    def parts(self) -> tuple[Stream, ...]:
        return ()

    @property
    def domain(self) -> str:
        return self.recursion.domain

    def times(self, scope: Scope) -> tuple[int, ...]:
        return scope.times(self.recursion.over) if scope.times(self.recursion.start) else ()

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        times, start = scope.times(self.recursion.over), self.recursion.start
        if t == times[0]:
            return start, t if t in scope.times(start) else scope.times(start)[0]
        return self.recursion, times[times.index(t) - 1]


@dataclass(frozen=True)
class Reverse(View):
    """The stream backwards in time, over the same times."""

    stream: Stream

    def times(self, scope: Scope) -> tuple[int, ...]:
        return scope.times(self.stream)

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        times = scope.times(self.stream)
        return self.stream, times[-1 - times.index(t)]


@dataclass(frozen=True)
class Shift(View):
    """The stream later by some times: at time t it has the frame of t − ``by``."""

    stream: Stream
    by: int

    def times(self, scope: Scope) -> tuple[int, ...]:
        return tuple(t + self.by for t in scope.times(self.stream))

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        return self.stream, t - self.by


@dataclass(frozen=True)
class Unroll(View):
    """A stream with further frames, each predicted from the ones before it, predictions included."""

    predictor: Network
    source: Stream
    steps: int
    stream: Stream = field(compare=False, repr=False)

    def times(self, scope: Scope) -> tuple[int, ...]:
        return scope.times(self.stream)

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        return self.stream, t


def earlier(stream: Stream) -> Stream:
    """The frames of a stream as an earlier phase of the step computed them: before its update, without gradient."""
    return Carried(as_stream("earlier(…)", stream))


def join(first: Stream, second: Stream) -> Stream:
    """``first``'s frame where it has one, else ``second``'s."""
    return Join(as_stream("join(…)", first), as_stream("join(…)", second))


def hold(stream: Stream, over: Stream) -> Stream:
    """At all times of ``over``, the frame that ``stream`` has at its first time."""
    return Hold(as_stream("hold(…)", stream), as_stream("hold(…)", over))


def recur(name: str, body: Callable[[Stream], Stream], *, over: Stream, start: Stream) -> Stream:
    """The stream whose frame at t is made from its own frame at t − 1.

    Args:
        name: How equations write it.
        body: Given the stream's own frame of the time before, the expression of its frame.
        over: The stream over whose times it runs.
        start: What stands for the frame before at the first time: its frame of that time, or its first one.

    Returns:
        The stream.

    Raises:
        TypeError: ``body`` is no function, or gives no stream.

    Example:
        >>> from vtrans.algebra import Clip, evaluate, operator
        >>> import torch
        >>> @operator("(#1 + #2)")
        ... def add(a, b):
        ...     return a + b
        >>> x = Clip("x")
        >>> total = recur("s", lambda before: add(x, before), over=x, start=add(x, x))
        >>> [frame.item() for frame in evaluate(total, {x: torch.tensor([[1.0, 2.0, 3.0]])}, {}).values()]
        [3.0, 5.0, 8.0]
    """
    if not callable(body):
        raise TypeError(refusal("body", allowed="a function of the frame before", got=type(body).__name__))
    over, start = as_stream("over", over), as_stream("start", start)
    return Recursion(name, over, start, as_stream("body of recur", body(Placeholder(name, start.domain))))


def rebuilt(stream: Stream, change: Callable[[Stream], Stream | None]) -> Stream:
    """An expression with some of its parts exchanged.

    Args:
        stream: The expression.
        change: What stands in a part's place; None leaves it, and looks into it.
    """
    known: dict[Stream, Stream] = {}

    def visit(part: Stream) -> Stream:
        if part not in known:
            known[part] = change(part) or _remade(part, visit)
        return known[part]

    return visit(stream)


def _remade(stream: Stream, visit: Callable[[Stream], Stream]) -> Stream:
    if isinstance(stream, Operation):
        return replace(stream, inputs=tuple(map(visit, stream.inputs)))
    parts = {part.name: getattr(stream, part.name) for part in fields(stream)}  # type: ignore[arg-type]
    inner = {name: visit(value) for name, value in parts.items() if isinstance(value, Stream)}
    return replace(stream, **inner) if inner else stream  # type: ignore[type-var]


def reverse(stream: Stream) -> Stream:
    """The stream backwards in time, over its own times: at the first it has the last frame.

    What is predicted from ``reverse(x.frames)`` lies on the reversed axis, and is compared with ``reverse(x.frames)``.
    """
    return Reverse(as_stream("reverse(…)", stream))


def shift(stream: Stream, by: int) -> Stream:
    """The stream later by ``by`` times, so that a frame can stand beside an earlier one of another stream."""
    if isinstance(by, bool) or not isinstance(by, int):
        raise TypeError(refusal("by", allowed="a whole number of times", got=repr(by)))
    return Shift(as_stream("shift(…)", stream), by)


def unroll(predictor: Network, stream: Stream, steps: int) -> Stream:
    """The stream with ``steps`` further frames, each predicted from the ones before it, predictions included."""
    if not isinstance(predictor, Network):
        raise TypeError(refusal("predictor", allowed="a network such as y.P", got=type(predictor).__name__))
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise ValueError(refusal("steps", allowed="a whole number of frames, 0 for none", got=repr(steps)))
    source = longer = as_stream("unroll(…)", stream)
    for _ in range(steps):
        longer = Join(longer, predictor(longer))
    return Unroll(predictor, source, steps, longer)
