"""What a metric is: a small class, registered by name, that takes frames as they stream by and gives one number."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from vtrans.errors import refusal, unknown
from vtrans.evaluation.chunks import STREAMS, Chunk
from vtrans.registry import Registry

Better = Literal["higher", "lower", "near 1", ""]
RANGE = "of range 2"
FACTS = ("motion", "palette", "features")
"""What a metric may need beside streams: how the source moves, classes of pixels, and a feature network."""


@dataclass(frozen=True)
class Given:
    """What there is to measure by.

    Attributes:
        missing: Streams and facts that are not there, each with the reason in words.
        side: Pixels of the smallest side of any frame.
        length: Frames of the longest sequence.
    """

    missing: Mapping[str, str]
    side: int
    length: int


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        value: The number.
        count: From how many it was computed.
        sequences: The number of each sequence alone, in order, where it is one of them; NaN where there is none.
        parts: What it is the mean of, by class, where it is one over classes.
    """

    value: float
    count: int
    sequences: tuple[float, ...] = ()
    parts: Mapping[str, float] | None = None


class Metric(ABC):
    """One number of a translation: made for one evaluation of one direction, given its frames, and asked at the end.

    It knows no model: whoever measures provides the streams that it needs.

    Attributes:
        title: What it is, in a few words; the first line of the docstring defines it.
        better: Which values are better; empty for what says nothing by itself.
        unit: Its unit, empty for none.
        digits: Digits after the point that are shown.
        group: The heading it is shown under.
        needs: Streams (``vtrans.evaluation.chunks.STREAMS``) and facts (motion, palette, features) that it needs.
        ends: Whose domain the number is named for, ``"output"`` or ``"source"``: that of the frames it compares with.
        counted: What it is computed from.
        least: Pixels of the smallest side that it takes.
        beside: Metrics without which it would mislead: they are measured with it.
        limits: Of a metric whose outcomes are two: a run is wrong up to the first number and right from the second on,
            and undecided between them.
    """

    title: str
    better: Better
    unit: str = ""
    digits: int = 3
    group: str = "others"
    needs: tuple[str, ...] = ("output",)
    ends: Literal["output", "source"] = "output"
    counted: str = "frames"
    least: int = 1
    beside: tuple[str, ...] = ()
    limits: tuple[float, float] | None = None

    def why_not(self, given: Given) -> str:
        """Why it cannot be measured, in words; empty if it can."""
        absent = next((need for need in self.needs if need in given.missing), None)
        if absent is not None:
            return given.missing[absent]
        if given.side < self.least:
            return f"frames are too small, below {self.least}x{self.least} pixels"
        return "no sequence has two frames" if "frames" != self.counted != "clips" and given.length < 2 else ""

    @abstractmethod
    def add(self, chunk: Chunk) -> None:
        """Takes frames, in order of time, one sequence after another; real ones come in chunks of their own."""

    @abstractmethod
    def result(self) -> Measured:
        """The number.

        Raises:
            ValueError: Too few frames came.
        """


metrics: Registry[Metric] = Registry("metric", where="vtrans.evaluation.metrics")


class PerFrame(Metric):
    """A metric that is the mean of a number of each frame; those that are NaN do not count."""

    def __init__(self) -> None:
        self._sums: list[float] = []
        self._counts: list[int] = []

    @abstractmethod
    def measure(self, chunk: Chunk) -> Tensor:
        """The number of each frame, ``(time,)``; of a :class:`PerStep` that of each step, ``(time - 1,)``."""

    def add(self, chunk: Chunk) -> None:
        if not all(need in chunk for need in self.needs if need in STREAMS):
            return
        if not chunk.fresh:
            self._sums.append(0.0)
            self._counts.append(0)
        part, expected = (chunk, len(chunk) - 1) if self.counted == "steps" else (chunk.new, len(chunk) - chunk.fresh)
        if expected:
            numbers = self.measure(part).double()
            if numbers.shape != (expected,):
                allowed = f"a number of each of the {self.counted}, {expected} of them"
                got = f"shape {tuple(numbers.shape)}"
                raise ValueError(refusal(f"{type(self).__name__}.measure", allowed=allowed, got=got))
            known = numbers[~numbers.isnan()]
            self._sums[-1] += float(known.sum())
            self._counts[-1] += len(known)

    def result(self) -> Measured:
        if not sum(self._counts):
            raise ValueError(refusal("frames", allowed=f"at least one of the {self.counted} to measure", got="none"))
        each = (total / n if n else math.nan for total, n in zip(self._sums, self._counts, strict=True))
        return Measured(sum(self._sums) / sum(self._counts), sum(self._counts), tuple(each))


class PerStep(PerFrame):
    """A metric that is the mean of a number of each step from one frame to the next."""

    counted = "steps"


def created(name: str) -> Metric:
    """A metric, checked.

    Raises:
        ValueError: It is unknown, or says of itself what cannot be.
    """
    metric = metrics.create(name)
    if metric.better not in get_args(Better):
        allowed = ", ".join(map(repr, get_args(Better)))
        raise ValueError(refusal(f"better of the metric {name}", allowed=allowed, got=repr(metric.better)))
    for need in metric.needs:
        if need not in (*STREAMS, *FACTS):
            raise ValueError(unknown(f"need of the metric {name}:", need, (*STREAMS, *FACTS)))
    return metric


def with_those_beside(names: Iterable[str]) -> list[str]:
    """Metrics and those that are measured with them, in the order of the registry.

    Raises:
        ValueError: An unknown metric; the nearest is named.

    Example:
        >>> with_those_beside(["sharpness", "psnr"])
        ['psnr', 'sharpness', 'sharpness_real', 'sharpness_ratio']
    """
    asked = {found for name in names for found in (name, *created(name).beside)}
    return [name for name in metrics if name in asked]


def goodness(name: str, value: float) -> float:
    """How good a number is: greater is better. A number that no metric is named in is taken for an error.

    Args:
        name: Its name, such as ``held_out/psnr/y``.
        value: The number.

    Example:
        >>> goodness("held_out/psnr/y", 3.0), goodness("cycle/x", 3.0), goodness("held_out/sharpness_ratio/y", 0.75)
        (3.0, -3.0, -0.25)
    """
    parts = name.split("/")
    better = next((metrics.create(part).better for part in parts if part in metrics), "")
    if better == "near 1":
        return -abs(value - 1)
    return value if better == "higher" or {"accuracy", "iou"} & {*parts} else -value
