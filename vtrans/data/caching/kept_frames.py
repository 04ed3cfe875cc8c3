"""Decoded frames at load size, kept in memory or on disk."""

import hashlib
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import accumulate, islice

import torch

from vtrans.data.caching.cache_folder import fingerprint
from vtrans.data.caching.frame_cache import FrameCache, NoCacheError
from vtrans.data.sequences import Sequence
from vtrans.data.tensors import Frames, resize_frames
from vtrans.progress import Progress


@dataclass(frozen=True, eq=False)
class Span:
    """The frames of a whole sequence that its parts need, from the first of them to the last, at load size."""

    sequence: Sequence  # the whole sequence
    start: int  # position of the first frame
    stop: int  # position after the last frame
    size: tuple[int, int]  # (height, width) that frames are loaded at

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(time, height, width, channel)."""
        return self.stop - self.start, *self.size, self.sequence.channels

    @property
    def bytes(self) -> int:
        """What the frames take."""
        time, height, width, channels = self.shape
        return time * height * width * channels

    def read(self, start: int, count: int, stride: int) -> Frames:
        """Decodes some frames, counted from the first of the span."""
        return self._resized(self.sequence.read(self.start + start, count, stride))

    def stream(self) -> Iterator[Frames]:
        """Decodes all frames in order.

        Raises:
            ValueError: If the sequence gives fewer than it said.
        """
        count = 0
        for frame in islice(self.sequence.stream(), self.start, self.stop):
            yield self._resized(frame[None])[0]
            count += 1
        if count < self.stop - self.start:
            raise ValueError(f"{self.sequence.name}: it gives fewer frames than when it was opened; it has changed.")

    def _resized(self, frames: Frames) -> Frames:
        return resize_frames(frames, self.size, nearest=self.sequence.discrete)


class Kept(ABC):
    """Frames of spans, kept in one way: those that ``numbers`` names."""

    way: str

    def __init__(self, spans: list[Span], numbers: list[int], name: str) -> None:
        self._spans, self._numbers, self._name = spans, numbers, name
        self._done = set(range(len(spans))).difference(numbers)

    def frames(self, number: int) -> Frames | None:
        """All frames of a span, decoded first if they aren't kept yet; None if they can't be kept."""
        if number not in self._done:
            self.prepare([number])
        return self._view(number)

    def prepare(self, numbers: list[int] | None = None) -> None:
        """Decodes now all that isn't kept yet, or some spans of it."""
        missing = [number for number in numbers or self._numbers if number not in self._done]
        with _progress(self._name, sum(self._spans[number].shape[0] for number in missing)) as step:
            for number in missing:
                if number not in self._done:  # as it lies with one before
                    self._keep(number, step)

    @abstractmethod
    def _keep(self, number: int, step: Callable[[int], None]) -> None:
        """Sees to a span, and others that lie with it; tells ``step`` how many frames are done."""

    @abstractmethod
    def _view(self, number: int) -> Frames | None:
        """All frames of a span; None where they aren't kept."""


class InMemory(Kept):
    """In one tensor, whose memory processes share however they were started."""

    way = "memory"

    def __init__(self, spans: list[Span], numbers: list[int], name: str) -> None:
        super().__init__(spans, numbers, name)
        self._offsets = _offsets(spans, numbers)
        self._bytes = torch.empty(sum(spans[number].bytes for number in numbers), dtype=torch.uint8)

    def _keep(self, number: int, step: Callable[[int], None]) -> None:
        frames = self._frames(number)
        for position, frame in enumerate(self._spans[number].stream()):
            frames[position] = frame
            step(1)
        self._done.add(number)

    def _view(self, number: int) -> Frames | None:
        return self._frames(number) if number in self._offsets else None

    def _frames(self, number: int) -> Frames:
        # Made anew each time, as the memory moves when the tensor is first shared with another process.
        span, offset = self._spans[number], self._offsets[number]
        frames: Frames = self._bytes[offset : offset + span.bytes].numpy()
        return frames.reshape(span.shape)


