"""The data of a run: which kinds there are, what is held out, and what of the colours is used."""

import numpy as np
import pytest
from helpers.media import encode, images, moving

from vtrans.data import Palette
from vtrans.data.opening import jitter_of, of_domain, open_sources, resolved
from vtrans.training import DataSettings


def opened(**settings):
    return open_sources(resolved(DataSettings(**settings)), seed=0)


@pytest.fixture
def video(tmp_path):
    return str(encode(tmp_path / "a.mp4", moving(60)))


def test_held_out_frames_are_the_end_of_each_domain_and_never_trained_on(tmp_path):
    frames = moving(100)
    images(tmp_path / "x", frames)
    images(tmp_path / "y", frames[::-1].copy())
    sources = opened(x=str(tmp_path / "x"), y=str(tmp_path / "y"), held_out=0.2, size=16)
    for domain, shown in (("x", frames), ("y", frames[::-1])):
        train, held_out = sources.train[domain], sources.held_out[domain]
        assert (train.length, held_out.length) == (75, 20)  # and a gap of a twentieth
        np.testing.assert_array_equal(held_out.sequences[0].read(0, 20), shown[80:])
        np.testing.assert_array_equal(train.sequences[0].read(0, 75), shown[:75])


def test_a_world_brings_pairs_and_takes_its_options():
    sources = opened(world="motion_keyed", size=32, world_options={"cue": "change"}, world_streams=3, world_length=5)
    assert [source.length for source in sources.train.values()] == [15, 15]
    assert sources.pairs[0].shape == (8, 8, 32, 32, 3)
    other = opened(world="motion_keyed", size=32, world_streams=3, world_length=5)
    assert not np.array_equal(sources.train["x"].sequences[0].read(0, 5), other.train["x"].sequences[0].read(0, 5))


def test_a_video_and_its_edges(video):
    sources = opened(edges_of=video, size=(16, 24), held_out=0.3)
    x, y = sources.pairs
    assert x.shape == y.shape == (2, 8, 16, 24, 3)
    bright = 255 - y.astype(float)
    assert bright[:, :, :, :, 0].max() > 60  # there are edges
    names = {domain: [s.name for s in source.sequences] for domain, source in sources.train.items()}
    assert set(names["x"]).isdisjoint(names["y"])


def test_channels_and_palette(tmp_path, video):
    palette = Palette(["dark", "light"], [(40, 60, 120), (230, 120, 30)])
    palette.save(tmp_path / "palette.json")
    sources = opened(
        x=video, y=video, channels={"x": "grey", "y": "labels"}, palette=str(tmp_path / "palette.json"), size=16
    )
    assert [source.channels for source in sources.train.values()] == [1, 3]
    colours = np.unique(sources.train["y"].sequences[0].read(0, 1).reshape(-1, 3), axis=0)
    assert colours.tolist() == [[40, 60, 120], [230, 120, 30]]


def test_edges_in_grey(video):
    sources = opened(edges_of=video, size=(16, 24), held_out=0.3, channels={"x": "rgb", "y": "grey"})
    assert [source.channels for source in sources.train.values()] == [3, 1]
    both = opened(edges_of=video, size=(16, 24), held_out=0.3, channels="grey")
    assert [source.channels for source in both.train.values()] == [1, 1]
    np.testing.assert_array_equal(both.pairs[1], sources.pairs[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"x": "a", "y": "b", "palette": "p.json"}, "data.palette: expected none without labels, got p.json"),
        ({"x": "a", "y": "b", "world_options": {"cue": "change"}}, "data.world_options: expected none without"),
        ({"world": "shapes", "channels": "grey"}, "data.channels: expected rgb for a world, got grey"),
        ({"edges_of": "a", "channels": "labels", "palette": "p.json"}, "rgb or grey for a video and its edges"),
        ({"x": "a", "y": "b", "channels": {"x": "rgb", "y": "gray"}}, "expected rgb or grey or labels for frames"),
    ],
)
def test_settings_without_effect_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        resolved(DataSettings(**settings))


def test_a_run_finds_its_files_from_any_folder(tmp_path, monkeypatch, video):
    monkeypatch.chdir(tmp_path)
    Palette(["dark", "light"], [(40, 60, 120), (230, 120, 30)]).save("palette.json")
    data = resolved(DataSettings(x="a.mp4", y="a.mp4", channels="labels", palette="palette.json"))
    assert (data.x, data.palette) == (video, str(tmp_path / "palette.json"))


def test_files_that_cannot_be_read_are_left_out_when_asked(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    encode(folder / "good.mp4", moving(10))
    (folder / "bad.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"bad\.mp4"):
        opened(x=str(folder), y=str(folder), size=16)
    sources = opened(x=str(folder), y=str(folder), size=16, on_error="skip")
    assert sources.train["x"].length == 10
    assert sources.skipped().count("skipped 1 file") == sources.skipped().count("bad.mp4") == 1


def test_changes_of_colour_by_domain():
    data = DataSettings(world="shapes", jitter={"x": {"brightness": 0.2}, "y": {"hue": 0.1}})
    assert jitter_of(data, "x").brightness == 0.2 and jitter_of(data, "y").hue == 0.1
    assert jitter_of(DataSettings(world="shapes"), "x") is None
    assert jitter_of(DataSettings(world="shapes", jitter={"contrast": 0.3}), "y").contrast == 0.3
    with pytest.raises(ValueError, match="Unknown change of colour: 'brigthness'. Did you mean 'brightness'"):
        jitter_of(DataSettings(world="shapes", jitter={"brigthness": 0.2}), "x")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"world": "shapes", "x": "a.mp4"}, "got data.world and data.x"),
        ({"edges_of": "a.mp4", "world": "shapes"}, "got data.world and data.edges_of"),
        ({"x": "a.mp4"}, "got no data.y"),
        ({}, "got no data.x and no data.y"),
    ],
)
def test_one_kind_of_data(settings, message):
    with pytest.raises(ValueError, match=message):
        resolved(DataSettings(**settings))


def test_a_setting_of_one_domain_alone_is_refused():
    with pytest.raises(ValueError, match=r"data.channels: expected one value, or \{x: …, y: …\}"):
        of_domain("data.channels", {"x": "grey"}, "x")
