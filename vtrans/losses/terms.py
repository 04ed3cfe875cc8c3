"""What a loss yields: two streams compared, a stream judged, or a penalty on a network."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor

from vtrans.algebra.operators import detach
from vtrans.algebra.streams import Apply, Network, Networks, Operation, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.values import Value, map_tensors, tensors_in
from vtrans.algebra.views import Carried
from vtrans.errors import refusal
from vtrans.functional.adversarial import Role
from vtrans.networks.traits import sequential_reasons

Over = Literal["mean", "sum"]
"""What is taken over the tensors of a frame that has several."""

Request = tuple[Stream, tuple[int, ...]]
"""A stream and the times of it that a term looks at, in the order it wants them."""


class TooShortError(ValueError):
    """The clip has too few frames for an expression to have a value at any time."""


@dataclass(frozen=True, kw_only=True)
class Term(ABC):
    """One summand of an objective.

    ``phase`` is the phase it belongs to; ``name`` replaces the loss's name, and ``weight`` multiplies its weight.
    """

    phase: str = "generators"
    name: str | None = None
    weight: float = 1.0
    by_loss: ClassVar[bool] = True
    """Whether the loss's weight counts."""

    @property
    @abstractmethod
    def domain(self) -> str:
        """The domain after which the term is named: of the target, or of the discriminator."""

    @property
    @abstractmethod
    def streams(self) -> tuple[Stream, ...]:
        """The expressions that the term is written in, discriminators applied."""

    @property
    def judges(self) -> tuple[str, ...]:
        """The networks that the term teaches to judge."""
        return ()

    @abstractmethod
    def requests(self, scope: Scope) -> tuple[Request, ...]:
        """The frames that the term needs; raises :class:`TooShortError` if there are none."""

    @abstractmethod
    def value(self, frames: Sequence[Value], networks: Networks) -> Tensor:
        """The unweighted value from the requested frames, each ``(times, batch, …)``."""


@dataclass(frozen=True)
class Comparison(Term):
    """Two streams compared by a distance, averaged over a frame and the batch, summed over the times both have.

    Of frames that are several tensors it takes the mean over these, or (``over="sum"``) the sum.
    """

    stream: Stream
    target: Stream
    distance: Callable[[Tensor, Tensor], Tensor]
    over: Over = field(default="mean", kw_only=True)

    @property
    def domain(self) -> str:
        return self.target.domain

    @property
    def streams(self) -> tuple[Stream, ...]:
        return self.stream, self.target

    def requests(self, scope: Scope) -> tuple[Request, ...]:
        target = set(self.target.times(scope))
        times = tuple(t for t in self.stream.times(scope) if t in target)
        if not times:
            raise TooShortError("The two streams compared have no time in common.")
        return (self.stream, times), (self.target, times)

    def value(self, frames: Sequence[Value], networks: Networks) -> Tensor:
        return _all(self.over, map_tensors(self._distance, *frames))

    def _distance(self, a: Tensor, b: Tensor) -> Tensor:
        if a.shape != b.shape:
            raise ValueError(
                refusal(
                    "compared streams",
                    allowed="frames of one shape (batch, channel, height, width)",
                    got=f"{tuple(a.shape[1:])} against {tuple(b.shape[1:])}",
                    why="A distance is taken element by element",
                )
            )
        return self.distance(a.flatten(0, 1), b.flatten(0, 1)) * a.shape[0]


@dataclass(frozen=True)
class Cost(Term):
    """A stream of costs, averaged over a frame and the batch, summed over times."""

    stream: Stream
    over: Over = field(default="mean", kw_only=True)

    @property
    def domain(self) -> str:
        return self.stream.domain

    @property
    def streams(self) -> tuple[Stream, ...]:
        return (self.stream,)

    def requests(self, scope: Scope) -> tuple[Request, ...]:
        times = self.stream.times(scope)
        if not times:
            raise TooShortError("The stream of costs has no frame.")
        return ((self.stream, times),)

    def value(self, frames: Sequence[Value], networks: Networks) -> Tensor:
        return _all(self.over, map_tensors(lambda costs: costs.mean() * costs.shape[0], frames[0]))


@dataclass(frozen=True)
class Judgement(Term):
    """What a discriminator that is to be convinced says of streams, summed over the judged frames (or windows)."""

    judged: tuple[Apply, ...]
    criterion: Callable[[Tensor, Role], Tensor]
    over: Over = field(default="mean", kw_only=True)

    @property
    def domain(self) -> str:
        return self.judged[0].domain

    @property
    def streams(self) -> tuple[Apply, ...]:
        return self.judged

    @property
    def networks(self) -> tuple[str, ...]:
        """The names of the networks that judge."""
        return tuple(dict.fromkeys(judged.network.name for judged in self.judged if not judged.network.frozen))

    def requests(self, scope: Scope) -> tuple[Request, ...]:
        return tuple(_request(stream, scope) for stream in self.judged)

    def value(self, frames: Sequence[Value], networks: Networks) -> Tensor:
        return _sum([_cost(self.criterion, logits, "generator", self.over) for logits in frames])


