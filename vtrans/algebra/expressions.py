"""The notation as data: networks and operators applied to streams, and domains, from which equations are written."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from vtrans.algebra.calls import call
from vtrans.algebra.streams import Clip, Join, Past, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.errors import refusal, unknown

Networks = Mapping[str, nn.Module]


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
    symbol: ClassVar[str] = ""
    """How an equation writes it, with ``#1``, ``#2`` … for its inputs; by default the class's name."""
    latex: ClassVar[str] = ""
    """The same in LaTeX."""
    reads_values: ClassVar[bool] = False
    """Whether it asks for its inputs' values alone, however gradients reach them."""

    def __post_init__(self) -> None:
        if not isinstance(self.inputs, tuple):
            raise TypeError(
                refusal("inputs", allowed="a tuple of streams, such as (x.frames,)", got=type(self.inputs).__name__)
            )

    @property
    def parts(self) -> tuple[Stream, ...]:
        return self.inputs

    @property
    def uses(self) -> tuple[Network, ...]:
        """The networks that it runs: the fields that are networks."""
        values = (getattr(self, part.name) for part in fields(self))
        return tuple(value for value in values if isinstance(value, Network))

    def reads(self, scope: Scope) -> Reads:
        """Which frames of each input make a value at time t; the default is the frame at t."""
        return Reads()

    @abstractmethod
    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        """Computes a batch of values, ``(batch, …)``, from a batch of frames of each input.

        A network is run with :meth:`Network.run`, which sees to it that a frozen one is not trained.
        """

    def kernel(self, trains: Collection[str] | None = None) -> Operation:
        """The operation without its inputs, its networks frozen unless they are among those trained."""
        held = {
            part.name: replace(network, frozen=network.frozen or (trains is not None and network.name not in trains))
            for part in fields(self)
            if isinstance(network := getattr(self, part.name), Network)
        }
        return replace(self, inputs=(), **held)

    def times(self, scope: Scope) -> tuple[int, ...]:
        reads = self.reads(scope)
        common = set.intersection(*({*scope.times(stream)} for stream in self.inputs))
        if reads.recurrent:
            return tuple(t + 1 for t in sorted(common))
        candidates = sorted(t - reads.offsets[0] for t in common)
        return tuple(t for t in candidates if all(t + offset in common for offset in reads.offsets))

    def sources(self, t: int, scope: Scope) -> tuple[int, ...]:
        """The times of the input frames that make the value at time t."""
        reads = self.reads(scope)
        if reads.recurrent:
            common = set.intersection(*({*scope.times(stream)} for stream in self.inputs))
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

    def run(self, networks: Networks, *frames: Tensor, method: str = "forward") -> Any:  # noqa: ANN401
        """Runs the network, or another of its methods; a frozen one with its parameters detached."""
        return call(networks[self.name], frames, frozen=self.frozen, method=method)


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
        result: Tensor = self.network.run(networks, *frames)
        return result


@dataclass(frozen=True)
class Domain:
    """One domain as a loss sees it: its clip and the networks into, of and on it.

    Example:
        >>> x, y = Domain("x"), Domain("y")
        >>> y.P(y.G(x.past)).domain
        'y'
    """

    name: str

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("_"):
            raise AttributeError(name)
        known = ["frames", "past", "G", "P", "D", "network", "stream"]
        raise AttributeError(unknown(f"part of domain {self.name}:", name, known))

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


def role_of(name: str) -> str:
    """The role in a network's name: ``"G"`` of ``"G_Y"``."""
    return name.rpartition("_")[0]


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


def networks_in(stream: Stream) -> dict[str, bool]:
    """The networks an expression runs, by name, and whether gradients reach the parameters of any run."""
    found: dict[str, bool] = {}
    seen: dict[tuple[int, bool], Stream] = {}

    def visit(part: Stream, trainable: bool) -> None:
        if (id(part), trainable) in seen:
            return
        seen[id(part), trainable] = part
        for network in part.uses if isinstance(part, Operation) else ():
            found[network.name] = found.get(network.name, False) or (trainable and not network.frozen)
        for source in part.parts:
            visit(source, trainable and not part.cuts_gradient)

    visit(stream, True)
    return found
