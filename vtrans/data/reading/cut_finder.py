"""Finding scene cuts in frames that come one at a time, by looking at them scaled down."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from vtrans.data.tensors import Frames

_Pixels = npt.NDArray[np.float32]

SIDE = 64


class CutFinder:
    r"""Finds the cuts of a video in one pass, keeping seven small frames.

    How unlike two frames are combines how far their pixels differ and how little their structure agrees:

    .. math:: u(a, b) = \overline{|a - b|} \; \Big(1 - \frac{\overline{a' b'}}{\sigma_a \sigma_b + 4}\Big)

    where a′ is a without its mean colour and σ its spread; a change of exposure alone gives next to 0. A shot begins at
    a frame if all of these hold:

    - each of the two frames before is unlike each of the first two after, so that a flash of one frame is no cut;
    - they are unlike by a quarter more than consecutive frames are within the three before and the three after, so
      that fast motion is no cut; their pixels differ by a quarter more than just before and after, so that a fade is
      none;
    - the frames on either side stay unlike where one is shifted to fit the other, so that a jerk of the camera, or fast
      motion at a low rate, is none.

    Where a single frame stands between two shots, such as a flash that hides their border, the frames around it are
    compared, with twice the margin, and the cut is on its less alike side. A flash of up to six frames, bright or
    dark, is no shot: it has next to no structure, or that of the frame before, to which the one after is alike. Frames
    missing at the start and end of the video are left out of all this. Gradual transitions have no cut.

    Example:
        >>> finder = CutFinder()
        >>> for colour in (0, 0, 0, 200, 200):
        ...     finder.add(np.full((36, 64, 3), colour, np.uint8))
        >>> finder.finish()
        (3,)
    """

    def __init__(self) -> None:
        self._recent: deque[_Frame] = deque(maxlen=7)
        self._count = 0
        self._cuts: list[int] = []
        self._flashes: list[int] = []
        self._last: tuple[_Frame, _Frame] | None = None  # the frames on either side of the last cut

    def add(self, thumbnail: Frames) -> None:
        """Takes the next frame, ``(height, width, channels)``, scaled down by :func:`thumbnail` or in a like way."""
        frame = _Frame.of(thumbnail.astype(np.float32))
        if self._recent:
            frame.unlike = _unlike(self._recent[-1], frame)
        self._recent.append(frame)
        self._count += 1
        if self._count > 3:
            self._decide(self._count - 4)

    def finish(self) -> tuple[int, ...]:
        """The positions of the first frame of every shot but the first, once all frames were added."""
        for position in range(max(self._count - 3, 0), self._count):
            self._decide(position)
        for position in self._flashes:
            if all(abs(position - cut) > 2 for cut in self._cuts):
                self._cuts.append(position)
        return tuple(sorted(self._cuts))

    def _decide(self, position: int) -> None:
        frames = list(self._recent)
        here = len(frames) - (self._count - position)
        if position == 0 or frames[here].unlike < _LEAST:
            return
        before, frame, after = frames[max(here - 3, 0) : here], frames[here], frames[here + 1 : here + 4]
        if _is_cut(before, [frame, *after[:2]]):
            if self._last and position - self._cuts[-1] <= _FLASH and _is_flash(*self._last, frame):
                self._cuts.pop()
                self._last = None
            else:
                self._cuts.append(position)
                self._last = before[-1], frame
        elif after and _is_cut(before, after, more=2 * _MORE):
            self._flashes.append(position + (after[0].unlike > frame.unlike))


def thumbnail_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the frames that cuts are looked for in: at most 64, in proportion.

    Example:
        >>> thumbnail_size(1080, 1920)
        (36, 64)
    """
    scale = max(height, width, SIDE) / SIDE
    return max(round(height / scale), 1), max(round(width / scale), 1)


