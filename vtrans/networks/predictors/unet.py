"""The predictor that is a U-Net on the frames before."""

from einops import rearrange
from torch import Tensor, nn

from vtrans.networks.checks import require_count
from vtrans.networks.generators.unet import UnetGenerator
from vtrans.networks.sizes import check_clip


class UnetPredictor(nn.Module):
    """Predicts the next frame by a U-Net on the frames before it, joined on channels in time order.

    Its forward takes clips ``(batch, context, channels, height, width)`` in [-1, 1], height and width multiples of
    ``2**depth``, and returns ``(batch, channels, height, width)`` in [-1, 1].

    Args:
        channels: Channels of the frames.
        context: Number of frames that it looks back on, at least 1.
        depth: Number of halvings, at least 2: 7 for frames of 128, 8 for frames of 256.
        width: Channels after the first halving; they double up to eight times as many.
        norm: ``"instance"``, ``"batch"``, ``"group"`` or ``"none"``.
        dropout: Rate in [0, 1) at the widest levels on the way up; 0 is off, the published value is 0.5.
        init: ``"normal"``, ``"xavier"``, ``"kaiming"`` or ``"orthogonal"``.
        init_gain: Scale of the initial weights; None takes the law's own.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option is out of range; in forward, if the clip does not fit.

    Example:
        >>> import torch
        >>> UnetPredictor(channels=3, depth=3, width=4)(torch.zeros(1, 2, 3, 8, 16)).shape
        torch.Size([1, 3, 8, 16])

    Reference:
        Bansal et al., Recycle-GAN, ECCV 2018 (arXiv 1808.05174).
    """

    multiple: int
    minimum: int
    context: int | None

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
        super().__init__()
        require_count("channels", channels)
        require_count("context", context)
        self.channels = channels
        self.context = context
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

    def forward(self, clip: Tensor) -> Tensor:
        """Predicts the frame after the clip."""
        check_clip(self, clip, channels=self.channels, length=self.context)
        predicted: Tensor = self.unet(rearrange(clip, "b t c h w -> b (t c) h w"))
        return predicted
