"""The terms of a model's losses, by the names under which they are reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vtrans.algebra.domains import Translation, networks_in
from vtrans.losses.base import BOTH, Loss
from vtrans.losses.terms import Term


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
    """All terms of the losses, in all directions, by the names under which they are reported."""
    return [
        NamedTerm(f"{term.name or name}/{term.domain}", term, loss, name)
        for name, loss in losses.items()
        for term in loss.directions(directions, translation)
    ]
