"""timm backbones as encoders: created, given weights, and checked to have a pyramid of features."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vtrans.errors import refusal
from vtrans.networks.modes import evaluating


def create_backbone(name: str, *, weights: str | None, channels: int, options: Mapping[str, Any]) -> nn.Module:
    """Creates a timm backbone that returns its features at every size.

    Args:
        name: Name of a timm model.
        weights: None for random weights, ``"hub"`` for timm's pretrained ones, or the path of a file.
        channels: Channels of the frames.
        options: Further options for ``timm.create_model``.

    Returns:
        The backbone; its output is a list of features, from fine to coarse.

    Raises:
        ImportError: If timm is not installed.
        ValueError: If the backbone is unknown, or the file of weights does not fit it.
    """
    try:
        import timm
    except ImportError as error:
        raise ImportError("The generator 'timm_unet' needs timm, which is not installed: pip install timm.") from error
    if not isinstance(name, str) or not timm.is_model(name.partition(".")[0]):
        near = difflib.get_close_matches(str(name), timm.list_models(), n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        fix = f"{hint}timm.list_models() lists them."
        raise ValueError(refusal("backbone", allowed="the name of a timm model", got=repr(name), fix=fix))
    try:
        backbone: nn.Module = timm.create_model(
            name, features_only=True, in_chans=channels, pretrained=weights == "hub", **options
        )
    except (RuntimeError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(
            refusal("backbone", allowed="a timm model that can return its features", got=repr(name), why=str(error))
        ) from error
    if weights not in (None, "hub"):
        full = timm.create_model(name, in_chans=channels, **options)
        _load(backbone, Path(str(weights)), extras={_plain(key) for key in full.state_dict()})
    return backbone


def pyramid(backbone: nn.Module, name: str, *, channels: int) -> dict[int, int]:
    """Finds the pyramid of a backbone: the channels of its features by how much smaller than the frame they are.

    The backbone is run once on a small frame that is not square, so that one made for a single size shows here.

    Raises:
        ValueError: If the sizes do not halve from one feature to the next, or the backbone takes one size only.
    """
    info: Any = backbone.feature_info
    levels = dict(zip(info.reduction(), info.channels(), strict=True))
    reductions = info.reduction()
    halving = all(reduction & (reduction - 1) == 0 for reduction in reductions)
    if len(reductions) < 2 or reductions != sorted(set(reductions)) or not halving:
        raise ValueError(
            refusal(
                "backbone",
                allowed="a timm model with a pyramid of features, each smaller than the last by a power of 2",
                got=f"{name!r}, whose features are the frame reduced by {reductions}",
                fix="Pass a convolutional or hierarchical one, such as backbone='resnet18' or 'convnext_atto'.",
            )
        )
    height, width = 2 * reductions[-1], 3 * reductions[-1]
    channels_last = str(getattr(backbone, "output_fmt", "NCHW")).endswith("NHWC")
    try:
        with torch.no_grad(), evaluating(backbone):
            maps = backbone(torch.zeros(1, channels, height, width))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ValueError(
            refusal(
                "backbone",
                allowed=f"a timm model that takes frames of any size in multiples of {reductions[-1]}",
                got=f"{name!r}, which fails on {height}x{width}",
                why=str(error).partition("\n")[0],
                fix="Pass another backbone, or backbone_options={'strict_img_size': False} if it takes that.",
            )
        ) from error
    for (reduction, count), features in zip(levels.items(), maps, strict=True):
        sides = (height // reduction, width // reduction)
        shape = (1, *sides, count) if channels_last else (1, count, *sides)
        if tuple(features.shape) != shape:
            raise ValueError(
                refusal("backbone", allowed=f"features {shape}", got=f"{tuple(features.shape)} from {name!r}")
            )
    return levels


def _plain(key: str) -> str:
    # timm joins or prefixes the names of modules when a model returns features: 'stages_0.x' or 'model.x'.
    return key.removeprefix("model.").replace(".", "_")


def _load(backbone: nn.Module, path: Path, *, extras: set[str]) -> None:
    found = {_plain(key): (key, value) for key, value in _read(path).items()}
    state = backbone.state_dict()
    problems = []
    for key, own in state.items():
        if _plain(key) not in found:
            problems.append(f"missing {key}")
            continue
        name, value = found[_plain(key)]
        if value.shape != own.shape:
            problems.append(f"{name} has shape {tuple(value.shape)} instead of {tuple(own.shape)}")
        state[key] = value
    known = extras | {_plain(key) for key in state}
    problems += [f"unexpected {name}" for key, (name, _) in found.items() if key not in known]
    if problems:
        raise ValueError(f"weights: {path} does not fit the backbone: {'; '.join(problems)}.")
    backbone.load_state_dict(state)


def _read(path: Path) -> dict[str, Tensor]:
    allowed = "None, 'hub', or the path of a .safetensors or .pth file of tensors by name"
    if not path.is_file():
        raise ValueError(refusal("weights", allowed=allowed, got=f"{path}, which is no file"))
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        tensors: dict[str, Tensor] = load_file(path)
        return tensors
    content: Any = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(refusal("weights", allowed=allowed, got=f"{path}, which holds something else"))
    return dict(content)
