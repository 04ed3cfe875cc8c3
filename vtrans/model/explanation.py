"""A model explained: its objective as equations, what trains what, and the plan."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from vtrans.algebra.domains import domain_of
from vtrans.algebra.notation import Notation, text
from vtrans.algebra.streams import Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.functional.adversarial import Role
from vtrans.losses.criteria import Criterion
from vtrans.losses.distances import Distance
from vtrans.losses.terms import Comparison, Cost, Discrimination, Judgement, Penalty, Term
from vtrans.losses.weights import Schedule
from vtrans.model.trainable import TrainableModel
from vtrans.objectives.objective import Objective
from vtrans.objectives.phases import Phase
from vtrans.objectives.terms import NamedTerm


@dataclass(frozen=True)
class Row:
    """One line of an objective: the term's name, its equation in text and in LaTeX, and the networks it trains."""

    name: str
    text: str
    latex: str
    trains: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A phase: its heading, its terms and its plan."""

    heading: str
    rows: tuple[Row, ...]
    plan: str


@dataclass(frozen=True)
class Explanation:
    """What :meth:`vtrans.TranslationModel.explain` returns: print it, or show it in a notebook.

    Example:
        >>> import vtrans
        >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
        >>> print(model.explain().sections[0].rows[0].text)
        Σ_t (D_Y(G_Y(x_t)) − 1)²
    """

    title: str
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    against: Explanation | None = None

    @classmethod
    def of(cls, model: TrainableModel, against: TrainableModel | None = None, length: int | None = None) -> Explanation:
        """Explains a model, alone or against another."""
        frames = model.planned_length(length)
        reads = {name: Reads.of(network) for name, network in model.networks.items()}
        learns = {name: any(True for _ in network.parameters()) for name, network in model.networks.items()}
        forms = [Notation(Scope({}, reads), latex=latex) for latex in (False, True)]
        sections = tuple(
            Section(
                _heading(phase),
                tuple(
                    _row(named, model.objectives[phase.name], forms, learns)
                    for named in model.objectives[phase.name].terms
                ),
                f"plan for clips of {frames} frames: {model.plan(phase.name, length=frames)}",
            )
            for phase in model.phases
        )
        parts = [f"{name}: {_describe(network)}" for name, network in model.networks.items()]
        recursions = [f"where {line}" for line in forms[0].definitions()]
        starred = any("*" in row.text for section in sections for row in section.rows)
        return cls(
            f"Objective of {', '.join(model.losses)}",
            (*model.notes, *recursions, *_legend(reads, starred), "networks: " + "; ".join(parts)),
            sections,
            cls.of(against, None, length) if against is not None else None,
        )

    def __str__(self) -> str:
        if self.against is None:
            return self._text()
        difference = [
            line
            for line in difflib.ndiff(self.against._text().splitlines(), self._text().splitlines())
            if line[0] in "+-"
        ]
        head = "What differs (- the other model, + this one):"
        return "\n".join([head, *difference]) if difference else "The two models have the same objective and plan."

    def latex(self) -> str:
        """The objective as LaTeX, one ``aligned`` block a phase."""
        blocks = []
        for section in self.sections:
            lines = [rf"\text{{{row.name.replace('_', chr(92) + '_')}:}}\quad & {row.latex} \\" for row in section.rows]
            blocks.append("\n".join([r"\begin{aligned}", *lines, r"\end{aligned}"]))
        return "\n\n".join(blocks)

    def _repr_latex_(self) -> str:
        return "$$\n" + self.latex().replace("\n\n", "\n$$\n\n$$\n") + "\n$$"

    def _text(self) -> str:
        lines = [self.title, *self.notes]
        for section in self.sections:
            width = max(len(row.name) for row in section.rows)
            lines += ["", section.heading]
            for row in section.rows:
                lines.append(f"  {row.name:<{width}}  {row.text}")
                trained = ", ".join(row.trains) or "nothing (a constant)"
                lines.append(f"  {'':<{width}}  trains {trained}")
            lines += [f"  {line}" for line in section.plan.splitlines()]
        return "\n".join(lines)


def _heading(phase: Phase) -> str:
    span = ""
    if phase.start or phase.stop is not None:
        until = f" to {phase.stop - 1}" if phase.stop is not None else " on"
        span = f", steps {phase.start}{until}"
    if phase.every > 1:
        span += f", every {phase.every} steps"
    if phase.optimizer:
        span += f", by {', '.join(f'{name} {value}' for name, value in phase.optimizer.items())}"
    return f"phase {phase.name}: trains {', '.join(phase.trains)}{span}; minimises the sum of"


def _legend(reads: dict[str, Reads], starred: bool) -> list[str]:
    predictors = {name: read for name, read in reads.items() if read.recurrent or max(read.offsets, default=0) < 0}
    windows = {name: len(read.offsets) for name, read in reads.items() if read.stacked and 0 in read.offsets}
    lines = []
    for name, read in predictors.items():
        count = len(read.offsets)
        what = "the whole past" if read.recurrent else f"its last {count} frames" if count > 1 else "its last frame"
        lines.append(f"{name} reads {what} of {domain_of(name)}_{{1:t}}")
    lines += [f"{name} judges windows of {count} frames" for name, count in windows.items()]
    if starred:
        lines.append("* marks a network that stands frozen: gradients flow through it, none to it")
    return ["; ".join(lines)] if lines else []


def _describe(network: nn.Module) -> str:
    count = sum(parameter.numel() for parameter in network.parameters())
    return f"{type(network).__name__} ({count:,} parameters)"


def _row(named: NamedTerm, objective: Objective, forms: Sequence[Notation], learns: dict[str, bool]) -> Row:
    equation, latex = (_equation(named.term, notation) for notation in forms)
    weight = _weight(named)
    within_latex = weight.replace("λ", r"\lambda")
    if isinstance(named.term, Discrimination) and weight:
        half = {"0.5": ("½", r"\tfrac{1}{2}")}.get(weight, (weight, weight))
        return Row(named.name, f"{half[0]} {equation}", f"{half[1]} {latex}", _learning(named, objective, learns))
    return Row(
        named.name,
        f"{weight} · {equation}" if weight else equation,
        f"{within_latex} \\, {latex}" if weight else latex,
        _learning(named, objective, learns),
    )


def _learning(named: NamedTerm, objective: Objective, learns: dict[str, bool]) -> tuple[str, ...]:
    return tuple(name for name in sorted(objective.trains(named)) if learns[name])


def _weight(named: NamedTerm) -> str:
    """The weight of a term, its own and the loss's, as an equation writes it; empty for 1."""
    own = named.term.weight
    weight: Any = named.loss.weight if named.term.by_loss else 1
    if isinstance(weight, dict):
        weight = weight.get(named.term.domain, weight)
    if isinstance(weight, dict):
        weight = Schedule(weight["points"])
    if isinstance(weight, Schedule):
        return _times(own, "λ(" + ", ".join(f"{step}: {value:g}" for step, value in weight.points) + ")")
    if callable(weight):
        return _times(own, "λ(step)")
    number = own * weight
    return "" if number == 1 else f"{number:g}"


