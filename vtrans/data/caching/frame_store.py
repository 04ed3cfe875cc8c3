"""Decoded frames of a source at load size: in memory where they fit, else on disk, else decoded when they are drawn."""

from vtrans.data.caching.frame_cache import FrameCache, gigabytes
from vtrans.data.caching.kept_frames import InMemory, Kept, OnDisk, Span
from vtrans.data.sequences import FrameSource, Sequence
from vtrans.data.tensors import Frames
from vtrans.data.views import whole_and_start


class FrameStore:
    """Reads frames of a source's sequences at load size, decoding each only once where there is room to keep it.

    The parts of one whole sequence share its frames. What is kept are the frames from the first that a part needs to
    the last. Sequences that are in memory at load size already are read as they are.

    Args:
        source: The source.
        size: (height, width) that frames are loaded at; None keeps the frames' own.
        memory: Bytes that decoded frames may take in memory. They are kept there if all fit.
        cache: Whether they are kept on disk otherwise.
        cache_bytes: Bytes that all frames on disk may take; see :class:`vtrans.data.caching.frame_cache.FrameCache`.

    Example:
        >>> import numpy as np
        >>> from vtrans.data import open_source
        >>> store = FrameStore(open_source(np.zeros((5, 3, 8, 8), dtype=np.uint8)), (4, 6), memory=10**6)
        >>> store.read(0, start=1, count=2, stride=1).shape
        (2, 4, 6, 3)
    """

    def __init__(
        self,
        source: FrameSource,
        size: tuple[int, int] | None,
        *,
        memory: int,
        cache: bool = True,
        cache_bytes: int | None = None,
    ) -> None:
        wholes = [whole_and_start(sequence) for sequence in source.sequences]
        bounds: dict[int, tuple[Sequence, int, int]] = {}
        for sequence, (whole, start) in zip(source.sequences, wholes, strict=True):
            _, first, last = bounds.get(id(whole), (whole, start, 0))
            bounds[id(whole)] = whole, min(first, start), max(last, start + sequence.length)
        self._spans = [Span(s, first, last, size or (s.height, s.width)) for s, first, last in bounds.values()]
        numbers = {identity: number for number, identity in enumerate(bounds)}
        # Where each sequence's frames are: the number of the span, and the first one's place in it.
        self._places = [(numbers[id(whole)], start - self._spans[numbers[id(whole)]].start) for whole, start in wholes]
        kept = [
            number
            for number, span in enumerate(self._spans)
            if not (span.sequence.in_memory and span.size == (span.sequence.height, span.sequence.width))
        ]
        total = sum(self._spans[i].bytes for i in kept)
        self._kept: Kept | None = None
        if total <= memory:
            self._kept = InMemory(self._spans, kept, source.name)
        elif cache:
            why = f"take {gigabytes(total)} at load size, more than memory={memory} allows"
            self._kept = OnDisk(self._spans, kept, source.name, FrameCache(limit=cache_bytes), why)

    @property
    def way(self) -> str:
        """How frames are kept: ``"memory"``, ``"disk"`` or ``"no"``."""
        return "no" if self._kept is None else self._kept.way

    def read(self, which: int, start: int, count: int, stride: int) -> Frames:
        """The frames ``start, start + stride, …`` of the source's sequence number ``which``, at load size.

        They may be a view of what is kept, not to be written to.
        """
        span, before = self._places[which]
        frames = self._kept.frames(span) if self._kept else None
        first = before + start
        if frames is None:
            return self._spans[span].read(first, count, stride)
        return frames[first : first + (count - 1) * stride + 1 : stride]

    def prepare(self) -> None:
        """Decodes now all that is to be kept, so that no read waits for it."""
        if self._kept:
            self._kept.prepare()