@dataclass(frozen=True)
class Discrimination(Term):
    """What teaches a discriminator: Σ_f [real(y_f) + fake(f)] over fakes, each with the real frame of its time.

    With ``pairs=False`` all real frames count, each once. What runs a network or draws is computed in an earlier phase,
    or before its networks were updated, without gradient; with ``anew`` it is computed here, with fresh draws.
    """

    real: Apply
    fakes: tuple[Apply, ...]
    criterion: Callable[[Tensor, Role], Tensor]
    phase: str = field(default="discriminators", kw_only=True)
    name: str | None = field(default="discriminator", kw_only=True)
    weight: float = field(default=0.5, kw_only=True)
    over: Over = field(default="mean", kw_only=True)
    pool: int = field(default=0, kw_only=True)
    pairs: bool = field(default=True, kw_only=True)
    anew: bool = field(default=False, kw_only=True)
    key: str = field(default="", kw_only=True)
    by_loss: ClassVar[bool] = False

    @property
    def domain(self) -> str:
        return self.real.domain

    @property
    def judges(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(judged.network.name for judged in (self.real, *self.fakes)))

    @property
    def streams(self) -> tuple[Apply, ...]:
        return self._shown(self.real, 0), *(self._shown(fake, self.pool) for fake in self.fakes)

    def _shown(self, judged: Apply, pool: int) -> Apply:
        def earlier(stream: Stream) -> Stream:
            if not (pool or is_computed(stream)):
                return stream
            return detach(stream) if self.anew else Carried(stream, pool, self.key if pool else "")

        *beside, last = judged.inputs  # of a conditional judgement it is the last input that is judged
        inputs = (*(Carried(s) if is_computed(s) and not self.anew else s for s in beside), earlier(last))
        return replace(judged, inputs=inputs)

    def requests(self, scope: Scope) -> tuple[Request, ...]:
        real, *fakes = self.streams
        if not self.pairs:
            return tuple(_request(stream, scope) for stream in (real, *fakes))
        has_real = set(real.times(scope))
        judged = [_request(fake, scope, has_real) for fake in fakes]
        return (real, tuple(t for _, times in judged for t in times)), *judged

    def value(self, frames: Sequence[Value], networks: Networks) -> Tensor:
        real, *fakes = frames
        cost = _cost(self.criterion, real, "real", self.over)
        return _sum([cost, *(_cost(self.criterion, fake, "fake", self.over) for fake in fakes)])


@dataclass(frozen=True)
class Penalty(Term):
    """A function of a network and real frames, such as the size of its gradient; may need second derivatives.

    ``symbol`` and ``latex`` say how an equation writes it, with ``#d`` for the judgement.
    """

    network: Network
    stream: Stream
    function: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]
    phase: str = field(default="penalties", kw_only=True)
    symbol: str = field(default="", kw_only=True)
    latex: str = field(default="", kw_only=True)

    @property
    def domain(self) -> str:
        return self.network.domain

    @property
    def streams(self) -> tuple[Apply, ...]:
        return (self.network(self.stream),)

    def requests(self, scope: Scope) -> tuple[Request, ...]:
        (judged,) = self.streams
        _, times = _request(judged, scope)
        return tuple((self.stream, tuple(t + o for t in times)) for o in scope.reads[self.network.name].offsets)

    def value(self, frames: Sequence[Value], networks: Networks) -> Tensor:
        network = networks[self.network.name]
        stacked: Tensor = torch.stack(list(frames), dim=2) if Reads.of(network).stacked else frames[0]
        called = partial(self.network.run, networks)
        if sequential_reasons(network):
            return _sum([self.function(called, moment) for moment in stacked])
        return self.function(called, stacked.flatten(0, 1)) * stacked.shape[0]


def is_computed(stream: Stream) -> bool:
    """Whether an expression runs a network or draws."""
    waiting, seen = [stream], {stream}
    while waiting:
        part = waiting.pop()
        if isinstance(part, Operation) and (part.uses or part.is_random):
            return True
        further = [] if isinstance(part, Carried) else [source for source in part.parts if source not in seen]
        waiting += further
        seen.update(further)
    return False


def _request(judged: Apply, scope: Scope, among: set[int] | None = None) -> Request:
    times = tuple(t for t in judged.times(scope) if among is None or t in among)
    if not times:
        raise TooShortError(f"{judged.network.name} finds no frame, or no whole window of frames, to judge.")
    return judged, times


def _cost(criterion: Callable[[Tensor, Role], Tensor], logits: Value, role: Role, over: Over) -> Tensor:
    return _all(over, map_tensors(lambda part: criterion(part.flatten(0, 1), role) * part.shape[0], logits))


def _all(over: Over, values: Value) -> Tensor:
    parts = list(tensors_in(values))
    return _sum(parts) if over == "sum" or len(parts) == 1 else _sum(parts) / len(parts)


def _sum(values: Sequence[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
