"""What a model is measured on: what its run held out, or other frames."""

from dataclasses import replace

import numpy as np
import pytest

from vtrans.data import Palette, open_source, write_frames
from vtrans.data.settings import DataSettings
from vtrans.evaluation.opening import changed_settings, open_data


@pytest.fixture
def folders(tmp_path):
    """Twenty frames of each domain, of 16x20 pixels, and a palette."""
    for seed, domain in enumerate("xy"):
        frames = np.random.default_rng(seed).integers(0, 256, (20, 16, 20, 3), np.uint8)
        write_frames(tmp_path / domain, frames)
    Palette(["dark", "light"], [(0, 0, 0), (255, 255, 255)]).save(tmp_path / "palette.json")
    return {domain: str(tmp_path / domain) for domain in "xy"}


def frames_of(data, domain):
    return [frame for sequence in data.sequences(domain) for frame in data.frames(sequence)]


RUN = DataSettings(world="shapes", size=32, held_out=0.1, paired=False, world_options={})


def test_other_data_replace_those_of_the_run():
    assert changed_settings(RUN, {"size": 16}) == replace(RUN, size=16)
    assert changed_settings(RUN, {"x": None, "size": 16}) == replace(RUN, size=16)
    own = DataSettings(x="a", y="b", held_out=0.2, paired=True, size=16)
    for kind in ("x", "y", "edges_of"):
        assert changed_settings(own, {kind: "c"}) == DataSettings(**{kind: "c"}, size=16)
    assert changed_settings(own, {"y": "c", "paired": True, "held_out": 0.5}) == DataSettings(
        y="c", paired=True, held_out=0.5, size=16
    )


def test_options_of_a_world_stay_with_it():
    run = DataSettings(world="motion_keyed", world_options={"cue": "change"}, size=32)
    assert changed_settings(run, {"world": "motion_keyed"}).world_options == {"cue": "change"}
    assert changed_settings(run, {"world": "shapes"}) == DataSettings(world="shapes", size=32)
    assert changed_settings(run, {"x": "a"}) == DataSettings(x="a", size=32)


def test_a_world_gives_held_out_pairs():
    settings = DataSettings(world="motion_keyed", size=16, world_options={"cue": "change"})
    data = open_data(settings, seed=3, clips=2, length=3)
    assert data.paired and data.x.name == "motion_keyed/held_out/x" and "x" in data.swapped
    assert [sequence.length for sequence in data.sequences("y")] == [3, 3]
    for other in (replace(settings, world_options={}), settings):
        same = np.array_equal(frames_of(open_data(other, seed=3, clips=2, length=3), "x"), frames_of(data, "x"))
        assert same == (other is settings)
    first, default = (open_data(settings, clips=2, length=3, **seed) for seed in ({"seed": 0}, {}))
    np.testing.assert_array_equal(frames_of(first, "x"), frames_of(default, "x"))
    assert not np.array_equal(frames_of(first, "x"), frames_of(data, "x"))
    whole = open_data(replace(settings, size="own", world="shapes", world_options={}), clips=None, length=2)
    assert len(whole.sequences("x")) == 8 and whole.sequences("x")[0].height == 256
    assert open_data(settings, clips=1).sequences("x")[0].length == 8


@pytest.mark.parametrize(
    ("size", "expected"), [("own", None), ("published", (256, 256)), (24, (24, 24)), ((12, 14), (12, 14))]
)
def test_files_are_loaded_at_their_size_and_not_cropped(folders, size, expected):
    data = open_data(DataSettings(**folders, size=size, crop=8), length=2)
    assert data.size == expected and data.length == 2 and not data.paired and data.palettes == {}
    assert frames_of(data, "x")[0].shape == (*(expected or (16, 20)), 3)
    assert data.x.length == 20 and len(frames_of(data, "y")) == 2


