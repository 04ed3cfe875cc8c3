"""Metrics against the true translation."""

from abc import abstractmethod

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
    """A metric of label maps, whose pixels are counted over all frames before anything is divided."""

    better: Better = "higher"
    group = GROUP
    needs = ("output", "truth", "palette")

    def __init__(self) -> None:
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
        whole.counts = sum((each.counts for each in self._sequences), whole.counts)
        sequences = tuple(self.share(each) if each.counts.any() else np.nan for each in self._sequences)
        return Measured(self.share(whole), self._frames, sequences, whole.iou() if isinstance(self, MeanIou) else None)

    @abstractmethod
    def share(self, confusion: Confusion) -> float:
        """The number, from how often each class was taken for each other."""


class MeanIou(OfLabels):
    """Intersection over union of the classes, averaged over those that occur."""

    title = "mean intersection over union"

    def share(self, confusion: Confusion) -> float:
        return confusion.mean_iou()


class ClassAccuracy(OfLabels):
    """The share of a class's pixels that are right, averaged over the classes that occur."""

    title = "class accuracy"

    def share(self, confusion: Confusion) -> float:
        return confusion.class_accuracy()


class PixelAccuracy(OfLabels):
    """The share of pixels of the right class."""

    title = "pixel accuracy"

    def share(self, confusion: Confusion) -> float:
        return confusion.pixel_accuracy()


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
