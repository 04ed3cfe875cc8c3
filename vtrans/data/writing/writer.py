"""Writing frames: a folder of PNG images, or whichever output a path asks for."""

import os
import shutil
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from vtrans.data.tensors import Frames
from vtrans.data.writing.frame_writer import FrameWriter, PathLike, already_there
from vtrans.data.writing.video_writer import VideoWriter, exact_rate
from vtrans.errors import refusal


class FrameFolderWriter(FrameWriter):
    """Writes frames as 000000.png, 000001.png, … into a folder, which appears at close.

    Args:
        path: The folder; it may exist if it is empty.
        size: (height, width) of every frame, in pixels.
        overwrite: Whether a folder that holds such frames, and nothing else, is replaced, at close.

    Raises:
        FileExistsError: If the folder holds something that isn't to be replaced.
    """

    def _check_target(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise FileExistsError(refusal(str(self.path), allowed="a folder", got="a file"))
        names = sorted(path.name for path in self.path.iterdir())
        others = [name for name in names if not (name.endswith(".png") and name[:-4].isdecimal())]
        if others:
            allowed = "a folder that holds numbered PNG frames alone"
            raise FileExistsError(refusal(str(self.path), allowed=allowed, got=f"one with {', '.join(others[:4])}"))
        if names and not self.overwrite:
            raise FileExistsError(already_there(self.path))

    def _add(self, frame: Frames, at: Fraction | None) -> None:
        from PIL import Image

        self._temporary.mkdir(exist_ok=True)
        Image.fromarray(frame).save(self._temporary / f"{self.count:06d}.png", compress_level=3)

    def _finish(self) -> None:
        pass

    def _remove(self) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _place(self) -> None:
        # The old folder is moved away first: removing it takes a while, in which it would be there by half.
        old = self._temporary.with_suffix(".old")
        if self.path.exists():
            os.replace(self.path, old)
        try:
            os.replace(self._temporary, self.path)
        except OSError:
            if old.exists():
                os.replace(old, self.path)
            raise
        shutil.rmtree(old, ignore_errors=True)


def open_writer(
    path: PathLike,
    *,
    size: tuple[int, int],
    rate: Fraction | int | float,
    overwrite: bool = False,
    tick: Fraction | None = None,
    audio: Path | None = None,
) -> FrameWriter:
    """Opens a writer for a path: a video file if it has a suffix, else a folder of PNG frames.

    Args:
        path: The target.
        size: (height, width) of every frame, in pixels.
        rate: Frames a second; a folder has no place for it, nor for the two below.
        overwrite: Whether an existing target is replaced, at close.
        tick: Where frames have times of their own; see :class:`VideoWriter`.
        audio: A file whose audio is copied; see :class:`VideoWriter`.

    Returns:
        The writer, to be used in a ``with`` block.

    Raises:
        FileExistsError: If the target exists and isn't to be replaced.
        ValueError: If the suffix is unknown or the rate isn't above 0.

    Example:
        >>> type(open_writer("frames", size=(16, 16), rate=25)).__name__
        'FrameFolderWriter'
    """
    if Path(path).suffix:
        return VideoWriter(path, size=size, rate=rate, overwrite=overwrite, tick=tick, audio=audio)
    exact_rate(rate)
    return FrameFolderWriter(path, size=size, overwrite=overwrite)


def write_video(
    path: PathLike, frames: Iterable[Frames], rate: Fraction | int | float, *, overwrite: bool = False
) -> Path:
    """Writes frames to a video file; see :class:`VideoWriter`.

    Args:
        path: The file.
        frames: uint8 arrays ``(height, width, 3)``, all of the first one's size; consumed one by one.
        rate: Frames a second.
        overwrite: Whether an existing file is replaced.

    Returns:
        The path.

    Raises:
        FileExistsError: If the file exists and isn't to be replaced.
        ValueError: If there is no frame, or a frame, the suffix or the rate is refused.
    """
    exact_rate(rate)
    return _write_all(frames, lambda size: VideoWriter(path, size=size, rate=rate, overwrite=overwrite))


def write_frames(folder: PathLike, frames: Iterable[Frames], *, overwrite: bool = False) -> Path:
    """Writes frames as a folder of PNG images; see :class:`FrameFolderWriter`.

    Args:
        folder: The folder.
        frames: uint8 arrays ``(height, width, 3)``, all of the first one's size; consumed one by one.
        overwrite: Whether a folder that holds such frames, and nothing else, is replaced.

    Returns:
        The path.

    Raises:
        FileExistsError: If the folder holds something that isn't to be replaced.
        ValueError: If there is no frame, or a frame is refused.
    """
    return _write_all(frames, lambda size: FrameFolderWriter(folder, size=size, overwrite=overwrite))


def _write_all(frames: Iterable[Frames], make: Callable[[tuple[int, int]], FrameWriter]) -> Path:
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise ValueError(refusal("frames", allowed="at least one frame", got="none"))
    if not isinstance(first, np.ndarray) or first.ndim != 3:
        got = f"shape {first.shape}" if isinstance(first, np.ndarray) else type(first).__name__
        raise ValueError(refusal("frames", allowed="uint8 arrays (height, width, 3)", got=got))
    height, width, _ = first.shape
    with make((height, width)) as writer:
        writer.write(first)
        for frame in iterator:
            writer.write(frame)
    return writer.path
