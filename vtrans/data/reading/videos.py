"""Sequences decoded from video files, through PyAV."""

import platform
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from vtrans.data.caching.remembered import remembered
from vtrans.data.reading.cut_finder import CutFinder, thumbnail_size
from vtrans.data.reading.files import MAX_PIXELS, check_file, check_pixels
from vtrans.data.sequences import Origin, Sequence
from vtrans.data.tensors import Frames
from vtrans.errors import refusal

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.reformatter import Interpolation
    from av.video.stream import VideoStream

# FFmpeg would draw any text file as a picture of a terminal, and would open the files or addresses that a list names.
_TEXT_FORMATS = {"tty", "bin", "xbin", "adf", "idf"}
_LIST_FORMATS = {"concat", "dash", "hls", "imf", "sdp", "webm_dash_manifest"}
# Decoders that fill damaged parts from another frame, which threads of whole frames may not have finished.
_SLICES_ALONE = {"ffv1", "prores"}


class VideoSequence(Sequence):
    """The frames of a video file, exactly those that decoding it from the start gives.

    Frames come in display order, none doubled or dropped where the rate varies; ``rate`` is then the average. They are
    RGB, turned and mirrored as the file's display matrix says, like players do. Alpha is dropped, audio is ignored,
    pixels that aren't square stay as stored, interlaced fields stay woven, and HDR isn't tone-mapped. Of a damaged
    file, frames that don't decode are left out and frames that decode in part stay, with a warning that says so.

    The number of frames a container states can be wrong, so ``length`` is counted by decoding the file once, at its
    first use; streaming doesn't need it. That pass also notes each frame's time stamp and checksum, and finds the scene
    cuts. What it found is kept between runs, unless the file is damaged. A read then seeks, and is decoded again from
    the start of the file if a single frame isn't the one noted; if it still isn't, the read is refused. So is a stream,
    once frames were counted.

    Attributes:
        damage: What is wrong with the file; known once all frames were decoded, before that empty.

    Args:
        path: A file FFmpeg reads.

    Raises:
        ValueError: If the file is empty, is no video, no frame of it decodes, or frames are larger than 2^26 pixels;
            later, when a frame comes that differs in size from the first.
    """

    origin: Origin

    def __init__(self, path: Path) -> None:
        self._path, self.name, self.origin = path, path.name, Origin((path,))
        self.damage = ""
        self._told = False
        self._stored = (0, 0)
        errors: list[str] = []
        with self._open(errors) as (_, stream, frames):
            first = next(frames, None)
            if first is None:
                got = f"a file of which no frame decodes ({errors[0] if errors else 'there is none'})"
                fix = f"Check that it plays and that a frame has at most {MAX_PIXELS} pixels, or export it again."
                raise ValueError(self._refusal(got, fix=fix))
            self._stored = (first.height, first.width)
            self.height, self.width = _display(first, np.empty(self._stored, np.bool_)).shape
            self.rate = stream.average_rate or stream.guessed_rate or None

    @cached_property
    def length(self) -> int:  # type: ignore[override]  # never set from outside
        """Number of frames that decode; counted at first use."""
        return len(self._index.stamps)

    def check(self) -> None:
        """Decodes every frame.

        Raises:
            ValueError: If anything in the file is damaged.
        """
        self._told = True
        if self.length and self.damage:
            raise ValueError(self._refusal(f"a damaged one ({self.damage}), of which {self.length} frames decode"))

    def stream(self) -> Iterator[Frames]:
        """Yields every frame in order, decoding as it goes."""
        for frame, _ in self.timed():
            yield frame

    def timed(self) -> Iterator[tuple[Frames, Fraction | None]]:
        """Yields every frame in order with the time in seconds at which the file shows it, None where it says none."""
        errors: list[str] = []
        count, late = 0, 0
        with self._open(errors) as (container, stream, frames):
            convert = self._converter()
            for frame in frames:
                if "_index" in vars(self) and not self._index.agrees(count, frame):
                    raise ValueError(self._changed())
                if count == 0 and container.format.name == "avi":
                    # AVI knows only when frames are decoded, some of them before the first one is shown.
                    late = (frame.pts or 0) - (stream.start_time or 0)
                known, tick = frame.pts, stream.time_base
                yield convert(frame), None if known is None or tick is None else (known - late) * tick
                count += 1
            if "_index" in vars(self) and count < self.length:
                raise ValueError(self._changed())
        self._tell_damage(errors, count)

    def uneven_tick(self) -> Fraction | None:
        """Seconds of a tick of the file if its frames are not shown evenly at its rate, else None.

        It is even if frame n is shown within a tenth of a frame, or a tick, of n / rate. To know, the file is read
        through once, without decoding.
        """
        if not self.rate:
            return None
        with self._open() as (container, stream, _):
            tick = stream.time_base
            shown = [packet.pts for packet in container.demux(stream) if packet.size and not packet.is_discard]
        stamps = [stamp for stamp in shown if stamp is not None]
        if tick is None or len(stamps) < len(shown) or len(set(stamps)) < len(stamps):
            return None
        stamps.sort()
        allowed = max(tick, 1 / (10 * self.rate))
        even = all(abs((stamp - stamps[0]) * tick - n / self.rate) <= allowed for n, stamp in enumerate(stamps))
        return None if even else tick

    def _read(self, positions: range) -> Frames:
        before = [key for key in self._index.keys if key <= positions[0]]
        for key in [*before[-1:], *before[-2:-1], 0]:
            found = self._decode(positions, key)
            if found is not None:
                return np.stack(found)
        raise ValueError(self._changed())

    def _decode(self, positions: range, key: int) -> list[Frames] | None:
        """Decodes from the key frame at position ``key``; None if a frame isn't the one that the index noted."""
        import av

        index, convert, found = self._index, self._converter(), []
        with self._open() as (container, stream, frames):
            position = -1
            if key > 0:
                try:
                    container.seek(index.stamps[key], stream=stream)
                except av.FFmpegError:
                    return None
            for frame in frames:
                if key > 0 and position < 0:
                    position = index.positions.get(frame.pts, -1)
                    if not 0 <= position <= positions[0]:
                        return None
                else:
                    position += 1
                if position not in positions:
                    continue
                if not index.agrees(position, frame):
                    return None
                found.append(convert(frame))
                if len(found) == len(positions):
                    return found
        return None

    @property
    def cuts(self) -> tuple[int, ...]:
        """Positions of the first frame of every shot but the first; found while the frames are counted."""
        return self._index.cuts

    @cached_property
    def _index(self) -> "_Index":
        import av

        errors: list[str] = []
        # What a damaged file decodes to can differ from run to run: it is counted in each.
        noted = remembered(
            self.origin,
            ["index", sorted(av.library_versions.items()), platform.machine()],
            lambda: self._note(errors),
            keep=lambda: not errors,
        )
        self._tell_damage(errors, len(noted["stamps"]))
        return _Index(**{**noted, "cuts": tuple(noted["cuts"])})

    def _note(self, errors: list[str]) -> dict[str, Any]:
        """What the index holds, from one pass over the file."""
        from av.video.reformatter import Interpolation

        stamps, checksums, keys = [], [], []
        finder, scale = CutFinder(), self._rescaler(*thumbnail_size(*self._stored), Interpolation.AREA)
        with self._open(errors) as (_, _stream, frames):
            for position, frame in enumerate(frames):
                stamps.append(frame.pts)
                checksums.append(_checksum(frame))
                finder.add(scale(frame))
                if frame.key_frame:
                    keys.append(position)
        # Time stamps that are missing, repeat or run backwards can't be sought: every read starts at the start.
        if any(b is None or a is None or b <= a for a, b in pairwise(stamps)):
            keys = []
        return {"stamps": stamps, "checksums": checksums, "keys": keys, "cuts": finder.finish()}

    def _tell_damage(self, errors: list[str], count: int) -> None:
        self.damage = errors[0] if errors else ""
        if errors and not self._told:
            self._told = True
            message = f"{self._path}: the file is damaged ({errors[0]}); {count} frames of it decode."
            warnings.warn(message, stacklevel=3)

    @contextmanager
    def _open(
        self, errors: list[str] | None = None
    ) -> Iterator[tuple["InputContainer", "VideoStream", Iterator["VideoFrame"]]]:
        import av

        check_file(self._path, allowed=_ALLOWED)
        limit = {"max_pixels": str(MAX_PIXELS)}
        try:
            # The prefix keeps names that hold a colon or a percent sign from being read as addresses or patterns.
            container = av.open(f"file:{self._path}", options=limit, metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            got = f"a file it can't ({getattr(error, 'strerror', None) or error})"
            raise ValueError(self._refusal(got)) from error
        with container:
            if container.format.name in _TEXT_FORMATS:
                raise ValueError(self._refusal("a text file"))
            if not _LIST_FORMATS.isdisjoint(container.format.name.split(",")):
                raise ValueError(self._refusal("a list of other files", fix="Pass one of them."))
            cover = av.stream.Disposition.attached_pic
            streams = [stream for stream in container.streams.video if not stream.disposition & cover]
            if not streams:
                kinds = {"a cover picture" if s.type == "video" else s.type for s in container.streams}
                got = f"no video stream in it, but {', '.join(sorted(kinds)) or 'nothing'}"
                raise ValueError(self._refusal(got, fix="Pass a file with pictures that move."))
            stream = streams[0]
            if stream.codec_context is None:
                raise ValueError(self._refusal("a codec that this build of FFmpeg doesn't know"))
            if stream.codec_context.width and stream.codec_context.height:
                check_pixels(self._path, stream.codec_context.height, stream.codec_context.width)
            stream.codec_context.options = limit
            stream.thread_type = "SLICE" if stream.codec_context.name in _SLICES_ALONE else "AUTO"
            try:
                yield container, stream, self._of_one_size(_frames(container, stream, [] if errors is None else errors))
            finally:
                # Threads that decode ahead end here. Freeing the decoder waits for them with the interpreter locked,
                # for ever if one wants it to log something: PyAV's log is off, until old torchvision turns it on.
                stream.codec_context.flush_buffers()

    def _of_one_size(self, frames: Iterator["VideoFrame"]) -> Iterator["VideoFrame"]:
        height, width = self._stored
        for position, frame in enumerate(frames):
            if self._stored != (0, 0) and (frame.height, frame.width) != (height, width):
                allowed = f"frames of one size, {height}x{width} (height x width) like the first"
                fix = f"Make it one size, such as with ffmpeg -i IN -vf scale={width}:{height} OUT."
                got = f"{frame.height}x{frame.width} at frame {position}"
                raise ValueError(refusal(str(self._path), allowed=allowed, got=got, fix=fix))
            yield frame

    def _changed(self) -> str:
        allowed = f"the {self.length} frames that were counted in it"
        why = "It has changed since then, or is damaged so that it decodes differently each time"
        fix = "Encode it anew, such as with ffmpeg -i IN OUT."
        return refusal(str(self._path), allowed=allowed, got="other or fewer frames", why=why, fix=fix)

    def _refusal(self, got: str, *, fix: str = "Check that it plays, or export it again.") -> str:
        return refusal(str(self._path), allowed=_ALLOWED, got=got, fix=fix)

    def _converter(self) -> Callable[["VideoFrame"], Frames]:
        from av.video.reformatter import Interpolation

        quality = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        rescale = self._rescaler(*self._stored, quality)
        return lambda frame: np.ascontiguousarray(_display(frame, rescale(frame)))

    def _rescaler(self, height: int, width: int, quality: "Interpolation") -> Callable[["VideoFrame"], Frames]:
        import av
        from av.video.reformatter import VideoReformatter

        # One per pass: it is set up at its first frame and reused.
        reformatter = VideoReformatter()

        def rescale(frame: "VideoFrame") -> Frames:
            try:
                rgb = reformatter.reformat(frame, width=width, height=height, format="rgb24", interpolation=quality)
            except (av.FFmpegError, OSError, ValueError) as error:
                raise ValueError(self._refusal(f"pixels it can't turn into RGB ({frame.format.name})")) from error
            pixels: Frames = rgb.to_ndarray()  # type: ignore[assignment]  # 8 bits, as the format says
            return pixels

        return rescale


@dataclass(frozen=True)
class _Index:
    """What the counting pass noted of each frame."""

    stamps: list[Any]
    checksums: list[int]
    keys: list[int]
    cuts: tuple[int, ...]

    @cached_property
    def positions(self) -> dict[Any, int]:
        """Where the frame of each time stamp is."""
        return {stamp: position for position, stamp in enumerate(self.stamps)}

    def agrees(self, position: int, frame: "VideoFrame") -> bool:
        """Whether a frame is the one noted at a position."""
        if position >= len(self.stamps):
            return False
        return bool((frame.pts, _checksum(frame)) == (self.stamps[position], self.checksums[position]))


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
        except (av.EOFError, IndexError):  # at the end, PyAV trips over streams that appeared while it read
            continue
        except av.FFmpegError as error:
            errors.append(error.strerror or str(error))
            continue
        for frame in frames:
            if frame.is_corrupt:
                errors.append("a frame decodes only in part")
            yield frame


def _display(frame: "VideoFrame", image: npt.NDArray[Pixel]) -> npt.NDArray[Pixel]:
    """Turns and mirrors an image as the frame's display matrix says; angles between quarter turns are ignored."""
    try:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV has no name for some kinds of side data, such as EXIF; it still tells the angle
        return np.rot90(image, round(frame.rotation / 90))
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
    """A checksum of every eighth row, or more of a small frame: cheap, and enough to tell it from its neighbours."""
    value, whole = 0, frame.format
    for number, plane in enumerate(frame.planes):
        rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.height * plane.line_size].reshape(
            plane.height, plane.line_size
        )
        bits = sum(-(-part.bits // 8) * 8 for part in whole.components if part.plane == number)
        bits = whole.padded_bits_per_pixel if len(frame.planes) == 1 else bits
        # The end of a line is padding, whose content is arbitrary.
        step = min(8, max(1, plane.height // 32))
        value = zlib.crc32(rows[::step, : min(plane.width * bits // 8, plane.line_size)].tobytes(), value)
    return value
