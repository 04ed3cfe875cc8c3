"""Everything that a training step changes, as tensors by name and plain data: nothing is pickled.

What is put back is checked first: each ``checked_`` function returns what puts it back, which then cannot fail. It is
copied, since tensors that were just read lie in their file, which is removed later.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtrans.errors import refusal
from vtrans.model import TranslationModel

Optimizers = Mapping[str, torch.optim.Optimizer]
State = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors by name on the CPU, and the rest as data that JSON keeps exactly."""


def seed_everything(seed: int) -> None:
    """Seeds the random generators of Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def capture_optimizers(optimizers: Optimizers) -> State:
    """The state of optimizers: the same in every process of a run.

    Args:
        optimizers: Optimizers by phase.

    Example:
        >>> import vtrans
        >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
        >>> tensors, rest = capture_optimizers(model.optimizers())
        >>> sorted(rest)
        ['discriminators', 'generators']
    """
    tensors: dict[str, Tensor] = {}
    rest: dict[str, Any] = {}
    for phase, optimizer in optimizers.items():
        state = optimizer.state_dict()
        numbers: dict[str, dict[str, Any]] = {}
        for index, values in state["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"{phase}/{index}/{name}"] = value
                else:
                    numbers.setdefault(str(index), {})[name] = value
        rest[phase] = {"groups": state["param_groups"], "numbers": numbers}
    return _kept(tensors), rest


def checked_optimizers(
    optimizers: Optimizers, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> Callable[[], None]:
    """Checks what :func:`capture_optimizers` took; returns what puts it back.

    Raises:
        ValueError: The state is of other phases or parameters.
    """
    _check_names("optimizers", set(rest), set(optimizers))
    states = {phase: _optimizer_state(phase, optimizers[phase], tensors, rest[phase]) for phase in optimizers}

    def put_back() -> None:
        for phase, optimizer in optimizers.items():
            optimizer.load_state_dict(states[phase])

    return put_back


def _optimizer_state(
    phase: str, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in rest["numbers"].items()}
    for name, tensor in tensors.items():
        if name.startswith(f"{phase}/"):
            index, _, key = name.removeprefix(f"{phase}/").partition("/")
            state.setdefault(int(index), {})[key] = tensor
    now = optimizer.state_dict()["param_groups"]
    saved = [dict(group) for group in rest["groups"]]
    if [group["params"] for group in saved] != [group["params"] for group in now]:
        got = f"groups of {[len(group['params']) for group in saved]} parameters"
        allowed = f"groups of {[len(group['params']) for group in now]}"
        raise ValueError(refusal(f"optimizer of {phase} in the checkpoint", allowed=allowed, got=got))
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, found in state.items():
        for key, value in found.items():
            if not isinstance(value, Tensor):
                continue
            if value.ndim == 0:
                found[key] = value.clone()
                continue
            parameter = parameters[number]
            if value.shape != parameter.shape:
                what, allowed = f"{key} of parameter {number} of {phase} in the checkpoint", f"{tuple(parameter.shape)}"
                raise ValueError(refusal(what, allowed=f"the shape {allowed}", got=f"{tuple(value.shape)}"))
            # Laid out as the parameter is: fused optimizers go through both side by side.
            found[key] = torch.empty_like(parameter).copy_(value)
    groups = [_group(phase, *pair) for pair in zip(saved, now, strict=True)]
    return {"state": state, "param_groups": groups}


def _group(phase: str, saved: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    # JSON makes lists of tuples, such as Adam's betas. How it is computed may change between a run and its resumption.
    own = {name: tuple(value) if isinstance(value, list) else value for name, value in saved.items()}
    own |= {name: now[name] for name in ("foreach", "fused") if name in now}
    for name, value in own.items():
        if name in now and name != "params" and not _alike(value, now[name]):
            what = f"{name} of the optimizer of {phase} in the checkpoint"
            raise ValueError(refusal(what, allowed=f"a value such as {now[name]!r}", got=repr(value)))
    return {**now, **own}


def _alike(first: object, second: object) -> bool:
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(_alike, first, second))
    if isinstance(first, int | float) and isinstance(second, int | float):
        return True
    return first is None or second is None or type(first) is type(second)


def capture_process(model: TranslationModel) -> State:
    """What each process of a run has for itself: history pools and random generators.

    Args:
        model: The model.

    Example:
        >>> import vtrans
        >>> tensors, rest = capture_process(vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4})))
        >>> sorted(tensors), sorted(rest)
        (['random/numpy', 'random/torch'], ['pools', 'random'])
    """
    kind, words, *place = np.random.get_state(legacy=True)
    tensors = {"random/torch": torch.get_rng_state(), "random/numpy": torch.from_numpy(np.asarray(words, np.int64))}
    device = next(model.parameters()).device
    if device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(device)
    rest: dict[str, Any] = {"pools": {}, "random": {"python": random.getstate(), "numpy": [str(kind), *place]}}
    for domain, pool in model.pools.items():
        kept = pool.state_dict()
        tensors[f"pools/{domain}/random"] = kept["random"]
        rest["pools"][domain] = len(kept["images"])
        for number, image in enumerate(kept["images"]):
            tensors[f"pools/{domain}/{number}"] = image
    return _kept(tensors), rest


def checked_process(
    model: TranslationModel, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> Callable[[], None]:
    """Checks what :func:`capture_process` took; returns what puts it back.

    Raises:
        ValueError: The state is of a model with other pools.
    """
    _check_names("pools", set(rest["pools"]), set(model.pools))
    device = next(model.parameters()).device
    pools = {}
    for domain, pool in model.pools.items():
        images = [tensors[f"pools/{domain}/{number}"].to(device, copy=True) for number in range(rest["pools"][domain])]
        if len(images) > pool.size or any(image.shape != images[0].shape or image.ndim != 3 for image in images):
            allowed = f"at most {pool.size} images of one size"
            raise ValueError(
                refusal(f"pool of {domain} in the checkpoint", allowed=allowed, got=f"{len(images)} others")
            )
        torch.Generator().set_state(tensors[f"pools/{domain}/random"])
        pools[domain] = {"images": images, "random": tensors[f"pools/{domain}/random"]}
    kind, *place = rest["random"]["numpy"]
    of_numpy = (kind, tensors["random/numpy"].numpy(), *place)
    version, words, gauss = rest["random"]["python"]
    of_python = (version, tuple(words), gauss)
    torch.Generator().set_state(tensors["random/torch"])
    np.random.RandomState().set_state(of_numpy)
    random.Random().setstate(of_python)
    of_cuda = tensors.get("random/cuda") if device.type == "cuda" else None
    if of_cuda is not None:
        torch.Generator(device).set_state(of_cuda)

    def put_back() -> None:
        for domain, pool in model.pools.items():
            pool.load_state_dict(pools[domain])
        torch.set_rng_state(tensors["random/torch"])
        if of_cuda is not None:
            torch.cuda.set_rng_state(of_cuda, device)
        np.random.set_state(of_numpy)
        random.setstate(of_python)

    return put_back


def _kept(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _check_names(what: str, saved: set[str], ours: set[str]) -> None:
    if saved != ours:
        allowed, got = ", ".join(sorted(ours)) or "none", ", ".join(sorted(saved)) or "none"
        raise ValueError(refusal(f"{what} of the checkpoint", allowed=allowed, got=got))
