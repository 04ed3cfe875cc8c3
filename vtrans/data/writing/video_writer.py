"""Writing a video file, through PyAV."""

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vtrans.data.tensors import Frames
from vtrans.data.writing.audio import FORMATS, AudioCopy, check_audio
from vtrans.data.writing.frame_writer import FrameWriter, PathLike, already_there
from vtrans.errors import refusal

WRITABLE_SUFFIXES = tuple(FORMATS)


class VideoWriter(FrameWriter):
    """Streams frames into a video file of exactly that size and rate.

    H.264 at crf 18 (MPEG-4 part 2 where FFmpeg was built without it) for mp4, mov, mkv and avi; VP9 for webm. Colours
    are BT.709, tagged as such, with half the colour resolution where height and width are even, and the full one where
    one is odd, which some hardware players refuse.

    Args:
        path: The file; its suffix chooses the format: .mp4, .mov, .mkv, .avi or .webm.
        size: (height, width) of every frame, in pixels.
        rate: Frames a second: a whole number, a fraction, or a float, taken as the nearest fraction with a denominator
            of at most 1001.
        overwrite: Whether an existing file is replaced, at close.
        tick: Seconds of a tick, for frames that are written each at a time of its own, ``write(frame, at)``, counted
            from anywhere and rounded to ticks; ``rate`` is then their average. Without it frame n is shown at n / rate.
        audio: A media file whose audio tracks are copied as they are, without being encoded again. The time of the
            first frame in it is the ``at`` with which that is written; 0 if it is None.

    Raises:
        FileExistsError: If the file exists and isn't to be replaced.
        ValueError: If the suffix is unknown, the rate isn't above 0, or the format cannot hold the audio.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with VideoWriter(Path(folder) / "black.mp4", size=(16, 16), rate=25) as writer:
        ...         writer.write(np.zeros((16, 16, 3), dtype=np.uint8))
        ...     [path.name for path in Path(folder).iterdir()]
        ['black.mp4']
    """

    def __init__(
        self,
        path: PathLike,
        *,
        size: tuple[int, int],
        rate: Fraction | int | float,
        overwrite: bool = False,
        tick: Fraction | None = None,
        audio: Path | None = None,
    ) -> None:
        self.rate = exact_rate(rate)
        self._tick = tick or 1 / self.rate
        self._even = tick is None
        self._audio_path = audio
        super().__init__(path, size=size, overwrite=overwrite)
        self._container: Any = None
        self._audio: AudioCopy | None = None
        self._start_time = Fraction(0)
        self._lead, self._last = 0, -1

    def _check_target(self) -> None:
        if self.path.suffix.lower() not in WRITABLE_SUFFIXES:
            allowed = f"a file name ending in {', '.join(WRITABLE_SUFFIXES)}"
            fix = "A name without a suffix writes a folder of PNG frames."
            got = f"the suffix {self.path.suffix}" if self.path.suffix else "no suffix"
            raise ValueError(refusal(str(self.path), allowed=allowed, got=got, fix=fix))
        if self.path.is_dir():
            raise FileExistsError(refusal(str(self.path), allowed="a file", got="a folder"))
        if self.path.exists() and not self.overwrite:
            raise FileExistsError(already_there(self.path))
        if not self._even and self.path.suffix.lower() == ".avi":
            fix = "Write to .mp4 or .mkv, or without times of the frames."
            raise ValueError(refusal(str(self.path), allowed="a format that keeps times", got=".avi", fix=fix))
        if self._audio_path is not None:
            check_audio(self._audio_path, self.path)

    def _start(self, at: Fraction) -> None:
        import av
        from av.video.reformatter import Colorspace, VideoReformatter

        codec = _codec(self.path.suffix.lower())
        height, width = self.size
        even = height % 2 == 0 and width % 2 == 0
        self._container = av.open(f"file:{self._temporary}", "w", options=_muxing(self.path.suffix.lower()))
        stream: Any = self._container.add_stream(codec, rate=self.rate, options=_encoding(codec, self.path.suffix))
        stream.height, stream.width = height, width
        stream.pix_fmt = "yuv420p" if even or codec == "mpeg4" else "yuv444p"
        context = stream.codec_context
        if codec == "mpeg4":
            self._tick = self._tick.limit_denominator(65535)
        context.time_base = self._tick
        context.color_range = 1
        self._colours = Colorspace.ITU601
        if codec != "mpeg4":  # which has no place for the tags, so that players assume BT.601
            self._colours = Colorspace.ITU709
            context.colorspace = context.color_primaries = context.color_trc = 1
        self._stream = stream
        self._reformatter = VideoReformatter()
        self._start_time = at
        if self._audio_path is not None:
            self._audio = AudioCopy(self._audio_path, self._container)
            self._lead = self._audio.begin(at, self._tick)

    def _position(self, at: Fraction | None) -> int:
        """The tick at which the next frame is shown."""
        if self._even:
            return self._lead + self.count
        if at is None:
            raise ValueError(refusal("at", allowed="the time of every frame, as the writer has a tick", got="none"))
        position = self._lead + round((at - self._start_time) / self._tick)
        if position <= self._last:
            why = "Frames are written in the order in which they are shown."
            raise ValueError(refusal("at", allowed="a time after the frame before", got=f"{float(at):g} s", why=why))
        return position

    def _add(self, frame: Frames, at: Fraction | None) -> None:
        from av import VideoFrame
        from av.video.reformatter import ColorRange, Interpolation

        if self._container is None:
            self._start(at or Fraction(0))
        position = self._position(at)
        picture = self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"),
            format=self._stream.pix_fmt,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=self._colours,
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP,
        )
        picture.pts, picture.time_base = position, self._tick
        self._last = position
        self._container.mux(self._stream.encode(picture))
        if self._audio is not None:
            self._audio.copy(until=position * self._tick)

    def _finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        if self._audio is not None:
            self._audio.copy()
            self._audio.close()
        self._container.close()

    def _remove(self) -> None:
        if self._audio is not None:
            self._audio.close()
        # Without its name, a long file is not read and written once more to move its index to the start.
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)
        try:
            if self._container is not None:
                self._container.close()
        finally:
            self._temporary.unlink(missing_ok=True)

    def _place(self) -> None:
        with self._temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(self._temporary, self.path)


