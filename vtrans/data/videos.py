"""Sequences decoded from video files, through PyAV."""

import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from vtrans.data.sequences import Origin, Sequence
from vtrans.data.tensors import Frames
from vtrans.errors import refusal

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

# FFmpeg would draw any text file as a picture of a terminal.
_TEXT_FORMATS = {"tty", "bin", "xbin", "adf", "idf"}


class VideoSequence(Sequence):
    """The frames of a video file, exactly those that decoding it from the start gives.

    Frames come in display order, none doubled or dropped where the rate varies; ``rate`` is then the average. They are
    RGB, turned and mirrored as the file's display matrix says, like players do. Alpha is dropped, audio is ignored,
    pixels that aren't square stay as stored, and interlaced fields stay woven. Damaged parts are skipped, with a
    warning that counts them.

    The number of frames a container states can be wrong, so ``length`` is counted by decoding the file once, at its
    first use; streaming doesn't need it. That pass also notes each frame's time stamp and checksum. A read then seeks,
    and is decoded again from the start of the file if a single frame isn't the one noted.

    Attributes:
        rate_varies: Whether frames follow each other at times that differ by more than a tenth; known once all of them
            were streamed, before that False.

    Args:
        path: A file FFmpeg reads.

    Raises:
        ValueError: If the file is empty, is no video, or no frame of it decodes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name
        self.rate_varies = False
        self._told = False
        if path.stat().st_size == 0:
            raise ValueError(refusal(str(path), allowed=_ALLOWED, got="an empty file of 0 bytes"))
        with self._open() as (_, stream, frames):
            first = next(frames, None)
            if first is None:
                raise ValueError(refusal(str(path), allowed=_ALLOWED, got="a file of which no frame decodes"))
            self._stored = (first.height, first.width)
            self.height, self.width = _display(first, np.empty(self._stored, np.bool_)).shape
            self.rate = stream.average_rate or stream.guessed_rate or None

    @property
    def origin(self) -> Origin:
        """The file."""
        return Origin((self._path,))

    @property
    def length(self) -> int:
        """Number of frames that decode; counted at first use."""
        return len(self._index.stamps)

    def stream(self) -> Iterator[Frames]:
        """Yields every frame in order, decoding as it goes."""
        errors: list[str] = []
        stamps: list[Any] = []
        with self._open(errors) as (_, _stream, frames):
            convert = self._converter()
            for frame in frames:
                yield convert(frame)
                stamps.append(frame.pts)
        self.rate_varies = not errors and _varies(stamps)
        self._tell_damage(errors, len(stamps))

    def _read(self, positions: range) -> Frames:
        before = [key for key in self._index.keys if key <= positions[0]]
        for key in [*before[-1:], *before[-2:-1], 0]:
            found = self._decode(positions, key)
            if found is not None:
                return np.stack(found)
        raise ValueError(f"{self._path}: the file gives fewer frames than when it was opened; it has changed.")

    def _decode(self, positions: range, key: int) -> list[Frames] | None:
        """Decodes from the key frame at position ``key``; None if a frame isn't the one that the index noted."""
        index, convert, found = self._index, self._converter(), []
        with self._open() as (container, stream, frames):
            position = -1
            if key > 0:
                container.seek(index.stamps[key], stream=stream)
            for frame in frames:
                if key > 0 and position < 0:
                    position = index.positions.get(frame.pts, -1)
                    if not 0 <= position <= positions[0]:
                        return None
                else:
                    position += 1
                if position not in positions:
                    continue
                if key > 0 and (frame.pts, _checksum(frame)) != (index.stamps[position], index.checksums[position]):
                    return None
                found.append(convert(frame))
                if len(found) == len(positions):
                    return found
        return None

    @cached_property
    def _index(self) -> "_Index":
        errors: list[str] = []
        stamps, checksums, keys = [], [], []
        with self._open(errors) as (_, _stream, frames):
            for position, frame in enumerate(frames):
                stamps.append(frame.pts)
                checksums.append(_checksum(frame))
                if frame.key_frame:
                    keys.append(position)
        self._tell_damage(errors, len(stamps))
        # Time stamps that are missing, repeat or run backwards can't be sought: every read starts at the start.
        if any(b is None or a is None or b <= a for a, b in zip(stamps, stamps[1:], strict=False)):
            keys = []
        return _Index(stamps, checksums, keys, {stamp: i for i, stamp in enumerate(stamps)})

    def _tell_damage(self, errors: list[str], count: int) -> None:
        if errors and not self._told:
            self._told = True
            message = f"{self._path}: the file is damaged ({errors[0]}); {count} frames of it decode."
            warnings.warn(message, stacklevel=3)

    @contextmanager
    def _open(
        self, errors: list[str] | None = None
    ) -> Iterator[tuple["InputContainer", "VideoStream", Iterator["VideoFrame"]]]:
        import av

        try:
            # The prefix keeps names that hold a colon or a percent sign from being read as addresses or patterns.
            container = av.open(f"file:{self._path}")
        except (av.FFmpegError, OSError) as error:
            got = f"a file it can't ({error.strerror})"
            raise ValueError(refusal(str(self._path), allowed=_ALLOWED, got=got)) from error
        with container:
            if container.format.name in _TEXT_FORMATS:
                raise ValueError(refusal(str(self._path), allowed=_ALLOWED, got="a text file"))
            cover = av.stream.Disposition.attached_pic
            streams = [stream for stream in container.streams.video if not stream.disposition & cover]
            if not streams:
                kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
                raise ValueError(refusal(str(self._path), allowed=_ALLOWED, got=f"no video stream in it, but {kinds}"))
            streams[0].thread_type = "AUTO"
            yield container, streams[0], _frames(container, streams[0], [] if errors is None else errors)

    def _converter(self) -> Callable[["VideoFrame"], Frames]:
        from av.video.reformatter import Interpolation, VideoReformatter

        # One per pass: it is set up at its first frame and reused.
        reformatter = VideoReformatter()
        height, width = self._stored
        quality = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

        def convert(frame: "VideoFrame") -> Frames:
            rgb = reformatter.reformat(frame, width=width, height=height, format="rgb24", interpolation=quality)
            return np.ascontiguousarray(_display(frame, rgb.to_ndarray()))

        return convert


