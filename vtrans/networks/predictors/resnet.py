"""The predictor that is a residual generator on the frames before."""

from einops import rearrange
from torch import Tensor

from vtrans.networks.generators.resnet import ResnetGenerator
from vtrans.networks.predictors.base import Predictor


class ResnetPredictor(Predictor):
    """Predicts the next frame by residual blocks on the frames before it, joined on channels in time order.

    Its forward takes clips ``(batch, context, channels, height, width)`` in [-1, 1], height and width multiples of 4
    from 8 up, and returns ``(batch, channels, height, width)`` in [-1, 1]. The options that all networks share are
    described in ``vtrans.networks``.

    Args:
        blocks: Number of residual blocks.
        width: Channels of the stem; four times as many in the blocks.
        dropout: Rate in [0, 1) between the two convolutions of a block; 0 is off.

    Example:
        >>> import torch
        >>> ResnetPredictor(channels=3, blocks=1, width=4)(torch.zeros(1, 2, 3, 8, 12)).shape
        torch.Size([1, 3, 8, 12])

    Reference:
        Johnson et al., Perceptual Losses for Real-Time Style Transfer, ECCV 2016, for the network.
    """

    multiple = 4
    minimum = 8

    def __init__(
        self,
        *,
        channels: int,
        context: int = 2,
        blocks: int = 6,
        width: int = 64,
        norm: str = "instance",
        padding: str = "reflect",
        dropout: float = 0.0,
        init: str = "normal",
        init_gain: float | None = None,
    ) -> None:
        super().__init__(channels=channels, context=context)
        self.resnet = ResnetGenerator(
            in_channels=context * channels,
            out_channels=channels,
            blocks=blocks,
            width=width,
            norm=norm,
            padding=padding,
            dropout=dropout,
            init=init,
            init_gain=init_gain,
        )

    def _predict(self, clip: Tensor) -> Tensor:
        predicted: Tensor = self.resnet(rearrange(clip, "b t c h w -> b (t c) h w"))
        return predicted
