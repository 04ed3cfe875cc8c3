"""The Triton kernels of weighted sums of distances."""

# ruff: noqa: ANN001, ANN202 - Triton finds the types of a kernel's arguments as it compiles
# mypy: disable-error-code="import-untyped,no-untyped-def,untyped-decorator"

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language import constexpr

from vtrans.functional.kernels.parts import Part

_BLOCK = 2048
_PROGRAMS = 1024
"""The most programs for a part: enough to fill a large GPU several times over."""


@triton.jit
def _cost(d, epsilon, KIND: constexpr):
    """A function of the difference, and its derivative; NaN is treated as by the plain operations."""
    if KIND == "l1":
        cost = tl.abs(d)
        slope = tl.where(d > 0, 1.0, tl.where(d < 0, -1.0, 0.0))
    elif KIND == "l2":
        cost = d * d
        slope = 2 * d
    elif KIND == "charbonnier":
        root = tl.sqrt(d * d + epsilon * epsilon)
        cost = root - epsilon
        slope = d / root
    elif KIND == "above":
        cost = tl.where(d <= 0, 0.0, d)
        slope = tl.where(d <= 0, 0.0, 1.0)
    elif KIND == "below":
        cost = tl.where(d >= 0, 0.0, -d)
        slope = tl.where(d >= 0, 0.0, -1.0)
    else:
        cost = -d
        slope = tl.full(d.shape, -1.0, tl.float32)
    return cost, slope


@triton.jit
def _walk(
    firsts,
    seconds,
    first_gradients,
    second_gradients,
    constants,
    counts,
    scales,
    epsilons,
    weights,
    factors,
    partials,
    KINDS: constexpr,
    TERMS: constexpr,
    BLOCK: constexpr,
):
    """Program (p, i) walks through every so manieth block of part i."""
    program, part, programs = tl.program_id(0), tl.program_id(1), tl.num_programs(0)
    for i in tl.static_range(len(KINDS)):
        if part == i:
            scale = tl.load(weights + TERMS[i]) * scales[i]
            upstream = scale
            if factors is not None:
                upstream = scale * tl.load(factors + TERMS[i])
            total = tl.zeros([BLOCK], tl.float32)
            for start in range(program.to(tl.int64) * BLOCK, counts[i], programs * BLOCK):
                at = start + tl.arange(0, BLOCK)
                inside = at < counts[i]
                d = tl.load(firsts[i] + at, mask=inside, other=0.0).to(tl.float32)
                if seconds[i] is not None:
                    d -= tl.load(seconds[i] + at, mask=inside, other=0.0).to(tl.float32)
                else:
                    d -= constants[i]
                cost, slope = _cost(d, epsilons[i], KINDS[i])
                total += tl.where(inside, cost, 0.0)
                if first_gradients[i] is not None:
                    tl.store(first_gradients[i] + at, slope * upstream, mask=inside)
                if seconds[i] is not None:
                    if second_gradients[i] is not None:
                        tl.store(second_gradients[i] + at, -slope * upstream, mask=inside)
            if partials is not None:
                tl.store(partials + part * programs + program, tl.sum(total) * scale)


@triton.jit
def _add_up(partials, sums, programs, TERMS: constexpr, PROGRAMS: constexpr):
    """Program t adds up the partial sums of term t, in a fixed order."""
    term = tl.program_id(0)
    at = tl.arange(0, PROGRAMS)
    total = tl.zeros([PROGRAMS], tl.float32)
    for i in tl.static_range(len(TERMS)):
        if term == TERMS[i]:
            total += tl.load(partials + i * programs + at, mask=at < programs, other=0.0)
    tl.store(sums + term, tl.sum(total))


