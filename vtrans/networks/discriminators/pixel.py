"""The discriminator of single pixels."""

from torch import Tensor, nn

from vtrans.networks.checks import require_choice, require_count
from vtrans.networks.initialization import initialize
from vtrans.networks.norms import NORMS, norm_layer, takes_bias
from vtrans.networks.sizes import check_frames


class PixelDiscriminator(nn.Module):
    """Judges every pixel by its own colour, with 1x1 convolutions.

    Its forward takes frames ``(batch, channels, height, width)`` in [-1, 1], each side at least 2, and returns logits
    ``(batch, 1, height, width)``.

    Args:
        channels: Channels of the frames.
        width: Channels of the first layer; the second has twice as many.
        norm: ``"instance"``, ``"batch"``, ``"group"`` or ``"none"``.
        init: ``"normal"``, ``"xavier"``, ``"kaiming"`` or ``"orthogonal"``.
        init_gain: Scale of the initial weights; None takes the law's own.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option is out of range; in forward, if the frames do not fit.

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
        require_count("channels", channels)
        require_count("width", width)
        require_choice("norm", norm, NORMS)
        self.channels = channels
        self.stem = nn.Sequential(nn.Conv2d(channels, width, 1), nn.LeakyReLU(0.2))
        self.body = nn.Sequential(
            nn.Conv2d(width, 2 * width, 1, bias=takes_bias(norm)),
            norm_layer(norm, 2 * width),
            nn.LeakyReLU(0.2),
        )
        # The published one has no bias here either where its norm is batch norm.
        self.head = nn.Conv2d(2 * width, 1, 1, bias=takes_bias(norm))
        initialize(self, init=init, gain=init_gain)

    def forward(self, frames: Tensor) -> Tensor:
        """Judges frames."""
        check_frames(self, frames, channels=self.channels)
        logits: Tensor = self.head(self.body(self.stem(frames)))
        return logits
