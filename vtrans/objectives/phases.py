"""The phases of a training step: what each trains, on which losses, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from vtrans.algebra.expressions import Networks, networks_in, role_of
from vtrans.errors import refusal, unknown
from vtrans.losses.base import Loss

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

    Raises:
        ValueError: The span of steps is empty.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", self.terms or self.name)
        object.__setattr__(self, "trains", _names("trains", self.trains))
        if self.losses is not None:
            object.__setattr__(self, "losses", _names("losses", self.losses))
        for argument, text in (("name", self.name), ("terms", self.terms)):
            if not isinstance(text, str) or not text:
                raise TypeError(refusal(f"{argument} of a phase", allowed="a name", got=repr(text)))
        for argument, number in (("start", self.start), ("stop", self.stop)):
            if isinstance(number, bool) or not isinstance(number, int | None):
                raise TypeError(
                    refusal(f"{argument} of phase {self.name!r}", allowed="a whole number of steps", got=repr(number))
                )
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise ValueError(
                refusal(f"phase {self.name!r}", allowed="0 ≤ start < stop", got=f"start={self.start}, stop={self.stop}")
            )

    def active(self, step: int) -> bool:
        """Whether the phase runs at a step."""
        return self.start <= step and (self.stop is None or step < self.stop)

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
    losses: Mapping[str, Loss],
    networks: Networks,
    warm_up: int,
    frozen_predictors: bool,
) -> list[Phase]:
    """The phases of a step: those given, or the published two, with a warm-up of the predictors if one is asked for.

    Args:
        given: Phases, or mappings of their arguments; ``None`` for the published ones.
        losses: The losses by name.
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
    trained = tuple(role for role in roles if role != "D" and not (frozen_predictors and role == "P"))
    phases = [Phase("generators", trained, start=warm_up)]
    if frozen_predictors:
        useful = tuple(name for name, loss in losses.items() if _trains(loss, phases[0]))
        phases = [Phase("generators", trained, losses=useful, start=warm_up)]
    if any(term.phase == "discriminators" for loss in losses.values() for term in loss.directions()):
        phases.append(Phase("discriminators", ("D",), start=warm_up))
    if any(term.phase == "penalties" for loss in losses.values() for term in loss.directions()):
        phases.append(Phase("penalties", ("D",), start=warm_up))
    if warm_up:
        real = tuple(name for name, loss in losses.items() if _predicts_real(loss))
        if not real:
            raise ValueError(
                refusal("warm_up", allowed="a recipe whose predictors learn from real streams", got=", ".join(losses))
            )
        phases.insert(0, Phase("warm_up", ("P",), terms="generators", losses=real, stop=warm_up))
    return phases


def _written_phases(given: object) -> list[Phase]:
    if isinstance(given, str) or not isinstance(given, list | tuple) or not given:
        raise TypeError(refusal("phases", allowed="a list of phases", got=repr(given)))
    names = [field.name for field in fields(Phase)]
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


def unheld_terms(losses: Mapping[str, Loss], phases: Sequence[Phase]) -> list[str]:
    """Says of terms that no phase holds that they take no part."""
    wanted = {(name, term.phase) for name, loss in losses.items() for term in loss.directions()}
    return [
        f"{name}: its terms for the phase {wanted_phase!r} take no part, since no phase holds them."
        for name, wanted_phase in sorted(wanted)
        if not any(phase.terms == wanted_phase and (phase.losses is None or name in phase.losses) for phase in phases)
    ]


def _trains(loss: Loss, phase: Phase) -> bool:
    """Whether a loss trains anything in a phase."""
    return any(
        trained and phase.trained(name)
        for term in loss.directions()
        for stream in term.streams
        for name, trained in networks_in(stream).items()
    )


def _predicts_real(loss: Loss) -> bool:
    """Whether the loss is about predictors on real frames alone."""
    terms = [term for term in loss.directions() if term.phase == "generators"]
    names = {name for term in terms for stream in term.streams for name in networks_in(stream)}
    return bool(names) and all(name.startswith("P_") for name in names)
