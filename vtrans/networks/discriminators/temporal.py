"""The discriminator of patches of consecutive frames."""

from einops import rearrange
from torch import Tensor, nn

from vtrans.networks.checks import require_choice, require_count
from vtrans.networks.initialization import initialize
from vtrans.networks.norms import NORMS, norm_layer, takes_bias
from vtrans.networks.sizes import check_clip


class TemporalPatchDiscriminator(nn.Module):
    """Judges overlapping patches of a window of consecutive frames, so that motion counts and not only appearance.

    The patch discriminator with convolutions over time besides: its layers look at neighbouring frames and its head at
    the whole window.

    Its forward takes windows ``(batch, window, channels, height, width)`` in [-1, 1], each side at least
    ``3 * 2**layers``, and returns logits ``(batch, 1, height // 2**layers - 2, width // 2**layers - 2)``.

    Args:
        channels: Channels of the frames.
        window: Number of consecutive frames that it looks at, at least 1.
        layers: Number of halvings in space, at least 1.
        width: Channels after the first layer; they double up to eight times as many.
        norm: ``"instance"``, ``"batch"``, ``"group"`` or ``"none"``, over the window as a whole.
        init: ``"normal"``, ``"xavier"``, ``"kaiming"`` or ``"orthogonal"``.
        init_gain: Scale of the initial weights; None takes the law's own.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option is out of range; in forward, if the windows do not fit.

    Example:
        >>> import torch
        >>> TemporalPatchDiscriminator(channels=3, window=2, width=4)(torch.zeros(1, 2, 3, 32, 40)).shape
        torch.Size([1, 1, 2, 3])

    Reference:
        Wang et al., Video-to-Video Synthesis, NeurIPS 2018, judges windows of frames likewise.
    """

    multiple: int = 1
    minimum: int
    window: int

    def __init__(
        self,
        *,
        channels: int,
        window: int = 3,
        layers: int = 3,
        width: int = 64,
        norm: str = "instance",
        init: str = "normal",
        init_gain: float | None = None,
    ) -> None:
        super().__init__()
        require_count("channels", channels)
        require_count("window", window)
        require_count("layers", layers)
        require_count("width", width)
        require_choice("norm", norm, NORMS)
        self.channels = channels
        self.window = window
        self.minimum = 3 * 2**layers
        widths = [width * min(2**layer, 8) for layer in range(layers + 1)]
        kernel, padding = ((3, 4, 4), (1, 1, 1)) if window > 1 else ((1, 4, 4), (0, 1, 1))
        stem = nn.Conv3d(channels, width, kernel, stride=(1, 2, 2), padding=padding)
        self.stem = nn.Sequential(stem, nn.LeakyReLU(0.2))
        self.body = nn.Sequential()
        for layer in range(1, layers + 1):
            inner, outer, stride = widths[layer - 1], widths[layer], (1, 2, 2) if layer < layers else (1, 1, 1)
            self.body.append(nn.Conv3d(inner, outer, kernel, stride=stride, padding=padding, bias=takes_bias(norm)))
            self.body.append(norm_layer(norm, outer, dimensions=3))
            self.body.append(nn.LeakyReLU(0.2))
        self.head = nn.Conv3d(widths[-1], 1, (window, 4, 4), padding=(0, 1, 1))
        initialize(self, init=init, gain=init_gain)

    def forward(self, windows: Tensor) -> Tensor:
        """Judges windows of frames."""
        check_clip(self, windows, channels=self.channels, length=self.window)
        features = self.body(self.stem(rearrange(windows, "b t c h w -> b c t h w")))
        logits: Tensor = self.head(features)
        return rearrange(logits, "b c 1 h w -> b c h w")
