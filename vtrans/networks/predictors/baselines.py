"""Predictors without parameters: what a learned one has to beat."""

from torch import Tensor

from vtrans.networks.predictors.base import Predictor


class LastFrame(Predictor):
    """Predicts that nothing moves: the next frame is the last one.

    Its forward takes clips ``(batch, 1, channels, height, width)`` and returns ``(batch, channels, height, width)``.

    Example:
        >>> import torch
        >>> LastFrame(channels=3)(torch.ones(2, 1, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__(channels=channels, context=1)

    def _predict(self, clip: Tensor) -> Tensor:
        return clip[:, -1]


class LinearExtrapolation(Predictor):
    r"""Predicts that every pixel goes on changing as it did.

    .. math:: \hat x_{t+1} = \mathrm{clamp}(2 x_t - x_{t-1}, -1, 1)

    Its forward takes clips ``(batch, 2, channels, height, width)`` in [-1, 1] and returns
    ``(batch, channels, height, width)`` in [-1, 1].

    Example:
        >>> import torch
        >>> clip = torch.tensor([0.0, 0.25]).reshape(1, 2, 1, 1, 1)
        >>> float(LinearExtrapolation(channels=1)(clip))
        0.5
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__(channels=channels, context=2)

    def _predict(self, clip: Tensor) -> Tensor:
        return (2 * clip[:, 1] - clip[:, 0]).clamp(-1, 1)
