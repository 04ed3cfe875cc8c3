"""Errors of what comes back: they are named for the domain that is started from, and ended in."""

from torch import Tensor

from vtrans.evaluation.chunks import Chunk
from vtrans.evaluation.metrics.metric import RANGE, Better, PerFrame

TITLES = {"back": "cycle error", "recycled": "recycle error", "predicted": "prediction error"}


class Difference(PerFrame):
    """Mean absolute difference of the source's frames and what comes back of them.

    Args:
        stream: What comes back.
    """

    better: Better = "lower"
    unit = RANGE
    group = "there and back"
    ends = "source"

    def __init__(self, stream: str) -> None:
        super().__init__()
        self.title, self.needs = TITLES[stream], ("source", stream)

    def measure(self, chunk: Chunk) -> Tensor:
        return (chunk[self.needs[1]] - chunk["source"]).abs().double().mean(dim=(1, 2, 3))