def exact_rate(rate: object) -> Fraction:
    """The rate as a fraction of frames a second.

    Example:
        >>> exact_rate(29.97002997)
        Fraction(30000, 1001)
    """
    allowed = "frames a second above 0, as a whole number, a Fraction or a float"
    if isinstance(rate, bool) or not isinstance(rate, (int, float, Fraction)):
        raise TypeError(refusal("rate", allowed=allowed, got=repr(rate)))
    if not 0 < rate < float("inf"):
        raise ValueError(refusal("rate", allowed=allowed, got=rate))
    exact = Fraction(rate).limit_denominator(1001) if isinstance(rate, float) else Fraction(rate)
    if not 0 < exact.numerator < 2**31 > exact.denominator:
        raise ValueError(refusal("rate", allowed=allowed, got=rate))
    return exact


def _codec(suffix: str) -> str:
    import av

    if suffix == ".webm":
        return "libvpx-vp9"
    return "libx264" if "libx264" in av.codecs_available else "mpeg4"


def _encoding(codec: str, suffix: str) -> dict[str, str]:
    if codec == "libvpx-vp9":
        return {"crf": "18", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
    if codec == "mpeg4":
        return {"flags": "+qscale", "global_quality": "236"}  # a quantiser of 2, of 1 to 31
    # AVI has no time stamps, so frames must be stored in the order in which they are shown.
    return {"crf": "18", "bf": "0"} if suffix.lower() == ".avi" else {"crf": "18"}


def _muxing(suffix: str) -> dict[str, str]:
    return {"movflags": "+faststart"} if suffix in (".mp4", ".mov") else {}
