"""Operators on streams beside the networks; each is a small class, and a new one needs no change elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from vtrans.algebra.expressions import Network, Networks, Operation, as_stream
from vtrans.algebra.streams import Join, Scope, Stream, View
from vtrans.errors import refusal


@dataclass(frozen=True)
class Detach(Operation):
    """The same frames, through which no gradient flows."""

    keeps_value: ClassVar[bool] = True
    cuts_gradient: ClassVar[bool] = True

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        return frames[0].detach()


@dataclass(frozen=True)
class Draw(Operation):
    """Standard Gaussian noise in the shape of a frame; a draw has a name, and two of one name are one."""

    name: str
    is_random: ClassVar[bool] = True
    reads_values: ClassVar[bool] = True
    cuts_gradient: ClassVar[bool] = True

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        return torch.randn_like(frames[0])


@dataclass(frozen=True)
class Noise(Operation):
    """The first input plus a multiple of the second, which is a draw."""

    scale: float

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        return frames[0] + self.scale * frames[1]


@dataclass(frozen=True)
class Between(Operation):
    """A point between two inputs, drawn uniformly for each frame; a draw has a name, and two of one name are one."""

    name: str
    is_random: ClassVar[bool] = True
    symbol: ClassVar[str] = "[#1 … #2]"
    latex: ClassVar[str] = r"[#1 \ldots #2]"

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        a, b = frames
        share = torch.rand((a.shape[0], *[1] * (a.ndim - 1)), dtype=a.dtype, device=a.device)
        return share * a + (1 - share) * b


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


def detach(stream: Stream) -> Stream:
    """The stream with no gradient flowing through."""
    return Detach(inputs=(as_stream("detach(…)", stream),))


def noise(stream: Stream, name: str, scale: float = 0.1) -> Stream:
    """The stream plus Gaussian noise of standard deviation ``scale``; each ``name`` is a draw of its own."""
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise TypeError(refusal("scale", allowed="a number", got=repr(scale)))
    source = as_stream("noise(…)", stream)
    return Noise(scale, inputs=(source, Draw(name, inputs=(source,))))


def between(a: Stream, b: Stream, name: str) -> Stream:
    """A random point between the frames of two streams, uniform for each frame; each ``name`` is a draw of its own."""
    return Between(name, inputs=(as_stream("between(…)", a), as_stream("between(…)", b)))


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
