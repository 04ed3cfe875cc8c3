"""The kinds of streams: leaves, views, operations, and networks applied to streams; and when each has a frame."""

from __future__ import annotations

import re
from abc import ABCMeta, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar, NoReturn
from weakref import WeakValueDictionary

from torch import nn

from vtrans.algebra.calls import call
from vtrans.algebra.times import Reads
from vtrans.algebra.values import Value, structure
from vtrans.errors import refusal, unknown

Networks = Mapping[str, nn.Module]


@dataclass(frozen=True)
class Scope:
    """What the times of an expression depend on: each clip's length, and what each network reads."""

    lengths: Mapping[Any, int]  # by leaf
    reads: Mapping[str, Reads]
    _known: dict[Stream, tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)

    def times(self, stream: Stream) -> tuple[int, ...]:
        """The times of a stream, worked out once for each."""
        known = self._known.get(stream)
        if known is None:
            known = self._known[stream] = stream.times(self)
        return known


class _Interned(ABCMeta):
    """Makes equal streams one object, so that comparing and hashing cost the same however deep an expression is."""

    _made: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()

    def __call__(cls, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        made = super().__call__(*arguments, **options)
        if not is_dataclass(made):
            return made
        if "__hash__" in vars(cls) and cls is not Stream:  # a dataclass brings its own
            cls.__eq__, cls.__hash__ = Stream.__eq__, Stream.__hash__  # type: ignore[method-assign,assignment]
        key = (cls, *(getattr(made, part.name) for part in fields(made) if part.compare))
        try:
            return _Interned._made.setdefault(key, made)
        except TypeError as error:
            raise TypeError(
                refusal(
                    f"parameters of {cls.__name__}",
                    allowed="values that can be hashed, such as numbers, strings and tuples",
                    got=", ".join(f"{part.name}={getattr(made, part.name)!r}" for part in fields(made) if part.compare),
                    why="Streams that are written alike are one",
                )
            ) from error


class Stream(metaclass=_Interned):
    """A sequence of frames, each at a time; the base of every expression.

    Streams are immutable, and writing the same expression twice gives the same object. A frame is a tensor, or a list,
    tuple or mapping of tensors: then ``stream["mean"]`` is the stream of that part.
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
        """The domain whose frames these are, such as ``"x"``."""
        return self.parts[0].domain

    @property
    def word(self) -> str:
        """What an equation without a symbol, and a plan, call it: the class's name with underscores."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @abstractmethod
    def times(self, scope: Scope) -> tuple[int, ...]:
        """The times, ascending, at which the stream has a frame."""

    __iter__ = None

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __getitem__(self, key: str | int) -> Stream:
        return Item(key, inputs=(self,))

    def _no_arithmetic(self, *_: object) -> NoReturn:
        raise TypeError(
            refusal(
                "arithmetic on streams",
                allowed="terms and operators",
                got="+, −, · or /",
                why="A stream is an expression, not yet numbers",
                fix="Compare two streams with self.compare(a, b), or write an operator with @vtrans.operator",
            )
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _no_arithmetic
    __pow__ = __neg__ = __abs__ = _no_arithmetic

    def __deepcopy__(self, memo: dict[int, Any]) -> Stream:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), {part.name: getattr(self, part.name) for part in fields(self) if part.init})  # type: ignore[arg-type]


def _again(kind: type[Stream], options: dict[str, Any]) -> Stream:
    return kind(**options)


class Leaf(Stream):
    """A stream whose frames are given, not computed."""


class View(Stream):
    """A stream each frame of which is a frame of another stream; costs nothing."""

    @abstractmethod
    def at(self, t: int, scope: Scope) -> tuple[Stream, int]:
        """The stream and the time that frame t stands for."""


