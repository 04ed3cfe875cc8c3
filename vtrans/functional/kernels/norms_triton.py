"""The Triton kernels of instance norm."""

# ruff: noqa: ANN001, ANN202 - Triton finds the types of a kernel's arguments as it compiles
# mypy: disable-error-code="import-untyped,no-untyped-def,untyped-decorator"

import math
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language import constexpr

from vtrans.functional.kernels.layouts import Layout

_WHOLE = 8192
"""The largest map that one program holds in its registers."""
_TILE = 2048
_PROGRAMS = 1024
"""About as many programs are launched where maps are cut into pieces."""


@triton.jit
def _length(space, PIECES: constexpr, SPACE: constexpr):
    """Length of a piece of a map, a whole number of tiles."""
    return tl.cdiv(tl.cdiv(space, PIECES), SPACE) * SPACE


@triton.jit
def _place(channels, space, PIECES: constexpr, CHANNELS: constexpr, SPACE: constexpr):
    """The maps (sample, channel) that a program works on, which of them exist, their sample's first; and the piece."""
    row, piece = tl.program_id(0), tl.program_id(1)
    length = _length(space, PIECES, SPACE)
    begin = piece * length
    end = tl.minimum(begin + length, space)
    blocks = tl.cdiv(channels, CHANNELS)
    channel = row % blocks * CHANNELS + tl.arange(0, CHANNELS)
    first = (row // blocks).to(tl.int64) * channels
    return first + channel, channel < channels, first, piece, begin, end


@triton.jit
def _tile(maps, exists, first, start, end, channels, space, LAST: constexpr, SPACE: constexpr):
    """Offsets of a tile (channels, space), and which of it exists."""
    at = start + tl.arange(0, SPACE)
    if LAST:
        offsets = first * space + at[None, :].to(tl.int64) * channels + (maps - first)[:, None]
    else:
        offsets = maps[:, None] * space + at[None, :]
    return offsets, exists[:, None] & (at[None, :] < end)


@triton.jit
def _moments(
    x, means, squares, channels, space, LAST: constexpr, PIECES: constexpr, CHANNELS: constexpr, SPACE: constexpr
):
    """Mean, and sum of squared differences from it, of each piece of each map."""
    maps, exists, first, piece, begin, end = _place(channels, space, PIECES, CHANNELS, SPACE)
    mean = tl.zeros([CHANNELS], tl.float32)
    square = tl.zeros([CHANNELS], tl.float32)
    for start in range(begin, end, SPACE):
        offsets, inside = _tile(maps, exists, first, start, end, channels, space, LAST, SPACE)
        v = tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)
        before = (start - begin).to(tl.float32)
        size = (tl.minimum(start + SPACE, end) - start).to(tl.float32)
        mean_here = tl.sum(v, 1) / size
        d = tl.where(inside, v - mean_here[:, None], 0.0)
        step = mean_here - mean
        mean += step * (size / (before + size))
        square += tl.sum(d * d, 1) + step * step * (before * size / (before + size))
    tl.store(means + maps * PIECES + piece, mean, mask=exists)
    tl.store(squares + maps * PIECES + piece, square, mask=exists)


@triton.jit
def _normalise(
    x,
    residual,
    y,
    mean_out,
    scale_out,
    means,
    squares,
    channels,
    space,
    slope,
    epsilon,
    LAST: constexpr,
    PIECES: constexpr,
    CHANNELS: constexpr,
    SPACE: constexpr,
):
    """Normalises one piece of a map; without moments to add up it takes those of its one tile, the whole map."""
    maps, exists, first, piece, begin, end = _place(channels, space, PIECES, CHANNELS, SPACE)
    offsets, inside = _tile(maps, exists, first, begin, end, channels, space, LAST, SPACE)
    if means is None:
        v = tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)
        mean = tl.sum(v, 1) / space
        d = tl.where(inside, v - mean[:, None], 0.0)
        variance = tl.sum(d * d, 1) / space
    else:
        each = tl.arange(0, PIECES)
        length = _length(space, PIECES, SPACE)
        sizes = tl.minimum(tl.maximum(space - each * length, 0), length).to(tl.float32)[None, :]
        at = maps[:, None] * PIECES + each[None, :]
        mean_of = tl.load(means + at, mask=exists[:, None], other=0.0)
        mean = tl.sum(mean_of * sizes, 1) / space
        d = mean_of - mean[:, None]
        variance = tl.sum(tl.load(squares + at, mask=exists[:, None], other=0.0) + sizes * d * d, 1) / space
    scale = 1 / tl.sqrt(variance + epsilon)
    if piece == 0:
        tl.store(mean_out + maps, mean, mask=exists)
        tl.store(scale_out + maps, scale, mask=exists)
    for start in range(begin, end, SPACE):
        offsets, inside = _tile(maps, exists, first, start, end, channels, space, LAST, SPACE)
        if means is not None:
            v = tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)
        normed = (v - mean[:, None]) * scale[:, None]
        normed = tl.where(normed > 0, normed, normed * slope)
        if residual is not None:
            normed += tl.load(residual + offsets, mask=inside, other=0.0).to(tl.float32)
        tl.store(y + offsets, normed, mask=inside)


@triton.jit
def _passed(x, factors, offsets, inside, mean, scale, slope):
    """The normalised values of a tile, and the gradient with respect to them, 0 outside of the map."""
    v = tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)
    v = tl.where(inside, (v - mean[:, None]) * scale[:, None], 0.0)
    g = tl.load(factors + offsets, mask=inside, other=0.0).to(tl.float32)
    return v, tl.where(v > 0, g, g * slope)


