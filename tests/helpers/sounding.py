"""Makers and readers of small videos with audio."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SAMPLES = 48000


def encode_sounding(
    path: Path,
    frames: np.ndarray,
    codec: str,
    *,
    video: float = 0.0,
    audio: float = 0.0,
    stamps: list[int] | None = None,
    languages: tuple[str, ...] = ("eng",),
) -> Path:
    """Frames at 25 a second and, for as long, a tone; each may start later, in seconds."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libvpx-vp9" if path.suffix == ".webm" else "libx264", rate=25)
        pictures.height, pictures.width = frames.shape[1:3]
        pictures.pix_fmt = "yuv420p"
        pictures.codec_context.time_base = Fraction(1, 25)
        pictures.codec_context.max_b_frames = 0 if path.suffix == ".avi" else 2
        tracks = []
        for language in languages:
            track = container.add_stream(codec, rate=SAMPLES)
            track.layout = "stereo"
            track.metadata["language"] = language
            tracks.append(track)
        stamps = stamps or list(range(len(frames)))
        for frame, stamp in zip(frames, stamps, strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = stamp + round(video * 25), Fraction(1, 25)
            container.mux(pictures.encode(picture))
        container.mux(pictures.encode(None))
        for number, track in enumerate(tracks):
            tone = np.sin(np.arange((stamps[-1] + 1) * SAMPLES // 25) * (0.05 + 0.02 * number))
            sound = np.repeat((8000 * tone).astype(np.int16), 2)[None]
            piece = av.AudioFrame.from_ndarray(sound, format="s16", layout="stereo")
            piece.sample_rate, piece.pts, piece.time_base = SAMPLES, round(audio * SAMPLES), Fraction(1, SAMPLES)
            context = track.codec_context
            resampler = av.AudioResampler(context.format, "stereo", SAMPLES, frame_size=context.frame_size or 1024)
            for part in [*resampler.resample(piece), *resampler.resample(None)]:
                container.mux(track.encode(part))
            container.mux(track.encode(None))
    return path


def audio_packets(path: str, track: int = 0) -> list[bytes] | None:
    """The packets of an audio track; None where there is no audio."""
    with av.open(path) as container:
        if not container.streams.audio:
            return None
        return [bytes(packet) for packet in container.demux(container.streams.audio[track]) if packet.size]


def samples(path: str) -> int:
    """How many samples players hear."""
    with av.open(path) as container:
        return sum(frame.samples for frame in container.decode(audio=0))


def first_times(path: str) -> tuple[float, float]:
    """When the first frame is shown and the first sample of the first audio packet is due, in seconds."""
    with av.open(path) as container:
        first = next(container.decode(video=0))
        shown = float(first.pts * first.time_base)
    with av.open(path) as container:
        packet = next(packet for packet in container.demux(container.streams.audio[0]) if packet.size)
        return shown, float(packet.pts * packet.time_base)
