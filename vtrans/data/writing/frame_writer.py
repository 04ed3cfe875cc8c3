"""What every writer of frames does: all or nothing, under a temporary name until it is complete."""

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np

from vtrans.data.checks import as_path, came, height_width
from vtrans.data.tensors import Frames
from vtrans.errors import refusal

PathLike = str | os.PathLike[str]


class FrameWriter(ABC):
    """Takes frames one by one and leaves a finished output, or, if anything fails, nothing.

    What is written lies under a hidden temporary name beside the target, and takes the target's name at ``close``.
    Leaving a ``with`` block closes it; leaving by an exception removes it.

    Args:
        path: The target; missing parent folders are made.
        size: (height, width) of every frame, in pixels.
        overwrite: Whether an existing target is replaced, at close.

    Raises:
        FileExistsError: If the target exists and isn't to be replaced.
        OSError: If nothing can be written there.
        ValueError: If an argument is out of range.
    """

    def __init__(self, path: PathLike, *, size: tuple[int, int], overwrite: bool = False) -> None:
        self.path = as_path("path", path)
        self.size = height_width("size", size) or (0, 0)
        if 0 in self.size:
            raise TypeError(refusal("size", allowed="(height, width)", got=size))
        self.overwrite = overwrite
        self.count = 0
        self._check_target()
        self._closed = False
        try:
            with self._writing():
                self.path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            got = f"{self.path.parent}, which is or lies under a file"
            raise ValueError(refusal(str(self.path), allowed="a place in a folder", got=got)) from error
        # The suffix stays last, since it names the format.
        name = f".{self.path.stem}.{secrets.token_hex(4)}.partial{self.path.suffix}"
        self._temporary = self.path.parent / name

    @abstractmethod
    def _check_target(self) -> None:
        """Refuses a target that may not be written."""

    @abstractmethod
    def _add(self, frame: Frames, at: Fraction | None) -> None:
        """Writes one checked frame."""

    @abstractmethod
    def _finish(self) -> None:
        """Completes the temporary output."""

    @abstractmethod
    def _remove(self) -> None:
        """Removes the temporary output."""

    @abstractmethod
    def _place(self) -> None:
        """Gives the temporary output the target's name."""

    def write(self, frame: Frames, at: Fraction | None = None) -> None:
        """Appends a frame.

        Args:
            frame: uint8 array ``(height, width, 3)``, RGB, of the size announced.
            at: Seconds at which it is shown, where the output keeps times of its own.

        Raises:
            OSError: If it cannot be written.
            TypeError: If it isn't a uint8 array.
            ValueError: If its shape is another, or the writer is closed.
        """
        if self._closed:
            raise ValueError(f"{self.path}: the writer is closed; no frame can be added.")
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
            raise TypeError(refusal("frame", allowed="a uint8 array (height, width, 3)", got=came(frame)))
        if frame.shape != (*self.size, 3):
            raise ValueError(refusal("frame", allowed=f"shape {(*self.size, 3)}", got=f"shape {frame.shape}"))
        with self._writing():
            self._add(frame, at)
        self.count += 1

    def close(self) -> Path:
        """Completes the output and gives it its name.

        Returns:
            The target's path.

        Raises:
            ValueError: If no frame was written.
            OSError: If the output cannot be written.
            FileExistsError: If the target has appeared meanwhile.
        """
        if self._closed:
            return self.path
        try:
            if self.count == 0:
                raise ValueError(refusal("frames", allowed="at least one frame", got=f"none for {self.path}"))
            with self._writing():
                self._finish()
            self._check_target()
            with self._writing():
                self._place()
        except BaseException:
            self.abort()
            raise
        self._closed = True
        return self.path

    def abort(self) -> None:
        """Gives up: removes what was written so far and leaves the target as it was."""
        if not self._closed:
            self._closed = True
            # What went wrong before matters more than what goes wrong now.
            with suppress(Exception):
                self._remove()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Names the target where the system refuses to write: its own words may name a temporary file, or nothing."""
        try:
            yield
        except (FileExistsError, NotADirectoryError):
            raise
        except OSError as error:
            got = f"one that cannot be written ({error.strerror or type(error).__name__})"
            raise OSError(refusal(str(self.path), allowed="a place that can be written", got=got)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def already_there(path: Path) -> str:
    """Words the refusal of a target that exists."""
    got = "a folder with frames" if path.is_dir() else "a file"
    return refusal(str(path), allowed="a place where nothing is", got=got, fix="Pass overwrite=True.")
