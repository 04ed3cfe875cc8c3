"""The notation as data: streams of frames, the networks applied to them, and their plain recursive meaning."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vtrans.errors import refusal

Networks = Mapping[str, nn.Module]


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


class Stream(ABC):
    """A sequence of frames, each at a time; the base of every expression.

    Streams are immutable and compare by structure: writing the same expression twice names the same frames.
    """

    cuts_gradient: ClassVar[bool] = False
    """Whether no gradient flows through to the parts."""

    @property
    def parts(self) -> tuple[Stream, ...]:
        """The streams this one is written in terms of."""
        return ()

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

    @property
    def parts(self) -> tuple[Stream, ...]:
        return (self.stream,)

    def times(self, scope: Scope) -> tuple[int, ...]:
        return self.stream.times(scope)


class View(Stream):
    """A stream each frame of which is a frame of another stream; costs nothing."""

    @abstractmethod
    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        """The stream and the time that frame t stands for."""


@dataclass(frozen=True)
class Past(View):
    """All frames of a stream but its last: x_{1:t} where the next frame is known."""

    stream: Stream

    @property
    def parts(self) -> tuple[Stream, ...]:
        return (self.stream,)

    def times(self, scope: Scope) -> tuple[int, ...]:
        return self.stream.times(scope)[:-1]

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        return self.stream, t


@dataclass(frozen=True)
class Join(View):
    """``first``'s frame where it has one, else ``second``'s."""

    first: Stream
    second: Stream

    @property
    def parts(self) -> tuple[Stream, ...]:
        return self.first, self.second

    def times(self, scope: Scope) -> tuple[int, ...]:
        return tuple(sorted({*self.first.times(scope), *self.second.times(scope)}))

    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        return (self.first if t in self.first.times(scope) else self.second), t


@dataclass(frozen=True)
class Operation(Stream):
    """A stream computed from others; subclass it to add an operator, the planner needs no change.

    A subclass is a frozen dataclass; its fields besides ``inputs`` are its parameters. Two operations that are equal
    but for their inputs run in one batch.
    """

    inputs: tuple[Stream, ...] = field(kw_only=True)
    is_random: ClassVar[bool] = False
    """Whether two runs differ; such an operation is computed frame by frame, in the order of plain evaluation."""
    keeps_value: ClassVar[bool] = False
    """Whether the value is that of the first input (an operator that only shapes gradients)."""

    @property
    def parts(self) -> tuple[Stream, ...]:
        return self.inputs

    def reads(self, scope: Scope) -> Reads:
        """Which frames of each input make a value at time t; the default is the frame at t."""
        return Reads()

    @abstractmethod
    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        """Computes a batch of values, ``(batch, …)``, from a batch of frames of each input."""

    def kernel(self) -> Operation:
        """The operation without its inputs: what decides which frames may share a batch."""
        return replace(self, inputs=())

    def times(self, scope: Scope) -> tuple[int, ...]:
        reads = self.reads(scope)
        common = set.intersection(*({*stream.times(scope)} for stream in self.inputs))
        if reads.recurrent:
            return tuple(t + 1 for t in sorted(common))
        candidates = sorted(t - reads.offsets[0] for t in common)
        return tuple(t for t in candidates if all(t + offset in common for offset in reads.offsets))

    def sources(self, t: int, scope: Scope) -> tuple[int, ...]:
        """The times of the input frames that make the value at time t."""
        reads = self.reads(scope)
        if reads.recurrent:
            common = set.intersection(*({*stream.times(scope)} for stream in self.inputs))
            return tuple(s for s in sorted(common) if s < t)
        return tuple(t + offset for offset in reads.offsets)


@dataclass(frozen=True)
class Network:
    """A network by role and domain, such as G_Y; called on streams it makes a stream."""

    role: str
    domain: str
    frozen: bool = False

    @property
    def name(self) -> str:
        """The network's key in a model: ``"G_Y"``."""
        return f"{self.role}_{self.domain.upper()}"

    def __call__(self, *streams: Stream) -> Apply:
        if not streams:
            raise TypeError(refusal(f"{self.name}(…)", allowed="a stream such as x.frames or x.past", got="none"))
        return Apply(self, inputs=tuple(as_stream(f"{self.name}(…)", stream) for stream in streams))


@dataclass(frozen=True)
class Apply(Operation):
    """A network applied to a stream: frame by frame, on the k frames before, on windows, or recurrently."""

    network: Network

    @property
    def domain(self) -> str:
        return self.network.domain

    def reads(self, scope: Scope) -> Reads:
        if self.network.name not in scope.reads:
            raise ValueError(
                refusal(self.network.name, allowed="a network of the model", got=f"networks {', '.join(scope.reads)}")
            )
        return scope.reads[self.network.name]

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        module = networks[self.network.name]
        if not self.network.frozen:
            result: Tensor = module(*frames)
            return result
        detached = {name: parameter.detach() for name, parameter in module.named_parameters()}
        frozen_result: Tensor = torch.func.functional_call(module, detached, frames)
        return frozen_result


