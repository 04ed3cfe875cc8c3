"""Sources in grey and in the colours of a palette, and views that parts of one whole share."""

import pickle

import numpy as np
import pytest
from helpers.media import encode, images, moving
from PIL import Image

from vtrans.data import ArraySequence, FrameSource, Part, open_source, time_range
from vtrans.data.caching.cache_folder import fingerprint
from vtrans.data.colours import grey, labels, luma
from vtrans.data.edges import edges
from vtrans.data.palettes import Palette

TOWN = Palette(["road", "sky", "tree", "lamp"], [(128, 64, 128), (70, 130, 180), (0, 142, 0), (250, 170, 30)])


def test_grey_is_what_pillow_makes_of_colours():
    frames = np.random.default_rng(0).integers(0, 256, (2, 401, 307, 3)).astype(np.uint8)
    frames[0, :256, 0] = np.arange(256)[:, None]  # grey stays the grey it is
    expected = np.stack([np.asarray(Image.fromarray(frame).convert("L")) for frame in frames])
    assert (luma(frames)[..., 0] == expected).all()
    assert luma(frames)[0, :256, 0, 0].tolist() == list(range(256))


def test_grey_of_a_folder_of_images(tmp_path):
    frames = moving(5)
    source = grey(open_source(images(tmp_path / "walk", frames)))
    assert source.channels == 1 and source.length == 5 and source.sequences[0].name == "walk"
    assert (source.sequences[0].read(1, 2, stride=2) == luma(frames)[1:5:2]).all()
    assert (np.stack(list(source.sequences[0].stream())) == luma(frames)).all()


def test_grey_that_is_grey_already_stays():
    source = open_source(np.zeros((5, 1, 4, 4), np.uint8))
    assert grey(source) is source


def test_labels_are_exact_again_after_compression(tmp_path):
    random = np.random.default_rng(0)
    classes = np.repeat(np.repeat(random.integers(0, 4, (6, 8, 12)), 8, axis=1), 8, axis=2)
    path = encode(tmp_path / "labels.mp4", TOWN.to_colours(classes), options={"crf": "18"})
    read = open_source(path).sequences[0].read(0, 6)
    assert len(np.unique(read.reshape(-1, 3), axis=0)) > 100
    source = labels(open_source(path), TOWN)
    sequence = source.sequences[0]
    assert sequence.discrete and sequence.channels == 3
    maps = sequence.read(0, 6)
    assert {tuple(colour) for colour in maps.reshape(-1, 3)} <= {tuple(colour) for colour in TOWN.colours}
    # Colour has half the resolution in such a video: pixels inside the areas tell, not those on their borders.
    inside = (slice(None), *(np.flatnonzero(np.isin(np.arange(n) % 8, (2, 3, 4, 5))) for n in (64, 96)))
    right = TOWN.to_indices(maps) == classes
    assert right[inside[0]][:, inside[1]][:, :, inside[2]].all()
    assert (np.stack(list(sequence.stream())) == maps).all()


def whole_of(source):
    return {id(sequence.whole) for sequence in source.sequences}


def test_parts_of_one_whole_share_one_view():
    one, two = (ArraySequence(moving(20, seed=seed), name=f"s{seed}") for seed in (0, 40))
    part = Part(one, 3, 9)
    part.continuous = True
    source = FrameSource([part, Part(one, 9, 20), two, Part(two, 0, 5)], name="walks")
    changed = grey(source)
    first, second, third, fourth = changed.sequences
    assert first.whole is second.whole and fourth.whole is third and first.whole is not third
    assert [s.name for s in changed.sequences] == [s.name for s in source.sequences]
    assert [s.continuous for s in changed.sequences] == [True, False, False, False]
    for before, after in zip(source.sequences, changed.sequences, strict=True):
        assert (after.read(0, 5) == luma(before.read(0, 5))).all()
    assert whole_of(time_range(grey(FrameSource([one], name="s0")), 0, 0.5)) != {id(one)}


def test_what_is_kept_of_views_is_found_by_how_they_are_made(tmp_path):
    source = open_source(images(tmp_path / "walk", moving(3)))
    fewer = Palette(TOWN.names[:2], TOWN.colours[:2])
    renamed = Palette(["a", "b", "c", "d"], TOWN.colours)
    views = [source, grey(source), labels(source, TOWN), labels(source, fewer)]
    prints = [fingerprint(view.sequences[0].origin) for view in views]
    assert len(set(prints)) == 4
    assert fingerprint(grey(source).sequences[0].origin) == prints[1]
    assert fingerprint(labels(source, renamed).sequences[0].origin) == prints[2]
    assert grey(open_source(np.zeros((3, 3, 4, 4), np.uint8))).sequences[0].origin is None


def test_grey_label_maps_still_stand_for_classes():
    source = open_source(np.zeros((3, 3, 4, 4), np.uint8))
    assert grey(labels(source, TOWN)).sequences[0].discrete and not grey(source).sequences[0].discrete


@pytest.mark.parametrize("view", [grey, lambda source: labels(source, TOWN), edges], ids=["grey", "labels", "edges"])
def test_views_can_be_handed_to_a_process_that_is_started_anew(view):
    changed = view(FrameSource([ArraySequence(moving(3), name="walk")], name="walk"))
    again = pickle.loads(pickle.dumps(changed))
    assert (again.sequences[0].read(0, 3) == changed.sequences[0].read(0, 3)).all()


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: grey(np.zeros((3, 4, 4, 3))), TypeError, "source: expected a FrameSource, got ndarray. Open it with"),
        (
            lambda: grey(open_source(np.zeros((3, 4, 4, 4), np.uint8))),
            ValueError,
            "source: expected frames of 1 or 3 channels, got 4 in array.",
        ),
        (
            lambda: labels(open_source(np.zeros((3, 1, 4, 4), np.uint8)), TOWN),
            ValueError,
            "source: expected frames of 3 channels, got 1 in array.",
        ),
        (
            lambda: labels(open_source(np.zeros((3, 3, 4, 4), np.uint8)), "town.json"),
            TypeError,
            "palette: expected a Palette, got str. Load one with vtrans.data.palettes.Palette.load.",
        ),
    ],
)
def test_what_is_refused(make, kind, message):
    with pytest.raises(kind) as error:
        make()
    assert message in str(error.value)
