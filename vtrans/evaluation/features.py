"""Networks whose features frames are compared by: any, or a timm model with weights of the hub or of a file."""

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vtrans.errors import refusal
from vtrans.networks.modes import evaluating

NOTE = "Values of other feature networks, such as published ones of Inception, are not comparable"
"""What has to be said wherever a distance of features is shown."""


@dataclass(frozen=True)
class Features:
    """A feature network, and what it wants to be given.

    Frames are resized to its size with antialiasing, brought from [-1, 1] to [0, 1] and normalised; grey ones become
    RGB. Features that still have a height and width are averaged over them.

    Attributes:
        network: Takes ``(batch, 3, *size)`` and returns ``(batch, count)`` or ``(batch, count, height, width)``.
        name: What it is called beside every number: the network and its weights.
        size: Height and width that frames are resized to, in pixels; None leaves them as they are.
        mean: Mean of each channel that is subtracted.
        std: What each channel is divided by.

    Example:
        >>> features = Features(nn.Identity(), "pixels", size=None)
        >>> features(torch.ones(2, 1, 4, 6))
        tensor([[1., 1., 1.],
                [1., 1., 1.]])
    """

    network: nn.Module
    name: str
    size: tuple[int, int] | None = (224, 224)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @torch.no_grad()
    def __call__(self, frames: Tensor) -> Tensor:
        """The features of frames.

        Args:
            frames: ``(count, channel, height, width)`` in [-1, 1], with 1 or 3 channels.

        Returns:
            ``(count, features)``, on the CPU.

        Raises:
            ValueError: Frames of other channels, or the network returns something else.
        """
        if frames.ndim != 4 or frames.shape[1] not in (1, 3):
            allowed = "(count, 1 or 3 channels, height, width)"
            raise ValueError(refusal("frames", allowed=allowed, got=f"shape {tuple(frames.shape)}"))
        parameter = next(self.network.parameters(), None)
        values = (frames if parameter is None else frames.to(parameter)).expand(-1, 3, -1, -1) / 2 + 0.5
        if self.size is not None and values.shape[-2:] != self.size:
            values = nn.functional.interpolate(values, self.size, mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (torch.tensor(row).to(values).view(3, 1, 1) for row in (self.mean, self.std))
        with evaluating(self.network):
            features: Tensor = self.network((values - mean) / std)
        features = features.mean(dim=(2, 3)) if features.ndim == 4 else features
        if features.ndim != 2 or len(features) != len(frames):
            allowed = "features (batch, count) or (batch, count, height, width)"
            raise ValueError(refusal(f"output of {self.name}", allowed=allowed, got=tuple(features.shape)))
        return features.cpu()


def timm_features(name: str, *, weights: str = "hub") -> Features:
    """The pooled features of a timm model, with the frames' size and normalisation that it was trained with.

    Args:
        name: Name of a timm model, such as ``"resnet18"`` or ``"inception_v3.tv_in1k"``.
        weights: ``"hub"`` for timm's pretrained ones, downloaded once, or the path of a .safetensors or .pth file.

    Returns:
        The network, on the CPU.

    Raises:
        ValueError: The model is unknown, or the weights cannot be had or do not fit.

    Example:
        >>> features = timm_features("resnet18", weights="resnet18.safetensors")  # doctest: +SKIP
        >>> features.name  # doctest: +SKIP
        'resnet18, weights of resnet18.safetensors (sha256 3f1c…), timm 1.0.31'
    """
    import timm
    from timm.data.config import resolve_model_data_config

    if not timm.is_model(name.partition(".")[0]):
        near = difflib.get_close_matches(name, timm.list_models(), n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        fix = f"{hint}timm.list_models() lists them."
        raise ValueError(refusal("features", allowed="the name of a timm model", got=repr(name), fix=fix))
    path = None if weights == "hub" else Path(weights)
    if path is not None and not path.is_file():
        allowed = "'hub', or the path of a .safetensors or .pth file"
        raise ValueError(refusal("feature_weights", allowed=allowed, got=f"{path}, which is no file"))
    try:
        network: nn.Module = timm.create_model(name, pretrained=path is None, num_classes=0)
    except Exception as error:  # timm, the hub's client and its transport raise many kinds
        fix = "Without a network, pass --feature_weights and the path of a file of weights"
        reason = str(error).partition("\n")[0]
        got = f"{name!r}, which cannot be made ({type(error).__name__}: {reason})"
        raise ValueError(refusal("features", allowed="a timm model with weights", got=got, fix=fix)) from error
    origin = "the hub"
    if path is not None:
        heads = {key for key in timm.create_model(name).state_dict() if key not in network.state_dict()}
        _load(network, path, heads)
        origin = f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:12]})"
    wants: dict[str, Any] = resolve_model_data_config(network)
    return Features(
        network,
        f"{name}, weights of {origin}, timm {timm.__version__}",
        size=tuple(wants["input_size"][1:]),
        mean=tuple(wants["mean"]),
        std=tuple(wants["std"]),
    )


def _load(network: nn.Module, path: Path, heads: set[str]) -> None:
    """Loads weights; those of the classifier, which is not used, may be there or not."""
    given = {key: value for key, value in _read(path).items() if key not in heads}
    own = network.state_dict()
    problems = [f"missing {key}" for key in own if key not in given]
    problems += [f"unexpected {key}" for key in sorted(given) if key not in own]
    problems += [
        f"{key} of shape {tuple(value.shape)} instead of {tuple(own[key].shape)}"
        for key, value in given.items()
        if key in own and value.shape != own[key].shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        got = f"{path}: {', '.join(problems[:3])}{more}"
        raise ValueError(refusal("feature_weights", allowed="weights of that network", got=got))
    network.load_state_dict(given)


def _read(path: Path) -> Mapping[str, Tensor]:
    import timm

    try:
        content = timm.models.load_state_dict(str(path), use_ema=False, weights_only=True)
    except Exception as error:  # a damaged file shows itself in many ways
        got = f"{path}, which cannot be read ({type(error).__name__})"
        raise ValueError(refusal("feature_weights", allowed="a file of tensors by name", got=got)) from error
    if not all(isinstance(value, Tensor) for value in content.values()):
        got = f"{path}, which holds something else"
        raise ValueError(refusal("feature_weights", allowed="a file of tensors by name", got=got))
    return content