@dataclass(frozen=True)
class Domain:
    """One domain as a loss sees it: its clip and the networks into, of and on it.

    Example:
        >>> x, y = Domain("x"), Domain("y")
        >>> y.P(y.G(x.past)).domain
        'y'
    """

    name: str

    @property
    def frames(self) -> Stream:
        """The clip."""
        return Clip(self.name)

    @property
    def past(self) -> Stream:
        """All frames of the clip but the last."""
        return Past(self.frames)

    @property
    def G(self) -> Network:
        """The generator into this domain."""
        return self.network("G")

    @property
    def P(self) -> Network:
        """The predictor of this domain's next frame."""
        return self.network("P")

    @property
    def D(self) -> Network:
        """The discriminator of this domain."""
        return self.network("D")

    def network(self, role: str) -> Network:
        """The network of any role, such as ``x.network("E")`` for E_X."""
        return Network(role, self.name)

    def stream(self, name: str) -> Stream:
        """Another stream of the clip, such as ``x.stream("flow")``."""
        return Clip(self.name, name)


def frozen(network: Network) -> Network:
    """The network with its parameters detached: gradients flow through it, none to it."""
    if not isinstance(network, Network):
        raise TypeError(refusal("frozen(…)", allowed="a network such as y.P", got=type(network).__name__))
    return replace(network, frozen=True)


def join(first: Stream, second: Stream) -> Stream:
    """``first``'s frame where it has one, else ``second``'s."""
    return Join(as_stream("join(…)", first), as_stream("join(…)", second))


def as_stream(argument: str, value: object) -> Stream:
    """The stream that was given; anything else is refused."""
    if isinstance(value, Stream):
        return value
    raise TypeError(
        refusal(
            argument,
            allowed="streams such as x.frames or x.past",
            got=f"the network {value.name}" if isinstance(value, Network) else type(value).__name__,
            fix=f"Apply it to a stream: {value.name}(…)" if isinstance(value, Network) else "",
        )
    )


def evaluate(stream: Stream, clips: Mapping[Clip, Tensor], networks: Networks) -> dict[int, Tensor]:
    """Evaluates an expression plainly, one call a frame and nothing shared: the meaning that every plan must keep.

    Args:
        stream: The expression.
        clips: The clips it names, each ``(batch, time, channel, height, width)``.
        networks: The networks it names, by name such as ``"G_Y"``.

    Returns:
        The frame ``(batch, …)`` at each of the stream's times.

    Raises:
        ValueError: A clip or network that the expression names is missing.

    Example:
        >>> x = Domain("x")
        >>> clip = torch.arange(3.0).view(1, 3, 1, 1, 1)
        >>> {t: frame.item() for t, frame in evaluate(x.past, {x.frames: clip}, {}).items()}
        {0: 0.0, 1: 1.0}
    """
    scope = Scope(
        {clip: frames.shape[1] for clip, frames in clips.items()},
        {name: Reads.of(network) for name, network in networks.items()},
    )
    return {t: _value(stream, t, clips, networks, scope) for t in stream.times(scope)}


def _value(stream: Stream, t: int, clips: Mapping[Clip, Tensor], networks: Networks, scope: Scope) -> Tensor:
    if isinstance(stream, Clip):
        return clips[stream][:, t]
    if isinstance(stream, Carried):
        return _value(stream.stream, t, clips, networks, scope).detach()
    if isinstance(stream, View):
        source, time = stream.at(t, scope)
        return _value(source, time, clips, networks, scope)
    if isinstance(stream, Operation):
        reads, times = stream.reads(scope), stream.sources(t, scope)
        frames = [[_value(source, s, clips, networks, scope) for s in times] for source in stream.inputs]
        value = stream.run(networks, *(_arrange(group, reads) for group in frames))
        return value[:, -1] if reads.recurrent else value
    raise TypeError(refusal("stream", allowed="a Leaf, a View or an Operation", got=type(stream).__name__))


def _arrange(frames: Sequence[Tensor], reads: Reads) -> Tensor:
    return torch.stack(list(frames), dim=1) if reads.stacked else frames[0]


def networks_in(stream: Stream, *, trainable: bool = True) -> dict[str, bool]:
    """The networks an expression applies, by name, and whether gradients reach the parameters of any application."""
    found: dict[str, bool] = {}
    if isinstance(stream, Apply):
        found[stream.network.name] = trainable and not stream.network.frozen
    for part in stream.parts:
        for name, trained in networks_in(part, trainable=trainable and not stream.cuts_gradient).items():
            found[name] = found.get(name, False) or trained
    return found
