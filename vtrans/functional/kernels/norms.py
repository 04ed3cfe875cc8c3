"""Instance norm with what follows it: a (leaky) ReLU, a residual."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from vtrans.errors import refusal
from vtrans.functional.kernels.layouts import in_layout, layout_of
from vtrans.functional.kernels.switch import runs_triton


def instance_norm(
    features: Tensor, *, slope: float = 1.0, residual: Tensor | None = None, epsilon: float = 1e-5
) -> Tensor:
    """Instance norm without affine or running statistics, then a leaky ReLU, then a sum with a residual.

    max(v, 0) + slope · min(v, 0) + residual, with v = (features − mean) / √(variance + ε) over each map.

    With ``kernels.enable("triton")`` a map of up to 8192 elements is read once on a GPU, in one launch; larger maps,
    and those in channels-last order, are read twice, in two. For the backward pass only ``features`` and two numbers
    for each map are kept.

    Args:
        features: ``(batch, channel, height, width)``, or with more dimensions of space.
        slope: Of the leaky ReLU: 0 is a ReLU, 1 is none.
        residual: Like ``features``.
        epsilon: Added to the variance.

    Returns:
        A tensor like ``features``.

    Raises:
        ValueError: ``residual`` has another shape, or a map has one element only.

    Example:
        >>> instance_norm(torch.tensor([[[[1.0, 3.0]]]]), slope=0.0).round(decimals=3)
        tensor([[[[0., 1.]]]])

    Reference:
        Ulyanov et al., Instance Normalization, 2016.
    """
    if residual is not None and residual.shape != features.shape:
        raise ValueError(
            refusal("residual", allowed=f"a tensor of shape {tuple(features.shape)}", got=tuple(residual.shape))
        )
    given = [features] if residual is None else [features, residual]
    one_type = len({tensor.dtype for tensor in given}) == 1
    if one_type and features.numel() and math.prod(features.shape[2:]) > 1 and runs_triton(*given):
        normed: Tensor = _InstanceNorm.apply(features, residual, slope, epsilon)
        return normed
    return _reference(features, residual, slope, epsilon)


def _reference(features: Tensor, residual: Tensor | None, slope: float, epsilon: float) -> Tensor:
    normed = _plain(features, epsilon)
    if slope == 0:
        normed = functional.relu(normed)
    elif slope != 1:
        normed = functional.leaky_relu(normed, slope)
    return normed if residual is None else normed + residual


def _plain(features: Tensor, epsilon: float) -> Tensor:
    # Maps become rows: a single sample's gradient is wrong on a CPU if what comes from above is channels-last.
    return functional.instance_norm(features.flatten(2), eps=epsilon).view(features.shape)


class _InstanceNorm(Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, residual: Tensor | None, slope: float, epsilon: float) -> Tensor:  # noqa: ANN401
        from vtrans.functional.kernels.norms_triton import normalise

        layout = layout_of(features)
        added = None if residual is None else in_layout(residual, layout)
        normed, mean, scale = normalise(in_layout(features, layout), added, slope, epsilon, layout)
        ctx.save_for_backward(features, mean, scale)
        ctx.slope, ctx.epsilon, ctx.layout, ctx.has_residual = slope, epsilon, layout, residual is not None
        return normed

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        from vtrans.functional.kernels.norms_triton import gradient_of

        (factors,) = above
        features, mean, scale = ctx.saved_tensors
        of_features = None
        if ctx.needs_input_grad[0] and torch.is_grad_enabled():  # second derivatives are asked for
            normed = _reference(features, None, ctx.slope, ctx.epsilon)
            (of_features,) = torch.autograd.grad(normed, features, factors, create_graph=True)
        elif ctx.needs_input_grad[0]:
            features, above_it = in_layout(features, ctx.layout), in_layout(factors, ctx.layout)
            of_features = gradient_of(features, above_it, mean, scale, ctx.slope, ctx.layout)
        return of_features, factors if ctx.has_residual else None, None, None
