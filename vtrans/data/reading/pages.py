"""Sequences made of one image file that holds several: animated WebP and PNG, TIFF of several pages."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from vtrans.data.reading.files import Refused
from vtrans.data.reading.images import ImageSequence, opened, pages_of, rgb
from vtrans.data.sequences import Origin, Sequence
from vtrans.data.tensors import Frames
from vtrans.errors import refusal


def open_image(path: Path) -> Sequence:
    """An image as a sequence: of its one frame, or of its several.

    Args:
        path: The image file.

    Raises:
        ValueError: If it can't be read.
    """
    with opened(path) as image:
        several = pages_of(image) > 1
    return PagesSequence(path) if several else ImageSequence([path], name=path.name)


class PagesSequence(Sequence):
    """The frames of an animated image, or the pages of a TIFF, in order and as :func:`read_image` reads each.

    ``rate`` is that of the first frame where the file says how long it is shown.

    Args:
        path: The image file.

    Raises:
        ValueError: If the file isn't an image that can be read.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, path.name
        with opened(path) as image:
            self._length = pages_of(image)
            self.height, self.width = rgb(path, image).shape[:2]
            milliseconds = image.info.get("duration")
        self.rate = Fraction(1000) / Fraction(milliseconds).limit_denominator(1000) if milliseconds else None

    @property
    def origin(self) -> Origin:
        """The file."""
        return Origin((self._path,))

    @property
    def length(self) -> int:
        """Number of frames."""
        return self._length

    def stream(self) -> Iterator[Frames]:
        """Yields every frame in order, decoding as it goes."""
        return self._pages(range(self._length))

    def _read(self, positions: range) -> Frames:
        return np.stack(list(self._pages(positions)))

    def _pages(self, positions: Iterable[int]) -> Iterator[Frames]:
        with opened(self._path) as image:
            for position in positions:
                image.seek(position)
                page = rgb(self._path, image)
                if page.shape[:2] != (self.height, self.width):
                    allowed = f"pages of one size, {self.height}x{self.width} (height x width) like the first"
                    got = f"{page.shape[0]}x{page.shape[1]} on page {position + 1}"
                    raise Refused(refusal(str(self._path), allowed=allowed, got=got))
                yield page
