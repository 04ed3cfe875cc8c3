"""Sequences made of image files: folders of frames, and the published triplets."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from vtrans.data.sequences import Origin, Sequence
from vtrans.data.tensors import Frames
from vtrans.errors import refusal

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image as displayed, from its header alone.

    Args:
        path: The image file.

    Raises:
        ValueError: If the file isn't an image that can be read, named with the reason.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            turned = image.getexif().get(_ORIENTATION, 1) >= 5
            return (image.width, image.height) if turned else (image.height, image.width)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(_unreadable(path, error)) from error


def read_image(path: Path) -> Frames:
    """Reads one image as RGB.

    Alpha is dropped, grey and palette images become RGB, 16-bit images keep their high byte, and a
    camera's orientation tag is applied, as viewers do.

    Args:
        path: The image file.

    Returns:
        uint8 array ``(height, width, 3)``.

    Raises:
        ValueError: If the file can't be read, or has 32 bits a channel, whose range nothing tells.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode in ("I", "F"):
                fix = "Convert it to 8 or 16 bits."
                raise ValueError(refusal(str(path), allowed="8 or 16 bits a channel", got="32 bits", fix=fix))
            if image.mode.startswith("I;16"):
                grey = (np.asarray(image) >> 8).astype(np.uint8)
                return np.repeat(grey[:, :, None], 3, axis=2)
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(_unreadable(path, error)) from error


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
                raise ValueError(refusal(str(self._paths[position]), allowed=allowed, got=frame.shape[:2]))
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
        return np.stack([image[:, p * self.width : (p + 1) * self.width] for p in positions])


_ORIENTATION = 0x0112


def _unreadable(path: Path, error: Exception) -> str:
    got = "an empty file of 0 bytes" if path.is_file() and path.stat().st_size == 0 else f"a file it can't ({error})"
    return refusal(str(path), allowed="an image that Pillow can read", got=got)
