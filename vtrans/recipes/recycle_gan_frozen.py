"""Recycle-GAN with predictors that know how real streams move before anything is translated."""

from vtrans.losses import Adversarial, Recurrent, Recycle
from vtrans.recipes.base import Recipe


def recycle_gan_frozen() -> Recipe:
    """Recycle-GAN whose predictors first learn alone, from real streams, and then stand frozen.

    Trained together with the generators, as published, predictors may learn to continue whatever is translated; those
    that stand frozen hold translations to the motion of the domain. This is our finding, not the paper's.
    """
    return Recipe(
        losses=[Adversarial(), Recurrent(weight=10.0), Recycle(weight=10.0)], warm_up=1000, frozen_predictors=True
    )
