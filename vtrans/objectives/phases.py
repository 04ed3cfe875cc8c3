"""The phases of a training step: what each trains, on which losses, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from vtrans.algebra.domains import networks_in, role_of
from vtrans.algebra.streams import Networks
from vtrans.errors import refusal, unknown
from vtrans.objectives.optimizers import check_optimizer
from vtrans.objectives.terms import NamedTerm

PUBLISHED_ROLES = ("G", "P", "D")
"""Roles that a phase may name though no network has them."""


@dataclass(frozen=True)
class Phase:
    """A part of the training step: an objective, and the networks that one optimizer trains on it.

    Args:
        name: The phase's name, and by default also that of the terms it holds.
        trains: Roles (``"G"``) or networks (``"G_X"``) that it trains; all others stand frozen in it.
        terms: Which terms it holds: those that belong to the phase of this name.
        losses: Names of the losses that take part; ``None`` for all.
        start: First step at which it runs.
        stop: Step before which it runs for the last time; ``None`` for ever.
        every: It runs at the last of every so many steps.
        optimizer: What differs from Adam at the usual rate: ``kind`` (``"adam"``, ``"adamw"``, ``"rmsprop"``,
            ``"sgd"``), ``lr``, ``betas``, ``weight_decay`` or another argument of that kind; and ``clip``, the largest
            norm of the gradient.

    Raises:
        ValueError: The span of steps is empty, or the optimizer is unknown.

    Example:
        >>> warm_up = Phase("warm_up", trains=("P",), terms="generators", losses=("recurrent",), stop=1000)
        >>> warm_up.active(999), warm_up.active(1000)
        (True, False)
    """

    name: str
    trains: tuple[str, ...]
    terms: str = ""
    losses: tuple[str, ...] | None = None
    start: int = 0
    stop: int | None = None
    every: int = 1
    optimizer: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", self.terms or self.name)
        object.__setattr__(self, "trains", _names("trains", self.trains))
        if self.losses is not None:
            object.__setattr__(self, "losses", _names("losses", self.losses))
        for argument, text in (("name", self.name), ("terms", self.terms)):
            if not isinstance(text, str) or not text:
                raise TypeError(refusal(f"{argument} of a phase", allowed="a name", got=repr(text)))
        for argument, number in (("start", self.start), ("stop", self.stop), ("every", self.every)):
            if isinstance(number, bool) or not isinstance(number, int | None):
                raise TypeError(
                    refusal(f"{argument} of phase {self.name!r}", allowed="a whole number of steps", got=repr(number))
                )
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise ValueError(
                refusal(f"phase {self.name!r}", allowed="0 ≤ start < stop", got=f"start={self.start}, stop={self.stop}")
            )

        if self.every < 1:
            raise ValueError(
                refusal(f"every of phase {self.name!r}", allowed="a whole number of steps above 0", got=self.every)
            )
        check_optimizer(self.name, self.optimizer)

    def active(self, step: int) -> bool:
        """Whether the phase runs at a step."""
        return self.start <= step and (self.stop is None or step < self.stop) and (step + 1) % self.every == 0

    def holds(self, loss: str) -> bool:
        """Whether the loss of that name takes part."""
        return self.losses is None or loss in self.losses

    def trained(self, name: str) -> bool:
        """Whether the phase trains the network of that name."""
        return name in self.trains or role_of(name) in self.trains


def _names(argument: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple) or not all(isinstance(n, str) for n in value):
        raise TypeError(
            refusal(
                f"{argument} of a phase",
                allowed="a list of names",
                got=repr(value),
                fix=f"Pass [{value!r}]" if isinstance(value, str) else "",
            )
        )
    return tuple(value)


def phases_for(
    given: Sequence[Phase | Mapping[str, Any]] | None,
    terms: Sequence[NamedTerm],
    networks: Networks,
    warm_up: int,
    frozen_predictors: bool,
) -> list[Phase]:
    """The phases of a step: those given, or the published two, with a warm-up of the predictors if one is asked for.

    Args:
        given: Phases, or mappings of their arguments; ``None`` for the published ones.
        terms: The terms of the losses.
        networks: The networks by name.
        warm_up: Steps for which the predictors alone learn, on real streams.
        frozen_predictors: Whether the predictors stand frozen while the generators train.

    Raises:
        ValueError: A phase that names what is not there, or a warm-up without predictors.
        TypeError: An argument of the wrong type.
    """
    if isinstance(warm_up, bool) or not isinstance(warm_up, int) or warm_up < 0:
        raise ValueError(refusal("warm_up", allowed="a whole number of steps, 0 for none", got=repr(warm_up)))
    if not isinstance(frozen_predictors, bool):
        raise TypeError(refusal("frozen_predictors", allowed="True or False", got=repr(frozen_predictors)))
    roles = list(dict.fromkeys(map(role_of, networks)))
    if (warm_up or frozen_predictors) and (given is not None or "P" not in roles):
        raise ValueError(
            refusal(
                "warm_up and frozen_predictors",
                allowed="a recipe with predictors and its own phases",
                got="phases=" if given is not None else f"networks {', '.join(networks)}",
                fix="Write the phases out with phases=[vtrans.Phase(…), …]" if given is not None else "",
            )
        )
    if given is not None:
        written = _written_phases(given)
        for phase in written:
            for name in phase.trains:
                if name not in roles and name not in networks and name not in PUBLISHED_ROLES:
                    raise ValueError(unknown(f"network of phase {phase.name!r}:", name, [*roles, *networks]))
        return written
    judges = dict.fromkeys(name for named in terms for name in named.term.judges)
    taught = _trained_by(terms, judges.__contains__) or ("D",)
    trained = _trained_by(terms, lambda name: name not in judges and not (frozen_predictors and role_of(name) == "P"))
    phases = [Phase("generators", trained, start=warm_up)]
    if frozen_predictors:
        useful = dict.fromkeys(named.of for named in terms if any(map(phases[0].trained, named.trains)))
        phases = [Phase("generators", trained, losses=tuple(useful), start=warm_up)]
    phases += [
        Phase(name, taught, start=warm_up)
        for name in ("discriminators", "penalties")
        if any(named.term.phase == name for named in terms)
    ]
    if warm_up:
        losses = list(dict.fromkeys(named.of for named in terms))
        real = tuple(name for name in losses if _predicts_real([named for named in terms if named.of == name]))
        if not real:
            raise ValueError(
                refusal("warm_up", allowed="a recipe whose predictors learn from real streams", got=", ".join(losses))
            )
        phases.insert(0, Phase("warm_up", ("P",), terms="generators", losses=real, stop=warm_up))
    return phases


def _trained_by(terms: Sequence[NamedTerm], wanted: Callable[[str], bool]) -> tuple[str, ...]:
    """The wanted networks that the terms train, by role where all that the terms train of a role are wanted."""
    trained = dict.fromkeys(name for named in terms for name in named.trains)
    apart = {role_of(name) for name in trained if not wanted(name)}
    found = [name if role_of(name) in apart else role_of(name) for name in trained if wanted(name)]
    return tuple(dict.fromkeys(found))


def _written_phases(given: object) -> list[Phase]:
    if isinstance(given, str) or not isinstance(given, list | tuple) or not given:
        raise TypeError(refusal("phases", allowed="a list of phases", got=repr(given)))
    names = [part.name for part in fields(Phase)]
    written = []
    for phase in given:
        if not isinstance(phase, Phase | Mapping):
            raise TypeError(refusal("phases", allowed="vtrans.Phase(…) or mappings of its arguments", got=repr(phase)))
        if isinstance(phase, Mapping):
            for name in phase:
                if name not in names:
                    raise ValueError(unknown("argument of a phase:", name, names))
            missing = [name for name in ("name", "trains") if name not in phase]
            if missing:
                raise ValueError(refusal("phases", allowed="'name' and 'trains' in each", got=f"no {missing[0]!r}"))
        written.append(phase if isinstance(phase, Phase) else Phase(**phase))
    return written


def unheld_terms(terms: Sequence[NamedTerm], phases: Sequence[Phase]) -> list[str]:
    """Says of terms that no phase holds that they take no part."""
    return [
        f"{name}: its terms for the phase {wanted!r} take no part, since no phase holds them."
        for name, wanted in sorted({(named.of, named.term.phase) for named in terms})
        if not any(phase.terms == wanted and phase.holds(name) for phase in phases)
    ]


def _predicts_real(terms: Sequence[NamedTerm]) -> bool:
    """Whether the terms of a loss are about predictors on real frames alone."""
    streams = [stream for named in terms if named.term.phase == "generators" for stream in named.term.streams]
    names = {name for stream in streams for name in networks_in(stream)}
    return bool(names) and all(role_of(name) == "P" for name in names)
