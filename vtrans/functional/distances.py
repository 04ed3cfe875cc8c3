"""Distances between frames, element by element; the mean over the elements is the distance."""

from torch import Tensor


def l1(a: Tensor, b: Tensor) -> Tensor:
    """Absolute difference, |a − b|."""
    return (a - b).abs()


def l2(a: Tensor, b: Tensor) -> Tensor:
    """Squared difference, (a − b)²."""
    return (a - b).square()


def charbonnier(a: Tensor, b: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Smooth absolute difference, √((a − b)² + ε²) − ε: zero at a = b, L1 far from it."""
    return ((a - b).square() + epsilon**2).sqrt() - epsilon
