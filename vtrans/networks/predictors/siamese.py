"""The predictor that looks at each frame before with the same stem."""

import torch
from einops import rearrange
from torch import Tensor, nn

from vtrans.networks.checks import require_choice, require_count, require_dropout
from vtrans.networks.generators.unet import UnetGenerator
from vtrans.networks.initialization import initialize
from vtrans.networks.layers import convolve, to_frame
from vtrans.networks.norms import NORMS
from vtrans.networks.sizes import check_clip


class SiamesePredictor(nn.Module):
    """Predicts the next frame from features of each frame before it, found by one stem at full resolution.

    The stem's features, joined on channels in time order, pass through a U-Net of depth 6 and a head.

    Its forward takes clips ``(batch, context, channels, height, width)`` in [-1, 1], height and width multiples of 64,
    and returns ``(batch, channels, height, width)`` in [-1, 1].

    Args:
        channels: Channels of the frames.
        context: Number of frames that it looks back on, at least 1.
        width: Channels of the stem's first layer; the U-Net is sixteen times as wide.
        norm: ``"instance"``, ``"batch"``, ``"group"`` or ``"none"``.
        dropout: Rate in [0, 1) inside the U-Net; 0 is off, the published value is 0.5.
        init: ``"normal"``, ``"xavier"``, ``"kaiming"`` or ``"orthogonal"``.
        init_gain: Scale of the initial weights; None takes the law's own.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option is out of range; in forward, if the clip does not fit.

    Example:
        >>> SiamesePredictor(channels=3, width=1)(torch.zeros(1, 2, 3, 64, 64)).shape
        torch.Size([1, 3, 64, 64])

    Reference:
        Bansal et al., Recycle-GAN, ECCV 2018 (arXiv 1808.05174): the prediction network of its code.
    """

    multiple: int
    minimum: int
    context: int | None

    def __init__(
        self,
        *,
        channels: int,
        context: int = 2,
        width: int = 8,
        norm: str = "instance",
        dropout: float = 0.0,
        init: str = "normal",
        init_gain: float | None = None,
    ) -> None:
        super().__init__()
        require_count("channels", channels)
        require_count("context", context)
        require_count("width", width)
        require_choice("norm", norm, NORMS)
        require_dropout(dropout)
        self.channels = channels
        self.context = context
        self.stem = nn.Sequential(
            *convolve(channels, width, kernel=7, norm=norm, padding="reflect"),
            *convolve(width, 2 * width, kernel=3, norm=norm),
            *convolve(2 * width, 4 * width, kernel=3, norm=norm),
        )
        self.unet = UnetGenerator(
            in_channels=context * 4 * width,
            out_channels=4 * width,
            depth=6,
            width=16 * width,
            norm=norm,
            dropout=dropout,
        )
        self.head = nn.Sequential(
            *convolve(4 * width, 2 * width, kernel=3, norm=norm),
            *convolve(2 * width, width, kernel=3, norm=norm),
            *to_frame(width, channels),
        )
        self.multiple, self.minimum = self.unet.multiple, self.unet.minimum
        # Batch norm takes its statistics over one call of the stem, and the published network calls it frame by frame.
        self._stem_by_frame = norm == "batch"
        initialize(self, init=init, gain=init_gain)

    def forward(self, clip: Tensor) -> Tensor:
        """Predicts the frame after the clip."""
        check_clip(self, clip, channels=self.channels, length=self.context)
        if self._stem_by_frame:
            features = torch.cat([self.stem(frame) for frame in clip.unbind(1)], 1)
        else:
            features = self.stem(rearrange(clip, "b t c h w -> (b t) c h w"))
            features = rearrange(features, "(b t) c h w -> b (t c) h w", t=clip.shape[1])
        predicted: Tensor = self.head(self.unet(features))
        return predicted