def thumbnail(frame: Frames) -> Frames:
    """Scales a frame ``(height, width, channels)`` down to the size that cuts are looked for in, by means over areas.

    Example:
        >>> thumbnail(np.zeros((1080, 1920, 3), np.uint8)).shape
        (36, 64, 3)
    """
    height, width, _ = frame.shape
    rows, columns = (
        np.linspace(0, length, parts + 1).round().astype(np.intp)
        for length, parts in zip((height, width), thumbnail_size(height, width), strict=True)
    )
    sums = np.add.reduceat(frame, columns[:-1], axis=1, dtype=np.float32)
    sums = np.add.reduceat(sums, rows[:-1], axis=0)
    areas = np.diff(rows)[:, None, None] * np.diff(columns)[:, None]
    means: Frames = np.rint(sums / areas).astype(np.uint8)
    return means


# Frames less unlike than this are of one shot; a cut is so much more unlike than what happens around it.
_LEAST, _MORE = 4.0, 1.25
_FLASH = 6


@dataclass
class _Frame:
    """A small frame, the same without its mean colour, and how unlike the one before it is."""

    pixels: _Pixels
    structure: _Pixels
    unlike: float = 0.0

    @classmethod
    def of(cls, pixels: _Pixels) -> "_Frame":
        return cls(pixels, pixels - pixels.mean((0, 1)))


def _is_cut(before: list[_Frame], after: list[_Frame], more: float = _MORE) -> bool:
    """Whether a shot begins between some frames, up to three, and those after."""
    around = max([_apart(a, b) for a, b in [*pairwise(before[-2:]), *pairwise(after[:2])]], default=0.0)
    if _apart(before[-1], after[0]) < more * around:
        return False
    least = max([_LEAST, *(more * _unlike(a, b) for a, b in [*pairwise(before), *pairwise(after)])])
    if any(_unlike(a, b) < least for a in before[-2:] for b in after[:2]):
        return False
    return _unlike_shifted(before[-1], after[0]) >= _LEAST


def _is_flash(before: _Frame, lit: _Frame, after: _Frame) -> bool:
    """Whether what lies between two cuts is one shot in another light, rather than a shot of its own."""
    p, q = before.structure.ravel(), lit.structure.ravel()
    flat = 16 * float(q @ q) < float(p @ p)
    same = 2 * float(p @ q) > float(np.sqrt(p @ p * (q @ q)))
    return (flat or same) and _unlike_shifted(before, after) < _LEAST


def _apart(a: _Frame, b: _Frame) -> float:
    return _difference(a.pixels, b.pixels)


def _difference(a: _Pixels, b: _Pixels) -> float:
    return float(np.abs(a - b).mean())


def _unlike(a: _Frame, b: _Frame) -> float:
    p, q = a.structure.ravel(), b.structure.ravel()
    spread = float(np.sqrt(p @ p * (q @ q))) / p.size
    return _apart(a, b) * (1 - float(p @ q) / p.size / (spread + 4))


def _unlike_shifted(a: _Frame, b: _Frame) -> float:
    """How unlike the parts of two frames are that overlap, shifted to where they agree best and share at least half."""
    half = 2 if min(a.pixels.shape[:2]) >= 16 else 1
    small_a, small_b = _shrunk(a.structure, half), _shrunk(b.structure, half)
    height, width, _ = small_a.shape
    shifts = [
        (y, x)
        for y in range(-(height // 2), height // 2 + 1)
        for x in range(-(width // 2), width // 2 + 1)
        if 2 * (height - abs(y)) * (width - abs(x)) >= height * width
    ]
    y, x = min(shifts, key=lambda shift: _difference(*_overlap(small_a, small_b, *shift)))
    near = [(half * y + dy, half * x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    height, width, _ = a.pixels.shape
    parts = [_overlap(a.pixels, b.pixels, y, x) for y, x in near if abs(y) < height and abs(x) < width]
    return min(_unlike(_Frame.of(part_a), _Frame.of(part_b)) for part_a, part_b in parts)


def _overlap(a: _Pixels, b: _Pixels, y: int, x: int) -> tuple[_Pixels, _Pixels]:
    height, width, _ = a.shape
    shifted = a[max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)]
    return shifted, b[max(0, -y) : height + min(0, -y), max(0, -x) : width + min(0, -x)]


def _shrunk(pixels: _Pixels, factor: int) -> _Pixels:
    height, width, channels = pixels.shape
    height, width = height // factor, width // factor
    blocks = pixels[: factor * height, : factor * width].reshape(height, factor, width, factor, channels)
    means: _Pixels = blocks.mean((1, 3))
    return means
