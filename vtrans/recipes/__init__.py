"""The recipes, one short file each."""

from vtrans.recipes.base import Recipe
from vtrans.recipes.cycle_gan import cycle_gan
from vtrans.recipes.gan import gan
from vtrans.recipes.recurrent_gan import recurrent_gan
from vtrans.recipes.recycle_cycle_gan import recycle_cycle_gan
from vtrans.recipes.recycle_cycle_gan_frozen import recycle_cycle_gan_frozen
from vtrans.recipes.recycle_gan import recycle_gan
from vtrans.recipes.recycle_gan_frozen import recycle_gan_frozen

__all__ = [
    "Recipe",
    "cycle_gan",
    "gan",
    "recurrent_gan",
    "recycle_cycle_gan",
    "recycle_cycle_gan_frozen",
    "recycle_gan",
    "recycle_gan_frozen",
]
