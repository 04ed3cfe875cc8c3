"""Adversarial losses alone: nothing ties a translation to its source."""

from vtrans.losses import Adversarial
from vtrans.recipes.base import Recipe


def gan() -> Recipe:
    """Two generators, each to be taken for its domain, every frame on its own; a baseline."""
    return Recipe(losses=[Adversarial(frames="all", predicted=False)])