@dataclass(frozen=True)
class Operation(Stream):
    """A stream computed from others; subclass it to add an operator, the planner needs no change.

    A subclass is a frozen dataclass; its fields besides ``inputs`` are its parameters. Two operations that are equal
    but for their inputs run in one batch. For an operator that is a plain function see :func:`vtrans.operator`.
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
    def run(self, networks: Networks, *frames: Any) -> Value:  # noqa: ANN401
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
        common = self._common(scope)
        reads = self.reads(scope)
        if reads.recurrent:
            return tuple(t + 1 for t in sorted(common))
        candidates = sorted(t - reads.offsets[0] for t in common)
        return tuple(t for t in candidates if all(t + offset in common for offset in reads.offsets))

    def sources(self, t: int, scope: Scope) -> tuple[int, ...]:
        """The times of the input frames that make the value at time t."""
        reads = self.reads(scope)
        if reads.recurrent:
            return tuple(s for s in sorted(self._common(scope)) if s < t)
        return tuple(t + offset for offset in reads.offsets)

    def _common(self, scope: Scope) -> set[int]:
        if not self.inputs:
            name = type(self).__name__
            raise ValueError(refusal(f"inputs of {name}", allowed="at least one stream", got="none"))
        return set.intersection(*({*scope.times(stream)} for stream in self.inputs))


@dataclass(frozen=True)
class Item(Operation):
    """A part of frames that are lists, tuples or mappings of tensors; costs nothing."""

    key: str | int

    def run(self, networks: Networks, *frames: Any) -> Value:  # noqa: ANN401
        try:
            part: Value = frames[0][self.key]
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(
                refusal(f"[{self.key!r}]", allowed=f"a part of {structure(frames[0])}", got=repr(self.key))
            ) from error
        return part


@dataclass(frozen=True)
class Network:
    """A network by role and domain, such as G_Y, or one for all domains; called on streams it makes a stream."""

    role: str
    domain: str = ""
    frozen: bool = False
    called: str = "forward"

    @property
    def name(self) -> str:
        """The network's key in a model: ``"G_Y"``."""
        return f"{self.role}_{self.domain.upper()}" if self.domain else self.role

    def method(self, name: str) -> Network:
        """The same network, of which another method is called: ``y.G.method("features")(x.frames)``."""
        return replace(self, called=name)

    def __call__(self, *streams: Stream) -> Apply:
        """The network applied to streams, which it gets as its arguments."""
        if not streams:
            raise TypeError(refusal(f"{self.name}(…)", allowed="a stream such as x.frames or x.past", got="none"))
        inputs = tuple(as_stream(f"{self.name}(…)", stream) for stream in streams)
        if self.role == "P" and self.domain not in {stream.domain for stream in inputs}:
            raise ValueError(
                refusal(
                    f"{self.name}(…)",
                    allowed=f"streams of {self.domain}",
                    got=f"one of {inputs[0].domain}",
                    why="A predictor continues its own domain",
                    fix=f"Translate it first, or use {inputs[0].domain}.P",
                )
            )
        return Apply(self, inputs=inputs)

    def run(self, networks: Networks, *frames: Any, method: str = "") -> Any:  # noqa: ANN401
        """Runs the network, or another of its methods; a frozen one with its parameters detached."""
        network, called = networks[self.name], method or self.called
        if called != "forward" and not callable(getattr(network, called, None)):
            methods = [name for name in vars(type(network)) if not name.startswith("_")]
            raise ValueError(unknown(f"method of {self.name} ({type(network).__name__}):", called, methods))
        return call(network, frames, frozen=self.frozen, method=called)


@dataclass(frozen=True)
class Apply(Operation):
    """A network applied to streams: frame by frame, on the k frames before, on windows, or recurrently."""

    network: Network

    @property
    def domain(self) -> str:
        return self.network.domain or self.inputs[0].domain

    def reads(self, scope: Scope) -> Reads:
        if self.network.name not in scope.reads:
            raise ValueError(
                refusal(self.network.name, allowed="a network of the model", got=f"networks {', '.join(scope.reads)}")
            )
        return scope.reads[self.network.name]

    def run(self, networks: Networks, *frames: Any) -> Value:  # noqa: ANN401
        result: Value = self.network.run(networks, *frames)
        return result


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
