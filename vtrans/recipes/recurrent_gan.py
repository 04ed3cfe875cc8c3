"""Recurrent loss without recycling: predictors that know their own domain only."""

from vtrans.losses import Adversarial, Recurrent
from vtrans.recipes.base import Recipe


def recurrent_gan() -> Recipe:
    """Predictors learn each domain's next frame; translated frames, and those predicted from them, must look real."""
    return Recipe(losses=[Adversarial(), Recurrent(weight=10.0)])
