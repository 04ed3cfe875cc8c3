"""The generator with skip connections."""

import torch
from torch import Tensor, nn

from vtrans.networks.checks import require
from vtrans.networks.initialization import initialize
from vtrans.networks.norms import norm_layer, takes_bias
from vtrans.networks.sizes import check_frames


class UnetGenerator(nn.Module):
    """Translates a frame through ``depth`` halvings of its size and back, with a skip connection at every size.

    Its forward takes frames ``(batch, in_channels, height, width)`` in [-1, 1], height and width multiples of
    ``2**depth``, and returns ``(batch, out_channels, height, width)`` in [-1, 1]. The options that all networks share
    are described in ``vtrans.networks``.

    Args:
        depth: Number of halvings, at least 2: 7 for frames of 128, 8 for frames of 256.
        width: Channels after the first halving; they double up to eight times as many.
        dropout: Rate in [0, 1) at the widest levels on the way up, the innermost excepted; 0 is off, the published
            value is 0.5.

    Example:
        >>> network = UnetGenerator(in_channels=3, out_channels=1, depth=3, width=4)
        >>> network(torch.zeros(2, 3, 8, 16)).shape
        torch.Size([2, 1, 8, 16])

    Reference:
        Ronneberger et al., U-Net, MICCAI 2015; Isola et al., pix2pix, CVPR 2017.
    """

    multiple: int
    minimum: int

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        depth: int = 8,
        width: int = 64,
        norm: str = "instance",
        dropout: float = 0.0,
        init: str = "normal",
        init_gain: float | None = None,
    ) -> None:
        super().__init__()
        require(
            in_channels=in_channels, out_channels=out_channels, depth=depth, width=width, norm=norm, dropout=dropout
        )
        self.in_channels = in_channels
        self.multiple = self.minimum = 2**depth
        levels = [width * min(2**level, 8) for level in range(depth)]
        innermost = depth - 1
        self.downs = nn.ModuleList()
        self.ups = nn.ModuleList()
        for level, channels in enumerate(levels):
            outer = levels[level - 1] if level else in_channels
            down: list[nn.Module] = [nn.LeakyReLU(0.2)] if level else []
            down.append(nn.Conv2d(outer, channels, 4, stride=2, padding=1, bias=takes_bias(norm)))
            if 0 < level < innermost:
                down.append(norm_layer(norm, channels))
            self.downs.append(nn.Sequential(*down))
        for level in reversed(range(depth)):
            outer = levels[level - 1] if level else out_channels
            inner = levels[level] * (1 if level == innermost else 2)
            bias = takes_bias(norm) or level == 0
            up: list[nn.Module] = [nn.ReLU(), nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1, bias=bias)]
            up.append(norm_layer(norm, outer) if level else nn.Tanh())
            if dropout and level < innermost and outer == 8 * width and level:
                up.append(nn.Dropout(dropout))
            self.ups.append(nn.Sequential(*up))
        initialize(self, init=init, gain=init_gain)

    def forward(self, frames: Tensor) -> Tensor:
        """Translates frames."""
        check_frames(self, frames, channels=self.in_channels)
        features = frames
        skips: list[Tensor] = []
        for down in self.downs:
            features = down(features)
            skips.append(features)
        features = skips.pop()
        for level, up in enumerate(self.ups):
            features = up(torch.cat([skips.pop(), features], 1) if level else features)
        return features
