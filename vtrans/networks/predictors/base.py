"""What the predictors share."""

from torch import Tensor, nn

from vtrans.networks.checks import require
from vtrans.networks.sizes import check_clip


class Predictor(nn.Module):
    """Base of the predictors: a predictor builds its layers and says in ``_predict`` what it does with a clip.

    Args:
        channels: Channels of the frames.
        context: Number of frames that it looks back on; None for the whole past.
    """

    multiple: int = 1
    minimum: int = 1

    def __init__(self, *, channels: int, context: int | None) -> None:
        super().__init__()
        require(channels=channels)
        if context is not None:
            require(context=context)
        self.channels = channels
        self.context = context

    def forward(self, clip: Tensor) -> Tensor:
        """Predicts the frame after the clip, or after each of its frames where the context is the whole past."""
        check_clip(self, clip, channels=self.channels, length=self.context)
        return self._predict(clip)

    def _predict(self, clip: Tensor) -> Tensor:
        """The prediction from a clip that fits, ``(batch, time, channels, height, width)``."""
        raise NotImplementedError
