"""Recycle-GAN with predictors that know how real streams move before anything is translated."""

from dataclasses import replace

from vtrans.recipes.base import Recipe
from vtrans.recipes.recycle_gan import recycle_gan


def recycle_gan_frozen() -> Recipe:
    """Recycle-GAN whose predictors first learn alone, from real streams, and then stand frozen.

    Trained together with the generators, as published, predictors may learn to continue whatever is translated; those
    that stand frozen hold translations to the motion of the domain. This is our finding, not the paper's.
    """
    return replace(recycle_gan(), warm_up=1000, frozen_predictors=True)
