"""Recycle-GAN: spatiotemporal constraints."""

from vtrans.losses import Adversarial, Recurrent, Recycle
from vtrans.recipes.base import Recipe


def recycle_gan() -> Recipe:
    """Predictors learn each domain's next frame. A clip translated, continued over there and brought back goes on as
    it did; translated frames, and those predicted from them, must look real.
    """
    return Recipe(losses=[Adversarial(), Recurrent(weight=10.0), Recycle(weight=10.0)])