@triton.jit
def _projections(
    x,
    factors,
    mean_in,
    scale_in,
    sums,
    products,
    channels,
    space,
    slope,
    LAST: constexpr,
    PIECES: constexpr,
    CHANNELS: constexpr,
    SPACE: constexpr,
):
    """Sum of the gradient, and of its product with the normalised values, of each piece of each map."""
    maps, exists, first, piece, begin, end = _place(channels, space, PIECES, CHANNELS, SPACE)
    mean = tl.load(mean_in + maps, mask=exists, other=0.0)
    scale = tl.load(scale_in + maps, mask=exists, other=0.0)
    total = tl.zeros([CHANNELS], tl.float32)
    product = tl.zeros([CHANNELS], tl.float32)
    for start in range(begin, end, SPACE):
        offsets, inside = _tile(maps, exists, first, start, end, channels, space, LAST, SPACE)
        v, g = _passed(x, factors, offsets, inside, mean, scale, slope)
        total += tl.sum(g, 1)
        product += tl.sum(g * v, 1)
    tl.store(sums + maps * PIECES + piece, total, mask=exists)
    tl.store(products + maps * PIECES + piece, product, mask=exists)


@triton.jit
def _gradient(
    x,
    factors,
    gradient,
    mean_in,
    scale_in,
    sums,
    products,
    channels,
    space,
    slope,
    LAST: constexpr,
    PIECES: constexpr,
    CHANNELS: constexpr,
    SPACE: constexpr,
):
    """Gradient of one piece of a map; without sums to add up it takes those of its one tile, the whole map."""
    maps, exists, first, piece, begin, end = _place(channels, space, PIECES, CHANNELS, SPACE)
    offsets, inside = _tile(maps, exists, first, begin, end, channels, space, LAST, SPACE)
    mean = tl.load(mean_in + maps, mask=exists, other=0.0)
    scale = tl.load(scale_in + maps, mask=exists, other=0.0)
    if sums is None:
        v, g = _passed(x, factors, offsets, inside, mean, scale, slope)
        total = tl.sum(g, 1) / space
        product = tl.sum(g * v, 1) / space
    else:
        at = maps[:, None] * PIECES + tl.arange(0, PIECES)[None, :]
        total = tl.sum(tl.load(sums + at, mask=exists[:, None], other=0.0), 1) / space
        product = tl.sum(tl.load(products + at, mask=exists[:, None], other=0.0), 1) / space
    for start in range(begin, end, SPACE):
        offsets, inside = _tile(maps, exists, first, start, end, channels, space, LAST, SPACE)
        if sums is not None:
            v, g = _passed(x, factors, offsets, inside, mean, scale, slope)
        change = (g - total[:, None] - v * product[:, None]) * scale[:, None]
        tl.store(gradient + offsets, change, mask=inside)


@dataclass(frozen=True)
class _Launch:
    """How the maps of some features are shared out."""

    rows: int
    pieces: int
    channels: int
    space: int
    last: bool

    @classmethod
    def of(cls, features: Tensor, layout: Layout) -> "_Launch":
        samples, channels = features.shape[:2]
        space = math.prod(features.shape[2:])
        if layout == "contiguous" and space <= _WHOLE:
            return cls(samples * channels, 1, 1, triton.next_power_of_2(space), False)
        side = min(32, triton.next_power_of_2(channels)) if layout == "channels_last" else 1
        rows = samples * triton.cdiv(channels, side)
        tile = _TILE // side
        most = max(1, min(64, triton.cdiv(space, tile), triton.cdiv(_PROGRAMS, rows)))
        return cls(rows, triton.next_power_of_2(most), side, tile, layout == "channels_last")

    @property
    def grid(self) -> tuple[int, int]:
        return self.rows, self.pieces

    def holds_whole_maps(self, features: Tensor) -> bool:
        return self.pieces == 1 and math.prod(features.shape[2:]) <= self.space

    def options(self) -> dict[str, int | bool]:
        return {
            "LAST": self.last,
            "PIECES": self.pieces,
            "CHANNELS": self.channels,
            "SPACE": self.space,
            "num_warps": 8 if self.channels * self.space > 1024 else 4,
        }


def normalise(
    features: Tensor, residual: Tensor | None, slope: float, epsilon: float, layout: Layout
) -> tuple[Tensor, Tensor, Tensor]:
    """The output, and for each map its mean and 1 / √(variance + ε), ``(batch, channel)``."""
    launch = _Launch.of(features, layout)
    size = features.shape[1], math.prod(features.shape[2:])
    normed = torch.empty_like(features)
    mean, scale = features.new_empty(2, *features.shape[:2], dtype=torch.float32)
    means, squares = None, None
    with torch.cuda.device_of(features):
        if not launch.holds_whole_maps(features):
            means, squares = features.new_empty(2, *features.shape[:2], launch.pieces, dtype=torch.float32)
            _moments[launch.grid](features, means, squares, *size, **launch.options())
        _normalise[launch.grid](
            features, residual, normed, mean, scale, means, squares, *size, float(slope), epsilon, **launch.options()
        )
    return normed, mean, scale


def gradient_of(features: Tensor, factors: Tensor, mean: Tensor, scale: Tensor, slope: float, layout: Layout) -> Tensor:
    """The gradient with respect to the features."""
    launch = _Launch.of(features, layout)
    size = features.shape[1], math.prod(features.shape[2:])
    gradient = torch.empty_like(features)
    sums, products = None, None
    with torch.cuda.device_of(features):
        if not launch.holds_whole_maps(features):
            sums, products = features.new_empty(2, *features.shape[:2], launch.pieces, dtype=torch.float32)
            _projections[launch.grid](
                features, factors, mean, scale, sums, products, *size, float(slope), **launch.options()
            )
        _gradient[launch.grid](
            features, factors, gradient, mean, scale, sums, products, *size, float(slope), **launch.options()
        )
    return gradient
