"""Makers of small videos and images for these tests."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image
from torch import Tensor

from vtrans.data import ArraySequence, FrameSource


def moving(count: int, height: int = 32, width: int = 48, seed: int = 0) -> np.ndarray:
    """Smooth frames that all differ: a gradient that drifts and a bright box that moves."""
    rows, columns = np.mgrid[:height, :width]
    frames = np.empty((count, height, width, 3), np.uint8)
    for t in range(count):
        frames[t] = np.stack([40 + rows * 2 + t, 60 + columns, 120 + rows + seed], axis=-1).clip(0, 255)
        left = (3 * t) % (width - 8)
        frames[t, 4:12, left : left + 8] = (230, 120, 30)
    return frames


def encode(
    path: Path,
    frames: np.ndarray,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    stamps: list[int] | None = None,
    options: dict[str, str] | None = None,
    rotation: float | None = None,
    mirrored: bool = False,
) -> Path:
    """Encodes frames at 25 a second by hand, with what the library's own writer doesn't offer."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {"crf": "10"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 25)
        if rotation is not None:
            stream.set_display_rotation(rotation, hflip=mirrored)
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixels)
            picture.pts, picture.time_base = (stamps or range(len(frames)))[i], Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def images(folder: Path, frames: np.ndarray, *, suffix: str = ".png", name: str = "frame{}") -> Path:
    """Saves frames as images whose numbers aren't padded."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / (name.format(i) + suffix))
    return folder


def decode_all(path: Path) -> np.ndarray:
    """Every frame of a video, decoded from the start by a loop of its own."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def ramp(*lengths: int, side: int = 8) -> FrameSource:
    """Sequences whose frame number n is a plain picture of value n; sequences are 100 apart."""
    values = [np.arange(n, dtype=np.uint8) + 100 * i for i, n in enumerate(lengths)]
    arrays = [np.broadcast_to(v[:, None, None, None], (len(v), side, side, 3)).copy() for v in values]
    return FrameSource([ArraySequence(array, name=f"s{i}") for i, array in enumerate(arrays)], name="ramp")


def levels(clip: Tensor) -> list[int]:
    """The values of a clip's plain frames."""
    return ((clip[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def places(count: int = 3) -> FrameSource:
    """One picture of 12x12, shown a few times, whose pixels say where they are: row and column times 20."""
    rows, columns = np.mgrid[:12, :12]
    picture = np.stack([rows * 20, columns * 20, 0 * rows], axis=-1).astype(np.uint8)
    return FrameSource([ArraySequence(np.stack([picture] * count))], name="places")


def window(clip: Tensor) -> tuple[int, int, bool]:
    """Which part of :func:`places` a clip shows: its top, its left, and whether it is mirrored."""
    corners = ((clip[0, :2, 0, [0, -1]] + 1) * 127.5 / 20).round().int()
    return int(corners[0, 0]), int(corners[1].min()), bool(corners[1, 0] > corners[1, 1])
