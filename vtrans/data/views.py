"""Sequences seen through others: some of the frames, or each of them changed. Nothing is copied."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, islice

from vtrans.data.checks import whole
from vtrans.data.reading.images import TripletSequence
from vtrans.data.sequences import FrameSource, Sequence
from vtrans.data.tensors import Frames
from vtrans.errors import refusal

# Bytes of the frames that are read at a time.
_AT_ONCE = 1 << 26


class Part(Sequence):
    """Consecutive frames of another sequence, such as one shot of a film.

    A part of a part is a part of the whole sequence.

    Attributes:
        whole: The sequence it is part of.
        start: Position of its first frame there.

    Args:
        sequence: The sequence.
        start: Its first frame.
        stop: The frame after its last.

    Raises:
        ValueError: If there are no such frames.

    Example:
        >>> import numpy as np
        >>> from vtrans.data import ArraySequence
        >>> ramp = ArraySequence(np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1), name="ramp")
        >>> Part(ramp, 2, 5).read(0, 3).ravel().tolist()
        [2, 3, 4]
    """

    def __init__(self, sequence: Sequence, start: int, stop: int) -> None:
        if not 0 <= start < stop <= sequence.length:
            allowed = f"start before stop, from 0 to {sequence.length}, the frames of {sequence.name}"
            raise ValueError(refusal("start and stop", allowed=allowed, got=f"{start} and {stop}"))
        self.whole, before = whole_and_start(sequence)
        self.start, self.length = before + start, stop - start
        end = self.start + self.length
        self.name = f"{self.whole.name}[{self.start}:{end}]"
        self.height, self.width, self.channels = sequence.height, sequence.width, sequence.channels
        self.rate, self.in_memory = sequence.rate, sequence.in_memory
        self.continuous, self.discrete = sequence.continuous, sequence.discrete
        self.origin = self.whole.origin and self.whole.origin.then(f"frames {self.start} to {end}")

    def _read(self, positions: range) -> Frames:
        return self.whole._read(range(positions.start + self.start, positions.stop + self.start, positions.step))

    def stream(self) -> Iterator[Frames]:
        """Yields every frame in order."""
        if self.start == 0:
            yield from islice(self.whole.stream(), self.length)
            return
        # Several at a time, as each read of a video begins at the key frame before.
        step = max(1, min(64, _AT_ONCE // (self.height * self.width * self.channels)))
        for first in range(0, self.length, step):
            yield from self._read(range(first, min(first + step, self.length)))


class Changed(Sequence):
    """A sequence with each of its frames changed by itself.

    Attributes:
        seen: The sequence whose frames are changed.

    Args:
        sequence: The sequence.
        change: Changes frames, ``(time, height, width, channels)`` of 8 bits before and after.
        reading: The change in words that tell it from every other one, for caches.
        channels: Channels of a frame afterwards.
        discrete: Whether the colours stand for classes afterwards.
    """

    def __init__(
        self,
        sequence: Sequence,
        change: Callable[[Frames], Frames],
        *,
        reading: str,
        channels: int,
        discrete: bool = False,
    ) -> None:
        self.seen, self.change = sequence, change
        self.name, self.rate = sequence.name, sequence.rate
        self.height, self.width, self.channels = sequence.height, sequence.width, channels
        self.continuous, self.discrete = sequence.continuous, discrete
        self.origin = sequence.origin and sequence.origin.then(reading)

    @cached_property
    def length(self) -> int:  # type: ignore[override]  # never set from outside
        """Number of frames; of a video they are counted at first use."""
        return self.seen.length

    def _read(self, positions: range) -> Frames:
        return self.change(self.seen._read(positions))

    def stream(self) -> Iterator[Frames]:
        """Yields every frame in order."""
        for frame, _ in self.timed():
            yield frame

    def timed(self) -> Iterator[tuple[Frames, Fraction | None]]:
        """Yields every frame in order with the time of the one that is changed."""
        for frame, at in self.seen.timed():
            yield self.change(frame[None])[0], at


def whole_and_start(sequence: Sequence) -> tuple[Sequence, int]:
    """The sequence that a part belongs to and where the part starts in it; any other sequence itself, and 0."""
    return (sequence.whole, sequence.start) if isinstance(sequence, Part) else (sequence, 0)


def unchanged(sequence: Sequence) -> Sequence:
    """The sequence whose frames a view changes, through any number of views; any other sequence itself."""
    while isinstance(sequence, Changed):
        sequence = sequence.seen
    return sequence


def time_range(source: FrameSource, start: float, stop: float) -> FrameSource:
    """The frames of a source between two moments of its whole time, all its sequences one after the other.

    Args:
        source: The source.
        start: Share of the frames that lie before, from 0.
        stop: Share of the frames that lie before the end, up to 1.

    Returns:
        The sequences, or parts of them, that lie between.

    Raises:
        ValueError: If there is no frame between, or the shares are out of order.

    Example:
        >>> import numpy as np
        >>> from vtrans.data import open_source
        >>> time_range(open_source(np.zeros((10, 3, 4, 4), dtype=np.uint8)), 0.5, 1.0).length
        5
    """
    if not 0 <= start < stop <= 1:
        raise ValueError(refusal("start and stop", allowed="0 <= start < stop <= 1", got=f"{start} and {stop}"))
    return frames_between(source, round(start * source.length), round(stop * source.length))


def split(source: FrameSource, held_out: float, *, gap: int | None = None) -> tuple[FrameSource, FrameSource]:
    """Splits a source into a part to train on and one that is held out: the end of its time.

    Frames next to each other look alike. So the held-out part is one range of time, and between the two parts a gap is
    left out where they meet inside a sequence, or between published triplets, which are cut from one video.

    Args:
        source: The source.
        held_out: Share of the frames that is held out, above 0 and below 1.
        gap: Frames left out between the parts there. Default: a second's worth, or 25 frames where the rate isn't
            known; of short sources at most a twentieth.

    Returns:
        ``(train, held_out)``.

    Raises:
        ValueError: If the share is out of range, or a part would be empty.

    Example:
        >>> import numpy as np
        >>> from vtrans.data import open_source
        >>> train, test = split(open_source(np.zeros((100, 3, 4, 4), dtype=np.uint8)), 0.2, gap=5)
        >>> train.length, test.length
        (75, 20)
    """
    if not 0 < held_out < 1:
        raise ValueError(refusal("held_out", allowed="a share above 0 and below 1", got=held_out))
    border = source.length - max(1, round(held_out * source.length))
    ends = accumulate(sequence.length for sequence in source.sequences)
    whole_sequences = border in ends and not any(_is_triplet(sequence) for sequence in source.sequences)
    rate = source.sequences[0].rate
    second = round(rate) if rate else 25
    space = whole("gap", gap, least=0) if gap is not None else min(second, source.length // 20)
    stop = border if whole_sequences else border - space
    if stop < 1:
        allowed = "enough frames for two parts"
        fix = "Lower held_out or gap, or add frames."
        raise ValueError(refusal("source", allowed=allowed, got=f"{source.length} in {source.name}", fix=fix))
    return frames_between(source, 0, stop), frames_between(source, border, source.length)


def _is_triplet(sequence: Sequence) -> bool:
    return isinstance(unchanged(whole_and_start(sequence)[0]), TripletSequence)


def frames_between(source: FrameSource, start: int, stop: int) -> FrameSource:
    """The frames ``start`` to ``stop`` of a source, counted over all its sequences."""
    before = 0

    def cut(sequence: Sequence) -> list[Sequence]:
        nonlocal before
        first, last = max(start - before, 0), min(stop - before, sequence.length)
        before += sequence.length
        if first >= last:
            return []
        return [sequence] if (first, last) == (0, sequence.length) else [Part(sequence, first, last)]

    return source.map(cut)
