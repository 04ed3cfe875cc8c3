"""The discriminator of overlapping patches."""

from itertools import pairwise

from torch import Tensor, nn

from vtrans.networks.checks import require
from vtrans.networks.initialization import initialize
from vtrans.networks.layers import normed
from vtrans.networks.sizes import check_frames


def patch_layers(
    convolution: type[nn.Module],
    channels: int,
    width: int,
    layers: int,
    *,
    kernel: int | tuple[int, int, int],
    stride: int | tuple[int, int, int],
    padding: int | tuple[int, int, int],
    norm: str,
) -> tuple[nn.Sequential, nn.Sequential, int]:
    """The first layer, without a norm, those after it, and the channels that they give a head."""
    widths = [width * min(2**layer, 8) for layer in range(layers + 1)]
    stem = nn.Sequential(convolution(channels, width, kernel, stride=stride, padding=padding), nn.LeakyReLU(0.2))
    body = nn.Sequential()
    for layer, (inner, outer) in enumerate(pairwise(widths), start=1):
        step = stride if layer < layers else 1
        body.extend(normed(convolution, inner, outer, kernel, norm=norm, stride=step, padding=padding))
        body.append(nn.LeakyReLU(0.2))
    return stem, body, widths[-1]


class NLayerDiscriminator(nn.Module):
    """Judges overlapping patches of a frame: with three layers, patches of 70x70.

    Its forward takes frames ``(batch, channels, height, width)`` in [-1, 1], each side at least ``3 * 2**layers``, and
    returns logits ``(batch, 1, height // 2**layers - 2, width // 2**layers - 2)``. The options that all networks share
    are described in ``vtrans.networks``.

    Args:
        layers: Number of halvings, at least 1; the patches are 16, 34, 70, 142, … pixels wide for 1, 2, 3, 4, ….
        width: Channels after the first layer; they double up to eight times as many.

    Example:
        >>> import torch
        >>> NLayerDiscriminator(channels=3, width=4)(torch.zeros(2, 3, 32, 40)).shape
        torch.Size([2, 1, 2, 3])

    Reference:
        Isola et al., pix2pix, CVPR 2017 (arXiv 1611.07004).
    """

    multiple: int = 1
    minimum: int

    def __init__(
        self,
        *,
        channels: int,
        layers: int = 3,
        width: int = 64,
        norm: str = "instance",
        init: str = "normal",
        init_gain: float | None = None,
    ) -> None:
        super().__init__()
        require(channels=channels, layers=layers, width=width, norm=norm)
        self.channels = channels
        self.minimum = 3 * 2**layers
        self.stem, self.body, features = patch_layers(
            nn.Conv2d, channels, width, layers, kernel=4, stride=2, padding=1, norm=norm
        )
        self.head = nn.Conv2d(features, 1, 4, padding=1)
        initialize(self, init=init, gain=init_gain)

    def forward(self, frames: Tensor) -> Tensor:
        """Judges frames."""
        check_frames(self, frames, channels=self.channels)
        logits: Tensor = self.head(self.body(self.stem(frames)))
        return logits
