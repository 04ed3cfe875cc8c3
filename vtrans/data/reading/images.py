"""Sequences made of image files: folders of frames, the pages of one image, and the published triplets."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vtrans.data.reading.files import Refused, check_file, check_pixels, too_large
from vtrans.data.sequences import Origin, Sequence
from vtrans.data.tensors import Frames
from vtrans.errors import refusal

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image as displayed, from its header alone; a file of several images is refused."""
    with _opened(path) as image:
        pages, size = _pages_of(image), _size_of(path, image)
    if pages > 1:
        fix = "Make it a video, or a folder with one image for each."
        raise ValueError(refusal(str(path), allowed="an image of one frame", got=f"{pages} frames", fix=fix))
    return size


def read_image(path: Path, size: tuple[int, int] | None = None) -> Frames:
    """Reads one image as RGB, ``(height, width, 3)``.

    Alpha is dropped, grey, CMYK and palette images become RGB, 16-bit images keep their high byte, and a camera's
    orientation tag is applied, as viewers do. The content decides what it is, not the name's suffix.

    Refused are files with 32 bits a channel, whose range nothing tells, and with another size than when it was opened.
    """
    with _opened(path) as image:
        frame = _rgb(path, image)
    if size is not None and frame.shape[:2] != size:
        allowed = f"{size[0]}x{size[1]} pixels (height x width), as when it was opened"
        raise ValueError(refusal(str(path), allowed=allowed, got=f"{frame.shape[0]}x{frame.shape[1]}"))
    return frame


class ImageSequence(Sequence):
    """Images, at least one and all of one size, as the frames of one sequence, in that order."""

    def __init__(self, paths: list[Path], *, name: str) -> None:
        self._paths, self.name, self.length = paths, name, len(paths)
        self.origin = Origin(tuple(paths))
        first: dict[tuple[int, int], Path] = {}
        for path in paths:
            first.setdefault(image_size(path), path)
        if len(first) > 1:
            sizes = ", ".join(f"{path.name} of {h}x{w}" for (h, w), path in list(first.items())[:4])
            got = f"{len(first)} sizes (height x width): {sizes}"
            fix = "Resize them, or put each sequence into a folder of its own."
            raise ValueError(refusal(str(paths[0].parent), allowed="images of one size", got=got, fix=fix))
        self.height, self.width = next(iter(first))

    def _read(self, positions: range) -> Frames:
        return np.stack([read_image(self._paths[p], (self.height, self.width)) for p in positions])


class TripletSequence(Sequence):
    """One published triplet: three consecutive square frames side by side in one image, three times as wide as high.

    Reference:
        The data format of the code published with Bansal et al., Recycle-GAN, ECCV 2018.
    """

    length = 3
    continuous = True

    def __init__(self, path: Path) -> None:
        height, width = image_size(path)
        if width != 3 * height:
            allowed = "an image three times as wide as high"
            raise ValueError(refusal(str(path), allowed=allowed, got=f"{height}x{width} pixels (height x width)"))
        self._path = path
        self.name = path.stem
        self.height = self.width = height
        self.origin = Origin((path,), ("triplet",))

    def _read(self, positions: range) -> Frames:
        image = read_image(self._path, (self.height, 3 * self.width))
        return np.stack([image[:, p * self.width : (p + 1) * self.width] for p in positions])


class PagesSequence(Sequence):
    """The frame of an image, the frames of an animated one, or the pages of a TIFF, each as :func:`read_image` has it.

    ``rate`` is that of the first of several frames where the file says how long it is shown.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, path.name
        with _opened(path) as image:
            self.length = _pages_of(image)
            self.height, self.width = _size_of(path, image)
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
        with _opened(self._path) as image:
            for position in positions:
                image.seek(position)
                page = _rgb(self._path, image)
                if page.shape[:2] != (self.height, self.width):
                    allowed = f"pages of one size, {self.height}x{self.width} (height x width) like the first"
                    got = f"{page.shape[0]}x{page.shape[1]} on page {position + 1}"
                    raise Refused(refusal(str(self._path), allowed=allowed, got=got))
                yield page


@contextmanager
def _opened(path: Path) -> "Iterator[Image]":
    """Opens an image of at most 2^26 pixels, reading its header alone.

    Whatever a decoder says of a damaged file, now or while it is open, becomes a refusal.
    """
    from PIL import Image

    check_file(path, allowed=_ALLOWED)
    with _refusing(path), warnings.catch_warnings():
        # Pillow's own limit on size is looser than ours.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(path, formats=_FORMATS)
        except Image.DecompressionBombError as error:
            raise Refused(too_large(path, "more than twice as many")) from error
    with image, _refusing(path):
        check_pixels(path, image.height, image.width)
        yield image


def _rgb(path: Path, image: "Image") -> Frames:
    """The pixels of an opened image as RGB, ``(height, width, 3)``; the rules of :func:`read_image`."""
    from PIL import ImageOps

    check_pixels(path, image.height, image.width)
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F"):
        fix = "Convert it to 8 or 16 bits."
        raise Refused(refusal(str(path), allowed="8 or 16 bits a channel", got="32 bits", fix=fix))
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"))


def _pages_of(image: "Image") -> int:
    """How many frames it holds; the second picture in a camera's JPEG is a preview or a depth map, and no frame."""
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def _size_of(path: Path, image: "Image") -> tuple[int, int]:
    """Height and width of an opened image as a camera's orientation tag has it displayed; no pixel is decoded."""
    from PIL.Image import Exif, Image

    if image.format != "PNG" or "exif" in image.info:
        orientation = image.getexif().get(_ORIENTATION, 1)
    else:  # Pillow would decode all of a PNG, to see whether the tag follows the pixels
        exif = Exif()
        exif.load(_chunk(path, b"eXIf"))
        orientation = exif.get(_ORIENTATION) or Image.getexif(image).get(_ORIENTATION, 1)
    return (image.width, image.height) if int(orientation) >= 5 else (image.height, image.width)


def _chunk(path: Path, wanted: bytes) -> bytes:
    """The content of the first chunk of one kind in a PNG file; empty if there is none."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind == wanted:
                return file.read(length)
            file.seek(length + 4, 1)
    return b""


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        got = f"a file it can't ({str(error) or type(error).__name__})"
        fix = "Export it again, or leave such files out with on_error='skip'."
        raise ValueError(refusal(str(path), allowed=_ALLOWED, got=got, fix=fix)) from error


_ORIENTATION = 0x0112
_ALLOWED = "an image that Pillow can read"
# Those that open no other file and start no other program.
_FORMATS = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")
