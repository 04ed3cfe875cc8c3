"""Audio tracks of a media file, copied into a video packet by packet."""

import warnings
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtrans.errors import refusal

if TYPE_CHECKING:
    from av import Packet
    from av.container import OutputContainer

FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".avi": "avi", ".webm": "webm"}
"""FFmpeg's name of the format of each suffix that can be written."""


def audio_codecs(path: Path) -> tuple[str, ...]:
    """The codecs of the audio tracks of a file; none if it cannot be read or has no audio.

    Example:
        >>> audio_codecs(Path("absent.mp4"))
        ()
    """
    import av

    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            contexts = [stream.codec_context for stream in container.streams.audio]
            return tuple(c.codec.canonical_name if c is not None else "an unknown codec" for c in contexts)
    except (av.FFmpegError, OSError, ValueError):
        return ()


def check_audio(path: Path, target: Path) -> None:
    """Refuses a file whose audio tracks the format of ``target``, which its suffix says, cannot hold as they are."""
    import av

    suffix = target.suffix.lower()
    try:
        # Some misfits show only once a format's header is written: a second of it is tried in memory.
        with av.open(BytesIO(), "w", format=FORMATS[suffix]) as output, closing(AudioCopy(path, output)) as audio:
            audio.copy(until=Fraction(1))
    except (ValueError, av.FFmpegError) as error:
        got = f"{' and '.join(audio_codecs(path))} in {path.name}"
        fix = "Write to .mkv, which holds nearly any audio, or leave the audio out."
        allowed = f"audio that {suffix} can hold without being encoded again"
        raise ValueError(refusal("audio", allowed=allowed, got=got, fix=fix)) from error


class AudioCopy:
    """Copies every audio track of a file into a video that is being written, in step with it.

    The output has its own streams when this begins, and nothing has been written yet.
    """

    def __init__(self, path: Path, output: "OutputContainer") -> None:
        import av

        self._path, self._output = path, output
        self._input = av.open(f"file:{path}", metadata_errors="replace")
        self._made: dict[int, Any] = {}
        for track in self._input.streams.audio:
            if track.codec_context is None:
                raise ValueError(f"{path}: audio of an unknown codec")
            made: Any = output.add_stream_from_template(track)
            made.metadata.update({key: track.metadata[key] for key in ("language", "title") if key in track.metadata})
            self._made[track.index] = made
        self._shift = Fraction(0)
        self._packets = self._read()
        self._next = next(self._packets, None)

    def begin(self, shown: Fraction, step: Fraction) -> int:
        """Tells after how many steps the first frame must be shown, so that audio from before it is kept.

        Args:
            shown: Its time in the file that the audio comes from, in seconds.
            step: Seconds of a step of the times at which frames can be written.

        Raises:
            ValueError: The output is an AVI, which keeps no times, and the two start apart.
        """
        tracks = [(track.start_time, track.time_base) for track in self._input.streams.audio]
        starts = [start * base for start, base in tracks if start is not None and base is not None]
        start = min(starts, default=shown)
        if self._output.format.name != "avi":
            lead = max(0, ceil((shown - start) / step))
            self._shift = lead * step - shown
            return lead
        if abs(start - shown) > max(step / 2, Fraction(1, 20)):
            allowed = "audio that starts with the first frame, since .avi keeps no times"
            got = f"audio that starts {abs(float(start - shown)):.2g} s {'after' if start > shown else 'before'} it"
            raise ValueError(refusal("audio", allowed=allowed, got=got, fix="Write to .mkv or .mp4"))
        self._shift = -_time(self._next) if self._next is not None else Fraction(0)
        return 0

    def copy(self, until: Fraction | None = None) -> None:
        """Writes the packets up to a time of the output in seconds, or all that are left."""
        while self._next is not None and (until is None or _time(self._next) + self._shift <= until):
            packet = self._next
            shift = round(self._shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift
            packet.stream = self._made[packet.stream_index]
            self._output.mux(packet)
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Closes the file."""
        self._input.close()

    def _read(self) -> Iterator["Packet[Any]"]:
        """The packets in the file's order; those that do not follow the one before of their track are left out."""
        import av

        last: dict[int, Fraction] = {}
        try:
            for packet in self._input.demux(*self._input.streams.audio) if self._made else ():
                if packet.size and (packet.dts is not None or packet.pts is not None):
                    time, before = _time(packet), last.get(packet.stream_index)
                    if before is None or time > before:
                        last[packet.stream_index] = time
                        yield packet
        except av.FFmpegError as error:
            message = f"{self._path}: the file is damaged ({error.strerror}); its audio was copied up to there."
            warnings.warn(message, stacklevel=2)


def _time(packet: "Packet[Any]") -> Fraction:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return (stamp or 0) * packet.time_base
