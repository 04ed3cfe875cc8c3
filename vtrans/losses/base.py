"""The contract of every loss: it states its terms for one direction, and the other follows by symmetry."""

from __future__ import annotations

import inspect
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vtrans import registry
from vtrans.algebra.domains import Domain, Translation
from vtrans.algebra.meaning import Draws, evaluate
from vtrans.algebra.streams import Apply, Network, Scope, Stream, as_stream
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Clip
from vtrans.errors import refusal
from vtrans.functional.adversarial import Role
from vtrans.losses.criteria import as_criterion
from vtrans.losses.distances import DistanceLike, as_distance
from vtrans.losses.terms import Comparison, Cost, Discrimination, Judgement, Over, Penalty, Term
from vtrans.losses.weights import Weight, check_weight, weight_at, weight_data

BOTH = (("x", "y"), ("y", "x"))
"""The directions of a recipe that says nothing else."""


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
        """Yields the terms of one direction; called again for every other. Of one domain, if it takes ``x`` alone."""

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
        weight: float = 1.0,
        over: Over = "mean",
    ) -> Comparison:
        """A term: two streams, which a distance compares at the times both have.

        Args:
            stream: What is to come close.
            target: What it is to come close to; the term is named for its domain.
            distance: A name, a (name, options) pair or a function; by default the loss's own option, or L1.
            phase: The phase the term belongs to.
            name: What to report the term as, where a loss has several; by default the loss's name.
            weight: By how much it counts beside the loss's own weight.
            over: What is taken over the tensors of frames that are several, ``"mean"`` or ``"sum"``.
        """
        chosen: DistanceLike = distance if distance is not None else getattr(self, "distance", "l1")
        stream, target = as_stream("compare(…)", stream), as_stream("compare(…)", target)
        return Comparison(stream, target, as_distance(chosen), phase=phase, name=name, weight=weight, over=over)

    def cost(
        self,
        stream: Stream,
        *,
        phase: str = "generators",
        name: str | None = None,
        weight: float = 1.0,
        over: Over = "mean",
    ) -> Cost:
        """A term: a stream of costs, such as a divergence or a cross entropy, averaged and summed over times.

        Args:
            stream: The costs, computed by an operator or a network.
            phase: The phase the term belongs to.
            name: What to report the term as; by default the loss's name.
            weight: By how much it counts beside the loss's own weight.
            over: What is taken over the tensors of costs that are several, ``"mean"`` or ``"sum"``.
        """
        return Cost(as_stream("cost(…)", stream), phase=phase, name=name, weight=weight, over=over)

    def judge(
        self,
        judge: Network | Stream,
        *streams: Stream,
        phase: str = "generators",
        name: str | None = None,
        weight: float = 1.0,
        over: Over = "mean",
    ) -> Judgement:
        """A term: streams that are to pass as real before a discriminator.

        Args:
            judge: The discriminator, followed by the streams; or what it says of each, as ``y.D(x.frames, fake)``.
            streams: The streams, or further judgements.
            phase: The phase the term belongs to.
            name: What to report the term as; by default the loss's name.
            weight: By how much it counts beside the loss's own weight.
            over: What is taken over the tensors of a judgement of several, as of several scales.
        """
        if isinstance(judge, Network) and not streams:
            raise TypeError(refusal("judge(…)", allowed="streams to judge", got="none"))
        judged = [judge(stream) for stream in streams] if isinstance(judge, Network) else [judge, *streams]
        return Judgement(
            _judgements("judge(…)", *judged), self._criterion, phase=phase, name=name, weight=weight, over=over
        )

    def discriminate(
        self,
        network: Network | None = None,
        *,
        real: Stream,
        fakes: Sequence[Stream],
        pool: int = 0,
        phase: str = "discriminators",
        name: str = "discriminator",
        weight: float = 0.5,
        over: Over = "mean",
        pairs: bool = True,
        anew: bool = False,
    ) -> Discrimination:
        """A term: a discriminator learns real frames from fake ones.

        Args:
            network: The discriminator; not needed where ``real`` and ``fakes`` are judgements, as ``y.D(y.frames)``.
            real: Real frames, or what the discriminator says of them.
            fakes: Streams of fake frames, judged in this order, or what it says of them.
            pool: Size of the history of fakes in images, 0 for none.
            phase: The phase the term belongs to.
            name: What to report the term as.
            weight: By how much it counts, whatever the loss's own: ½ as Recycle-GAN was published; many do not halve.
            over: What is taken over the tensors of a judgement of several, as of several scales.
            pairs: Whether each fake is paired with the real frame of its time; else all real frames count, each once.
            anew: Whether fakes are computed for this phase, with fresh draws; else they are those of before the update.
        """
        if network is not None:
            real, fakes = network(real), [network(fake) for fake in fakes]
        if not fakes:
            raise TypeError(refusal("fakes", allowed="streams of fake frames", got="none"))
        (judged,) = _judgements("real", real)
        return Discrimination(
            judged,
            _judgements("fakes", *fakes),
            self._criterion,
            phase=phase,
            name=name,
            weight=weight,
            over=over,
            pool=pool,
            pairs=pairs,
            anew=anew,
        )

    @property
    def _criterion(self) -> Callable[[Tensor, Role], Tensor]:
        return as_criterion(getattr(self, "criterion", "least_squares"))

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

    @property
    def domains_taken(self) -> int:
        """How many domains :meth:`terms` takes: 1, each on its own, or 2, a direction."""
        return len(inspect.signature(self.terms).parameters)

    def directions(
        self, directions: Sequence[tuple[str, ...]] = BOTH, translation: Translation | None = None
    ) -> Iterator[Term]:
        """The terms of all directions, or of all domains where :meth:`terms` takes one; equal terms count once.

        Args:
            directions: Pairs of domains, translated from and into; or single domains.
            translation: What ``y.G(s)`` means; None for the network G.
        """
        taken = self.domains_taken
        pairs = directions if taken > 1 else dict.fromkeys((name,) for pair in directions for name in pair)
        found: dict[Term, None] = {}
        for pair in pairs:
            if len(pair) != taken:
                raise ValueError(
                    refusal(
                        f"{type(self).__name__}.terms",
                        allowed=f"arguments for {' → '.join(pair)}: one a domain",
                        got=f"{taken} domains",
                        fix="Write terms(self, x) for a loss of single domains",
                    )
                )
            terms: object = self.terms(*(Domain(name, translation) for name in pair))
            for term in terms if isinstance(terms, Iterable) else [None]:
                if not isinstance(term, Term):
                    raise TypeError(
                        refusal(
                            f"{type(self).__name__}.terms",
                            allowed="a generator of terms, such as: yield self.compare(…)",
                            got=type(terms if term is None else term).__name__,
                        )
                    )
                found.setdefault(term)
        yield from found

    def weight_of(self, term: Term, step: int) -> float:
        """The number by which a term of this loss counts at a step."""
        return term.weight * weight_at(self.weight, step, term.domain) if term.by_loss else term.weight

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


def _judgements(argument: str, *judged: object) -> tuple[Apply, ...]:
    """What a discriminator says of streams; anything else is refused."""
    for stream in judged:
        if not isinstance(stream, Apply):
            allowed = "what a discriminator says of frames, such as y.D(y.frames)"
            raise TypeError(refusal(argument, allowed=allowed, got=type(stream).__name__))
    return tuple(stream for stream in judged if isinstance(stream, Apply))
