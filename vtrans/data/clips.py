"""Training clips drawn from a source, and batches of them from two unpaired sources."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vtrans.data.checks import height_width, whole
from vtrans.data.sequences import FrameSource, Sequence
from vtrans.data.tensors import Frames, frames_to_tensor, resize_frames
from vtrans.errors import refusal


class Clips:
    r"""Clips of consecutive frames, each a pure function of the seed, the epoch and the index.

    An epoch visits every clip once, in an order of its own. A clip never crosses from one sequence into the next; its
    frames share one crop and one flip. Sequences too short for a clip are passed over while another one gives some.

    A sequence of n frames gives

    .. math:: \lfloor (n - 1 - (\text{length} - 1)\,\text{stride}) / \text{every} \rfloor + 1

    Decoded frames are kept in memory at load size, 8 bits each, if all of them fit ``memory``; otherwise each clip is
    decoded when it is drawn. Either way the numbers are the same.

    Args:
        source: Where frames come from.
        length: Frames of a clip, at least 1.
        stride: Frames from one frame of a clip to the next, at least 1.
        every: Frames from one clip's start to the next one's, at least 1.
        size: Load size in pixels: None keeps the frames' own, a number makes them square, or (height, width). Bicubic,
            with antialiasing.
        crop: Size of a random crop after that: None for none, a number for a square, or (height, width).
        flip: Whether a clip is mirrored left to right half of the time.
        seed: Seed of the draws, at least 0.
        memory: Bytes that decoded frames may take.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If one is out of range, no sequence is long enough, the crop is larger than the frames, or clips
            would differ in size.

    Example:
        >>> from vtrans.data import open_source
        >>> clips = Clips(open_source(np.zeros((5, 3, 8, 8), dtype=np.uint8)), length=3, size=6, crop=4)
        >>> len(clips), clips.clip(epoch=0, index=2).shape
        (3, torch.Size([3, 3, 4, 4]))

    Reference:
        The published training loads at 286 and crops 256: ``size=286, crop=256``.
    """

    def __init__(
        self,
        source: FrameSource,
        *,
        length: int = 3,
        stride: int = 1,
        every: int = 1,
        size: int | tuple[int, int] | None = None,
        crop: int | tuple[int, int] | None = None,
        flip: bool = False,
        seed: int = 0,
        memory: int = 1 << 30,
    ) -> None:
        if not isinstance(source, FrameSource):
            fix = "Open it with vtrans.data.open_source."
            raise TypeError(refusal("source", allowed="a FrameSource", got=type(source).__name__, fix=fix))
        self.source = source
        self.length = whole("length", length, least=1)
        self.stride = whole("stride", stride, least=1)
        self.every = whole("every", every, least=1)
        self.size, self.crop = height_width("size", size), height_width("crop", crop)
        if not isinstance(flip, bool):
            raise TypeError(refusal("flip", allowed="True or False", got=repr(flip)))
        self.flip = flip
        self.seed = whole("seed", seed, least=0)
        self._check_sizes()
        # Where each sequence's clips begin in the count of all of them.
        self._ends = np.cumsum([self._count(sequence) for sequence in source.sequences])
        if self._ends[-1] == 0:
            self._refuse_short()
        loaded = [(s, self._load_size(s)) for s in source.sequences if not (s.in_memory and self.size is None)]
        self._keep = sum(s.length * h * w * s.channels for s, (h, w) in loaded) <= whole("memory", memory, least=0)
        self._kept: dict[int, Frames] = {}
        self._order: tuple[tuple[int, ...], npt.NDArray[np.int64]] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of a clip: (time, channel, height, width)."""
        return self.length, self.source.channels, *(self.crop or self._load_size(self.source.sequences[0]))

    def __len__(self) -> int:
        """Clips of an epoch."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Tensor:
        """Clip ``index`` of epoch 0."""
        if not 0 <= index < len(self):
            raise IndexError(refusal("index", allowed=f"0 to {len(self) - 1}", got=index))
        return self.clip(0, index)

    def clip(self, epoch: int, index: int) -> Tensor:
        """Draws a clip.

        Args:
            epoch: From 0; each has its own order, crops and flips.
            index: Position in the epoch, from 0 to ``len(self) - 1``.

        Returns:
            float32 tensor ``(time, channel, height, width)`` in [-1, 1].

        Raises:
            ValueError: If the epoch or the index is out of range.
        """
        return self._draw((self.seed, 0, 0), epoch, index)

    def _draw(self, key: tuple[int, int, int], epoch: int, index: int) -> Tensor:
        whole("epoch", epoch, least=0)
        if whole("index", index, least=0) >= len(self):
            raise ValueError(refusal("index", allowed=f"0 to {len(self) - 1}", got=index))
        number = int(self._order_of(key, epoch)[index])
        which = int(np.searchsorted(self._ends, number, side="right"))
        before = int(self._ends[which - 1]) if which else 0
        frames = self._load(which, (number - before) * self.every)

        random = np.random.default_rng([_DRAW, *key, epoch, index])
        if self.crop is not None:
            top = int(random.integers(frames.shape[1] - self.crop[0] + 1))
            left = int(random.integers(frames.shape[2] - self.crop[1] + 1))
            frames = frames[:, top : top + self.crop[0], left : left + self.crop[1]]
        if self.flip and random.random() < 0.5:
            frames = frames[:, :, ::-1]
        return frames_to_tensor(frames)

    def _order_of(self, key: tuple[int, int, int], epoch: int) -> npt.NDArray[np.int64]:
        wanted = (_ORDER, *key, epoch)
        if self._order is None or self._order[0] != wanted:
            self._order = wanted, np.random.default_rng(wanted).permutation(len(self))
        return self._order[1]

    def _load(self, which: int, start: int) -> Frames:
        sequence = self.source.sequences[which]
        if not self._keep or (sequence.in_memory and self.size is None):
            frames = sequence.read(start, self.length, self.stride)
            return resize_frames(frames, self._load_size(sequence))
        if which not in self._kept:
            size = self._load_size(sequence)
            kept = np.empty((sequence.length, *size, sequence.channels), np.uint8)
            for position, frame in enumerate(sequence.stream()):
                kept[position] = resize_frames(frame[None], size)[0]
            self._kept[which] = kept
        return self._kept[which][start : start + (self.length - 1) * self.stride + 1 : self.stride]

    def _load_size(self, sequence: Sequence) -> tuple[int, int]:
        return self.size or (sequence.height, sequence.width)

    def _count(self, sequence: Sequence) -> int:
        return max(0, (sequence.length - 1 - (self.length - 1) * self.stride) // self.every + 1)

    def _check_sizes(self) -> None:
        sizes: dict[tuple[int, int], str] = {}
        for sequence in self.source.sequences:
            sizes.setdefault(self._load_size(sequence), sequence.name)
        for (height, width), name in sizes.items():
            if self.crop and (self.crop[0] > height or self.crop[1] > width):
                allowed = f"at most the {height}x{width} pixels (height x width) that frames of {name} are loaded at"
                raise ValueError(refusal("crop", allowed=allowed, got=f"{self.crop[0]}x{self.crop[1]}"))
        if len(sizes) > 1 and self.crop is None:
            got = ", ".join(f"{name} of {height}x{width}" for (height, width), name in list(sizes.items())[:4])
            fix = "Pass size= or crop=, so that clips can be batched."
            raise ValueError(refusal("source", allowed="frames of one size (height x width)", got=got, fix=fix))

    def _refuse_short(self) -> None:
        need = (self.length - 1) * self.stride + 1
        longest = max(self.source.sequences, key=lambda sequence: sequence.length)
        raise ValueError(
            refusal(
                "source",
                allowed=f"a sequence of at least {need} frames",
                got=f"{longest.length} in the longest, {longest.name} of {self.source.name}",
                why=f"A clip of length {self.length} and stride {self.stride} spans {need} frames",
                fix="Lower length or stride, or add frames.",
            )
        )


def batches(
    clips_x: Clips, clips_y: Clips, batch: int = 1, seed: int = 0, start: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields unpaired batches without end; batch i is a function of the seed and i alone.

    Each domain is drawn on its own, epoch after epoch of its clips, so that a run that stops after batch i continues
    exactly with ``start=i + 1``.

    Args:
        clips_x: Clips of domain X.
        clips_y: Clips of domain Y, of the same length, height and width.
        batch: Clips of a batch, at least 1.
        seed: Seed of the draws, at least 0.
        start: The first batch's number, at least 0.

    Returns:
        Iterator over ``(x, y)``, float32 tensors ``(batch, time, channel, height, width)`` in [-1, 1].

    Raises:
        ValueError: If a number is out of range or the clips differ in more than their channels.

    Example:
        >>> from vtrans.data import open_source
        >>> clips = Clips(open_source(np.zeros((5, 3, 4, 4), dtype=np.uint8)))
        >>> x, y = next(batches(clips, clips, batch=2, seed=0))
        >>> x.shape
        torch.Size([2, 3, 3, 4, 4])
    """
    whole("batch", batch, least=1)
    whole("seed", seed, least=0)
    whole("start", start, least=0)
    x, y = (f"{time} frames of {height}x{width}" for time, _, height, width in (clips_x.shape, clips_y.shape))
    if x != y:
        fix = "Pass both the same length= and size= or crop=."
        raise ValueError(refusal("clips_y", allowed=f"clips of {x} (height x width), as clips_x has", got=y, fix=fix))

    def gather(clips: Clips, domain: int, number: int) -> Tensor:
        places = [divmod(number * batch + i, len(clips)) for i in range(batch)]
        return torch.stack([clips._draw((clips.seed, domain, seed), epoch, index) for epoch, index in places])

    def generate() -> Iterator[tuple[Tensor, Tensor]]:
        number = start
        while True:
            yield gather(clips_x, 1, number), gather(clips_y, 2, number)
            number += 1

    return generate()


# Tags that keep the draws of an epoch's order apart from those of a clip.
_ORDER, _DRAW = 1, 2
