"""Palettes: classes to colours and back."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vtrans.data.checks import as_path, came, counted
from vtrans.data.tensors import Frames
from vtrans.errors import refusal, unknown

Indices = npt.NDArray[np.uint8]

IGNORE = 255
"""The index that stands for no class: a palette has at most 255 classes, numbered from 0."""

_FARTHEST = 442
"""More than the distance of any two colours, black and white."""


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Palette:
    """The classes of label maps, each with a name and a colour of its own.

    A class's index is its position.

    Args:
        names: A name for each class, 1 to 255 of them, all different.
        colours: A colour for each class, all different: whole numbers ``(classes, 3)``, RGB, each 0 to 255.

    Raises:
        TypeError: If a name isn't text, or the colours aren't whole numbers.
        ValueError: If there are too few or too many classes, a value is out of range, or a name or colour comes twice.

    Example:
        >>> palette = Palette(["road", "sky"], [(128, 64, 128), (70, 130, 180)])
        >>> palette.to_colours(np.array([1, 0])).tolist()
        [[70, 130, 180], [128, 64, 128]]
        >>> palette.to_indices(np.array([[60, 120, 200]], dtype=np.uint8)).tolist()
        [1]
    """

    names: tuple[str, ...]
    colours: Frames

    def __init__(self, names: Iterable[str], colours: npt.ArrayLike) -> None:
        object.__setattr__(self, "names", _checked_names(names))
        object.__setattr__(self, "colours", _checked_colours("colours", colours, len(self.names)))
        by_colour: dict[bytes, str] = {}
        for name, colour in zip(self.names, self.colours, strict=True):
            if (other := by_colour.setdefault(colour.tobytes(), name)) != name:
                got = f"{tuple(colour.tolist())} for both {other} and {name}"
                raise ValueError(refusal("colours", allowed="colours that all differ", got=got))

    def __len__(self) -> int:
        """Number of classes."""
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Palette):
            return NotImplemented
        return self.names == other.names and bool((self.colours == other.colours).all())

    def __hash__(self) -> int:
        return hash((self.names, self.colours.tobytes()))

    def __repr__(self) -> str:
        pairs = zip(self.names, self.colours, strict=True)
        return f"Palette({', '.join(f'{name} #{bytes(colour).hex()}' for name, colour in pairs)})"

    def index(self, name: str) -> int:
        """The index of a class.

        Args:
            name: The class's name.

        Raises:
            ValueError: If there is no such class.

        Example:
            >>> Palette(["road", "sky"], [(128, 64, 128), (70, 130, 180)]).index("sky")
            1
        """
        if name not in self.names:
            raise ValueError(unknown("class", name, self.names))
        return self.names.index(name)

    def to_colours(
        self, indices: npt.NDArray[np.integer[Any]], *, ignored: tuple[int, int, int] | None = None
    ) -> Frames:
        """The colours of classes.

        Args:
            indices: Integer array of any shape: indices of classes.
            ignored: The colour for the index 255, which stands for no class. Default: it is refused.

        Returns:
            uint8 array ``(*shape, 3)``.

        Raises:
            TypeError: If the indices aren't whole numbers.
            ValueError: If one belongs to no class.

        Example:
            >>> palette = Palette(["road", "sky"], [(128, 64, 128), (70, 130, 180)])
            >>> palette.to_colours(np.array([255, 0]), ignored=(0, 0, 0)).tolist()
            [[0, 0, 0], [128, 64, 128]]
        """
        if not isinstance(indices, np.ndarray) or indices.dtype.kind not in "iu":
            raise TypeError(refusal("indices", allowed="an array of whole numbers", got=came(indices)))
        table = np.zeros((IGNORE + 1, 3), np.uint8)
        table[: len(self)] = self.colours
        wrong = (indices < 0) | (indices >= len(self))
        if ignored is not None:
            table[IGNORE] = _checked_colours("ignored", [ignored], 1)[0]
            wrong &= indices != IGNORE
        if wrong.any():
            others = "" if ignored is None else f", or {IGNORE}"
            allowed = f"0 to {len(self) - 1}, the palette's classes{others}"
            got = f"{indices[wrong][0]} at {_place(wrong)} ({counted(int(wrong.sum()), 'such pixel')})"
            raise ValueError(refusal("indices", allowed=allowed, got=got))
        colours: Frames = table[indices]
        return colours

    def to_indices(self, frames: Frames, *, unknown: str | int = "nearest", tolerance: float | None = None) -> Indices:
        r"""The classes of colours: of each the class whose colour is nearest.

        .. math:: \arg\min_c \; (r - r_c)^2 + (g - g_c)^2 + (b - b_c)^2

        Of classes that are equally near it is the first. Distances are whole numbers and compared exactly.

        Args:
            frames: uint8 array ``(*shape, 3)``, RGB.
            unknown: What a colour beyond the tolerance is: ``"nearest"`` makes it the nearest class however far that
                is, ``"refuse"`` an error, and an index, such as 255 for no class, that index.
            tolerance: The distance up to which a colour counts as a class's, at least 0, in levels of 0 to 255; only
                with another choice than ``"nearest"``. Default: 0, where only a class's very colour is known.

        Returns:
            uint8 array ``shape``: indices.

        Raises:
            TypeError: If the frames aren't a uint8 array.
            ValueError: If the last axis isn't 3 long, an option is out of range, or a colour is refused.

        Example:
            >>> palette = Palette(["road", "sky"], [(128, 64, 128), (70, 130, 180)])
            >>> colours = np.array([[129, 64, 127], [0, 0, 0]], dtype=np.uint8)
            >>> palette.to_indices(colours, unknown=255, tolerance=8).tolist()
            [0, 255]
        """
        _check_choice(unknown, tolerance)
        if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8:
            raise TypeError(refusal("frames", allowed="a uint8 array with values 0 to 255", got=came(frames)))
        if frames.ndim < 1 or frames.shape[-1] != 3:
            raise ValueError(refusal("frames", allowed="axes (…, 3), RGB", got=f"shape {frames.shape}"))
        indices = _nearest(self, frames)
        if unknown == "nearest":
            return indices
        distances = ((frames.astype(np.int32) - self.colours[indices]) ** 2).sum(axis=-1)
        far = distances > min(tolerance or 0, _FARTHEST) ** 2
        if unknown != "refuse":
            return np.where(far, np.uint8(unknown), indices)
        if far.any():
            colour = tuple(frames[far][0].tolist())
            nearest = self.names[indices[far][0]]
            got = f"{colour} at {_place(far)} ({counted(int(far.sum()), 'such pixel')}); the nearest is {nearest}"
            allowed = f"colours of the palette, or up to {tolerance or 0} from them"
            fix = "Raise tolerance, pass unknown='nearest', or complete the palette."
            raise ValueError(refusal("frames", allowed=allowed, got=got, fix=fix))
        return indices

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the palette as JSON: a list of names and colours.

        Args:
            path: The file; one that is there is replaced.
        """
        classes = [{"name": n, "colour": c.tolist()} for n, c in zip(self.names, self.colours, strict=True)]
        lines = ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in classes)
        Path(path).write_text(f"[\n{lines}\n]\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Palette":
        """Reads a palette that :meth:`save` wrote, or one written by hand.

        Args:
            path: The file: ``[{"name": "road", "colour": [128, 64, 128]}, …]``.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no palette, named with the reason.
        """
        file = as_path("path", path)
        allowed = 'a palette, JSON such as [{"name": "road", "colour": [128, 64, 128]}]'
        try:
            classes = json.loads(file.read_text(encoding="utf-8"))
            return cls([entry["name"] for entry in classes], [entry["colour"] for entry in classes])
        except FileNotFoundError:
            raise FileNotFoundError(refusal(str(file), allowed=allowed, got="no file")) from None
        except (KeyError, TypeError, ValueError) as error:
            reason = f"an entry without {error}" if isinstance(error, KeyError) else f"this: {error}"
            raise ValueError(refusal(str(file), allowed=allowed, got=reason)) from error


def _checked_names(names: Iterable[str]) -> tuple[str, ...]:
    kept = tuple(names)
    if isinstance(names, str):
        raise TypeError(refusal("names", allowed="a list of names", got=repr(names)))
    if wrong := [name for name in kept if not isinstance(name, str)]:
        raise TypeError(refusal("names", allowed="text for each class", got=repr(wrong[0])))
    if not 1 <= len(kept) <= IGNORE:
        why = f"Indices have 8 bits, and {IGNORE} stands for no class."
        raise ValueError(refusal("names", allowed=f"1 to {IGNORE} classes", got=len(kept), why=why))
    if twice := [name for i, name in enumerate(kept) if name in kept[:i]]:
        raise ValueError(refusal("names", allowed="names that all differ", got=f"{twice[0]!r} twice"))
    return kept


def _checked_colours(argument: str, colours: npt.ArrayLike, count: int) -> Frames:
    allowed = f"whole numbers 0 to 255 of shape ({count}, 3), RGB"
    try:
        table = np.array(colours)
    except ValueError as error:
        raise ValueError(refusal(argument, allowed=allowed, got="rows of different lengths")) from error
    if table.dtype.kind not in "iu":
        raise TypeError(refusal(argument, allowed=allowed, got=f"an array of {table.dtype}"))
    if table.shape != (count, 3):
        raise ValueError(refusal(argument, allowed=allowed, got=f"shape {table.shape}"))
    if table.min() < 0 or table.max() > 255:
        raise ValueError(refusal(argument, allowed=allowed, got=f"values {table.min()} to {table.max()}"))
    kept = table.astype(np.uint8)
    kept.setflags(write=False)
    return kept


def _check_choice(choice: object, tolerance: object) -> None:
    index = isinstance(choice, (int, np.integer)) and not isinstance(choice, bool) and 0 <= choice <= IGNORE
    if not index and choice not in ("nearest", "refuse"):
        allowed = f"'nearest', 'refuse' or an index of 0 to {IGNORE}"
        raise ValueError(refusal("unknown", allowed=allowed, got=repr(choice)))
    if tolerance is None:
        return
    if choice == "nearest":
        fix = "Pass unknown='refuse' or an index beside it."
        raise ValueError(refusal("tolerance", allowed="None with unknown='nearest'", got=tolerance, fix=fix))
    if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not tolerance >= 0:
        raise ValueError(refusal("tolerance", allowed="None or a number of at least 0", got=repr(tolerance)))


def _place(where: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    """The first place that is true."""
    return tuple(int(i) for i in np.unravel_index(int(where.argmax()), where.shape))


@lru_cache(maxsize=4)
def _table(palette: Palette) -> Indices:
    """One more than the nearest class of each of the 2²⁴ colours; 0 where it isn't known yet."""
    return np.zeros(1 << 24, np.uint8)


def _nearest(palette: Palette, frames: Frames) -> Indices:
    table = _table(palette)
    keys = (frames[..., 0].astype(np.uint32) << 16) | (frames[..., 1].astype(np.uint32) << 8) | frames[..., 2]
    found: Indices = table[keys]
    if (missing := found == 0).any():
        new = np.unique(keys[missing])
        table[new] = _search(palette.colours, new) + 1
        found = table[keys]
    found -= 1
    return found


def _search(colours: Frames, keys: npt.NDArray[np.uint32]) -> Indices:
    values = np.stack([keys >> 16, keys >> 8 & 255, keys & 255], axis=-1).astype(np.int32)
    nearest = np.zeros(len(keys), np.uint8)
    least = np.full(len(keys), np.iinfo(np.int32).max, np.int32)
    for index, colour in enumerate(colours):
        distance = ((values - colour) ** 2).sum(axis=-1)
        nearer = distance < least
        nearest[nearer], least[nearer] = index, distance[nearer]
    return nearest
