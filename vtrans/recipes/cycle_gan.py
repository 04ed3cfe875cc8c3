"""CycleGAN: spatial constraints."""

from vtrans.losses import Adversarial, Cycle, Identity
from vtrans.recipes.base import Recipe


def cycle_gan() -> Recipe:
    """Frames translated there and back are themselves; every frame on its own, no predictor.

    At clip length 1 this is the published CycleGAN.
    """
    return Recipe(
        losses=[
            Adversarial(frames="all", predicted=False),
            Cycle(weight=10.0, frames="all"),
            Identity(weight=5.0, frames="all"),
        ]
    )
