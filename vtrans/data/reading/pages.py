"""The frames of one image file: one, or several in animated WebP and PNG and in TIFF of several pages."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from vtrans.data.reading.files import Refused
from vtrans.data.reading.images import opened, pages_of, rgb, size_of
from vtrans.data.sequences import Origin, Sequence
from vtrans.data.tensors import Frames
from vtrans.errors import refusal


class PagesSequence(Sequence):
    """The frame of an image, the frames of an animated one, or the pages of a TIFF, each as :func:`read_image` has it.

    ``rate`` is that of the first of several frames where the file says how long it is shown.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, path.name
        with opened(path) as image:
            self.length = pages_of(image)
            self.height, self.width = size_of(path, image)
            if self.length > 1:
                image.load()  # some formats tell how long a frame is shown only then
            milliseconds = image.info.get("duration") if self.length > 1 else None
        self.rate = Fraction(1000) / Fraction(milliseconds).limit_denominator(1000) if milliseconds else None
        self.origin = Origin((path,))

    def stream(self) -> Iterator[Frames]:
        """Yields every frame in order, decoding as it goes."""
        return self._pages(range(self.length))

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
