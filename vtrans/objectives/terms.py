"""The terms of a model's losses, by the names under which they are reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vtrans.algebra.domains import Translation, networks_in
from vtrans.losses.base import BOTH, Loss
from vtrans.losses.terms import Discrimination, Term


@dataclass(frozen=True, eq=False)
class NamedTerm:
    """A term with the name it is reported by and the loss it comes from."""

    name: str
    term: Term
    loss: Loss
    of: str = ""
    """The name of the loss in the model."""

    def weight(self, step: int) -> float:
        """The number by which it counts at a step."""
        return self.loss.weight_of(self.term, step)

    @property
    def trains(self) -> list[str]:
        """The networks whose parameters its gradient reaches where they are trained."""
        found = [networks_in(stream) for stream in self.term.streams]
        return list(dict.fromkeys(name for networks in found for name, trained in networks.items() if trained))


def named_terms(
    losses: Mapping[str, Loss],
    directions: Sequence[tuple[str, ...]] = BOTH,
    translation: Translation | None = None,
) -> list[NamedTerm]:
    """All terms of the losses, in all directions, by the names under which they are reported.

    A history of fakes belongs to its term; where a domain has one alone, it bears the domain's name.
    """
    found = [
        NamedTerm(f"{term.name or name}/{term.domain}", term, loss, name)
        for name, loss in losses.items()
        for term in loss.directions(directions, translation)
    ]
    pooled = [named for named in found if isinstance(named.term, Discrimination) and named.term.pool]
    domains = [named.term.domain for named in pooled]
    keys = {n: n.term.domain if domains.count(n.term.domain) == 1 else f"{n.of}/{n.name}" for n in pooled}
    return [replace(n, term=replace(n.term, key=keys[n])) if n in keys else n for n in found]  # type: ignore[call-arg]
