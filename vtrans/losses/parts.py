"""Terms as parts that one kernel adds up, for the distances and criteria that it knows."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vtrans.algebra.values import Value
from vtrans.functional.adversarial import Role
from vtrans.functional.kernels import Part, enabled, judged, weighted_sums
from vtrans.losses.criteria import Hinge, LeastSquares
from vtrans.losses.distances import L1, L2, Charbonnier
from vtrans.losses.terms import Comparison, Discrimination, Judgement, Term

_CRITERIA: dict[type, str] = {LeastSquares: "least_squares", Hinge: "hinge"}


def weigh(
    terms: Sequence[Term], given: Sequence[Sequence[Value]], weights: Tensor, value: Callable[[int], Tensor]
) -> Tensor:
    """The weighted terms; with ``kernels.enable("triton")`` those that a kernel knows in one launch.

    Args:
        terms: The terms.
        given: The frames that each requested.
        weights: The weight of each, ``(terms,)``.
        value: Computes the value of the term at a place by plain operations.

    Returns:
        ``(terms,)``.
    """
    every = range(len(terms))
    parts = [part for i in every for part in parts_of(terms[i], given[i], i)] if enabled() == "triton" else []
    known = {part.term for part in parts}
    values = {i: value(i) for i in every if i not in known}
    if not known:
        return torch.stack(list(values.values())) * weights.to(values[0].dtype)
    weights = weights.to(torch.promote_types(parts[0].a.dtype, torch.float32))
    sums = weighted_sums(parts, weights)
    if not values:
        return sums
    return torch.stack([values[i] * weights[i] if i in values else sums[i] for i in every])


def parts_of(term: Term, frames: Sequence[Value], index: int) -> list[Part]:
    """The parts that add up to a term's value; none if no kernel knows it.

    Args:
        term: The term.
        frames: What it requested, each ``(times, batch, …)``.
        index: Its place among the weights.

    Example:
        >>> import torch
        >>> from vtrans.algebra.views import Clip
        >>> term = Comparison(Clip("x"), Clip("x"), L1())
        >>> [part.kind for part in parts_of(term, torch.zeros(2, 3, 1, 3, 4, 4).unbind(), 0)]
        ['l1']
    """
    if not all(isinstance(frame, Tensor) for frame in frames):
        return []
    if isinstance(term, Comparison):
        return _compared(term, frames[0], frames[1], index)
    if isinstance(term, Judgement):
        return _judged(term.criterion, [(logits, "generator") for logits in frames], index)
    if isinstance(term, Discrimination):
        real, *fakes = frames
        return _judged(term.criterion, [(real, "real"), *((fake, "fake") for fake in fakes)], index)
    return []


def _compared(term: Comparison, a: Tensor, b: Tensor, index: int) -> list[Part]:
    if a.shape != b.shape:  # to be refused in the term's own words
        return []
    match term.distance:
        case L1():
            return [Part("l1", a, b, index, len(a))]
        case L2():
            return [Part("l2", a, b, index, len(a))]
        case Charbonnier(epsilon=epsilon):
            return [Part("charbonnier", a, b, index, len(a), epsilon)]
    return []


def _judged(criterion: object, logits: Sequence[tuple[Tensor, Role]], index: int) -> list[Part]:
    name = _CRITERIA.get(type(criterion))
    if name is None:
        return []
    return [judged(name, of, role, index, len(of)) for of, role in logits]
