"""What cells are measured by: each metric a small class, registered by name, with one number for each direction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch

from vtrans.ablation.held_out import SIDES, HeldOut, Side, as_frames
from vtrans.data.palettes import Palette
from vtrans.data.tensors import Frames
from vtrans.data.worlds import pairing_share
from vtrans.data.worlds.motion_keyed import MotionKeyed
from vtrans.evaluation.scores import l1, psnr, ssim
from vtrans.evaluation.segmentation import Confusion
from vtrans.evaluation.temporal import sharpness, warping_error
from vtrans.registry import Registry

Better = Literal["higher", "lower", "near 1", ""]
NO_TRUTH = "its held-out clips of x and y are not pairs, so that there is no truth"


class Metric(ABC):
    """A number for each direction of translation.

    Attributes:
        title: What it is, in a few words.
        better: Which values are better; empty for what says nothing of the model.
        unit: Its unit, empty for none.
        digits: Digits after the point that are shown.
        limits: Of a metric whose outcomes are two: a cell is wrong up to the first number and right from the second on,
            and undecided between them.
        beside: Metrics without which it would mislead: they are measured with it.
    """

    title: ClassVar[str]
    better: ClassVar[Better]
    unit: ClassVar[str] = ""
    digits: ClassVar[int] = 3
    limits: ClassVar[tuple[float, float] | None] = None
    beside: ClassVar[tuple[str, ...]] = ()

    def why_not(self, held_out: HeldOut) -> str:
        """Why it can't be measured on these data, in words; empty if it can."""
        return ""

    @abstractmethod
    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        """Measures the translation into a domain; None where it is not defined for this model or direction."""


metrics: Registry[Metric] = Registry("metric", where="vtrans.ablation.metrics")


class WithTruth(Metric):
    """A metric that compares a translation with what it should be."""

    def why_not(self, held_out: HeldOut) -> str:
        return "" if held_out.paired else NO_TRUTH


@metrics.register("settled")
class Settled(Metric):
    """The share of object pixels of the right colour, in a world whose two kinds may be paired either way."""

    title = "share of object pixels of the right colour"
    better = "higher"
    limits = (0.1, 0.9)

    def __init__(self) -> None:
        self._swapped: dict[int, tuple[Frames, Frames]] = {}

    def why_not(self, held_out: HeldOut) -> str:
        return "" if isinstance(held_out.world, MotionKeyed) else "its world has no two kinds that could be exchanged"

    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        world, truth = held_out.world, held_out.frames[to]
        assert isinstance(world, MotionKeyed)
        if id(held_out) not in self._swapped:
            self._swapped = {id(held_out): world.swapped.pairs(*truth.shape[:2])}
        swapped = self._swapped[id(held_out)]["xy".index(to)]
        return float(pairing_share(as_frames(held_out.translated(to)), truth, swapped).mean())


class OfLabels(Metric):
    """A metric of label maps, where the domain translated into is one."""

    better = "higher"

    def why_not(self, held_out: HeldOut) -> str:
        if not held_out.paired:
            return NO_TRUTH
        return "" if any(_palette(held_out, side) for side in ("x", "y")) else "neither of its domains is label maps"

    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        palette = _palette(held_out, to)
        if palette is None:
            return None
        confusion = Confusion(palette)
        confusion.add_frames(as_frames(held_out.translated(to)), held_out.frames[to])
        return self.of(confusion)

    @abstractmethod
    def of(self, confusion: Confusion) -> float:
        """The number, from how often each class was taken for each other."""


@metrics.register("mean_iou")
class MeanIou(OfLabels):
    """Intersection over union of the classes, averaged over those that occur."""

    title = "mean intersection over union"

    def of(self, confusion: Confusion) -> float:
        return confusion.mean_iou()


@metrics.register("class_accuracy")
class ClassAccuracy(OfLabels):
    """The share of a class's pixels that are right, averaged over the classes that occur."""

    title = "class accuracy"

    def of(self, confusion: Confusion) -> float:
        return confusion.class_accuracy()


@metrics.register("pixel_accuracy")
class PixelAccuracy(OfLabels):
    """The share of pixels of the right class."""

    title = "pixel accuracy"

    def of(self, confusion: Confusion) -> float:
        return confusion.pixel_accuracy()


@metrics.register("psnr")
class Psnr(WithTruth):
    """Peak signal-to-noise ratio against the truth."""

    title = "peak signal-to-noise ratio"
    better = "higher"
    unit = "dB"
    digits = 2

    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        return psnr(held_out.translated(to), held_out.clips[to])


