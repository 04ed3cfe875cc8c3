"""What a source of frames is: sequences that are read by position or streamed in order."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vtrans.data.checks import counted, whole
from vtrans.data.tensors import Frames, check_frames, tensor_to_frames
from vtrans.errors import refusal


@dataclass(frozen=True)
class Origin:
    """What frames were read from: files, in order, and what was done to their frames.

    Each step of ``reading`` is in words that tell it from every other one.
    """

    files: tuple[Path, ...]
    reading: tuple[str, ...] = ()

    def then(self, step: str) -> "Origin":
        """The same with one more step."""
        return Origin(self.files, (*self.reading, step))


class Sequence(ABC):
    """Consecutive frames of one size: a video file, a folder of images, an array.

    One of your own says its name, height, width and length, and ``_read`` gives the frames at some positions. They are
    kept on disk only if the origin names the files that they come from.

    Attributes:
        name: What it is called in messages and outputs, such as the file's name.
        height: Rows of a frame, in pixels.
        width: Columns of a frame, in pixels.
        length: Number of frames, exact.
        channels: Channels of a frame; 3 (RGB) for files.
        rate: Frames a second, exact, or None where nothing says it.
        in_memory: Whether reading costs no more than a copy.
        continuous: Whether it is known to hold no scene cut, so that none is searched for.
        discrete: Whether its colours stand for classes, so that none may be mixed: frames are resized to the nearest.
        origin: The files it is read from and how, by which results of reading it are kept; None where there is no file.
    """

    name: str
    height: int
    width: int
    length: int
    channels: int = 3
    rate: Fraction | None = None
    in_memory: bool = False
    continuous: bool = False
    discrete: bool = False
    origin: Origin | None = None

    @abstractmethod
    def _read(self, positions: range) -> Frames:
        """The frames at these positions, which exist and ascend."""

    def read(self, start: int, count: int, stride: int = 1) -> Frames:
        """Reads the frames ``start, start + stride, …``.

        Args:
            start: Position of the first frame, from 0.
            count: How many frames, at least 1.
            stride: Frames from one to the next, at least 1.

        Returns:
            uint8 array ``(count, height, width, channels)``.

        Raises:
            TypeError: If the sequence gives something else than 8-bit frames.
            ValueError: If a frame asked for doesn't exist, the file can't be read any more, or its frames have another
                shape than the sequence says.

        Example:
            >>> frames = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
            >>> ArraySequence(frames, name="ramp").read(1, 2, stride=3).ravel().tolist()
            [1, 4]
        """
        whole("start", start, least=0)
        whole("count", count, least=1)
        whole("stride", stride, least=1)
        positions = range(start, start + count * stride, stride)
        if positions[-1] >= self.length:
            allowed = f"frames 0 to {self.length - 1} of {self.name}"
            raise ValueError(refusal("start", allowed=allowed, got=f"frame {positions[-1]}"))
        frames = self._read(positions)
        check_frames(f"frames of {self.name}", frames)
        if frames.shape != (count, self.height, self.width, self.channels):
            allowed = f"shape {(count, self.height, self.width, self.channels)}"
            raise ValueError(refusal(f"frames of {self.name}", allowed=allowed, got=f"shape {frames.shape}"))
        return frames

    def stream(self) -> Iterator[Frames]:
        """Yields every frame in order as a uint8 array ``(height, width, channels)``, one in memory at a time."""
        for position in range(self.length):
            yield self.read(position, 1)[0]

    def timed(self) -> Iterator[tuple[Frames, Fraction | None]]:
        """Yields every frame in order with the time in seconds at which its file shows it; None where nothing says it.

        Example:
            >>> [at for _, at in ArraySequence(np.zeros((2, 4, 4, 3), dtype=np.uint8)).timed()]
            [None, None]
        """
        for frame in self.stream():
            yield frame, None

    def __repr__(self) -> str:
        rate = f", {self.rate} frames/s" if self.rate else ""
        return f"{type(self).__name__}({self.name!r}, {self.height}x{self.width}{rate})"


class ArraySequence(Sequence):
    """Frames that are in memory already.

    Args:
        frames: uint8 array ``(time, height, width, channel)`` with at least one frame; not copied.
        name: What to call it.
        rate: Frames a second, if known.
        continuous: Whether it is known to hold no scene cut.

    Raises:
        TypeError: If it isn't a uint8 array.
        ValueError: If it hasn't four axes, or an axis of length 0.

    Example:
        >>> ArraySequence(np.zeros((5, 4, 6, 3), dtype=np.uint8), name="black").length
        5
    """

    in_memory = True

    def __init__(
        self, frames: Frames, *, name: str = "array", rate: Fraction | None = None, continuous: bool = False
    ) -> None:
        check_frames("frames", frames)
        if 0 in frames.shape:
            raise ValueError(refusal("frames", allowed="at least one frame and pixel", got=f"shape {frames.shape}"))
        self._frames = frames
        self.name, self.rate, self.continuous = name, rate, continuous
        self.length, self.height, self.width, self.channels = frames.shape

    def _read(self, positions: range) -> Frames:
        return self._frames[positions.start : positions.stop : positions.step].copy()


@dataclass(frozen=True)
class Skipped:
    """A file or folder that was passed over because it can't be used.

    Attributes:
        path: The file or folder.
        reason: What is wrong with it, and what can be done.
    """

    path: Path
    reason: str


class FrameSource:
    """Ordered streams of frames of one domain: one or several sequences with the same channels.

    Args:
        sequences: At least one sequence.
        name: What to call the source in messages.
        skipped: What was passed over when it was opened.

    Raises:
        ValueError: If there is no sequence, or their channels differ.

    Example:
        >>> source = FrameSource([ArraySequence(np.zeros((5, 4, 6, 3), dtype=np.uint8))], name="black")
        >>> source.length, source.channels
        (5, 3)
    """

    def __init__(self, sequences: Iterable[Sequence], *, name: str, skipped: Iterable[Skipped] = ()) -> None:
        self.sequences: tuple[Sequence, ...] = tuple(sequences)
        self.name = name
        self.skipped: tuple[Skipped, ...] = tuple(skipped)
        if not self.sequences:
            raise ValueError(refusal("sequences", allowed="at least one sequence", got=f"none in {name}"))
        channels = sorted({sequence.channels for sequence in self.sequences})
        if len(channels) > 1:
            raise ValueError(refusal("sequences", allowed="the same number of channels in each", got=channels))

    @property
    def channels(self) -> int:
        """Channels of every frame."""
        return self.sequences[0].channels

    @property
    def length(self) -> int:
        """Frames in all sequences together, exact."""
        return sum(sequence.length for sequence in self.sequences)

    def map(self, change: Callable[[Sequence], Iterable[Sequence]]) -> "FrameSource":
        """A source in whose place of each sequence stand those that a function makes of it.

        Args:
            change: From a sequence to one or several; none drops it.

        Raises:
            ValueError: If none is left.

        Example:
            >>> source = FrameSource([ArraySequence(np.zeros((5, 4, 6, 3), dtype=np.uint8))], name="black")
            >>> source.map(lambda sequence: [sequence, sequence]).length
            10
        """
        made = [made for sequence in self.sequences for made in change(sequence)]
        return FrameSource(made, name=self.name, skipped=self.skipped)

    def skipped_summary(self, *, most: int = 5) -> str:
        """What was passed over, in words; empty if nothing was.

        Args:
            most: How many files are named with their reasons.

        Example:
            >>> sequence = ArraySequence(np.zeros((5, 4, 6, 3), dtype=np.uint8))
            >>> skipped = [Skipped(Path("b.mp4"), "an empty file")]
            >>> print(FrameSource([sequence], name="clips", skipped=skipped).skipped_summary())
            clips: skipped 1 file that can't be used.
              b.mp4: an empty file
        """
        if not self.skipped:
            return ""
        lines = [f"{self.name}: skipped {counted(len(self.skipped), 'file')} that can't be used."]
        lines += [f"  {skipped.path}: {skipped.reason}" for skipped in self.skipped[:most]]
        lines += [f"  and {len(self.skipped) - most} more"] * (len(self.skipped) > most)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"FrameSource({self.name!r}, {counted(len(self.sequences), 'sequence')})"


def sequence_of_array(array: npt.NDArray[np.generic] | Tensor, *, name: str = "array") -> ArraySequence:
    """Wraps an array or tensor ``(time, channel, height, width)``: uint8, or floating in [-1, 1]; refuses others.

    Example:
        >>> sequence_of_array(torch.zeros(5, 3, 4, 6)).height
        4
    """
    tensor = array.detach().cpu() if isinstance(array, Tensor) else torch.from_numpy(np.ascontiguousarray(array))
    shape = tuple(tensor.shape)
    if tensor.ndim != 4 or (shape[1] > 4 and shape[3] <= 4):
        fix = "Pass array.transpose(0, 3, 1, 2) if the channels come last." if tensor.ndim == 4 else ""
        allowed = "an array (time, channel, height, width)"
        raise ValueError(refusal("path", allowed=allowed, got=f"shape {shape}", fix=fix))
    if tensor.is_floating_point():
        if tensor.numel() and not bool((tensor.abs() <= 1).all()):
            fix = "Scale them, or pass uint8 frames with values 0 to 255."
            raise ValueError(refusal("path", allowed="floating values in [-1, 1]", got="values outside", fix=fix))
        return ArraySequence(tensor_to_frames(tensor), name=name)
    if tensor.dtype != torch.uint8:
        raise TypeError(refusal("path", allowed="uint8, or floating values in [-1, 1]", got=tensor.dtype))
    return ArraySequence(tensor.permute(0, 2, 3, 1).numpy(), name=name)