def _times(own: float, written: str) -> str:
    return written if own == 1 else f"{own:g} {written}"


def _equation(term: Term, notation: Notation) -> str:
    if isinstance(term, Comparison):
        when = notation.starts_at(term.stream, term.target)
        target, stream = (notation.write(part, when) for part in (term.target, term.stream))
        return _sum(notation) + _distance(term.distance, target, stream, notation.latex)
    if isinstance(term, Cost):
        return _sum(notation) + notation.write(term.stream, notation.starts_at(term.stream))
    if isinstance(term, Judgement):
        return " + ".join(_judged(term, stream, "generator", notation) for stream in term.streams)
    if isinstance(term, Discrimination):
        return f"[{_discriminated(term, notation)}]"
    if isinstance(term, Penalty):
        judged = term.streams[0]
        written = notation.write(judged, notation.starts_at(judged))
        name = getattr(term.function, "__name__", type(term.function).__name__)
        symbol = (term.latex if notation.latex else term.symbol) or f"{text(name) if notation.latex else name}(#d)"
        return _sum(notation) + symbol.replace("#d", written)
    return type(term).__name__


def _discriminated(term: Discrimination, notation: Notation) -> str:
    real, *fakes = term.streams
    if not term.pairs:
        return " + ".join([_judged(term, real, "real", notation), *(_judged(term, f, "fake", notation) for f in fakes)])
    pairs = []
    for fake in fakes:
        when = notation.starts_at(fake)
        cost = _criterion(term.criterion, "real", notation.write(real, when), notation.latex)
        pairs.append(f"({cost} + {_criterion(term.criterion, 'fake', notation.write(fake, when), notation.latex)})")
    return " + ".join(_sum(notation) + pair for pair in pairs)


def _judged(term: Judgement | Discrimination, stream: Stream, role: Role, notation: Notation) -> str:
    written = notation.write(stream, notation.starts_at(stream))
    return _sum(notation) + _criterion(term.criterion, role, written, notation.latex)


def _sum(notation: Notation) -> str:
    return r"\sum_t " if notation.latex else "Σ_t "


def _distance(distance: object, a: str, b: str, latex: bool) -> str:
    if isinstance(distance, Distance):
        return (
            (getattr(distance, "latex", distance.symbol) if latex else distance.symbol)
            .replace("#a", a)
            .replace("#b", b)
        )
    name = getattr(distance, "__name__", type(distance).__name__)
    return f"{text(name) if latex else name}({a}, {b})"


def _criterion(criterion: object, role: Role, judged: str, latex: bool) -> str:
    if isinstance(criterion, Criterion):
        return (criterion.latex if latex else criterion.symbols)[role].replace("#d", judged)
    name = getattr(criterion, "__name__", type(criterion).__name__)
    if latex:
        return rf"{text(name)}({judged}, \text{{{role}}})"
    return f"{name}({judged}, {role})"