class OnDisk(Kept):
    """In files that are mapped into memory, each of one long sequence or of many short ones."""

    way = "disk"

    def __init__(self, spans: list[Span], numbers: list[int], name: str, cache: FrameCache, why: str) -> None:
        # What comes from no file has no key to be found by.
        super().__init__(spans, [n for n in numbers if spans[n].sequence.origin is not None], name)
        self._mapped: dict[int, Frames] = {}
        self._cache, self._why = cache, why
        self._warned = False
        self._groups = {number: group for group in _groups(spans, self._numbers) for number in group}
        self._keys: dict[int, str] = {}

    def _keep(self, number: int, step: Callable[[int], None]) -> None:
        group = self._groups[number]
        spans = [self._spans[member] for member in group]
        left = sum(span.shape[0] for span in spans)

        def parts() -> Iterator[Frames]:
            nonlocal left
            for span in spans:
                for frame in span.stream():
                    yield frame
                    left -= 1
                    step(1)

        if group[0] not in self._keys:
            self._keys[group[0]] = _key(spans)
        size = sum(span.bytes for span in spans)
        name = spans[0].sequence.name if len(spans) == 1 else self._name
        try:
            data = self._cache.get(self._keys[group[0]], size, parts(), name=name)
        except NoCacheError as error:
            self._warn(error)
        else:
            for member, offset in _offsets(self._spans, group).items():
                span = self._spans[member]
                self._mapped[member] = data[offset : offset + span.bytes].reshape(span.shape)
        self._done.update(group)
        step(left)

    def _view(self, number: int) -> Frames | None:
        return self._mapped.get(number)

    def _warn(self, error: NoCacheError) -> None:
        if not self._warned:
            self._warned = True
            message = (
                f"Frames of {self._name} {self._why}, and can't be kept on disk: {error}. "
                "What isn't kept is decoded each time it is drawn, which is slow."
            )
            warnings.warn(message, stacklevel=2)

    def __getstate__(self) -> dict[str, object]:
        # Another process maps the files by itself; what couldn't be kept isn't tried again.
        return {**self.__dict__, "_mapped": {}, "_done": self._done.difference(self._mapped)}


# A change of how frames are kept makes another number here.
_FORMAT = "frames 2"
# Bytes that short sequences fill together before the next ones begin another file.
_GROUP = 1 << 28
_MANY = 200
_MOMENT = 2.0


def _groups(spans: list[Span], numbers: list[int]) -> list[list[int]]:
    """Which spans share a file: in order, up to some size, so that there are neither many files nor huge ones."""
    enough = max(_GROUP, sum(spans[number].bytes for number in numbers) // _MANY)
    groups: list[list[int]] = []
    short: list[int] = []
    filled = 0
    for number in numbers:
        if spans[number].bytes >= enough:
            groups.append([number])
            continue
        short.append(number)
        filled += spans[number].bytes
        if filled >= enough:
            groups.append(short)
            short, filled = [], 0
    return [*groups, short] if short else groups


def _offsets(spans: list[Span], numbers: list[int]) -> dict[int, int]:
    """Where each span begins when they lie one after the other, in bytes."""
    ends = accumulate((spans[number].bytes for number in numbers), initial=0)
    return dict(zip(numbers, ends, strict=False))


def _key(spans: list[Span]) -> str:
    # Another version of what decodes or resizes may round another way.
    versions = [f"{package} {version(package)}" for package in ("av", "pillow", "torch")]
    parts = []
    for span in spans:
        origin = span.sequence.origin
        if origin is None:
            raise ValueError(f"{span.sequence.name} comes from no file")
        settings = (_FORMAT, versions, span.start, span.stop, span.size, span.sequence.discrete)
        parts.append(fingerprint(origin, settings))
    return hashlib.sha256("".join(parts).encode()).hexdigest()


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows how far decoding is, once it takes more than a moment."""
    began, done = time.monotonic(), 0
    progress: Progress | None = None
    with ExitStack() as stack:

        def step(count: int) -> None:
            nonlocal done, progress
            if not count:
                return
            done += count
            if progress is not None:
                progress.update(done)
            elif time.monotonic() - began > _MOMENT and done < total:
                progress = stack.enter_context(Progress(f"decoding {name}", "frames", total=total, start=done))

        yield step
