"""Checkpoints of the published code: its names for our tensors, and its files into our models."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

from vtrans.errors import refusal, unknown
from vtrans.networks.discriminators import NLayerDiscriminator, PixelDiscriminator
from vtrans.networks.generators import ResnetGenerator, UnetGenerator
from vtrans.networks.generators.resnet import ResnetBlock
from vtrans.networks.predictors import SiamesePredictor, UnetPredictor

#: Our name of each network by its published one, whose A is X and whose B is Y.
PUBLISHED_NAMES: dict[str, str] = {
    "G_A": "G_Y",
    "G_B": "G_X",
    "P_A": "P_X",
    "P_B": "P_Y",
    "D_A": "D_Y",
    "D_B": "D_X",
}

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

# A published network as nested containers: lists count from 0, None stands for a layer without tensors.
_Layout: TypeAlias = nn.Module | None | list["_Layout"] | dict[str, "_Layout"]


class HasNetworks(Protocol):
    """A model whose networks lie in ``networks`` under their names, such as ``"G_Y"``."""

    @property
    def networks(self) -> nn.ModuleDict:
        """The networks by name."""
        ...


def load_published(
    model: HasNetworks, folder: str | Path, label: str = "latest", *, roles: Iterable[str] | None = None
) -> tuple[str, ...]:
    """Loads a checkpoint of the published Recycle-GAN or CycleGAN code into a model.

    The files are ``LABEL_net_NAME.pth`` for G_A, G_B, P_A, P_B, D_A and D_B. Every network of these that the model has
    must have its file, and each file must hold exactly the network's tensors; networks that the published code does not
    have are left alone. Three differences are allowed: names that begin with ``module.``, running statistics of
    instance norms, which are ignored, and batch norms without ``num_batches_tracked``, which older releases of PyTorch
    did not save. Nothing in the model changes unless every file fits.

    Args:
        model: The model, changed in place.
        folder: The folder of the checkpoint's files.
        label: What the names of the files begin with: ``"latest"`` or the number of an epoch.
        roles: Our names of the networks to load, such as ``["G_X", "G_Y"]``; None loads all that the model has of those
            that the published code has. Name them to load a CycleGAN checkpoint, which has no predictors, into a
            model that has some, or to do without discriminators.

    Returns:
        Our names of the networks that were loaded.

    Raises:
        FileNotFoundError: If the folder or the file of a network is missing.
        ValueError: If a file is no checkpoint, if it does not fit its network or holds values that are not finite (each
            tensor is named), if the published code has no such network, or if a role is unknown.

    Example:
        >>> import tempfile, types
        >>> generator = ResnetGenerator(in_channels=3, out_channels=3, blocks=1, width=4)
        >>> model = types.SimpleNamespace(networks=nn.ModuleDict({"G_Y": generator}))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save(to_published(generator), f"{folder}/latest_net_G_A.pth")
        ...     load_published(model, folder)
        ('G_Y',)

    Reference:
        https://github.com/aayushbansal/Recycle-GAN, https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix.
    """
    paths = _files(model.networks, Path(folder), str(label), roles)
    states: dict[str, dict[str, Tensor]] = {}
    problems: list[str] = []
    for role, path in paths.items():
        states[role], wrong = _fit(model.networks[role], _read(path))
        problems += [f"{path.name} into {role}: {line}" for line in wrong]
    if problems:
        raise ValueError(
            f"The checkpoint in {folder} does not fit the model, which is unchanged:\n  "
            + "\n  ".join(problems)
            + "\nBuild the model with the networks, widths, channels and norm that the checkpoint was trained with."
        )
    for role, state in states.items():
        model.networks[role].load_state_dict(state)
    return tuple(states)


def published_keys(network: nn.Module) -> dict[str, str]:
    """The published name of every tensor of a network: published name to our name.

    Args:
        network: A ``ResnetGenerator``, ``UnetGenerator``, ``NLayerDiscriminator``, ``PixelDiscriminator``,
            ``UnetPredictor`` or ``SiamesePredictor`` with instance or batch norm.

    Returns:
        The names, in the order of the published network's state dict.

    Raises:
        ValueError: If the published code has no such network.

    Example:
        >>> published_keys(PixelDiscriminator(channels=3, width=4))["net.5.bias"]
        'head.bias'
    """
    names = {part: name for name, part in network.named_modules()}
    return {
        f"{published}.{key}": f"{names[part]}.{key}"
        for published, part in _walk(_layout(network), "")
        for key in part.state_dict()
    }


def to_published(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network under the published names, as the published code would save and load it.

    Args:
        network: As for :func:`published_keys`.

    Returns:
        Published name to tensor; the tensors share the network's memory.

    Raises:
        ValueError: If the published code has no such network.

    Example:
        >>> list(to_published(PixelDiscriminator(channels=3, width=4)))[:2]
        ['net.0.weight', 'net.0.bias']
    """
    state = network.state_dict()
    return {published: state[own] for published, own in published_keys(network).items()}


