"""All distances and criteria of a phase at once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from vtrans.errors import refusal
from vtrans.functional.adversarial import Role
from vtrans.functional.kernels.layouts import in_layout, layout_of
from vtrans.functional.kernels.parts import Kind, Part, with_frames
from vtrans.functional.kernels.switch import runs_triton


def judged(criterion: str, logits: Tensor, role: Role, term: int = 0, count: float = 1.0) -> Part:
    """The part that a criterion makes of logits.

    Args:
        criterion: ``"least_squares"`` or ``"hinge"``.
        logits: A discriminator's, of any shape.
        role: What was judged: ``"real"``, ``"fake"``, or ``"generator"`` for a fake that is to convince.
        term: Index of the term to which it adds.
        count: By how much the mean counts.

    Raises:
        ValueError: There is no such criterion.

    Example:
        >>> judged("hinge", torch.tensor([-3.0]), "real").value()
        tensor(4.)
    """
    if criterion == "least_squares":
        return Part("l2", logits, 0.0 if role == "fake" else 1.0, term, count)
    if criterion == "hinge":
        kinds: dict[Role, tuple[Kind, float]] = {"real": ("below", 1.0), "fake": ("above", -1.0)}
        kind, b = kinds.get(role, ("minus", 0.0))
        return Part(kind, logits, b, term, count)
    raise ValueError(refusal("criterion", allowed="'least_squares' or 'hinge'", got=repr(criterion)))


def weighted_sums(parts: Sequence[Part], weights: Tensor) -> Tensor:
    """The weighted terms: the sum of each one's parts times its weight.

    With ``kernels.enable("triton")`` one launch reads all frames on a GPU, and writes their gradients as it does; a
    second one adds up partial sums, always in the same order. The backward pass multiplies these gradients by what
    comes from above, and leaves them where that is 1. For 16-bit frames, and when it runs again, it computes them
    from the frames, so that they are rounded once.

    Args:
        parts: What is added up; 16-bit frames are computed with in 32 bits.
        weights: ``(terms,)``, one for each term; a term without parts is 0.

    Returns:
        ``(terms,)``, in the type of the weights.

    Raises:
        ValueError: There are no parts, or one names a term that has no weight.

    Example:
        >>> x, y = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
        >>> parts = [Part("l1", x, y), Part("l2", x, y, term=1), judged("least_squares", x, "real", term=1)]
        >>> weighted_sums(parts, torch.tensor([10.0, 1.0]))
        tensor([10.,  2.])
    """
    if not parts or max(part.term for part in parts) >= len(weights):
        named = sorted({part.term for part in parts})
        raise ValueError(refusal("parts", allowed=f"some, of {len(weights)} terms", got=f"parts of terms {named}"))
    frames = [frame for part in parts for frame in part.frames]
    if weights.dtype == torch.float32 and not weights.requires_grad and runs_triton(weights, *frames):
        sums: Tensor = _WeightedSums.apply(weights, tuple(parts), *frames)
        return sums
    return _reference(parts, weights)


def _reference(parts: Sequence[Part], weights: Tensor) -> Tensor:
    sums: list[Tensor | None] = [None] * len(weights)
    for part in parts:
        before, value = sums[part.term], part.value()
        sums[part.term] = value if before is None else before + value
    return torch.stack([weights.new_zeros(()) if s is None else s.to(weights.dtype) for s in sums]) * weights


class _WeightedSums(Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, parts: tuple[Part, ...], *frames: Tensor) -> Tensor:  # noqa: ANN401
        from vtrans.functional.kernels.distances_triton import sums_and_gradients

        # The frames are kept as autograd keeps them: the parts would hold them, and their graph, for good.
        ctx.parts = with_frames(parts, [torch.empty(0)] * len(frames))
        ctx.save_for_backward(weights, *frames)
        wanted = ctx.needs_input_grad[2:]
        at_once = all(frame.itemsize >= 4 for frame, wants in zip(frames, wanted, strict=True) if wants)
        sums, gradients = sums_and_gradients(_dense(parts), weights, [at_once and wants for wants in wanted])
        ctx.gradients = gradients if at_once else None
        return sums

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        from vtrans.functional.kernels.distances_triton import gradients_of, rescale

        (factors,) = above
        weights, *frames = ctx.saved_tensors
        wanted = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled():  # second derivatives are asked for
            frames = [frame.view_as(frame) for frame in frames]  # each apart, where one is given several times
            parts = with_frames(ctx.parts, frames)
            inputs = [frame for frame, wants in zip(frames, wanted, strict=True) if wants]
            found = iter(torch.autograd.grad(_reference(parts, weights), inputs, factors, create_graph=True))
            return None, None, *(next(found) if wants else None for wants in wanted)
        parts = with_frames(ctx.parts, frames)
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            gradients = gradients_of(_dense(parts), weights, wanted, factors)
        else:
            rescale(parts, gradients, factors)
        return None, None, *gradients


def _dense(parts: Sequence[Part]) -> list[Part]:
    frames = []
    for part in parts:
        layout = layout_of(*part.frames)
        frames += [in_layout(frame, layout) for frame in part.frames]
    return with_frames(parts, frames)
