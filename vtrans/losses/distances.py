"""Distances between frames, one class each: the maths of :mod:`vtrans.functional.distances` with its options."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from vtrans import functional, registry
from vtrans.errors import refusal


class Distance(ABC):
    """How far a batch of frames is from another, averaged over the frames and their elements.

    ``symbol`` and ``latex`` say how an equation writes it, with ``#a`` and ``#b`` for the two frames.
    """

    symbol: ClassVar[str]
    latex: ClassVar[str]

    @abstractmethod
    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """The distance, a scalar, of two tensors ``(batch, channel, height, width)``."""


@dataclass(frozen=True)
class L1(Distance):
    """Mean absolute difference; the published code's.

    Example:
        >>> import torch
        >>> L1()(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)).item()
        1.0
    """

    symbol: ClassVar[str] = "‖#a − #b‖₁"
    latex: ClassVar[str] = r"\lVert #a - #b \rVert_1"

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return functional.l1(a, b).mean()


@dataclass(frozen=True)
class L2(Distance):
    """Mean squared difference; the paper's.

    Example:
        >>> import torch
        >>> L2()(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 2.0)).item()
        4.0
    """

    symbol: ClassVar[str] = "‖#a − #b‖₂²"
    latex: ClassVar[str] = r"\lVert #a - #b \rVert_2^2"

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return functional.l2(a, b).mean()


@dataclass(frozen=True)
class Charbonnier(Distance):
    """Mean smooth absolute difference, √((a − b)² + ε²) − ε.

    Args:
        epsilon: Below about this difference it is quadratic, above it linear; in units of [-1, 1].

    Raises:
        ValueError: ``epsilon`` is not above 0.

    Example:
        >>> import torch
        >>> Charbonnier()(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)).item()
        0.0

    Reference:
        Charbonnier et al., Two deterministic half-quadratic regularization algorithms, 1994.
    """

    epsilon: float = 1e-3
    symbol: ClassVar[str] = "ρ(#a − #b)"
    latex: ClassVar[str] = r"\rho(#a - #b)"

    def __post_init__(self) -> None:
        is_number = isinstance(self.epsilon, int | float) and not isinstance(self.epsilon, bool)
        if not is_number or not 0 < self.epsilon < math.inf:
            raise ValueError(refusal("epsilon", allowed="a number above 0", got=repr(self.epsilon)))

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return functional.charbonnier(a, b, self.epsilon).mean()


DistanceLike = str | tuple[str, dict[str, Any]] | Callable[[Tensor, Tensor], Tensor]
"""A registered name, a name with options, or any function of two batches of frames that gives their mean distance."""


def as_distance(value: DistanceLike) -> Callable[[Tensor, Tensor], Tensor]:
    """The distance that a name, a name with options, or a function stands for."""
    distance: Callable[[Tensor, Tensor], Tensor] = registry.distances.resolve("distance", value)
    return distance