@dataclass(frozen=True)
class _Index:
    """What the counting pass noted of each frame."""

    stamps: list[Any]
    checksums: list[int]
    keys: list[int]
    positions: dict[Any, int]


Pixel = TypeVar("Pixel", bound=np.generic)
_ALLOWED = "a video that FFmpeg can read"


def _frames(container: "InputContainer", stream: "VideoStream", errors: list[str]) -> Iterator["VideoFrame"]:
    """Every frame that decodes; damage is noted in ``errors``, and what doesn't decode is skipped."""
    import av

    packets = container.demux(stream)
    ended = False
    while not ended:
        try:
            packet = next(packets, None)
            ended = packet is None
            if packet is not None and packet.is_corrupt:
                errors.append("a packet is cut off")
            # The last packet flushes the decoder; where reading broke off before it, this does.
            frames = stream.decode(None) if packet is None else packet.decode()
        except av.EOFError:
            continue
        except av.FFmpegError as error:
            errors.append(error.strerror or str(error))
            continue
        yield from frames


def _varies(stamps: list[Any]) -> bool:
    """Whether time stamps are further from even than rounding to ticks makes them, by more than a tenth."""
    if len(stamps) < 3 or any(stamp is None for stamp in stamps):
        return False
    gaps = [after - before for before, after in zip(stamps, stamps[1:], strict=False)]
    spread = max(gaps) - min(gaps)
    return bool(min(gaps) > 0 and spread > max(1, 0.1 * sum(gaps) / len(gaps)))


def _display(frame: "VideoFrame", image: npt.NDArray[Pixel]) -> npt.NDArray[Pixel]:
    """Turns and mirrors an image as the frame's display matrix says; angles between quarter turns are ignored."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return image
    # The matrix maps a stored point (x, y) to (a x + c y, b x + d y), in rows (a, b, u), (c, d, v), (x, y, w).
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), dtype=np.int32).tolist()
    if abs(a) < abs(b):
        image, a, d = image.swapaxes(0, 1), c, b
    if a < 0:
        image = image[:, ::-1]
    return image[::-1] if d < 0 else image


def _checksum(frame: "VideoFrame") -> int:
    """A checksum of every eighth row: cheap beside decoding, and enough to tell a frame from its neighbours."""
    value = 0
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.height * plane.line_size].reshape(
            plane.height, plane.line_size
        )
        # The end of a line is padding, whose content is arbitrary.
        value = zlib.crc32(rows[::8, : min(plane.width, plane.line_size)].tobytes(), value)
    return value
