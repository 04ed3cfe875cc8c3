"""Predictors without parameters: what a learned one has to beat."""

from torch import Tensor, nn

from vtrans.networks.checks import require_count
from vtrans.networks.sizes import check_clip


class LastFrame(nn.Module):
    """Predicts that nothing moves: the next frame is the last one.

    Its forward takes clips ``(batch, 1, channels, height, width)`` and returns ``(batch, channels, height, width)``.

    Args:
        channels: Channels of the frames.

    Raises:
        TypeError: If ``channels`` is no whole number.
        ValueError: If ``channels`` is below 1; in forward, if the clip does not fit.

    Example:
        >>> import torch
        >>> LastFrame(channels=3)(torch.ones(2, 1, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    multiple: int = 1
    minimum: int = 1
    context: int | None = 1

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        require_count("channels", channels)
        self.channels = channels

    def forward(self, clip: Tensor) -> Tensor:
        """Predicts the frame after the clip."""
        check_clip(self, clip, channels=self.channels, length=1)
        return clip[:, -1]


class LinearExtrapolation(nn.Module):
    r"""Predicts that every pixel goes on changing as it did.

    .. math:: \hat x_{t+1} = \mathrm{clamp}(2 x_t - x_{t-1}, -1, 1)

    Its forward takes clips ``(batch, 2, channels, height, width)`` in [-1, 1] and returns
    ``(batch, channels, height, width)`` in [-1, 1].

    Args:
        channels: Channels of the frames.

    Raises:
        TypeError: If ``channels`` is no whole number.
        ValueError: If ``channels`` is below 1; in forward, if the clip does not fit.

    Example:
        >>> import torch
        >>> clip = torch.tensor([0.0, 0.25]).reshape(1, 2, 1, 1, 1)
        >>> float(LinearExtrapolation(channels=1)(clip))
        0.5
    """

    multiple: int = 1
    minimum: int = 1
    context: int | None = 2

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        require_count("channels", channels)
        self.channels = channels

    def forward(self, clip: Tensor) -> Tensor:
        """Predicts the frame after the clip."""
        check_clip(self, clip, channels=self.channels, length=2)
        return (2 * clip[:, 1] - clip[:, 0]).clamp(-1, 1)
