"""Writing a video file, through PyAV."""

import os
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from vtrans.data.frame_writer import FrameWriter, PathLike, already_there
from vtrans.data.tensors import Frames
from vtrans.errors import refusal

if TYPE_CHECKING:
    from av import Packet
    from av.container import OutputContainer
    from av.video.stream import VideoStream

WRITABLE_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm")


class VideoWriter(FrameWriter):
    """Streams frames into a video file of exactly that size and rate, without audio.

    H.264 at crf 18 (MPEG-4 part 2 where FFmpeg was built without it) for mp4, mov, mkv and avi; VP9 for webm. Colours
    are BT.709, tagged as such, with half the colour resolution where height and width are even, and the full one where
    one is odd, which some hardware players refuse.

    Args:
        path: The file; its suffix chooses the format: .mp4, .mov, .mkv, .avi or .webm.
        size: (height, width) of every frame, in pixels.
        rate: Frames a second: a whole number, a fraction, or a float, taken as the nearest fraction with a denominator
            of at most 1001.
        overwrite: Whether an existing file is replaced, at close.

    Raises:
        FileExistsError: If the file exists and isn't to be replaced.
        ValueError: If the suffix is unknown or the rate isn't above 0.

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
        self, path: PathLike, *, size: tuple[int, int], rate: Fraction | int | float, overwrite: bool = False
    ) -> None:
        self.rate = exact_rate(rate)
        super().__init__(path, size=size, overwrite=overwrite)
        self._container: OutputContainer | None = None

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

    def _start(self) -> None:
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
        context.time_base = 1 / self.rate
        context.color_range = 1
        self._colours = Colorspace.ITU601
        if codec != "mpeg4":  # which has no place for the tags, so that players assume BT.601
            self._colours = Colorspace.ITU709
            context.colorspace = context.color_primaries = context.color_trc = 1
        self._stream = stream
        self._reformatter = VideoReformatter()

    def _add(self, frame: Frames) -> None:
        from av import VideoFrame
        from av.video.reformatter import ColorRange, Interpolation

        if self._container is None:
            self._start()
        picture = self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"),
            format=self._stream.pix_fmt,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=self._colours,
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP,
        )
        picture.pts, picture.time_base = self.count, 1 / self.rate
        self._mux(self._stream.encode(picture))

    def _mux(self, packets: list["Packet[VideoStream]"]) -> None:
        if self._container is not None:
            self._container.mux(packets)

    def _finish(self) -> None:
        self._mux(self._stream.encode(None))
        if self._container is not None:
            self._container.close()

    def _remove(self) -> None:
        try:
            if self._container is not None:
                self._container.close()
        finally:
            self._temporary.unlink(missing_ok=True)

    def _place(self) -> None:
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
    if exact <= 0:
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
