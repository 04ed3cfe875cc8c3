"""What a loss yields: two streams compared, a stream judged, or a penalty on a network."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from vtrans.algebra.expressions import Apply, Network, Networks
from vtrans.algebra.streams import Carried, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.errors import refusal
from vtrans.functional.adversarial import Role
from vtrans.networks.traits import sequential_reasons

Request = tuple[Stream, tuple[int, ...]]
"""A stream and the times of it that a term looks at, in the order it wants them."""


class TooShortError(ValueError):
    """The clip has too few frames for an expression to have a value at any time."""


@dataclass(frozen=True, kw_only=True)
class Term(ABC):
    """One summand of an objective.

    ``phase`` is the phase it belongs to; ``name`` and ``weight`` replace the loss's own where they are given.
    """

    phase: str = "generators"
    name: str | None = None
    weight: float | None = None

    @property
    @abstractmethod
    def domain(self) -> str:
        """The domain after which the term is named: of the target, or of the discriminator."""

    @property
    @abstractmethod
    def streams(self) -> tuple[Stream, ...]:
        """The expressions that the term is written in, discriminators applied."""

    @abstractmethod
    def requests(self, scope: Scope) -> tuple[Request, ...]:
        """The frames that the term needs; raises :class:`TooShortError` if there are none."""

    @abstractmethod
    def value(self, frames: Sequence[Tensor], networks: Networks) -> Tensor:
        """The unweighted value from the requested frames, each ``(times, batch, …)``."""


@dataclass(frozen=True)
class Comparison(Term):
    """Two streams compared by a distance, averaged over a frame and the batch, summed over the times both have."""

    stream: Stream
    target: Stream
    distance: Callable[[Tensor, Tensor], Tensor]

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

    def value(self, frames: Sequence[Tensor], networks: Networks) -> Tensor:
        a, b = frames
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
class Judgement(Term):
    """Streams judged by a discriminator that they are to convince, summed over the judged frames (or windows)."""

    network: Network
    judged: tuple[Stream, ...]
    criterion: Callable[[Tensor, Role], Tensor]

    @property
    def domain(self) -> str:
        return self.network.domain

    @property
    def streams(self) -> tuple[Apply, ...]:
        return tuple(self.network(stream) for stream in self.judged)

    def requests(self, scope: Scope) -> tuple[Request, ...]:
        return tuple(_request(stream, scope) for stream in self.streams)

    def value(self, frames: Sequence[Tensor], networks: Networks) -> Tensor:
        return _sum([self.criterion(logits.flatten(0, 1), "generator") * logits.shape[0] for logits in frames])


@dataclass(frozen=True)
class Discrimination(Term):
    """What teaches a discriminator: Σ_f ½[real(y_f) + fake(f)] over fakes, each with the real frame of its time.

    The fakes are those of an earlier phase, as they were before its networks were updated, without gradient.
    """

    network: Network
    real: Stream
    fakes: tuple[Stream, ...]
    criterion: Callable[[Tensor, Role], Tensor]
    phase: str = field(default="discriminators", kw_only=True)
    name: str | None = field(default="discriminator", kw_only=True)
    weight: float | None = field(default=1.0, kw_only=True)
    pool: int = field(default=0, kw_only=True)

    @property
    def domain(self) -> str:
        return self.network.domain

    @property
    def streams(self) -> tuple[Apply, ...]:
        fakes = (Carried(fake, self.pool) for fake in self.fakes)
        return self.network(self.real), *(self.network(fake) for fake in fakes)

    def requests(self, scope: Scope) -> tuple[Request, ...]:
        real, *fakes = self.streams
        has_real = set(real.times(scope))
        judged = [_request(fake, scope, has_real) for fake in fakes]
        return (real, tuple(t for _, times in judged for t in times)), *judged

    def value(self, frames: Sequence[Tensor], networks: Networks) -> Tensor:
        real, *fakes = frames
        cost = self.criterion(real.flatten(0, 1), "real") * real.shape[0]
        return 0.5 * _sum([cost, *(self.criterion(fake.flatten(0, 1), "fake") * fake.shape[0] for fake in fakes)])


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

    def value(self, frames: Sequence[Tensor], networks: Networks) -> Tensor:
        network = networks[self.network.name]
        stacked = torch.stack(list(frames), dim=2) if Reads.of(network).stacked else frames[0]
        called = partial(self.network.run, networks)
        if sequential_reasons(network):
            return _sum([self.function(called, moment) for moment in stacked])
        return self.function(called, stacked.flatten(0, 1)) * stacked.shape[0]


def _request(judged: Apply, scope: Scope, among: set[int] | None = None) -> Request:
    times = tuple(t for t in judged.times(scope) if among is None or t in among)
    if not times:
        raise TooShortError(f"{judged.network.name} finds no frame, or no whole window of frames, to judge.")
    return judged, times


def _sum(values: Sequence[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
