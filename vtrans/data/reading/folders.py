"""Folders of frames: what lies in one, what it is taken for, and what is passed over."""

import re
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from vtrans.data.checks import counted
from vtrans.data.reading.images import IMAGE_SUFFIXES, ImageSequence, TripletSequence, image_size, read_image
from vtrans.data.reading.videos import VideoSequence
from vtrans.data.sequences import Sequence, Skipped
from vtrans.errors import refusal

VIDEO_SUFFIXES = tuple(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .m2ts .mts .wmv .flv .gif .ogv .3gp .y4m .vob .asf".split()
)
_PUBLISHED_FOLDERS = ("trainA", "trainB", "testA", "testB")
Made = TypeVar("Made")


class Attempts:
    """Attempts to read files: with ``skip`` those that fail are noted and passed over, or else they end everything."""

    def __init__(self, *, skip: bool) -> None:
        self.skip = skip
        self.skipped: list[Skipped] = []

    def __call__(self, path: Path, make: Callable[[Path], Made]) -> Made | None:
        """What ``make`` makes of the path, or None if it was passed over."""
        try:
            return make(path)
        except (ValueError, OSError) as error:
            if not self.skip:
                raise
            self.note(path, str(error))
            return None

    def note(self, path: Path, message: str) -> None:
        """Notes why a path was passed over."""
        self.skipped.append(Skipped(path, message.removeprefix(f"{path}: ")))


def natural_order(path: Path) -> tuple[list[int | str], str]:
    """Sorts names as people do: numbers by their value.

    Example:
        >>> [p.name for p in sorted([Path("frame10.png"), Path("frame2.png")], key=natural_order)]
        ['frame2.png', 'frame10.png']
    """
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name


def open_folder(folder: Path, layout: str, attempts: Attempts) -> list[Sequence]:
    """The sequences of a folder of images, of videos, or of folders of images.

    ``layout`` is as for :func:`vtrans.data.open_source`. A folder with nothing usable or a mixture is refused.
    """
    found = _contents(folder)
    if len(found) > 1:
        got = " beside ".join(
            f"{counted(len(paths), kind)} ({paths[0].name}{', …' * (len(paths) > 1)})" for kind, paths in found.items()
        )
        fix = "Separate them, and pass one of them."
        raise ValueError(refusal(str(folder), allowed="images, videos or folders alone", got=got, fix=fix))
    if not found:
        raise ValueError(_nothing_usable(folder))
    ((kind, paths),) = found.items()
    if layout == "triplets" and kind != "image":
        raise ValueError(refusal(str(folder), allowed="images, for layout='triplets'", got=f"{kind}s"))
    if kind == "image":
        sequences = _open_images(folder, paths, layout, attempts)
    elif kind == "video":
        read = _whole_video if attempts.skip else VideoSequence
        sequences = [video for path in paths if (video := attempts(path, read))]
    else:
        sequences = _open_folders(folder, paths, attempts)
    if not sequences:
        reasons = "; ".join(f"{skipped.path.name}: {skipped.reason}" for skipped in attempts.skipped[:3])
        got = f"none among {counted(len(attempts.skipped), 'file')}: {reasons}"
        raise ValueError(refusal(str(folder), allowed="at least one file that can be used", got=got))
    return sequences


def _contents(folder: Path) -> dict[str, list[Path]]:
    """The images, videos and folders in a folder; a kind of which there is none is left out."""
    try:
        visible = sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=natural_order)
        folders = [path for path in visible if path.is_dir()]
        rest = [path for path in visible if not path.is_dir()]
    except PermissionError as error:
        fix = f"Allow it, with chmod u+rx {folder}, or run as its owner."
        got = "no permission to look into it"
        raise ValueError(refusal(str(folder), allowed="a folder that can be read", got=got, fix=fix)) from error

    def files(suffixes: tuple[str, ...]) -> list[Path]:
        return [path for path in rest if path.suffix.lower() in suffixes]

    kinds = {"image": files(IMAGE_SUFFIXES), "video": files(VIDEO_SUFFIXES), "folder": folders}
    return {kind: paths for kind, paths in kinds.items() if paths}


