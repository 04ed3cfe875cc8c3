"""Sequences made of image files: folders of frames, the pages of one image, and the published triplets."""

import warnings
from collections.abc import Iterator
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
    """Height and width of an image as displayed, from its header alone.

    Args:
        path: The image file.

    Raises:
        ValueError: If the file isn't an image that can be read, named with the reason; if it holds several images; or
            if it is larger than 2^26 pixels.
    """
    with opened(path) as image:
        pages, size = pages_of(image), (image.height, image.width)
        turned = _orientation(path, image) >= 5
    if pages > 1:
        fix = "Make it a video, or a folder with one image for each."
        raise ValueError(refusal(str(path), allowed="an image of one frame", got=f"{pages} frames", fix=fix))
    return size[::-1] if turned else size


def read_image(path: Path) -> Frames:
    """Reads one image as RGB.

    Alpha is dropped, grey, CMYK and palette images become RGB, 16-bit images keep their high byte, and a camera's
    orientation tag is applied, as viewers do. The content decides what it is, not the name's suffix.

    Args:
        path: The image file.

    Returns:
        uint8 array ``(height, width, 3)``.

    Raises:
        ValueError: If the file can't be read, has 32 bits a channel, whose range nothing tells, or is larger than 2^26
            pixels.
    """
    with opened(path) as image:
        return rgb(path, image)


class ImageSequence(Sequence):
    """A folder's images as the frames of one sequence.

    Args:
        paths: The images in order, at least one.
        name: What to call the sequence.

    Raises:
        ValueError: If an image can't be read or they differ in size.
    """

    def __init__(self, paths: list[Path], *, name: str) -> None:
        self._paths = paths
        self.name = name
        first: dict[tuple[int, int], Path] = {}
        for path in paths:
            first.setdefault(image_size(path), path)
        if len(first) > 1:
            got = ", ".join(f"{path.name} of {h}x{w}" for (h, w), path in list(first.items())[:4])
            raise ValueError(
                refusal(
                    str(paths[0].parent),
                    allowed="images of one size",
                    got=f"{len(first)} sizes (height x width): {got}",
                    fix="Resize them, or put each sequence into a folder of its own.",
                )
            )
        self.height, self.width = next(iter(first))

    @property
    def origin(self) -> Origin:
        """The images."""
        return Origin(tuple(self._paths))

    @property
    def length(self) -> int:
        """Number of images."""
        return len(self._paths)

    def _read(self, positions: range) -> Frames:
        frames = [read_image(self._paths[position]) for position in positions]
        for frame, position in zip(frames, positions, strict=True):
            if frame.shape[:2] != (self.height, self.width):
                allowed = f"{self.height}x{self.width} pixels (height x width), as when it was opened"
                got = f"{frame.shape[0]}x{frame.shape[1]}"
                raise ValueError(refusal(str(self._paths[position]), allowed=allowed, got=got))
        return np.stack(frames)


class TripletSequence(Sequence):
    """One published triplet: three consecutive square frames side by side in one image.

    Args:
        path: The image; three times as wide as high.

    Raises:
        ValueError: If the image can't be read or has other proportions.

    Reference:
        The data format of the code published with Bansal et al., Recycle-GAN, ECCV 2018.
    """

    length = 3
    rate: Fraction | None = None
    continuous = True

    def __init__(self, path: Path) -> None:
        height, width = image_size(path)
        if width != 3 * height:
            allowed = "an image three times as wide as high"
            raise ValueError(refusal(str(path), allowed=allowed, got=f"{height}x{width} pixels (height x width)"))
        self._path = path
        self.name = path.stem
        self.height = self.width = height

    @property
    def origin(self) -> Origin:
        """The image."""
        return Origin((self._path,), ("triplet",))

    def _read(self, positions: range) -> Frames:
        image = read_image(self._path)
        if image.shape[:2] != (self.height, 3 * self.width):
            allowed = f"{self.height}x{3 * self.width} pixels (height x width), as when it was opened"
            raise ValueError(refusal(str(self._path), allowed=allowed, got=f"{image.shape[0]}x{image.shape[1]}"))
        return np.stack([image[:, p * self.width : (p + 1) * self.width] for p in positions])


@contextmanager
def opened(path: Path) -> "Iterator[Image]":
    """Opens an image, reading its header alone; whatever a decoder says of a damaged file becomes a refusal.

    Args:
        path: The image file.

    Raises:
        ValueError: If it can't be read, now or while it is open, or is larger than 2^26 pixels.
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


def rgb(path: Path, image: "Image") -> Frames:
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


def pages_of(image: "Image") -> int:
    """How many frames it holds; the second picture in a camera's JPEG is a preview or a depth map, and no frame."""
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def _orientation(path: Path, image: "Image") -> int:
    """A camera's orientation tag, 1 to 8, without decoding any pixel."""
    from PIL.Image import Exif, Image

    if image.format != "PNG" or "exif" in image.info:
        return int(image.getexif().get(_ORIENTATION, 1))
    # For a PNG, Pillow would decode all of it, to see whether the tag follows the pixels.
    exif = Exif()
    exif.load(_chunk(path, b"eXIf"))
    return int(exif.get(_ORIENTATION) or Image.getexif(image).get(_ORIENTATION, 1))


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
