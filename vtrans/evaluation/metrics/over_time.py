"""Metrics of frames in motion, and of their sharpness: blurred or static frames are the steadiest."""

import torch
from torch import Tensor

from vtrans.errors import refusal
from vtrans.evaluation.chunks import Chunk
from vtrans.evaluation.flow import LEAST
from vtrans.evaluation.metrics.metric import RANGE, Better, Measured, Metric, PerFrame, PerStep
from vtrans.evaluation.temporal import flicker, flow_difference, sharpness, warping_error

GROUP = "over time"
SHARPNESS = ("sharpness", "sharpness_real", "sharpness_ratio")
OF = {"output": "", "source": " of the source", "truth": " of the truth", "real": " of real frames"}


class WarpingError(PerStep):
    """Change along the motion of the source, where it stays in sight; blur lowers it.

    Args:
        of: The stream that is measured; that of the source or the truth is there to compare with.
    """

    unit = RANGE
    group = GROUP

    def __init__(self, of: str = "output") -> None:
        super().__init__()
        self._of = of
        self.title = f"warping error{OF[of]}"
        self.better: Better = "lower" if of == "output" else ""
        self.needs = (of, *({"source"} - {of}), "motion")
        if of == "output":
            self.beside = ("warping_error_input", "warping_error_truth", "masked_share", *SHARPNESS)

    def measure(self, chunk: Chunk) -> Tensor:
        return warping_error(chunk[self._of], chunk.motion)


class MaskedShare(PerStep):
    """The share of the source's pixels that do not stay in sight, which the warping error leaves out."""

    title = "share of pixels out of sight"
    better: Better = ""
    unit = "of pixels"
    group = GROUP
    needs = ("source", "motion")

    def measure(self, chunk: Chunk) -> Tensor:
        return torch.from_numpy(chunk.motion.occluded.mean(axis=(1, 2)))


class MotionDifference(PerStep):
    """Mean length of the difference of the flows of translation and truth (tOF)."""

    title = "difference of motion from the truth"
    better: Better = "lower"
    unit = "pixels"
    group = GROUP
    needs = ("output", "truth")
    least = LEAST
    beside = SHARPNESS

    def measure(self, chunk: Chunk) -> Tensor:
        return flow_difference(chunk.flow("output"), chunk.flow("truth"))


class Flicker(PerStep):
    """Mean absolute change from each frame to the next, motion included.

    Args:
        of: The stream that is measured; that of the source or the truth is there to compare with.
    """

    better: Better = ""
    unit = RANGE
    group = GROUP

    def __init__(self, of: str = "output") -> None:
        super().__init__()
        self.title, self.needs = f"flicker{OF[of]}", (of,)
        if of == "output":
            self.beside = ("flicker_input", "flicker_truth", *SHARPNESS)

    def measure(self, chunk: Chunk) -> Tensor:
        return flicker(chunk[self.needs[0]])


class Sharpness(PerFrame):
    """Mean length of the gradient of grey values.

    Args:
        of: The stream that is measured; that of real frames is there to compare with.
    """

    better: Better = ""
    unit = RANGE
    group = GROUP
    least = 2

    def __init__(self, of: str = "output") -> None:
        super().__init__()
        self.title, self.needs = f"sharpness{OF[of]}", (of,)
        self.beside = SHARPNESS[1:] if of == "output" else ()

    def measure(self, chunk: Chunk) -> Tensor:
        return sharpness(chunk[self.needs[0]])


class SharpnessRatio(Metric):
    """Sharpness of translated frames as a multiple of that of real ones: what is blurred is below 1."""

    title = "sharpness relative to real frames"
    better: Better = "near 1"
    group = GROUP
    needs = ("output", "real")
    least = 2

    def __init__(self) -> None:
        self._made, self._real = Sharpness("output"), Sharpness("real")

    def add(self, chunk: Chunk) -> None:
        self._made.add(chunk)
        self._real.add(chunk)

    def result(self) -> Measured:
        made, real = self._made.result(), self._real.result().value
        if not real:
            raise ValueError(refusal("real frames", allowed="frames with edges", got="none"))
        return Measured(made.value / real, made.count, tuple(value / real for value in made.sequences))
