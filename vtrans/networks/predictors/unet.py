"""The predictor that is a U-Net on the frames before."""

from einops import rearrange
from torch import Tensor

from vtrans.networks.generators.unet import UnetGenerator
from vtrans.networks.predictors.base import Predictor


class UnetPredictor(Predictor):
    """Predicts the next frame by a U-Net on the frames before it, joined on channels in time order.

    Its forward takes clips ``(batch, context, channels, height, width)`` in [-1, 1], height and width multiples of
    ``2**depth``, and returns ``(batch, channels, height, width)`` in [-1, 1]. The options that all networks share are
    described in ``vtrans.networks``.

    Args:
        depth: Number of halvings, at least 2: 7 for frames of 128, 8 for frames of 256.
        width: Channels after the first halving; they double up to eight times as many.
        dropout: Rate in [0, 1) at the widest levels on the way up; 0 is off, the published value is 0.5.

    Example:
        >>> import torch
        >>> UnetPredictor(channels=3, depth=3, width=4)(torch.zeros(1, 2, 3, 8, 16)).shape
        torch.Size([1, 3, 8, 16])

    Reference:
        Bansal et al., Recycle-GAN, ECCV 2018 (arXiv 1808.05174).
    """

    def __init__(
        self,
        *,
        channels: int,
        context: int = 2,
        depth: int = 8,
        width: int = 64,
        norm: str = "instance",
        dropout: float = 0.0,
        init: str = "normal",
        init_gain: float | None = None,
    ) -> None:
        super().__init__(channels=channels, context=context)
        self.unet = UnetGenerator(
            in_channels=context * channels,
            out_channels=channels,
            depth=depth,
            width=width,
            norm=norm,
            dropout=dropout,
            init=init,
            init_gain=init_gain,
        )
        self.multiple, self.minimum = self.unet.multiple, self.unet.minimum

    def _predict(self, clip: Tensor) -> Tensor:
        predicted: Tensor = self.unet(rearrange(clip, "b t c h w -> b (t c) h w"))
        return predicted
