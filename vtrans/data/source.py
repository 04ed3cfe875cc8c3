"""One function that opens anything frames come in."""

import os
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from vtrans.data.checks import as_path, counted
from vtrans.data.images import IMAGE_SUFFIXES, ImageSequence, TripletSequence, image_size
from vtrans.data.sequences import FrameSource, Sequence, sequence_of_array
from vtrans.data.videos import VideoSequence
from vtrans.errors import refusal

VIDEO_SUFFIXES = tuple(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .m2ts .mts .wmv .flv .gif .ogv .3gp .y4m .vob .asf".split()
)
LAYOUTS = ("auto", "frames", "triplets")
_PUBLISHED_FOLDERS = ("trainA", "trainB", "testA", "testB")


def open_source(
    path: str | os.PathLike[str] | npt.NDArray[np.generic] | Tensor | FrameSource, *, layout: str = "auto"
) -> FrameSource:
    """Opens a source of frames.

    What it can be:

    - a video file, anything FFmpeg reads;
    - an image file: one sequence of one frame;
    - a folder of images (png, jpg, jpeg, bmp, webp, tif): one sequence, in natural order (frame2 before frame10);
    - a folder of video files, or of folders of images: one sequence each;
    - a folder of published triplets, images of three frames side by side: one sequence each;
    - an array or tensor ``(time, channel, height, width)``, uint8 or floating in [-1, 1].

    Hidden files, and files that are neither images nor videos, are passed over.

    Args:
        path: The file, folder or array; a :class:`FrameSource` is returned as it is.
        layout: How a folder's images are understood: ``"frames"``, ``"triplets"``, or ``"auto"``, which takes images
            for triplets only where the folder is named trainA, trainB, testA or testB and each is three times as
            wide as high.

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
    if layout not in LAYOUTS:
        raise ValueError(refusal("layout", allowed=f"one of {', '.join(LAYOUTS)}", got=repr(layout)))
    if isinstance(path, FrameSource):
        return path
    if isinstance(path, (np.ndarray, Tensor)):
        return FrameSource([sequence_of_array(path)], name="array")
    place = as_path("path", os.fspath(path) if isinstance(path, os.PathLike) else path)
    if place.is_dir():
        return FrameSource(_open_folder(place, layout), name=str(place))
    if not place.exists():
        raise FileNotFoundError(refusal(str(place), allowed="a file or folder that exists", got="nothing"))
    if layout == "triplets":
        raise ValueError(refusal(str(place), allowed="a folder, for layout='triplets'", got="a file"))
    if place.suffix.lower() in IMAGE_SUFFIXES:
        return FrameSource([ImageSequence([place], name=place.name)], name=str(place))
    return FrameSource([VideoSequence(place)], name=str(place))


def natural_order(path: Path) -> tuple[list[int | str], str]:
    """Sorts names as people do: numbers by their value.

    Example:
        >>> [p.name for p in sorted([Path("frame10.png"), Path("frame2.png")], key=natural_order)]
        ['frame2.png', 'frame10.png']
    """
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name


def _open_folder(folder: Path, layout: str) -> list[Sequence]:
    images, videos, folders = _contents(folder)
    kinds = {"image": images, "video": videos, "folder": folders}
    found = {kind: paths for kind, paths in kinds.items() if paths}
    if len(found) > 1:
        got = " beside ".join(
            f"{counted(len(paths), kind)} ({paths[0].name}{', …' * (len(paths) > 1)})" for kind, paths in found.items()
        )
        fix = "Separate them, and pass one of them."
        raise ValueError(refusal(str(folder), allowed="images, videos or folders alone", got=got, fix=fix))
    if images:
        return _open_images(folder, images, layout)
    if layout == "triplets":
        got = next((f"{kind}s" for kind in found), "no images")
        raise ValueError(refusal(str(folder), allowed="images, for layout='triplets'", got=got))
    if videos:
        return [VideoSequence(path) for path in videos]
    if folders:
        return _open_folders(folder, folders)
    names = sorted(path.name for path in folder.iterdir())
    got = f"nothing usable among {', '.join(names[:4])}" if names else "an empty folder"
    raise ValueError(refusal(str(folder), allowed="images, videos or folders of images", got=got))


def _contents(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    visible = sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=natural_order)

    def files(suffixes: tuple[str, ...]) -> list[Path]:
        return [path for path in visible if path.suffix.lower() in suffixes and path.is_file()]

    return files(IMAGE_SUFFIXES), files(VIDEO_SUFFIXES), [path for path in visible if path.is_dir()]


def _open_images(folder: Path, images: list[Path], layout: str) -> list[Sequence]:
    if layout == "auto" and folder.resolve().name in _PUBLISHED_FOLDERS:
        triplets = [width == 3 * height for height, width in map(image_size, images)]
        if any(triplets) and not all(triplets):
            got = f"{sum(triplets)} of {len(triplets)} images three times as wide as high"
            fix = "Say which they are: layout='triplets' or layout='frames'."
            raise ValueError(refusal(str(folder), allowed="triplets or single frames", got=got, fix=fix))
        layout = "triplets" if all(triplets) else "frames"
    if layout == "triplets":
        return [TripletSequence(path) for path in images]
    return [ImageSequence(images, name=folder.resolve().name)]


def _open_folders(folder: Path, folders: list[Path]) -> list[Sequence]:
    if domains := [path.name for path in folders if path.name in _PUBLISHED_FOLDERS]:
        got = f"a data set with {', '.join(domains)}"
        fix = f"Pass one of them, such as {folder / domains[0]}."
        raise ValueError(refusal(str(folder), allowed="the frames of one domain", got=got, fix=fix))
    sequences: list[Sequence] = []
    for path in folders:
        images, videos, inner = _contents(path)
        if not images or videos or inner:
            found = {"image": images, "video": videos, "folder": inner}
            counts = [counted(len(paths), kind) for kind, paths in found.items() if paths]
            got = f"{path.name} with {' beside '.join(counts) or 'nothing usable'}"
            raise ValueError(refusal(str(folder), allowed="folders that hold images alone", got=got))
        sequences.append(ImageSequence(images, name=path.name))
    return sequences
