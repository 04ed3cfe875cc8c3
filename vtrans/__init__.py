"""Unpaired video translation: losses written as the paper's equations, planned into the fewest batched calls."""

from vtrans import built_in as catalog
from vtrans import interop, testing
from vtrans import moved as moved
from vtrans.algebra.domains import frozen, network
from vtrans.algebra.operators import between, concat, detach, noise, operator
from vtrans.algebra.views import earlier, hold, join, recur, reverse, shift, unroll
from vtrans.losses import Loss, Schedule
from vtrans.model import TranslationModel, build
from vtrans.networks.initialization import initialize
from vtrans.objectives.phases import Phase
from vtrans.objectives.reports import LossReport, StepReport
from vtrans.recipes import Recipe
from vtrans.registry import criteria, discriminators, distances, generators, losses, networks, predictors, recipes
from vtrans.version import __version__ as __version__

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
    "concat",
    "criteria",
    "detach",
    "discriminators",
    "distances",
    "earlier",
    "frozen",
    "generators",
    "hold",
    "initialize",
    "interop",
    "join",
    "losses",
    "network",
    "networks",
    "noise",
    "operator",
    "predictors",
    "recipes",
    "recur",
    "reverse",
    "shift",
    "testing",
    "unroll",
]
