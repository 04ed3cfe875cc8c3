"""Metrics against the true translation."""

import math
from typing import Literal

import numpy as np
from torch import Tensor

from vtrans.data.tensors import Frames
from vtrans.data.worlds import pairing_share
from vtrans.errors import refusal
from vtrans.evaluation.chunks import Chunk
from vtrans.evaluation.metrics.metric import RANGE, Better, Measured, Metric, PerFrame
from vtrans.evaluation.scores import WINDOW, l1_of_frames, psnr_of_frames, ssim_of_frames
from vtrans.evaluation.segmentation import Confusion

GROUP = "against the truth"
TITLES = {
    "mean_iou": "mean intersection over union",
    "class_accuracy": "class accuracy",
    "pixel_accuracy": "pixel accuracy",
}


class Psnr(PerFrame):
    """Peak signal-to-noise ratio of each frame, averaged."""

    title = "peak signal-to-noise ratio"
    better: Better = "higher"
    unit = "dB"
    digits = 2
    group = GROUP
    needs = ("output", "truth")

    def measure(self, chunk: Chunk) -> Tensor:
        return psnr_of_frames(chunk["output"], chunk["truth"])


class Ssim(PerFrame):
    """Structural similarity in Gaussian windows of 11 pixels."""

    title = "structural similarity"
    better: Better = "higher"
    group = GROUP
    needs = ("output", "truth")
    least = WINDOW

    def measure(self, chunk: Chunk) -> Tensor:
        return ssim_of_frames(chunk["output"], chunk["truth"])


class L1(PerFrame):
    """Mean absolute difference from the truth, frames in [-1, 1]."""

    title = "mean absolute error"
    better: Better = "lower"
    unit = RANGE
    group = GROUP
    needs = ("output", "truth")

    def measure(self, chunk: Chunk) -> Tensor:
        return l1_of_frames(chunk["output"], chunk["truth"])


class OfLabels(Metric):
    """A number of label maps, whose pixels are counted over all frames before anything is divided.

    Args:
        of: The number, a method of :class:`~vtrans.evaluation.segmentation.Confusion`.
    """

    better: Better = "higher"
    group = GROUP
    needs = ("output", "truth", "palette")

    def __init__(self, of: Literal["mean_iou", "class_accuracy", "pixel_accuracy"]) -> None:
        self.title = TITLES[of]
        self._of = of
        self._sequences: list[Confusion] = []
        self._frames = 0

    def add(self, chunk: Chunk) -> None:
        if "output" in chunk and chunk.palette is not None:
            if not chunk.fresh:
                self._sequences.append(Confusion(chunk.palette))
            self._sequences[-1].add(predicted=chunk.new.classes("output"), truth=chunk.new.classes("truth"))
            self._frames += len(chunk.new)

    def result(self) -> Measured:
        if not self._sequences:
            raise ValueError(refusal("frames", allowed="at least one frame to measure", got="none"))
        whole = Confusion(self._sequences[0].palette)
        whole.counts = np.sum([each.counts for each in self._sequences], axis=0)
        each = tuple(self._share(one) if one.counts.any() else math.nan for one in self._sequences)
        return Measured(self._share(whole), self._frames, each, whole.iou() if self._of == "mean_iou" else None)

    def _share(self, confusion: Confusion) -> float:
        return float(getattr(confusion, self._of)())


class Settled(Metric):
    """The share of object pixels of the right colour, in a world whose two kinds may be paired either way."""

    title = "share of object pixels of the right colour"
    better: Better = "higher"
    group = GROUP
    needs = ("output", "truth", "swapped")
    counted = "clips"
    limits = (0.1, 0.9)

    def __init__(self) -> None:
        self._clip: list[list[Frames]] = []
        self._shares: list[float] = []

    def add(self, chunk: Chunk) -> None:
        if "swapped" in chunk:
            if not chunk.fresh:
                self._finish()
            # Which pixels count is decided by those of a whole clip; clips of a world are short.
            self._clip.append([chunk.new.frames(name) for name in self.needs])

    def result(self) -> Measured:
        self._finish()
        if not self._shares:
            raise ValueError(refusal("frames", allowed="at least one frame to measure", got="none"))
        return Measured(float(np.mean(self._shares)), len(self._shares), tuple(map(float, self._shares)))

    def _finish(self) -> None:
        """Measures the clip that has ended."""
        if self._clip:
            clips = (np.concatenate(parts)[None] for parts in zip(*self._clip, strict=True))
            self._shares.extend(pairing_share(*clips))
            self._clip = []
