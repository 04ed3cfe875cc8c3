"""The contract of every loss: it states its terms for one direction, and the other follows by symmetry."""

from __future__ import annotations

import inspect
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vtrans import registry
from vtrans.algebra.expressions import Domain, Network, as_stream
from vtrans.algebra.meaning import Draws, evaluate
from vtrans.algebra.streams import Clip, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.errors import refusal
from vtrans.losses.criteria import as_criterion
from vtrans.losses.distances import DistanceLike, as_distance
from vtrans.losses.terms import Comparison, Discrimination, Judgement, Penalty, Term
from vtrans.losses.weights import Weight, check_weight, weight_at, weight_data

X, Y = Domain("x"), Domain("y")


@dataclass(kw_only=True, eq=False)
class Loss(ABC):
    """A loss: equations between streams, with a weight.

    Subclass it, write :meth:`terms`, and register the class to use it by name. Options are dataclass fields (decorate
    the subclass with ``@dataclass(kw_only=True, eq=False)``) or arguments of an ``__init__`` that stores each under
    its own name. These fields are checked here, and mean the same in every loss that has them:

    - ``distance``: ``"l1"``, ``"l2"``, ``"charbonnier"``, a (name, options) pair or a function;
    - ``criterion``: ``"least_squares"``, ``"non_saturating"`` (published as ``"vanilla"``), ``"hinge"``,
      ``"wasserstein"``, a (name, options) pair or a function;
    - ``frames``: which frames of the clip are taken, ``"past"`` (all but the last) or ``"all"``.

    Args:
        weight: A number of 0 or more, a :class:`Schedule` over steps, or ``{"x": …, "y": …}`` by the domain of the
            term.

    Raises:
        ValueError: An option is out of its range.

    Example:
        >>> class Smooth(Loss):
        ...     def terms(self, x, y):
        ...         yield self.compare(y.P(y.G(x.past)), y.G(x.frames))
        >>> Smooth(weight=2.0).name
        'smooth'
    """

    weight: Weight = 1.0

    needs_equal_channels: ClassVar[bool] = False
    """Whether the loss applies a network to a domain that it was not made for, so that channels must agree."""

    def __post_init__(self) -> None:
        check_weight(self.weight)
        for option in fields(self):
            if option.type in (bool, "bool") and not isinstance(getattr(self, option.name), bool):
                raise TypeError(refusal(option.name, allowed="True or False", got=repr(getattr(self, option.name))))
        if hasattr(self, "distance"):
            as_distance(self.distance)
        if hasattr(self, "criterion"):
            as_criterion(self.criterion)
        if hasattr(self, "frames") and self.frames not in ("past", "all"):
            raise ValueError(
                refusal(
                    "frames",
                    allowed="'past' (all but the last frame, which is never translated) or 'all'",
                    got=repr(self.frames),
                )
            )

    @property
    def name(self) -> str:
        """The registered name, or the class's name in lower case with underscores."""
        registered = registry.losses.name_of(type(self))
        return registered or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def is_plain(self) -> bool:
        """Whether name and options make the loss again: its class is registered and its options are plain data."""
        if self.name not in registry.losses or registry.losses[self.name].factory is not type(self):
            return False
        try:
            json.dumps(self.options)
        except (TypeError, ValueError):
            return False
        return True

    @property
    def options(self) -> dict[str, Any]:
        """Every option as plain data where it can be, so that the loss can be made again from its name."""
        return {name: weight_data(value) if name == "weight" else _plain(value) for name, value in self.given.items()}

    @property
    def given(self) -> dict[str, Any]:
        """Every option as it was given."""
        options: dict[str, Any] = {}
        for option in inspect.signature(type(self)).parameters:
            if not hasattr(self, option):
                raise ValueError(
                    refusal(
                        f"option {option!r} of {type(self).__name__}",
                        allowed=f"stored as self.{option}",
                        got="no such attribute",
                        why="A loss records its options so that a run can be repeated",
                    )
                )
            options[option] = getattr(self, option)
        return options

    @abstractmethod
    def terms(self, x: Domain, y: Domain) -> Iterator[Term]:
        """Yields the terms of one direction; called again with the domains exchanged for the other."""

    def source(self, domain: Domain) -> Stream:
        """The frames that the option ``frames`` names: the clip, or its past."""
        return domain.frames if getattr(self, "frames", "past") == "all" else domain.past

    def compare(
        self,
        stream: Stream,
        target: Stream,
        *,
        distance: DistanceLike | None = None,
        phase: str = "generators",
        name: str | None = None,
    ) -> Comparison:
        """A term: two streams, which a distance compares at the times both have.

        Args:
            stream: What is to come close.
            target: What it is to come close to; the term is named for its domain.
            distance: A name, a (name, options) pair or a function; by default the loss's own option, or L1.
            phase: The phase the term belongs to.
            name: What to report the term as, where a loss has several; by default the loss's name.
        """
        chosen: DistanceLike = distance if distance is not None else getattr(self, "distance", "l1")
        stream, target = as_stream("compare(…)", stream), as_stream("compare(…)", target)
        return Comparison(stream, target, as_distance(chosen), phase=phase, name=name)

    def judge(self, network: Network, *streams: Stream, name: str | None = None) -> Judgement:
        """A term: streams that are to pass as real before a discriminator."""
        if not streams:
            raise TypeError(refusal("judge(…)", allowed="streams to judge", got="none"))
        return Judgement(network, streams, as_criterion(getattr(self, "criterion", "least_squares")), name=name)

    def discriminate(self, network: Network, *, real: Stream, fakes: list[Stream], pool: int = 0) -> Discrimination:
        """A term: a discriminator learns real frames from fake ones.

        Args:
            network: The discriminator.
            real: Real frames; each fake is paired with the one of its time.
            fakes: Streams of fake frames, judged in this order.
            pool: Size of the history of fakes in images, 0 for none.
        """
        criterion = as_criterion(getattr(self, "criterion", "least_squares"))
        return Discrimination(network, real, tuple(fakes), criterion, pool=pool)

    def penalize(
        self,
        network: Network,
        stream: Stream,
        function: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor],
        *,
        phase: str = "penalties",
        symbol: str = "",
        latex: str = "",
    ) -> Penalty:
        """A term: ``function(network, frames)``, summed over times; it may take gradients of the network itself.

        Args:
            network: The network that is penalised.
            stream: The frames at which.
            function: Gives the penalty, averaged over the batch, of a network and frames ``(batch, …)``.
            phase: The phase the term belongs to; by default one of its own, since second derivatives are not compiled.
            symbol: How an equation writes it in text, with ``#d`` for the judgement.
            latex: The same in LaTeX.
        """
        return Penalty(network, stream, function, phase=phase, symbol=symbol, latex=latex)

    def directions(self) -> Iterator[Term]:
        """The terms of both directions."""
        for x, y in ((X, Y), (Y, X)):
            terms: object = self.terms(x, y)
            for term in terms if isinstance(terms, Iterable) else [None]:
                if not isinstance(term, Term):
                    raise TypeError(
                        refusal(
                            f"{type(self).__name__}.terms",
                            allowed="a generator of terms, such as: yield self.compare(…)",
                            got=type(terms if term is None else term).__name__,
                        )
                    )
                yield term

    def weight_of(self, term: Term, step: int) -> float:
        """The number by which a term of this loss counts at a step."""
        return term.weight if term.weight is not None else weight_at(self.weight, step, term.domain)

    def __call__(self, x: Tensor, y: Tensor, networks: Mapping[str, nn.Module], *, step: int = 0) -> dict[str, Tensor]:
        """Computes the loss by itself, plainly: one network call a frame.

        Args:
            x: Clip of X, ``(batch, time, channel, height, width)`` in [-1, 1].
            y: Clip of Y, likewise.
            networks: The networks the equations name, such as ``{"G_X": …, "G_Y": …}``.
            step: Training step, for weights that change.

        Returns:
            The weighted terms by name, such as ``cycle/x``.

        Raises:
            ValueError: The clips are too short, or a network is missing.
        """
        for argument, clip in (("x", x), ("y", y)):
            if not isinstance(clip, Tensor) or clip.ndim != 5:
                got = f"shape {tuple(clip.shape)}" if isinstance(clip, Tensor) else type(clip).__name__
                raise TypeError(refusal(argument, allowed="a clip (batch, time, channel, height, width)", got=got))
        if not isinstance(networks, Mapping):
            raise TypeError(
                refusal("networks", allowed="a mapping such as {'G_X': …, 'G_Y': …}", got=type(networks).__name__)
            )
        clips: dict[Clip, Tensor] = {Clip("x"): x, Clip("y"): y}
        scope = Scope(
            {clip: frames.shape[1] for clip, frames in clips.items()},
            {name: Reads.of(network) for name, network in networks.items()},
        )
        values: dict[str, Tensor] = {}
        draws: Draws = {}
        for term in self.directions():
            frames = []
            for stream, times in term.requests(scope):
                evaluated = evaluate(stream, clips, networks, draws)
                frames.append(torch.stack([evaluated[t] for t in times]))
            name = f"{term.name or self.name}/{term.domain}"
            value = self.weight_of(term, step) * term.value(frames, networks)
            values[name] = values[name] + value if name in values else value
        return values


def _plain(value: object) -> object:
    """Tuples as lists, at any depth, so that an option is the same before and after it was written down."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
