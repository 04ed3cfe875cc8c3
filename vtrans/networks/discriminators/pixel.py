"""The discriminator of single pixels."""

from torch import Tensor, nn

from vtrans.networks.checks import require
from vtrans.networks.initialization import initialize
from vtrans.networks.layers import normed
from vtrans.networks.norms import takes_bias
from vtrans.networks.sizes import check_frames


class PixelDiscriminator(nn.Module):
    """Judges every pixel by its own colour, with 1x1 convolutions.

    Its forward takes frames ``(batch, channels, height, width)`` in [-1, 1], each side at least 2, and returns logits
    ``(batch, 1, height, width)``. The options that all networks share are described in ``vtrans.networks``.

    Args:
        width: Channels of the first layer; the second has twice as many.

    Example:
        >>> import torch
        >>> PixelDiscriminator(channels=3, width=4)(torch.zeros(2, 3, 5, 7)).shape
        torch.Size([2, 1, 5, 7])

    Reference:
        Isola et al., pix2pix, CVPR 2017 (arXiv 1611.07004).
    """

    multiple: int = 1
    minimum: int = 2

    def __init__(
        self,
        *,
        channels: int,
        width: int = 64,
        norm: str = "instance",
        init: str = "normal",
        init_gain: float | None = None,
    ) -> None:
        super().__init__()
        require(channels=channels, width=width, norm=norm)
        self.channels = channels
        self.stem = nn.Sequential(nn.Conv2d(channels, width, 1), nn.LeakyReLU(0.2))
        self.body = nn.Sequential(*normed(nn.Conv2d, width, 2 * width, 1, norm=norm), nn.LeakyReLU(0.2))
        # The published one has no bias here either where its norm is batch norm.
        self.head = nn.Conv2d(2 * width, 1, 1, bias=takes_bias(norm))
        initialize(self, init=init, gain=init_gain)

    def forward(self, frames: Tensor) -> Tensor:
        """Judges frames."""
        check_frames(self, frames, channels=self.channels)
        logits: Tensor = self.head(self.body(self.stem(frames)))
        return logits