def _files(networks: nn.ModuleDict, folder: Path, label: str, roles: Iterable[str] | None) -> dict[str, Path]:
    files = {own: f"{label}_net_{published}.pth" for published, own in PUBLISHED_NAMES.items() if own in networks}
    if isinstance(roles, str):
        raise TypeError(refusal("roles", allowed="a list of names, or None", got=repr(roles), fix=f"Pass [{roles!r}]."))
    wanted = list(files) if roles is None else list(roles)
    for role in wanted:
        if role not in files:
            raise ValueError(unknown("network of both the model and the published code:", role, files))
    if not wanted:
        raise ValueError(refusal("roles", allowed=f"one or more of {', '.join(files) or 'none'}", got="none of them"))
    if not folder.is_dir():
        raise FileNotFoundError(refusal("folder", allowed="the folder of a published checkpoint", got=folder))
    missing = [role for role in wanted if not (folder / files[role]).is_file()]
    if missing:
        present = [role for role in wanted if role not in missing]
        there = ", ".join(sorted(path.name for path in folder.glob("*_net_*.pth"))) or "no such files"
        why = ""
        if present and all(role.startswith("P_") for role in missing):
            why = "A CycleGAN checkpoint has no predictors"
        raise FileNotFoundError(
            refusal(
                f"checkpoint {folder}",
                allowed=f"the files {', '.join(files[role] for role in wanted)}",
                got=there,
                why=why,
                fix=f"Pass roles={present} to load these alone." if present else "Pass the label that the files have.",
            )
        )
    return {role: folder / files[role] for role in wanted}


def _read(path: Path) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler lets out whatever the bytes of another kind of file run into
        why = f"{type(error).__name__}: {error}"
        raise ValueError(
            refusal(str(path), allowed="a file of tensors by name", got="a file that cannot be read", why=why)
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(refusal(str(path), allowed="tensors by name", got=f"a {type(content).__name__}"))
    others = [f"{key} (a {type(value).__name__})" for key, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise ValueError(refusal(str(path), allowed="nothing but tensors by name", got=f"also {', '.join(others)}"))
    return {str(key): value for key, value in content.items()}


def _fit(network: nn.Module, found: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The state to load into a network, and what does not fit."""
    if found and all(key.startswith("module.") for key in found):
        found = {key.removeprefix("module."): value for key, value in found.items()}
    state = network.state_dict()
    keys = published_keys(network)
    parts = list(_walk(_layout(network), ""))
    ignored = {
        f"{name}.{statistic}" for name, part in parts if isinstance(part, _InstanceNorm) for statistic in _STATISTICS
    }
    problems = []
    for published, own in keys.items():
        if published not in found:
            if not published.endswith(".num_batches_tracked"):
                problems.append(f"missing {published}")
        elif fault := _fault(found[published], state[own]):
            problems.append(f"{published} {fault}")
        else:
            state[own] = found[published]
    problems += [f"unexpected {name}" for name in found if name not in keys and name not in ignored]
    return state, problems


def _fault(came: Tensor, needed: Tensor) -> str:
    if came.layout != torch.strided or came.is_meta or came.is_nested:
        return "is no plain tensor with values"
    if came.shape != needed.shape:
        return f"has shape {tuple(came.shape)}, the network needs {tuple(needed.shape)}"
    if needed.is_floating_point() and not came.is_floating_point():
        return f"has {came.dtype} values, the network needs floating point"
    return "" if bool(came.to(needed.dtype).isfinite().all()) else "has values that are not finite"


def _walk(layout: _Layout, name: str) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(layout, nn.Module):
        yield name, layout
    elif layout is not None:
        items = layout.items() if isinstance(layout, dict) else enumerate(layout)
        for key, inner in items:
            yield from _walk(inner, f"{name}.{key}" if name else str(key))


def _layout(network: nn.Module) -> _Layout:
    if type(network) not in _LAYOUTS:
        kinds = ", ".join(kind.__name__ for kind in _LAYOUTS)
        raise ValueError(
            refusal("network", allowed=f"one that the published code has: {kinds}", got=type(network).__name__)
        )
    if any(isinstance(part, nn.GroupNorm | nn.Identity) for part in network.modules()):
        name = type(network).__name__
        raise ValueError(
            refusal(
                f"norm of {name}", allowed="'instance' or 'batch'", got="another", why="No published one has others"
            )
        )
    return _LAYOUTS[type(network)](network)


def _resnet(network: ResnetGenerator) -> _Layout:
    pad: list[_Layout] = [] if network.padding == "zero" else [None]
    blocks: list[_Layout] = []
    for block in network.blocks:
        *first, second, norm = cast(ResnetBlock, block).body
        blocks.append({"conv_block": [*pad, *first, *pad, second, norm]})
    return {"model": [None, *network.stem, *network.encoder, *blocks, *network.decoder, None, *network.head]}


def _unet(network: UnetGenerator) -> _Layout:
    layout: _Layout = None
    for up, down in zip(network.ups, reversed(network.downs), strict=True):
        inner = [] if layout is None else [layout]
        layout = {"model": [*cast(nn.Sequential, down), *inner, *cast(nn.Sequential, up)]}
    return {"model": layout}


def _siamese(network: SiamesePredictor) -> _Layout:
    # None where the published code pads by a layer of its own, here as in the residual generator. It assigns the U-Net
    # before the convolutions around it, and a state dict has that order.
    *convolutions, last, tanh = network.head
    stem: list[_Layout] = [None, *network.stem]
    head: list[_Layout] = [*convolutions, None, last, tanh]
    return {"model": _unet(network.unet), "model1": stem, "model3": head}


_LAYOUTS: dict[type[nn.Module], Callable[[Any], _Layout]] = {
    ResnetGenerator: _resnet,
    UnetGenerator: _unet,
    NLayerDiscriminator: lambda network: {"model": [*network.stem, *network.body, network.head]},
    PixelDiscriminator: lambda network: {"net": [*network.stem, *network.body, network.head]},
    UnetPredictor: lambda network: _unet(network.unet),
    SiamesePredictor: _siamese,
}
"""How the published code nests the layers of each network that it has."""
