"""Everything that a training step changes, as tensors by name and plain data: nothing is pickled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vtrans.errors import refusal
from vtrans.model import TranslationModel

Optimizers = Mapping[str, torch.optim.Optimizer]


def capture(model: TranslationModel, optimizers: Optimizers) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of optimizers, history pools and random generators; the weights are the model's to save.

    Args:
        model: The model.
        optimizers: Its optimizers by phase.

    Returns:
        Tensors by name on the CPU, and the rest as data that JSON keeps exactly.

    Example:
        >>> import vtrans
        >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
        >>> tensors, rest = capture(model, model.optimizers())
        >>> sorted(tensors), sorted(rest["optimizers"])
        (['random/cpu'], ['discriminators', 'generators'])
    """
    tensors: dict[str, Tensor] = {"random/cpu": torch.get_rng_state()}
    device = next(model.parameters()).device
    if device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(device)
    rest: dict[str, Any] = {"optimizers": {}, "pools": {}}
    for phase, optimizer in optimizers.items():
        state = optimizer.state_dict()
        numbers: dict[str, dict[str, Any]] = {}
        for index, values in state["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizers/{phase}/{index}/{name}"] = value
                else:
                    numbers.setdefault(str(index), {})[name] = value
        rest["optimizers"][phase] = {"groups": state["param_groups"], "numbers": numbers}
    for domain, pool in model.pools.items():
        kept = pool.state_dict()
        tensors[f"pools/{domain}/random"] = kept["random"]
        rest["pools"][domain] = len(kept["images"])
        for number, image in enumerate(kept["images"]):
            tensors[f"pools/{domain}/{number}"] = image
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, rest


def restore(
    model: TranslationModel, optimizers: Optimizers, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> None:
    """Puts back what :func:`capture` took.

    Args:
        model: The model, on the device where it goes on.
        optimizers: Its optimizers by phase.
        tensors: The tensors by name.
        rest: The rest.

    Raises:
        ValueError: The state is of a model with other phases or pools.
    """
    for kind, ours in (("optimizers", set(optimizers)), ("pools", set(model.pools))):
        if set(rest[kind]) != ours:
            allowed, got = ", ".join(sorted(ours)) or "none", ", ".join(sorted(rest[kind])) or "none"
            raise ValueError(refusal(f"{kind} of the checkpoint", allowed=allowed, got=got))
    device = next(model.parameters()).device
    for phase, optimizer in optimizers.items():
        saved = rest["optimizers"][phase]
        state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in saved["numbers"].items()}
        prefix = f"optimizers/{phase}/"
        for name, tensor in tensors.items():
            if name.startswith(prefix):
                index, _, key = name.removeprefix(prefix).partition("/")
                state.setdefault(int(index), {})[key] = tensor
        # JSON makes lists of tuples, such as Adam's betas.
        groups = [
            {
                key: tuple(value) if isinstance(value, list) and key != "params" else value
                for key, value in group.items()
            }
            for group in saved["groups"]
        ]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    for domain, pool in model.pools.items():
        images = [tensors[f"pools/{domain}/{number}"].to(device) for number in range(rest["pools"][domain])]
        pool.load_state_dict({"images": images, "random": tensors[f"pools/{domain}/random"]})
    torch.set_rng_state(tensors["random/cpu"])
    if device.type == "cuda" and "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"], device)
