"""The plain recursive meaning of expressions, which every plan must keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from vtrans.algebra.streams import Networks, Operation, Scope, Stream, View
from vtrans.algebra.times import Reads
from vtrans.algebra.values import Value, map_tensors
from vtrans.algebra.views import Carried, Clip, Recursion, Ticks
from vtrans.errors import refusal

Draws = dict[tuple[Stream, int], Value]


def evaluate(
    stream: Stream, clips: Mapping[Clip, Tensor], networks: Networks, draws: Draws | None = None
) -> dict[int, Value]:
    """Evaluates an expression plainly, one call a frame and nothing shared: the meaning that every plan must keep.

    Args:
        stream: The expression.
        clips: The clips it names, each ``(batch, time, channel, height, width)``.
        networks: The networks it names, by name such as ``"G_Y"``.
        draws: What random operators drew before, so that a draw stays the same in several expressions; added to.

    Returns:
        The frame ``(batch, …)`` at each of the stream's times.

    Raises:
        ValueError: A clip or network that the expression names is missing.

    Example:
        >>> from vtrans.algebra import Domain
        >>> x = Domain("x")
        >>> clip = torch.arange(3.0).view(1, 3, 1, 1, 1)
        >>> {t: frame.item() for t, frame in evaluate(x.past, {x.frames: clip}, {}).items()}
        {0: 0.0, 1: 1.0}
    """
    reads = {name: Reads.of(network) for name, network in networks.items()}
    evaluation = _Evaluation(clips, networks, Scope({clip: frames.shape[1] for clip, frames in clips.items()}, reads))
    evaluation.draws = {} if draws is None else draws
    return {t: evaluation.value(stream, t) for t in evaluation.scope.times(stream)}


class _Evaluation:
    """The recursion, and what it draws from: the order of its draws is that of every plan."""

    def __init__(self, clips: Mapping[Clip, Tensor], networks: Networks, scope: Scope) -> None:
        self.clips, self.networks, self.scope = clips, networks, scope
        self.draws: Draws = {}
        self._made: Draws = {}

    def value(self, stream: Stream, t: int) -> Value:
        """The frame of a stream at a time."""
        if (stream, t) in self.draws:
            return self.draws[stream, t]
        if isinstance(stream, Carried):
            return map_tensors(torch.Tensor.detach, self.value(stream.stream, t))
        if isinstance(stream, Ticks):
            return _nothing(self.clips.values())
        if isinstance(stream, Clip):
            return self.clips[stream][:, t]
        if isinstance(stream, Recursion):
            return self._recurred(stream, t)
        if isinstance(stream, View):
            return self.value(*stream.at(t, self.scope))
        if isinstance(stream, Operation):
            return self._computed(stream, t)
        raise TypeError(refusal("stream", allowed="a Leaf, a View or an Operation", got=type(stream).__name__))

    def _recurred(self, stream: Recursion, t: int) -> Value:
        """A recursion is followed from its beginning, and keeps what it made."""
        for s in self.scope.times(stream):
            if s <= t and (stream, s) not in self._made:
                self._made[stream, s] = self.value(*stream.at(s, self.scope))
        return self._made[stream, t]

    def _computed(self, stream: Operation, t: int) -> Value:
        reads, times = stream.reads(self.scope), stream.sources(t, self.scope)
        frames = [[self.value(source, s) for s in times] for source in stream.inputs]
        value = stream.run(self.networks, *(_arrange(group, reads) for group in frames))
        if stream.is_random:
            self.draws[stream, t] = value
        return map_tensors(lambda part: part[:, -1], value) if reads.recurrent else value


def _arrange(frames: Sequence[Value], reads: Reads) -> Value:
    return map_tensors(lambda *parts: torch.stack(parts, dim=1), *frames) if reads.stacked else frames[0]


def _nothing(clips: Iterable[Tensor]) -> Tensor:
    first = next(iter(clips))
    return first.new_empty(first.shape[0], 0)
