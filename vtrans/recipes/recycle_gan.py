"""Recycle-GAN: spatiotemporal constraints."""

from vtrans.losses import Adversarial, Recurrent, Recycle
from vtrans.recipes.base import Recipe


def recycle_gan() -> Recipe:
    """A clip translated, continued by the predictor over there, and brought back goes on as it did.

    The predictors learn each domain's next frame from its real streams; translated frames, and those predicted from
    them, must look real.
    """
    return Recipe(losses=[Adversarial(), Recurrent(weight=10.0), Recycle(weight=10.0)])
