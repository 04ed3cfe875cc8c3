"""Distances of the features of translated frames from those of real ones, as sets."""

from abc import abstractmethod
from typing import Generic, TypeVar

import torch
from torch import Tensor

from vtrans.errors import refusal
from vtrans.evaluation.chunks import Chunk
from vtrans.evaluation.fidelity import Moments, Reservoir, frechet_distance, kernel_distance
from vtrans.evaluation.metrics.metric import Better, Measured, Metric

KEPT = 5000
"""Features of each side that a kernel distance is computed from, at most."""


Kept = TypeVar("Kept")


class OfFeatures(Metric, Generic[Kept]):
    """A distance of two sets of features, which are gathered on each side as they stream by."""

    better: Better = "lower"
    group = "against real frames"
    needs = ("output", "real", "features")

    def __init__(self) -> None:
        self._sides: dict[str, Kept] = {}

    def add(self, chunk: Chunk) -> None:
        for side in ("output", "real"):
            if side in chunk:
                self._sides[side] = self.gather(self._sides.get(side), side, chunk)

    def result(self) -> Measured:
        if len(self._sides) < 2:
            raise ValueError(refusal("frames", allowed="translated and real frames", got="none of one kind"))
        return self.distance(self._sides["output"], self._sides["real"])

    @abstractmethod
    def gather(self, kept: Kept | None, side: str, chunk: Chunk) -> Kept:
        """What is kept of a side, with those of a chunk; first None."""

    @abstractmethod
    def distance(self, made: Kept, real: Kept) -> Measured:
        """The distance of what was kept of both sides."""


class FrechetDistance(OfFeatures[Moments]):
    """Squared Fréchet distance of normal distributions fitted to the features of translated and real frames."""

    title = "Fréchet distance of frames"

    def gather(self, kept: Moments | None, side: str, chunk: Chunk) -> Moments:
        return _added(kept, chunk.new.features(side))

    def distance(self, made: Moments, real: Moments) -> Measured:
        return Measured(frechet_distance(made, real), min(made.count, real.count))


class VideoFrechetDistance(FrechetDistance):
    """The Fréchet distance of the features of each two consecutive frames, side by side."""

    title = "Fréchet distance of pairs of frames"
    counted = "pairs of frames"

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, Tensor] = {}

    def gather(self, kept: Moments | None, side: str, chunk: Chunk) -> Moments:
        features = chunk.new.features(side)
        if chunk.fresh:
            features = torch.cat([self._last[side], features])
        self._last[side] = features[-1:]
        return _added(kept, torch.cat([features[:-1], features[1:]], dim=1))


class KernelDistance(OfFeatures[Reservoir]):
    """Unbiased squared maximum mean discrepancy of the features, from at most 5,000 frames of each side."""

    title = "kernel distance of frames"

    def gather(self, kept: Reservoir | None, side: str, chunk: Chunk) -> Reservoir:
        kept = kept or Reservoir(KEPT)
        kept.add(chunk.new.features(side))
        return kept

    def distance(self, made: Reservoir, real: Reservoir) -> Measured:
        a, b = made.kept(), real.kept()
        return Measured(kernel_distance(a, b), min(len(a), len(b)))


def _added(moments: Moments | None, features: Tensor) -> Moments:
    moments = moments or Moments(features.shape[1])
    moments.add(features)
    return moments
