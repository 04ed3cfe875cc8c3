"""An inventory of the public names."""

import types

from torch import nn

import vtrans

NAMES = {
    "Loss",
    "LossReport",
    "Phase",
    "Recipe",
    "Schedule",
    "StepReport",
    "TranslationModel",
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
    "between",
    "noise",
    "predictors",
    "recipes",
    "reverse",
    "shift",
    "testing",
    "unroll",
    "concat",
    "earlier",
    "hold",
    "network",
    "networks",
    "operator",
    "recur",
}
MODEL = {
    "config",
    "discriminator_loss",
    "explain",
    "from_pretrained",
    "generator_loss",
    "loss",
    "networks_by_name",
    "optimizers",
    "parameters_of",
    "phase",
    "plan",
    "push_to_hub",
    "save_pretrained",
    "step",
    "translate",
}


def test_what_the_package_exports():
    assert set(vtrans.__all__) == NAMES
    assert list(vtrans.__all__) == sorted(vtrans.__all__)
    others = {
        name
        for name, value in vars(vtrans).items()
        if not name.startswith("_") and name not in NAMES and not isinstance(value, types.ModuleType)
    }
    assert others == set()
    assert vtrans.__version__.count(".") == 2


def test_registries_are_found_by_the_names_of_the_folders_they_shadow():
    from vtrans.losses import Cycle
    from vtrans.recipes import Recipe

    assert vtrans.losses["cycle"].factory is Cycle and vtrans.Recipe is Recipe
    assert isinstance(vtrans.losses, type(vtrans.recipes))


def test_what_a_model_offers():
    own = {name for name in set(dir(vtrans.TranslationModel)) - set(dir(nn.Module)) if not name.startswith("_")}
    assert own >= MODEL
    assert all(getattr(vtrans.TranslationModel, name).__doc__ for name in own)
