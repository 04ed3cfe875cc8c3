"""The generator of residual blocks."""

from torch import Tensor, nn

from vtrans.networks.checks import require
from vtrans.networks.initialization import initialize
from vtrans.networks.layers import convolve, expand, to_frame
from vtrans.networks.sizes import check_frames


class ResnetBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to their input."""

    def __init__(self, *, channels: int, norm: str, padding: str, dropout: float) -> None:
        super().__init__()
        first, second = (convolve(channels, channels, kernel=3, norm=norm, padding=padding) for _ in range(2))
        dropped = [nn.Dropout(dropout)] if dropout else []
        self.body = nn.Sequential(*first, *dropped, *second[:-1])  # what is added to the input passes no ReLU

    def forward(self, features: Tensor) -> Tensor:
        """Adds what the block computes to its input; any ``(batch, channel, height, width)``."""
        change: Tensor = self.body(features)
        return features + change


class ResnetGenerator(nn.Module):
    """Translates a frame at a quarter of its resolution through residual blocks.

    A 7x7 stem, two strided convolutions, the blocks, two transposed convolutions and a 7x7 head.

    Its forward takes frames ``(batch, in_channels, height, width)`` in [-1, 1], height and width multiples of 4 from 8
    up, and returns ``(batch, out_channels, height, width)`` in [-1, 1]. The options that all networks share are
    described in ``vtrans.networks``.

    Args:
        blocks: Number of residual blocks.
        width: Channels of the stem; four times as many in the blocks.
        dropout: Rate in [0, 1) between the two convolutions of a block; 0 is off, the published value is 0.5.

    Example:
        >>> import torch
        >>> network = ResnetGenerator(in_channels=3, out_channels=1, blocks=1, width=4)
        >>> network(torch.zeros(2, 3, 8, 12)).shape
        torch.Size([2, 1, 8, 12])

    Reference:
        Johnson et al., Perceptual Losses for Real-Time Style Transfer, ECCV 2016; Zhu et al., CycleGAN, ICCV 2017.
    """

    multiple: int = 4
    minimum: int = 8

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        blocks: int = 9,
        width: int = 64,
        norm: str = "instance",
        padding: str = "reflect",
        dropout: float = 0.0,
        init: str = "normal",
        init_gain: float | None = None,
    ) -> None:
        super().__init__()
        require(in_channels=in_channels, out_channels=out_channels, blocks=blocks, width=width)
        require(norm=norm, padding=padding, dropout=dropout)
        self.in_channels = in_channels
        self.padding = padding
        self.stem = nn.Sequential(*convolve(in_channels, width, kernel=7, norm=norm, padding="reflect"))
        self.encoder = nn.Sequential(
            *convolve(width, 2 * width, kernel=3, stride=2, norm=norm),
            *convolve(2 * width, 4 * width, kernel=3, stride=2, norm=norm),
        )
        self.blocks = nn.Sequential(
            *(ResnetBlock(channels=4 * width, norm=norm, padding=padding, dropout=dropout) for _ in range(blocks))
        )
        self.decoder = nn.Sequential(*expand(4 * width, 2 * width, norm=norm), *expand(2 * width, width, norm=norm))
        self.head = nn.Sequential(*to_frame(width, out_channels))
        initialize(self, init=init, gain=init_gain)

    def forward(self, frames: Tensor) -> Tensor:
        """Translates frames."""
        check_frames(self, frames, channels=self.in_channels)
        features = self.blocks(self.encoder(self.stem(frames)))
        translated: Tensor = self.head(self.decoder(features))
        return translated
