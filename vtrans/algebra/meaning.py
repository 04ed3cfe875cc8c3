"""The plain recursive meaning of expressions, which every plan must keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vtrans.algebra.expressions import Networks, Operation
from vtrans.algebra.streams import Carried, Clip, Scope, Stream, View
from vtrans.algebra.times import Reads
from vtrans.errors import refusal

Draws = dict[tuple[Stream, int], Tensor]


def evaluate(
    stream: Stream, clips: Mapping[Clip, Tensor], networks: Networks, draws: Draws | None = None
) -> dict[int, Tensor]:
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
    scope = Scope(
        {clip: frames.shape[1] for clip, frames in clips.items()},
        {name: Reads.of(network) for name, network in networks.items()},
    )
    return {t: _value(stream, t, clips, networks, scope, {} if draws is None else draws) for t in scope.times(stream)}


def _value(
    stream: Stream, t: int, clips: Mapping[Clip, Tensor], networks: Networks, scope: Scope, draws: Draws
) -> Tensor:
    if isinstance(stream, Clip):
        return clips[stream][:, t]
    if isinstance(stream, Carried):
        return _value(stream.stream, t, clips, networks, scope, draws).detach()
    if isinstance(stream, View):
        source, time = stream.at(t, scope)
        return _value(source, time, clips, networks, scope, draws)
    if isinstance(stream, Operation):
        if (stream, t) in draws:
            return draws[stream, t]
        reads, times = stream.reads(scope), stream.sources(t, scope)
        frames = [[_value(source, s, clips, networks, scope, draws) for s in times] for source in stream.inputs]
        value = stream.run(networks, *(_arrange(group, reads) for group in frames))
        if stream.is_random:
            draws[stream, t] = value
        return value[:, -1] if reads.recurrent else value
    raise TypeError(refusal("stream", allowed="a Leaf, a View or an Operation", got=type(stream).__name__))


def _arrange(frames: Sequence[Tensor], reads: Reads) -> Tensor:
    return torch.stack(list(frames), dim=1) if reads.stacked else frames[0]