@metrics.register("ssim")
class Ssim(WithTruth):
    """Structural similarity with the truth."""

    title = "structural similarity"
    better = "higher"

    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        return ssim(held_out.translated(to), held_out.clips[to])


@metrics.register("l1")
class L1(WithTruth):
    """Mean absolute difference from the truth, frames in [-1, 1]."""

    title = "mean absolute error"
    better = "lower"

    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        return l1(held_out.translated(to), held_out.clips[to])


class OverTime(Metric):
    """A metric of clips in motion."""

    def why_not(self, held_out: HeldOut) -> str:
        shortest = min(clips.shape[1] for clips in held_out.clips.values())
        return "" if shortest > 1 else "its held-out clips have a single frame"


@metrics.register("warping_error")
class WarpingError(OverTime):
    """Change of translated frames along the motion of their source, where it stays in sight; blur lowers it."""

    title = "warping error"
    better = "lower"
    beside = ("masked_share", "sharpness_ratio")

    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        motions = held_out.motions("y" if to == "x" else "x")
        steps = [warping_error(clip, m) for clip, m in zip(held_out.translated(to), motions, strict=True)]
        return float(torch.cat(steps).nanmean())


@metrics.register("masked_share")
class MaskedShare(OverTime):
    """The share of the source's pixels that do not stay in sight, which the warping error leaves out."""

    title = "share of pixels out of sight"
    better = ""

    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        motions = held_out.motions("y" if to == "x" else "x")
        return float(np.mean([motion.occluded.mean() for motion in motions]))


@metrics.register("sharpness_ratio")
class SharpnessRatio(Metric):
    """Sharpness of translated frames as a multiple of that of real ones: what is blurred is below 1."""

    title = "sharpness relative to real frames"
    better = "near 1"

    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        made, real = (sharpness(clips.flatten(0, 1)).mean() for clips in (held_out.translated(to), held_out.clips[to]))
        return float(made / real)


@metrics.register("cycle")
class CycleError(Metric):
    """Mean absolute difference of clips and their translation there and back."""

    title = "cycle error"
    better = "lower"

    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        return held_out.cycle_error(to)


@metrics.register("recycle")
class RecycleError(Metric):
    """Mean absolute difference of clips and their translation, continued there by the predictor and brought back."""

    title = "recycle error"
    better = "lower"

    def measure(self, held_out: HeldOut, to: Side) -> float | None:
        return held_out.recycle_error(to)


def with_those_beside(names: Sequence[str]) -> tuple[str, ...]:
    """Metrics, each followed by those that are measured with it.

    Example:
        >>> with_those_beside(["psnr", "warping_error"])
        ('psnr', 'warping_error', 'masked_share', 'sharpness_ratio')
    """
    return tuple(dict.fromkeys(found for name in names for found in (name, *metrics.create(name).beside)))


def possible(held_out: HeldOut) -> list[str]:
    """The metrics that can be measured on these data."""
    return [name for name in metrics if not metrics.create(name).why_not(held_out)]


def outcome(limits: tuple[float, float], shares: npt.ArrayLike) -> str:
    """Which of the two ways a cell has gone, all its directions together.

    Args:
        limits: See :class:`Metric`.
        shares: Its numbers, one of each direction.

    Returns:
        ``"right"`` or ``"wrong"``, if all directions are; else ``"undecided"``.

    Example:
        >>> outcome((0.1, 0.9), [0.95, 0.9]), outcome((0.1, 0.9), [0.95, 0.5]), outcome((0.1, 0.9), [0.1, 0.0])
        ('right', 'undecided', 'wrong')
    """
    found = np.asarray(shares, dtype=float)
    if found.size < len(SIDES) or np.isnan(found).any():
        return "undecided"
    if found.min() >= limits[1]:
        return "right"
    return "wrong" if found.max() <= limits[0] else "undecided"


def _palette(held_out: HeldOut, side: Side) -> Palette | None:
    """The palette of a domain, if its frames are label maps."""
    if held_out.world is not None:
        looks = getattr(held_out.world, "looks", {})
        palette: Palette | None = getattr(held_out.world, "palette", None)
        return palette if looks.get(side) == "labels" else None
    data = held_out.prepared.settings.data
    channels = data.channels.get(side) if isinstance(data.channels, dict) else data.channels
    return Palette.load(data.palette) if channels == "labels" and data.palette else None