def test_of_a_run_only_what_it_held_out_is_used(folders):
    run = DataSettings(**folders, size="own", held_out=0.2)
    for settings, trained_on in ((run, True), (run, False)):
        data = open_data(settings, trained_on=trained_on)
        for domain, folder in folders.items():
            assert len(frames_of(data, domain)) == 4
            np.testing.assert_array_equal(frames_of(data, domain), open_source(folder).sequences[0].read(16, 4))
    fix = "data: expected frames held out from training, got none in this run. Pass --x and --y"
    with pytest.raises(ValueError, match=fix):
        open_data(replace(run, held_out=0.0), trained_on=True)
    assert open_data(replace(run, held_out=0.0)).x.length == 20


def test_one_domain_alone_and_none(folders):
    data = open_data(DataSettings(x=folders["x"], size="own"))
    assert data.x.length == 20 and data.y is None
    with pytest.raises(ValueError, match="data: expected frames to measure on, got none. Pass --x and --y, or --world"):
        open_data(DataSettings(size="own"))


def test_pairs_are_those_of_the_settings_or_asked_for(folders):
    own = DataSettings(**folders, size="own", held_out=0.2)
    assert open_data(own, paired=True).paired and open_data(replace(own, paired=True)).paired
    assert not open_data(own).paired


def test_a_video_and_its_edges_are_pairs(folders):
    data = open_data(DataSettings(edges_of=folders["x"], size="own", held_out=0.4))
    assert data.paired and data.x.length == data.y.length == 8 and data.palettes == {}
    np.testing.assert_array_equal(frames_of(data, "x"), open_source(folders["x"]).sequences[0].read(12, 8))
    assert not np.array_equal(frames_of(data, "x"), frames_of(data, "y"))


def test_fewer_sequences(folders, tmp_path):
    for number in range(3):
        write_frames(tmp_path / f"many/{number}", np.full((2, 16, 16, 3), number, np.uint8))
    data = open_data(DataSettings(x=str(tmp_path / "many"), y=folders["y"], size="own"), clips=2)
    assert [int(frame[0, 0, 0]) for frame in frames_of(data, "x")] == [0, 0, 1, 1]
    (tmp_path / "many/3").mkdir()
    (tmp_path / "many/3/a.png").write_bytes(b"damaged")
    skipping = DataSettings(x=str(tmp_path / "many"), size="own", on_error="skip")
    assert [skipped.path.name for skipped in open_data(skipping).x.skipped] == ["a.png"]
    assert len(data.sequences("y")) == 1 and "many" in data.x.name and data.y.name == open_source(folders["y"]).name


def test_a_palette_is_for_one_of_the_domains_at_least(folders, tmp_path):
    settings = DataSettings(**folders, size="own", palette=str(tmp_path / "palette.json"))
    for labels in ("x", "y"):
        data = open_data(settings, labels=labels)
        assert list(data.palettes) == [labels] and data.palettes[labels].names == ("dark", "light")
        for domain in "xy":
            assert (set(np.unique(frames_of(data, domain))) == {0, 255}) == (domain == labels)
    assert list(open_data(settings).palettes) == ["y"]
    said = replace(settings, channels={"x": "labels", "y": "grey"})
    assert list(open_data(said, labels="y").palettes) == ["x"] and open_data(said).y.channels == 1
    alone = replace(said, x=None, channels="labels")
    assert list(open_data(alone).palettes) == ["y"]
    assert open_data(DataSettings(**folders, size="own"), labels="x").palettes == {}
    with pytest.raises(ValueError, match="data.channels: expected one value, or {x: …, y: …}, got {'x': 'labels'}"):
        open_data(replace(settings, channels={"x": "labels"}))
    with pytest.raises(ValueError, match="labels: expected x or y, got z"):
        open_data(settings, labels="z")


def test_numbers_out_of_range(folders):
    own, world = DataSettings(**folders, size="own"), DataSettings(world="shapes", size=16)
    for settings, argument, least in (
        (own, "clips", 1),
        (own, "length", 1),
        (world, "clips", 1),
        (world, "length", 2),
    ):
        with pytest.raises(
            ValueError, match=f"{argument}: expected a whole number of at least {least}, got {least - 1}"
        ):
            open_data(settings, **{argument: least - 1})
        assert open_data(settings, **{argument: least}).x.length
