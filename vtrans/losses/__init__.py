"""The losses, one small class each, and what they are made of."""

from vtrans.losses.adversarial import Adversarial, AdversarialPrediction
from vtrans.losses.base import Loss
from vtrans.losses.criteria import Criterion, Hinge, LeastSquares, NonSaturating, Wasserstein
from vtrans.losses.distances import L1, L2, Charbonnier, Distance
from vtrans.losses.penalties import R1, GradientPenalty
from vtrans.losses.reconstruction import Cycle, Identity, Recurrent, Recycle
from vtrans.losses.weights import Schedule

__all__ = [
    "L1",
    "L2",
    "R1",
    "Adversarial",
    "AdversarialPrediction",
    "Charbonnier",
    "Criterion",
    "Cycle",
    "Distance",
    "GradientPenalty",
    "Hinge",
    "Identity",
    "LeastSquares",
    "Loss",
    "NonSaturating",
    "Recurrent",
    "Recycle",
    "Schedule",
    "Wasserstein",
]
