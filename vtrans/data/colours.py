"""Sources in other colours: grey, or the colours of a palette."""

from collections.abc import Callable
from functools import partial

import numpy as np

from vtrans.data.palettes import Palette
from vtrans.data.sequences import FrameSource, Sequence
from vtrans.data.tensors import Frames
from vtrans.data.views import Changed, Part, whole_and_start
from vtrans.errors import refusal


def grey(source: FrameSource) -> FrameSource:
    r"""A source in grey, of one channel; one that is grey already as it is.

    The weights are those of ITU-R BT.601, in whole numbers as Pillow's mode L has them:

    .. math:: v = \lfloor (19595\,r + 38470\,g + 7471\,b + 32768) / 65536 \rfloor

    Args:
        source: The source, of 1 or 3 channels.

    Raises:
        TypeError: If it is no source.
        ValueError: If it has another number of channels.

    Example:
        >>> from vtrans.data import open_source
        >>> white = open_source(np.full((5, 3, 4, 4), 255, dtype=np.uint8))
        >>> grey(white).sequences[0].read(0, 1)[0, 0, 0].tolist()
        [255]
    """
    check_source(source, channels=(1, 3))
    if source.channels == 1:
        return source

    def view(sequence: Sequence) -> Sequence:
        return Changed(sequence, luma, reading="grey, ITU-R BT.601", channels=1, discrete=sequence.discrete)

    return each_whole(source, view)


def labels(source: FrameSource, palette: Palette) -> FrameSource:
    """A source of label maps: each colour becomes the palette's nearest.

    Compression and resizing blur colours that stand for classes; this makes them exact again. Frames of the source are
    resized to the nearest pixel from here on, so that no two classes are mixed.

    Args:
        source: The source, of 3 channels.
        palette: Its classes and their colours.

    Raises:
        TypeError: If it is no source, or the palette no palette.
        ValueError: If it has another number of channels.

    Example:
        >>> from vtrans.data import open_source
        >>> nearly_black = open_source(np.full((5, 3, 4, 4), 9, dtype=np.uint8))
        >>> maps = labels(nearly_black, Palette(["off", "on"], [(0, 0, 0), (255, 255, 255)]))
        >>> maps.sequences[0].read(0, 1)[0, 0, 0].tolist()
        [0, 0, 0]
    """
    check_source(source, channels=(3,))
    if not isinstance(palette, Palette):
        fix = "Load one with vtrans.data.palettes.Palette.load."
        raise TypeError(refusal("palette", allowed="a Palette", got=type(palette).__name__, fix=fix))
    reading = f"nearest of the colours {' '.join(bytes(colour).hex() for colour in palette.colours)}"
    change = partial(_nearest_colours, palette)
    return each_whole(source, lambda s: Changed(s, change, reading=reading, channels=3, discrete=True))


def _nearest_colours(palette: Palette, frames: Frames) -> Frames:
    return palette.colours[palette.to_indices(frames)]


def luma(frames: Frames) -> Frames:
    """The grey ``(*shape, 1)`` of RGB frames ``(*shape, 3)`` by ITU-R BT.601, as :func:`grey` defines it.

    Example:
        >>> luma(np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=np.uint8)).ravel().tolist()
        [76, 150, 29]
    """
    r, g, b = (frames[..., c, None].astype(np.uint32) for c in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16).astype(np.uint8)


def each_whole(source: FrameSource, change: Callable[[Sequence], Sequence]) -> FrameSource:
    """A source with every sequence changed, parts of one whole together.

    ``change`` makes of a whole sequence a view of it with as many frames. A part becomes the same part of its whole's
    view, and there is one view of each whole: so what is decoded and kept of one serves all parts.
    """
    views: dict[int, Sequence] = {}

    def view(sequence: Sequence) -> list[Sequence]:
        whole, start = whole_and_start(sequence)
        if id(whole) not in views:
            views[id(whole)] = change(whole)
        if sequence is whole:
            return [views[id(whole)]]
        part = Part(views[id(whole)], start, start + sequence.length)
        part.continuous = sequence.continuous
        return [part]

    return source.map(view)


def check_source(source: object, *, channels: tuple[int, ...]) -> None:
    """Refuses what is no source, or one with other channels."""
    if not isinstance(source, FrameSource):
        fix = "Open it with vtrans.data.open_source."
        raise TypeError(refusal("source", allowed="a FrameSource", got=type(source).__name__, fix=fix))
    if source.channels not in channels:
        allowed = f"frames of {' or '.join(map(str, channels))} channels"
        raise ValueError(refusal("source", allowed=allowed, got=f"{source.channels} in {source.name}"))
