"""Operators on streams beside the networks; each is a small class, and a new one needs no change elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vtrans.errors import refusal
from vtrans.expressions import Join, Network, Networks, Operation, Scope, Stream, View, as_stream


@dataclass(frozen=True)
class Detach(Operation):
    """The same frames, through which no gradient flows."""

    keeps_value: ClassVar[bool] = True
    cuts_gradient: ClassVar[bool] = True

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        return frames[0].detach()


@dataclass(frozen=True)
class Noise(Operation):
    """The frames plus Gaussian noise; draws of different names are different draws."""

    name: str
    scale: float = 0.1
    is_random: ClassVar[bool] = True

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        return frames[0] + self.scale * torch.randn_like(frames[0])


@dataclass(frozen=True)
class Reverse(View):
    """The stream backwards in time, over the same times."""

    stream: Stream

    @property
    def parts(self) -> tuple[Stream, ...]:
        return (self.stream,)

    def times(self, scope: Scope) -> tuple[int, ...]:
        return self.stream.times(scope)

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        times = self.stream.times(scope)
        return self.stream, times[-1 - times.index(t)]


@dataclass(frozen=True)
class Shift(View):
    """The stream later by some times: at time t it has the frame of t − ``by``."""

    stream: Stream
    by: int

    @property
    def parts(self) -> tuple[Stream, ...]:
        return (self.stream,)

    def times(self, scope: Scope) -> tuple[int, ...]:
        return tuple(t + self.by for t in self.stream.times(scope))

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        return self.stream, t - self.by


def detach(stream: Stream) -> Stream:
    """The stream with no gradient flowing through."""
    return Detach(inputs=(as_stream("detach(…)", stream),))


def noise(stream: Stream, name: str, scale: float = 0.1) -> Stream:
    """The stream plus Gaussian noise of standard deviation ``scale``; each ``name`` is a draw of its own."""
    return Noise(name, scale, inputs=(as_stream("noise(…)", stream),))


def reverse(stream: Stream) -> Stream:
    """The stream backwards in time."""
    return Reverse(as_stream("reverse(…)", stream))


def unroll(predictor: Network, stream: Stream, steps: int) -> Stream:
    """The stream with ``steps`` further frames, each predicted from the ones before it, predictions included."""
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise ValueError(refusal("steps", allowed="a whole number of frames, 0 for none", got=repr(steps)))
    stream = as_stream("unroll(…)", stream)
    for _ in range(steps):
        stream = Join(stream, predictor(stream))
    return stream


def shift(stream: Stream, by: int) -> Stream:
    """The stream later by ``by`` times, so that a frame can stand beside an earlier one of another stream."""
    if isinstance(by, bool) or not isinstance(by, int):
        raise TypeError(refusal("by", allowed="a whole number of times", got=repr(by)))
    return Shift(as_stream("shift(…)", stream), by)
