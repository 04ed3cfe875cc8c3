"""The predictor that looks at each frame before with the same stem."""

import torch
from einops import rearrange
from torch import Tensor, nn

from vtrans.networks.checks import require
from vtrans.networks.generators.unet import UnetGenerator
from vtrans.networks.initialization import initialize
from vtrans.networks.layers import convolve, to_frame
from vtrans.networks.predictors.base import Predictor


class SiamesePredictor(Predictor):
    """Predicts the next frame from features of each frame before it, found by one stem at full resolution.

    The stem's features, joined on channels in time order, pass through a U-Net of depth 6 and a head.

    Its forward takes clips ``(batch, context, channels, height, width)`` in [-1, 1], height and width multiples of 64,
    and returns ``(batch, channels, height, width)`` in [-1, 1]. The options that all networks share are described in
    ``vtrans.networks``.

    Args:
        width: Channels of the stem's first layer; the U-Net is sixteen times as wide.
        dropout: Rate in [0, 1) inside the U-Net; 0 is off, the published value is 0.5.

    Example:
        >>> SiamesePredictor(channels=3, width=1)(torch.zeros(1, 2, 3, 64, 64)).shape
        torch.Size([1, 3, 64, 64])

    Reference:
        Bansal et al., Recycle-GAN, ECCV 2018 (arXiv 1808.05174): the prediction network of its code.
    """

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
        super().__init__(channels=channels, context=context)
        require(width=width, norm=norm, dropout=dropout)
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

    def _predict(self, clip: Tensor) -> Tensor:
        if self._stem_by_frame:
            features = torch.cat([self.stem(frame) for frame in clip.unbind(1)], 1)
        else:
            features = self.stem(rearrange(clip, "b t c h w -> (b t) c h w"))
            features = rearrange(features, "(b t) c h w -> b (t c) h w", t=clip.shape[1])
        predicted: Tensor = self.head(self.unet(features))
        return predicted
