"""Pictures and videos that set clips side by side, with labels."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vtrans.data.tensors import Frames

if TYPE_CHECKING:
    from PIL import Image, ImageFont

_GAP = 2
_PAPER = 255


def write_strip(rows: Mapping[str, Frames], path: Path, *, columns: int = 8, side: int = 128) -> None:
    """Writes a picture with a row for each clip and a column for each of several times, the rows labelled.

    Args:
        rows: Clips by label: uint8 ``(time, height, width, 3)``, all of one shape; one channel is shown as grey.
        path: The PNG file to write.
        columns: Times shown, evenly spread from the first to the last.
        side: Height of a frame in the picture, in pixels; smaller ones are enlarged.
    """
    from PIL import Image

    shown = {label: enlarged(frames, side) for label, frames in rows.items()}
    length, height, width, _ = next(iter(shown.values())).shape
    times = np.unique(np.linspace(0, length - 1, min(columns, length)).round().astype(int))
    label_width = max(_text_width(label) for label in shown) + 8
    size = (label_width + len(times) * (width + _GAP), len(shown) * (height + _GAP))
    picture = Image.new("RGB", size, (_PAPER,) * 3)
    for row, (label, frames) in enumerate(shown.items()):
        top = row * (height + _GAP)
        _write(picture, label, (4, top + height // 2 - 6))
        for column, time in enumerate(times):
            picture.paste(Image.fromarray(frames[time]), (label_width + column * (width + _GAP), top))
    picture.save(path)


def side_by_side(clips: Mapping[str, Frames], *, side: int = 192) -> Iterator[Frames]:
    """Yields the frames of a video that shows clips beside each other, each with its label above.

    Args:
        clips: Clips by label: uint8 ``(time, height, width, 3)``, all of one shape.
        side: Height of a clip in the video, in pixels; smaller ones are enlarged.

    Yields:
        uint8 arrays ``(height, width, 3)`` with even height and width.
    """
    from PIL import Image

    shown = {label: enlarged(frames, side) for label, frames in clips.items()}
    length, height, width, _ = next(iter(shown.values())).shape
    above = 20
    size = (len(shown) * (width + _GAP) - _GAP, above + height)
    size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    blank = Image.new("RGB", size, (_PAPER,) * 3)
    for column, label in enumerate(shown):
        _write(blank, label, (column * (width + _GAP) + 4, 4))
    for time in range(length):
        picture = blank.copy()
        for column, frames in enumerate(shown.values()):
            picture.paste(Image.fromarray(frames[time]), (column * (width + _GAP), above))
        yield np.asarray(picture)


def enlarged(frames: Frames, side: int) -> Frames:
    """Frames as RGB, enlarged by a whole factor to at most ``side`` pixels high, pixels kept as squares."""
    factor = max(1, side // frames.shape[1])
    if frames.shape[3] == 1:
        frames = frames.repeat(3, axis=3)
    return frames.repeat(factor, axis=1).repeat(factor, axis=2)


def _font() -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size=12)


def _text_width(text: str) -> int:
    return round(_font().getlength(text))


def _write(picture: "Image.Image", text: str, place: tuple[int, int]) -> None:
    from PIL import ImageDraw

    ImageDraw.Draw(picture).text(place, text, fill=(20, 20, 20), font=_font())
