"""Each metric as something that takes frames as they stream by and tells its values at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vtrans.data import tensor_to_frames
from vtrans.errors import refusal
from vtrans.evaluation.chunks import Chunk
from vtrans.evaluation.features import Features
from vtrans.evaluation.fidelity import Moments, Reservoir, frechet_distance, kernel_distance
from vtrans.evaluation.flow import estimate_flow, estimate_motion
from vtrans.evaluation.scores import l1, psnr, ssim
from vtrans.evaluation.segmentation import Confusion
from vtrans.evaluation.temporal import flicker, flow_difference, sharpness, warping_error

if TYPE_CHECKING:
    from vtrans.data.palettes import Palette

KEPT = 5000
"""Features of each side that a kernel distance is computed from, at most."""


@dataclass(frozen=True)
class Measured:
    """A value: its name without the domain, and from how many of what it was computed."""

    name: str
    value: float
    count: int
    counted: str = "frames"
    parts: dict[str, float] | None = None


class Measure(ABC):
    """Takes frames as they stream by."""

    @abstractmethod
    def add(self, chunk: Chunk) -> None:
        """Takes translated frames, in order of time."""

    @abstractmethod
    def values(self) -> Iterator[Measured]:
        """What was measured.

        Raises:
            ValueError: Too few frames came.
        """


class Comparison(Measure):
    """Takes real frames of the domain translated into as well."""

    @abstractmethod
    def add_real(self, frames: Tensor, fresh: int) -> None:
        """Takes real frames, in order of time; those from position ``fresh`` on were not in the chunk before."""


class Mean:
    """The mean of numbers that stream by; those that are NaN do not count.

    Example:
        >>> mean = Mean()
        >>> mean.add(torch.tensor([1.0, float("nan"), 3.0]))
        >>> mean.value, mean.count
        (2.0, 2)
    """

    def __init__(self) -> None:
        self._sum, self.count = 0.0, 0

    def add(self, numbers: Tensor) -> None:
        """Takes numbers."""
        known = numbers[~numbers.isnan()]
        self._sum += float(known.sum())
        self.count += len(known)

    @property
    def value(self) -> float:
        """Their mean; NaN if there were none."""
        return self._sum / self.count if self.count else float("nan")


class Means(Measure):
    """Several means by name."""

    counted = "frames"

    def __init__(self) -> None:
        self._means: dict[str, Mean] = {}

    def note(self, name: str, numbers: Tensor) -> None:
        """Adds to the mean of that name."""
        self._means.setdefault(name, Mean()).add(numbers)

    def values(self) -> Iterator[Measured]:
        """The means, in the order in which they came first."""
        if not any(mean.count for mean in self._means.values()):
            raise ValueError(refusal("frames", allowed=f"at least one of the {self.counted} to measure", got="none"))
        for name, mean in self._means.items():
            if mean.count:
                yield Measured(name, mean.value, mean.count, self.counted)


class TruthScores(Means):
    """PSNR, SSIM and L1, averaged over frames.

    Args:
        names: Those to compute.
    """

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self._scores = {name: score for name, score in (("psnr", psnr), ("ssim", ssim), ("l1", l1)) if name in names}

    def add(self, chunk: Chunk) -> None:
        if chunk.truth is not None:
            translated, truth = chunk.translated[chunk.fresh :], chunk.truth[chunk.fresh :]
            for name, score in self._scores.items():
                self.note(name, torch.full((len(truth),), score(translated, truth), dtype=torch.float64))


class Segmentation(Measure):
    """Accuracies and mean IoU.

    Args:
        palette: The classes.
    """

    def __init__(self, palette: Palette) -> None:
        self._confusion, self._frames = Confusion(palette), 0

    def add(self, chunk: Chunk) -> None:
        if chunk.truth is not None:
            clips = (chunk.translated[chunk.fresh :], chunk.truth[chunk.fresh :])
            self._confusion.add_frames(*map(tensor_to_frames, clips))
            self._frames += len(clips[0])

    def values(self) -> Iterator[Measured]:
        yield Measured("pixel_accuracy", self._confusion.pixel_accuracy(), self._frames)
        yield Measured("class_accuracy", self._confusion.class_accuracy(), self._frames)
        yield Measured("mean_iou", self._confusion.mean_iou(), self._frames, parts=self._confusion.iou())


class Warping(Means):
    """Warping errors along the motion of the source, and how much of it is masked."""

    counted = "steps"

    def add(self, chunk: Chunk) -> None:
        if len(chunk.source) > 1:
            motion = chunk.motion or estimate_motion(chunk.source)
            for ending, frames in chunk.versions():
                self.note(f"warping_error{ending}", warping_error(frames, motion))
            self.note("masked_share", torch.from_numpy(motion.occluded.mean(axis=(1, 2))))


class MotionDifference(Means):
    """The difference of estimated flows of translation and truth."""

    counted = "steps"

    def add(self, chunk: Chunk) -> None:
        if chunk.truth is not None and len(chunk.truth) > 1:
            self.note("tof", flow_difference(estimate_flow(chunk.translated), estimate_flow(chunk.truth)))


class Flicker(Means):
    """Changes from frame to frame of translation, input and truth."""

    counted = "steps"

    def add(self, chunk: Chunk) -> None:
        for ending, frames in chunk.versions():
            self.note(f"flicker{ending}", flicker(frames))


class Sharpness(Means, Comparison):
    """The sharpness of translated frames, of real ones, and their ratio."""

    def add(self, chunk: Chunk) -> None:
        self.note("sharpness", sharpness(chunk.translated[chunk.fresh :]))

    def add_real(self, frames: Tensor, fresh: int) -> None:
        self.note("sharpness_real", sharpness(frames[fresh:]))

    def values(self) -> Iterator[Measured]:
        found = {measured.name: measured for measured in super().values()}
        yield from found.values()
        real = found.get("sharpness_real")
        if real is not None and real.value > 0:
            yield Measured("sharpness_ratio", found["sharpness"].value / real.value, found["sharpness"].count)


class Fidelity(Comparison):
    """Distances of the features of translated frames from those of real ones.

    Args:
        features: The feature network.
        names: Those of ``fid``, ``kid`` and ``vfd`` to compute.
    """

    def __init__(self, features: Features, names: Collection[str]) -> None:
        self._features, self._names = features, names
        self._translated, self._real = _Gathered(names), _Gathered(names)

    def add(self, chunk: Chunk) -> None:
        self._translated.add(self._features(chunk.translated[chunk.fresh :]), chunk.fresh > 0)

    def add_real(self, frames: Tensor, fresh: int) -> None:
        self._real.add(self._features(frames[fresh:]), fresh > 0)

    def values(self) -> Iterator[Measured]:
        sides = self._translated, self._real
        for name in self._names:
            moments = [side.moments[name] for side in sides if name in side.moments]
            if name == "kid":
                kept = [side.reservoir.kept() for side in sides]
                yield Measured(name, kernel_distance(kept[0], kept[1]), min(map(len, kept)))
            else:
                counted = "pairs of frames" if name == "vfd" else "frames"
                yield Measured(name, frechet_distance(*moments), min(m.count for m in moments), counted)


class _Gathered:
    """What is kept of the features of one side."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self.moments: dict[str, Moments] = {}
        self.reservoir = Reservoir(KEPT)
        self._last: Tensor | None = None

    def add(self, features: Tensor, follows: bool) -> None:
        """Takes features of consecutive frames, that follow the last ones or begin a sequence."""
        if "kid" in self._names:
            self.reservoir.add(features)
        if "fid" in self._names:
            self._to("fid", features)
        if "vfd" in self._names:
            if follows and self._last is not None:
                features = torch.cat([self._last, features])
            self._last = features[-1:]
            self._to("vfd", torch.cat([features[:-1], features[1:]], dim=1))

    def _to(self, name: str, features: Tensor) -> None:
        self.moments.setdefault(name, Moments(features.shape[1])).add(features)
