"""The optimizer of a phase: which, and with what options."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn

from vtrans.errors import refusal, unknown
from vtrans.planning.compilation import lay_out_state

Implementation = Literal["default", "foreach", "fused"]

KINDS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
"""The kinds of optimizers by name."""

PUBLISHED = {"lr": 2e-4, "betas": (0.5, 0.999)}
"""The published rate and betas, where nothing else is said."""


def check_optimizer(phase: str, options: object) -> None:
    """Refuses options that no optimizer takes.

    Args:
        phase: The phase's name.
        options: ``kind``, ``clip``, and arguments of the kind.

    Raises:
        TypeError: They are no mapping.
        ValueError: An unknown kind or option, or a ``clip`` that is not above 0.
    """
    argument = f"optimizer of phase {phase!r}"
    if not isinstance(options, Mapping):
        raise TypeError(refusal(argument, allowed="a mapping such as {'kind': 'adamw'}", got=repr(options)))
    kind = options.get("kind", "adam")
    if kind not in KINDS:
        raise ValueError(unknown(f"kind of the {argument}:", kind, KINDS))
    taken = ["kind", "clip", *list(inspect.signature(KINDS[kind]).parameters)[1:]]
    for name in options:
        if name not in taken:
            raise ValueError(unknown(f"option of the {argument}:", name, taken))
    clip = options.get("clip", 1.0)
    if isinstance(clip, bool) or not isinstance(clip, int | float) or not clip > 0:
        raise ValueError(refusal(f"clip of the {argument}", allowed="a norm above 0", got=repr(clip)))


def make_optimizer(
    parameters: Sequence[nn.Parameter],
    options: Mapping[str, Any],
    given: Mapping[str, Any],
    implementation: Implementation,
) -> torch.optim.Optimizer:
    """An optimizer of parameters.

    Args:
        parameters: The parameters.
        options: Those of the phase.
        given: Those asked for by the caller, which come before the phase's.
        implementation: ``"fused"``, ``"foreach"`` or ``"default"``, which is fused where that exists.
    """
    kind = KINDS[options.get("kind", "adam")]
    taken = inspect.signature(kind).parameters
    own = {name: value for name, value in options.items() if name not in ("kind", "clip")}
    chosen = {name: value for name, value in {**PUBLISHED, **own, **given}.items() if name in taken}
    if "betas" in chosen:
        chosen["betas"] = tuple(chosen["betas"])
    fusible = "fused" in taken and all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)
    wanted = ("fused" if fusible else "") if implementation == "default" else implementation
    how: dict[str, Any] = {wanted: True} if wanted in taken else {}
    optimizer = kind(parameters, **chosen, **how)
    optimizer.register_step_pre_hook(lay_out_state)
    return optimizer


def clip_gradients(parameters: Sequence[nn.Parameter], options: Mapping[str, Any]) -> None:
    """Shortens the gradient to the largest norm that a phase allows, if it names one."""
    if "clip" in options:
        nn.utils.clip_grad_norm_(parameters, float(options["clip"]))
