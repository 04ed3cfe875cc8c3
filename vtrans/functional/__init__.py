"""Pure tensor maths: distances between frames, adversarial criteria, penalties."""

from vtrans.functional.adversarial import (
    hinge,
    least_squares,
    non_saturating,
    wasserstein,
)
from vtrans.functional.distances import charbonnier, l1, l2
from vtrans.functional.penalties import gradient_penalty, r1

__all__ = [
    "charbonnier",
    "gradient_penalty",
    "hinge",
    "l1",
    "l2",
    "least_squares",
    "non_saturating",
    "r1",
    "wasserstein",
]
