"""One function that opens anything frames come in."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from torch import Tensor

from vtrans.data.checks import as_path
from vtrans.data.reading.folders import Attempts, open_folder
from vtrans.data.reading.images import IMAGE_SUFFIXES, PagesSequence
from vtrans.data.reading.videos import VideoSequence
from vtrans.data.sequences import FrameSource, sequence_of_array
from vtrans.errors import refusal

if TYPE_CHECKING:
    from vtrans.data.palettes import Palette

LAYOUTS = ("auto", "frames", "triplets")
CHANNELS = ("rgb", "grey", "labels")
ON_ERROR = ("raise", "skip")


def open_source(
    path: str | os.PathLike[str] | npt.NDArray[np.generic] | Tensor | FrameSource,
    *,
    layout: str = "auto",
    on_error: str = "raise",
    channels: str = "rgb",
    palette: "Palette | str | os.PathLike[str] | None" = None,
) -> FrameSource:
    """Opens a source of frames.

    What it can be:

    - a video file, anything FFmpeg reads;
    - an image file: one sequence of one frame, or of the frames of an animation or the pages of a TIFF;
    - a folder of images (png, jpg, jpeg, bmp, webp, tif): one sequence, in natural order (frame2 before frame10);
    - a folder of video files, or of folders of images: one sequence each;
    - a folder of published triplets, images of three frames side by side: one sequence each;
    - ``sample:NAME``, a small clip that an installed package ships;
    - an array or tensor ``(time, channel, height, width)``, uint8 or floating in [-1, 1].

    Hidden files, and files that are neither images nor videos, are passed over. Frames have at most 2^26 pixels, such
    as 8192x8192. Nothing is fetched over a network.

    Args:
        path: The file, folder or array; a :class:`FrameSource` is taken as it is.
        layout: How a folder's images are understood: ``"frames"``, ``"triplets"``, or ``"auto"``, which takes images
            for triplets only where the folder is named trainA, trainB, testA or testB and each is three times as
            wide as high.
        on_error: What happens to a file of a folder that can't be used: ``"raise"`` refuses the folder, ``"skip"``
            passes the file over and lists it in the source's ``skipped``. That covers videos and images that can't be
            read to their end, images that differ in size from most, and folders without anything usable. Where an
            image is missing, a sequence ends and another begins, so that no clip jumps. To find all of them, every
            image and video is decoded once when the source is opened.
        channels: ``"rgb"``, ``"grey"`` for one channel, or ``"labels"``, which replaces each colour with the nearest
            one of the palette.
        palette: For labels: the classes' colours, or the JSON file that holds them.

    Returns:
        The source.

    Raises:
        FileNotFoundError: If nothing is at the path.
        TypeError: If it is neither path nor array.
        ValueError: If a file can't be read, or a folder holds nothing usable or a mixture.

    Example:
        >>> open_source(np.zeros((5, 3, 4, 6), dtype=np.uint8)).sequences[0].length
        5
    """
    choices = {"layout": (layout, LAYOUTS), "on_error": (on_error, ON_ERROR), "channels": (channels, CHANNELS)}
    for argument, (value, known) in choices.items():
        if value not in known:
            raise ValueError(refusal(argument, allowed=f"one of {', '.join(known)}", got=repr(value)))
    if (channels == "labels") != (palette is not None):
        got = "none" if palette is None else f"one with channels={channels!r}"
        raise ValueError(refusal("palette", allowed="a palette exactly where channels='labels'", got=got))
    return _with_channels(_open(path, layout, on_error), channels, palette)


def _open(path: object, layout: str, on_error: str) -> FrameSource:
    if isinstance(path, FrameSource):
        return path
    if isinstance(path, (np.ndarray, Tensor)):
        return FrameSource([sequence_of_array(path)], name="array")
    place = as_path("path", path)
    try:
        if place.is_dir():
            attempts = Attempts(skip=on_error == "skip")
            return FrameSource(open_folder(place, layout, attempts), name=str(place), skipped=attempts.skipped)
        if not place.exists() and not place.is_symlink():
            place = _elsewhere(str(path))
    except PermissionError as error:
        fix = "Ask the owner of the folders on the way to let you in."
        raise ValueError(refusal(str(place), allowed="a file or folder", got="no permission", fix=fix)) from error
    if layout == "triplets":
        raise ValueError(refusal(str(place), allowed="a folder, for layout='triplets'", got="a file"))
    opened = PagesSequence(place) if place.suffix.lower() in IMAGE_SUFFIXES else VideoSequence(place)
    return FrameSource([opened], name=str(place))


def _elsewhere(path: str) -> Path:
    """The file that a name means at which nothing lies."""
    if path.startswith("sample:"):
        from vtrans.data.reading.samples import sample_path

        return sample_path(path.removeprefix("sample:"))
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", path):
        fix = "Pass the path alone." if path.startswith("file:") else "Download it first; nothing is fetched."
        raise ValueError(
            refusal("path", allowed="a file or folder on this machine", got=f"the address {path}", fix=fix)
        )
    raise FileNotFoundError(refusal(path, allowed="a file or folder that exists", got="nothing"))


def _with_channels(source: FrameSource, channels: str, palette: object) -> FrameSource:
    if channels == "rgb":
        return source
    from vtrans.data.colours import grey, labels
    from vtrans.data.palettes import Palette

    if channels == "grey":
        return grey(source)
    return labels(source, palette if isinstance(palette, Palette) else Palette.load(as_path("palette", palette)))
