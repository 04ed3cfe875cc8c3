"""Former import paths: modules that moved into a room are still found where users were told of them, with a warning."""

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "vtrans.assembly": "vtrans.model",
    "vtrans.catalog": "vtrans.built_in",
    "vtrans.evaluation.ablation": "vtrans.ablation",
    "vtrans.explanation": "vtrans.model.explanation",
    "vtrans.export": "vtrans.interop.export",
    "vtrans.expressions": "vtrans.algebra",
    "vtrans.guard": "vtrans.objectives.guard",
    "vtrans.notation": "vtrans.algebra.notation",
    "vtrans.objective": "vtrans.objectives.objective",
    "vtrans.operators": "vtrans.algebra",
    "vtrans.phases": "vtrans.objectives.phases",
    "vtrans.planner": "vtrans.planning.planner",
    "vtrans.pool": "vtrans.objectives.pool",
    "vtrans.pretrained": "vtrans.model.pretrained",
    "vtrans.schedule": "vtrans.planning.schedule",
    "vtrans.training.model_settings": "vtrans.training.settings",
    "vtrans.translation": "vtrans.model.translation",
}
"""The modules of the former reference, and where each is now."""


class Moved(MetaPathFinder, Loader):
    """Finds moved modules under their former names."""

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module, if it is one that moved."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module the names of the one that it became."""
        now = MOVED[module.__name__]
        warnings.warn(f"{module.__name__} has moved: import {now}.", DeprecationWarning, stacklevel=2)
        names = vars(importlib.import_module(now))
        vars(module).update({name: value for name, value in names.items() if not name.startswith("__")})


sys.meta_path.insert(0, Moved())
