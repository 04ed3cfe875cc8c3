"""Unpaired video translation: losses written as the paper's equations, planned into the fewest batched calls."""

from vtrans import catalog, interop, testing
from vtrans.assembly import build
from vtrans.expressions import frozen, join
from vtrans.losses import Loss, Schedule
from vtrans.model import TranslationModel
from vtrans.networks.initialization import initialize
from vtrans.objective import LossReport, StepReport
from vtrans.operators import between, detach, noise, reverse, shift, unroll
from vtrans.phases import Phase
from vtrans.recipes import Recipe
from vtrans.registry import criteria, discriminators, distances, generators, losses, predictors, recipes

__version__ = "0.1.0"

__all__ = [
    "Loss",
    "LossReport",
    "Phase",
    "Recipe",
    "Schedule",
    "StepReport",
    "TranslationModel",
    "between",
    "build",
    "catalog",
    "criteria",
    "detach",
    "discriminators",
    "distances",
    "frozen",
    "generators",
    "initialize",
    "interop",
    "join",
    "losses",
    "noise",
    "predictors",
    "recipes",
    "reverse",
    "shift",
    "testing",
    "unroll",
]
