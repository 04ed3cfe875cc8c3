"""Recycle-GAN with the spatial constraints of CycleGAN."""

from vtrans.losses import Adversarial, Cycle, Identity, Recurrent, Recycle
from vtrans.recipes.base import Recipe


def recycle_cycle_gan() -> Recipe:
    """Spatiotemporal constraints as in Recycle-GAN, and spatial ones on the past: the published code's second mode."""
    return Recipe(
        losses=[
            Adversarial(),
            Recurrent(weight=10.0),
            Recycle(weight=10.0),
            Cycle(weight=10.0),
            Identity(weight=5.0),
        ]
    )
