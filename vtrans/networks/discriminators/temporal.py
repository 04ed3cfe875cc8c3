"""The discriminator of patches of consecutive frames."""

from einops import rearrange
from torch import Tensor, nn

from vtrans.networks.checks import require
from vtrans.networks.discriminators.patch import patch_layers
from vtrans.networks.initialization import initialize
from vtrans.networks.sizes import check_clip


class TemporalPatchDiscriminator(nn.Module):
    """Judges overlapping patches of a window of consecutive frames, so that motion counts and not only appearance.

    The patch discriminator with convolutions over time besides: its layers look at neighbouring frames and its head at
    the whole window.

    Its forward takes windows ``(batch, window, channels, height, width)`` in [-1, 1], each side at least
    ``3 * 2**layers``, and returns logits ``(batch, 1, height // 2**layers - 2, width // 2**layers - 2)``. The options
    that all networks share are described in ``vtrans.networks``.

    Args:
        window: Number of consecutive frames that it looks at, at least 1.
        layers: Number of halvings in space, at least 1.
        width: Channels after the first layer; they double up to eight times as many.
        norm: ``"instance"``, ``"batch"``, ``"group"`` or ``"none"``, over the window as a whole.

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
        require(channels=channels, window=window, layers=layers, width=width, norm=norm)
        self.channels = channels
        self.window = window
        self.minimum = 3 * 2**layers
        kernel, padding = ((3, 4, 4), (1, 1, 1)) if window > 1 else ((1, 4, 4), (0, 1, 1))
        self.stem, self.body, features = patch_layers(
            nn.Conv3d, channels, width, layers, kernel=kernel, stride=(1, 2, 2), padding=padding, norm=norm
        )
        self.head = nn.Conv3d(features, 1, (window, 4, 4), padding=(0, 1, 1))
        initialize(self, init=init, gain=init_gain)

    def forward(self, windows: Tensor) -> Tensor:
        """Judges windows of frames."""
        check_clip(self, windows, channels=self.channels, length=self.window)
        features = self.body(self.stem(rearrange(windows, "b t c h w -> b c t h w")))
        logits: Tensor = self.head(features)
        return rearrange(logits, "b c 1 h w -> b c h w")
