"""The discriminator of overlapping patches."""

from torch import Tensor, nn

from vtrans.networks.checks import require_choice, require_count
from vtrans.networks.initialization import initialize
from vtrans.networks.norms import NORMS, norm_layer, takes_bias
from vtrans.networks.sizes import check_frames


class NLayerDiscriminator(nn.Module):
    """Judges overlapping patches of a frame: with three layers, patches of 70x70.

    Its forward takes frames ``(batch, channels, height, width)`` in [-1, 1], each side at least ``3 * 2**layers``, and
    returns logits ``(batch, 1, height // 2**layers - 2, width // 2**layers - 2)``.

    Args:
        channels: Channels of the frames.
        layers: Number of halvings, at least 1; the patches are 16, 34, 70, 142, … pixels wide for 1, 2, 3, 4, ….
        width: Channels after the first layer; they double up to eight times as many.
        norm: ``"instance"``, ``"batch"``, ``"group"`` or ``"none"``.
        init: ``"normal"``, ``"xavier"``, ``"kaiming"`` or ``"orthogonal"``.
        init_gain: Scale of the initial weights; None takes the law's own.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option is out of range; in forward, if the frames do not fit.

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
        require_count("channels", channels)
        require_count("layers", layers)
        require_count("width", width)
        require_choice("norm", norm, NORMS)
        self.channels = channels
        self.minimum = 3 * 2**layers
        widths = [width * min(2**layer, 8) for layer in range(layers + 1)]
        self.stem = nn.Sequential(nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        self.body = nn.Sequential()
        for layer in range(1, layers + 1):
            inner, outer, stride = widths[layer - 1], widths[layer], 2 if layer < layers else 1
            self.body.append(nn.Conv2d(inner, outer, 4, stride=stride, padding=1, bias=takes_bias(norm)))
            self.body.append(norm_layer(norm, outer))
            self.body.append(nn.LeakyReLU(0.2))
        self.head = nn.Conv2d(widths[-1], 1, 4, padding=1)
        initialize(self, init=init, gain=init_gain)

    def forward(self, frames: Tensor) -> Tensor:
        """Judges frames."""
        check_frames(self, frames, channels=self.channels)
        logits: Tensor = self.head(self.body(self.stem(frames)))
        return logits
