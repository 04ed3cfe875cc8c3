"""The generator whose encoder is any timm backbone with a pyramid of features."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vtrans.errors import refusal
from vtrans.networks.checks import require
from vtrans.networks.generators.timm_backbone import create_backbone, pyramid
from vtrans.networks.initialization import initialize
from vtrans.networks.layers import convolve
from vtrans.networks.sizes import check_frames


class TimmUnet(nn.Module):
    """Translates a frame through a timm backbone and a small decoder, with a skip connection at every size.

    The decoder doubles the size step by step, joins the backbone's features of that size where it has some (the frame
    itself at full resolution), and convolves. Only the decoder takes ``norm`` and ``init``; the backbone keeps its own.

    Its forward takes frames ``(batch, in_channels, height, width)`` in [-1, 1], height and width multiples of the
    backbone's largest reduction from twice that up, and returns ``(batch, out_channels, height, width)`` in [-1, 1].
    The options that all networks share are described in ``vtrans.networks``.

    Args:
        backbone: Name of a timm model with a pyramid of features.
        weights: Of the backbone: None for random ones, the path of a ``.safetensors`` or ``.pth`` file with timm's
            names, or ``"hub"`` to download timm's pretrained ones. Layers that the encoder leaves out, such as the
            classifier, may be in the file.
        width: Channels of the decoder at full resolution; they double up to eight times as many.
        norm: Of the decoder: ``"instance"``, ``"batch"``, ``"group"`` or ``"none"``.
        backbone_options: Further options for ``timm.create_model``, such as ``{"strict_img_size": False}``.

    Raises:
        ImportError: If timm is not installed.
        ValueError: If the backbone is unknown, has no pyramid of features or takes one size only, or if the file of
            weights does not fit.

    Example:
        >>> network = TimmUnet(in_channels=3, out_channels=1, backbone="test_resnet", width=4)
        >>> network(torch.zeros(1, 3, 64, 96)).shape
        torch.Size([1, 1, 64, 96])

    Reference:
        Wightman, PyTorch Image Models, 2019, https://github.com/huggingface/pytorch-image-models.
    """

    multiple: int
    minimum: int

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        backbone: str = "resnet18",
        weights: str | None = None,
        width: int = 32,
        norm: str = "instance",
        init: str = "normal",
        init_gain: float | None = None,
        backbone_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        require(in_channels=in_channels, out_channels=out_channels, width=width, norm=norm)
        require(init=init, init_gain=init_gain)  # before a backbone is made, or downloaded
        if weights is not None and not isinstance(weights, str):
            raise TypeError(refusal("weights", allowed="None, 'hub' or the path of a file", got=repr(weights)))
        self.in_channels = in_channels
        encoder = create_backbone(backbone, weights=weights, channels=in_channels, options=dict(backbone_options or {}))
        levels = pyramid(encoder, backbone, channels=in_channels)
        deepest = max(levels)
        self.multiple = deepest
        self.minimum = 2 * deepest
        self.reductions = tuple(levels)
        self.channels_last = str(getattr(encoder, "output_fmt", "NCHW")).endswith("NHWC")
        self.decoder = nn.ModuleDict()
        channels, reduction = levels[deepest], deepest
        while reduction > 1:
            reduction //= 2
            skip = levels.get(reduction, in_channels if reduction == 1 else 0)
            inner = width * min(reduction, 8)
            self.decoder[str(reduction)] = nn.Sequential(*convolve(channels + skip, inner, kernel=3, norm=norm))
            channels = inner
        self.head = nn.Sequential(nn.Conv2d(channels, out_channels, 3, padding=1), nn.Tanh())
        initialize(self, init=init, gain=init_gain)
        # Set last, so that the initial weights above are the decoder's alone.
        self.encoder = encoder

    def forward(self, frames: Tensor) -> Tensor:
        """Translates frames."""
        check_frames(self, frames, channels=self.in_channels)
        maps = [features.permute(0, 3, 1, 2) if self.channels_last else features for features in self.encoder(frames)]
        skips = {1: frames, **dict(zip(self.reductions, maps, strict=True))}
        features = maps[-1]
        for reduction, block in self.decoder.items():
            features = nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")
            if int(reduction) in skips:
                features = torch.cat([skips[int(reduction)], features], 1)
            features = block(features)
        translated: Tensor = self.head(features)
        return translated