@triton.jit
def _rescale(gradients, counts, factors, TERMS: constexpr, BLOCK: constexpr):
    """Multiplies gradients by the factor of their term; reads and writes nothing where that is 1."""
    program, which, programs = tl.program_id(0), tl.program_id(1), tl.num_programs(0)
    for i in tl.static_range(len(TERMS)):
        if which == i:
            factor = tl.load(factors + TERMS[i])
            if factor != 1.0:
                for start in range(program.to(tl.int64) * BLOCK, counts[i], programs * BLOCK):
                    at = start + tl.arange(0, BLOCK)
                    inside = at < counts[i]
                    gradient = tl.load(gradients[i] + at, mask=inside, other=0.0)
                    tl.store(gradients[i] + at, gradient * factor, mask=inside)


def sums_and_gradients(
    parts: Sequence[Part], weights: Tensor, wanted: Sequence[bool]
) -> tuple[Tensor, list[Tensor | None]]:
    """The weighted sums, and the gradient of each frame that is wanted, from one walk through the frames.

    Args:
        parts: Parts whose two frames lie in memory in one order, without gaps.
        weights: ``(terms,)``.
        wanted: Whether the gradient is wanted, for every frame in the order of the parts.
    """
    programs = _programs([part.a.numel() for part in parts])
    partials = torch.empty(len(parts), programs, device=weights.device)
    sums = torch.empty_like(weights, memory_format=torch.contiguous_format)
    gradients = _run_walk(parts, weights, wanted, None, partials)
    with torch.cuda.device_of(weights):
        _add_up[(len(weights),)](
            partials,
            sums,
            programs,
            TERMS=tuple(part.term for part in parts),
            PROGRAMS=triton.next_power_of_2(programs),
        )
    return sums, gradients


def gradients_of(
    parts: Sequence[Part], weights: Tensor, wanted: Sequence[bool], factors: Tensor
) -> list[Tensor | None]:
    """The gradients alone, multiplied by the ``factors`` ``(terms,)`` too."""
    return _run_walk(parts, weights, wanted, factors, None)


def _run_walk(
    parts: Sequence[Part], weights: Tensor, wanted: Sequence[bool], factors: Tensor | None, partials: Tensor | None
) -> list[Tensor | None]:
    wants = iter(wanted)
    gradients = [torch.empty_like(frame) if next(wants) else None for part in parts for frame in part.frames]
    waiting = iter(gradients)
    by_part = [(next(waiting), next(waiting) if len(part.frames) == 2 else None) for part in parts]
    counts = tuple(part.a.numel() for part in parts)
    with torch.cuda.device_of(weights):
        _walk[(_programs(counts), len(parts))](
            tuple(part.a for part in parts),
            tuple(part.b if isinstance(part.b, Tensor) else None for part in parts),
            tuple(first for first, _ in by_part),
            tuple(second for _, second in by_part),
            tuple(0.0 if isinstance(part.b, Tensor) else float(part.b) for part in parts),
            counts,
            tuple(part.count / n if n else float("nan") for part, n in zip(parts, counts, strict=True)),
            tuple(float(part.epsilon) for part in parts),
            weights.contiguous(),
            None if factors is None else factors.contiguous(),
            partials,
            KINDS=tuple(part.kind for part in parts),
            TERMS=tuple(part.term for part in parts),
            BLOCK=_BLOCK,
            num_warps=8,
        )
    return gradients


def rescale(parts: Sequence[Part], gradients: Sequence[Tensor | None], factors: Tensor) -> None:
    """Multiplies gradients, in the order of the parts' frames, by the factors of their terms, in place."""
    terms = [part.term for part in parts for _ in part.frames]
    found = [(g, term) for g, term in zip(gradients, terms, strict=True) if g is not None]
    counts = tuple(gradient.numel() for gradient, _ in found)
    with torch.cuda.device_of(factors):
        _rescale[(_programs(counts), len(found))](
            tuple(gradient for gradient, _ in found),
            counts,
            factors.contiguous(),
            TERMS=tuple(term for _, term in found),
            BLOCK=_BLOCK,
            num_warps=8,
        )


def _programs(counts: Sequence[int]) -> int:
    return max(1, min(_PROGRAMS, -(-max(counts) // _BLOCK)))
