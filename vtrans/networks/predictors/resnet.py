"""The predictor that is a residual generator on the frames before."""

from einops import rearrange
from torch import Tensor, nn

from vtrans.networks.checks import require_count
from vtrans.networks.generators.resnet import ResnetGenerator
from vtrans.networks.sizes import check_clip


class ResnetPredictor(nn.Module):
    """Predicts the next frame by residual blocks on the frames before it, joined on channels in time order.

    Its forward takes clips ``(batch, context, channels, height, width)`` in [-1, 1], height and width multiples of 4
    from 8 up, and returns ``(batch, channels, height, width)`` in [-1, 1].

    Args:
        channels: Channels of the frames.
        context: Number of frames that it looks back on, at least 1.
        blocks: Number of residual blocks.
        width: Channels of the stem; four times as many in the blocks.
        norm: ``"instance"``, ``"batch"``, ``"group"`` or ``"none"``.
        padding: Borders inside the blocks: ``"reflect"``, ``"replicate"`` or ``"zero"``.
        dropout: Rate between the two convolutions of a block, in [0, 1); 0 is off.
        init: ``"normal"``, ``"xavier"``, ``"kaiming"`` or ``"orthogonal"``.
        init_gain: Scale of the initial weights; None takes the law's own.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option is out of range; in forward, if the clip does not fit.

    Example:
        >>> import torch
        >>> ResnetPredictor(channels=3, blocks=1, width=4)(torch.zeros(1, 2, 3, 8, 12)).shape
        torch.Size([1, 3, 8, 12])

    Reference:
        Johnson et al., Perceptual Losses for Real-Time Style Transfer, ECCV 2016, for the network.
    """

    multiple: int = 4
    minimum: int = 8
    context: int | None

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
        super().__init__()
        require_count("channels", channels)
        require_count("context", context)
        self.channels = channels
        self.context = context
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

    def forward(self, clip: Tensor) -> Tensor:
        """Predicts the frame after the clip."""
        check_clip(self, clip, channels=self.channels, length=self.context)
        predicted: Tensor = self.resnet(rearrange(clip, "b t c h w -> b (t c) h w"))
        return predicted