def _nothing_usable(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    got = f"nothing usable among {', '.join(names[:4])}{', …' * (len(names) > 4)}" if names else "an empty folder"
    fix = f"Names end in {' '.join(IMAGE_SUFFIXES)} for images and {' '.join(VIDEO_SUFFIXES)} for videos."
    return refusal(str(folder), allowed="images, videos or folders of images", got=got, fix=fix if names else "")


def _whole_video(path: Path) -> VideoSequence:
    """A video of which every frame decodes."""
    video = VideoSequence(path)
    video.check()
    return video


def _whole_image(path: Path) -> tuple[int, int]:
    """Height and width of an image that decodes."""
    size = image_size(path)
    read_image(path)
    return size


def _open_images(folder: Path, images: list[Path], layout: str, attempts: Attempts) -> list[Sequence]:
    name = folder.resolve().name
    published = layout == "auto" and name in _PUBLISHED_FOLDERS
    sizes: dict[Path, tuple[int, int] | None] = {}
    if attempts.skip or published:
        sizes = {path: attempts(path, _whole_image if attempts.skip else image_size) for path in images}
    if published:
        triplets = [width == 3 * height for height, width in filter(None, sizes.values())]
        if any(triplets) and not all(triplets):
            got = f"{sum(triplets)} of {len(triplets)} images three times as wide as high"
            fix = "Say which they are: layout='triplets' or layout='frames'."
            raise ValueError(refusal(str(folder), allowed="triplets or single frames", got=got, fix=fix))
        layout = "triplets" if triplets and all(triplets) else "frames"
    if layout == "triplets":
        readable = [path for path in images if not sizes or sizes[path]]
        return [triplet for path in readable if (triplet := attempts(path, TripletSequence))]
    return _runs(images, name, sizes, attempts) if attempts.skip else [ImageSequence(images, name=name)]


def _runs(
    images: list[Path], name: str, sizes: dict[Path, tuple[int, int] | None], attempts: Attempts
) -> list[Sequence]:
    """The runs of images between those that can't be used: unreadable, or of another size than most."""
    counts = Counter(size for size in sizes.values() if size)
    if not counts:
        return []
    (height, width), _ = counts.most_common(1)[0]
    for path, size in sizes.items():
        if size not in (None, (height, width)):
            allowed = f"{height}x{width} pixels (height x width), like most"
            attempts.note(path, refusal(str(path), allowed=allowed, got=f"{size[0]}x{size[1]}", fix="Resize it."))
    usable = groupby(images, key=lambda path: sizes[path] == (height, width))
    runs = [list(run) for fits, run in usable if fits]
    names = [name if len(runs) == 1 else f"{name}-{run[0].stem}" for run in runs]
    return [ImageSequence(run, name=name) for run, name in zip(runs, names, strict=True)]


def _open_folders(folder: Path, folders: list[Path], attempts: Attempts) -> list[Sequence]:
    if domains := [path.name for path in folders if path.name in _PUBLISHED_FOLDERS]:
        got = f"a data set with {', '.join(domains)}"
        fix = f"Pass one of them, such as {folder / domains[0]}."
        raise ValueError(refusal(str(folder), allowed="the frames of one domain", got=got, fix=fix))
    sequences: list[Sequence] = []
    for path in folders:
        found = attempts(path, _contents)
        if found is None:
            continue
        if list(found) != ["image"]:
            counts = [counted(len(paths), kind) for kind, paths in found.items()]
            got = f"{path.name} with {' beside '.join(counts) or 'nothing usable'}"
            message = refusal(str(folder), allowed="folders that hold images alone", got=got)
            if counts or not attempts.skip:
                raise ValueError(message)
            attempts.note(path, message.removeprefix(f"{folder}: "))
            continue
        sequences += _open_images(path, found["image"], "frames", attempts)
    return sequences
