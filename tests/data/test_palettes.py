"""Palettes: classes to colours and back, ties, colours that belong to no class, files."""

import pickle

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from vtrans.data.palettes import IGNORE, Palette

TOWN = Palette(["road", "sky", "tree"], [(128, 64, 128), (70, 130, 180), (107, 142, 35)])
LEVELS = st.integers(0, 255)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)


@st.composite
def palettes(draw, most=12):
    colours = draw(st.lists(st.tuples(LEVELS, LEVELS, LEVELS), min_size=1, max_size=most, unique=True))
    return Palette([f"class {i}" for i in range(len(colours))], colours)


def by_brute_force(palette, frames):
    """The nearest classes by comparing every pixel with every class, in 64 bits."""
    distances = ((frames[..., None, :].astype(np.int64) - palette.colours.astype(np.int64)) ** 2).sum(axis=-1)
    return distances.argmin(axis=-1), distances.min(axis=-1)


@given(palettes(), st.data())
def test_indices_to_colours_and_back(palette, data):
    indices = data.draw(arrays.arrays(np.int64, SHAPES, elements=st.integers(0, len(palette) - 1)))
    colours = palette.to_colours(indices)
    assert colours.dtype == np.uint8 and colours.shape == (*indices.shape, 3)
    for unknown in ("nearest", "refuse", IGNORE):
        back = palette.to_indices(colours, unknown=unknown)
        assert back.dtype == np.uint8 and back.shape == indices.shape
        assert (back == indices).all()


@given(palettes(), st.data())
def test_any_colour_is_its_nearest_class_and_a_tie_the_first(palette, data):
    shape = data.draw(SHAPES)
    frames = data.draw(arrays.arrays(np.uint8, (*shape, 3)))
    nearest, distance = by_brute_force(palette, frames)
    assert (palette.to_indices(frames) == nearest).all()
    tolerance = data.draw(st.floats(0, 500))
    known = palette.to_indices(frames, unknown=IGNORE, tolerance=tolerance)
    assert (known == np.where(distance <= tolerance**2, nearest, IGNORE)).all()


def test_ties_go_to_the_lower_index():
    middle = np.array([[10, 0, 0]], np.uint8)
    assert Palette(["a", "b"], [(0, 0, 0), (20, 0, 0)]).to_indices(middle).tolist() == [0]
    assert Palette(["a", "b"], [(20, 0, 0), (0, 0, 0)]).to_indices(middle).tolist() == [0]
    four = [(10, 20, 0), (10, 0, 20), (20, 10, 0), (0, 10, 10)]
    assert Palette(["a", "b", "c", "d"], four).to_indices(np.array([10, 10, 10], np.uint8)) == 3
    assert Palette(["a", "b", "c"], four[:3]).to_indices(np.array([10, 10, 10], np.uint8)) == 0


def test_the_greatest_palette_and_all_the_levels_of_one_channel():
    ramp = np.stack([np.arange(255), np.zeros(255), np.zeros(255)], axis=-1).astype(int)
    palette = Palette([str(i) for i in range(255)], ramp)
    levels = np.zeros((256, 3), np.uint8)
    levels[:, 0] = np.arange(256)
    assert palette.to_indices(levels).tolist() == [*range(255), 254]
    assert palette.to_indices(levels, unknown=IGNORE)[255] == IGNORE


def test_a_tolerance_includes_its_border():
    frames = np.array([[3, 4, 0], [3, 4, 1]], np.uint8)
    black = Palette(["black"], [(0, 0, 0)])
    assert black.to_indices(frames, unknown=IGNORE, tolerance=5).tolist() == [0, IGNORE]
    assert black.to_indices(frames, unknown=7, tolerance=1e300).tolist() == [0, 0]
    two = Palette(["white", "black"], [(255, 255, 255), (0, 0, 0)])
    assert two.to_indices(frames, unknown=0, tolerance=5).tolist() == [1, 0]
    assert black.to_indices(frames, unknown=7, tolerance=float("inf")).tolist() == [0, 0]


def test_unknown_colours_are_refused_with_colour_place_and_count():
    frames = np.broadcast_to(TOWN.colours[1], (2, 3, 4, 3)).copy()
    frames[1, 2, 0] = (70, 130, 190)
    frames[1, 2, 3] = (0, 0, 0)
    with pytest.raises(ValueError) as error:
        TOWN.to_indices(frames, unknown="refuse")
    assert str(error.value) == (
        "frames: expected colours of the palette, or up to 0 from them, got (70, 130, 190) at (1, 2, 0) (2 such "
        "pixels); the nearest is sky. Raise tolerance, pass unknown='nearest', or complete the palette."
    )
    with pytest.raises(ValueError, match=r"got \(0, 0, 0\) at \(1, 2, 3\) \(1 such pixel\); the nearest is tree"):
        TOWN.to_indices(frames, unknown="refuse", tolerance=10)


def test_what_is_learned_of_one_palette_does_not_reach_another():
    frames = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3)).astype(np.uint8)
    other = Palette(["a", "b"], TOWN.colours[1:])
    for palette in (TOWN, other, TOWN, other):
        assert (palette.to_indices(frames) == by_brute_force(palette, frames)[0]).all()


def test_views_of_frames_and_other_whole_numbers_do():
    frames = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 3)).astype(np.uint8)
    view = frames[:, ::-1, ::2].transpose(2, 0, 1, 3)
    assert (TOWN.to_indices(view) == by_brute_force(TOWN, view)[0]).all()
    for kind in (np.uint8, np.int16, np.uint64):
        assert TOWN.to_colours(np.array([2, 0], kind)).tolist() == [[107, 142, 35], [128, 64, 128]]


def test_the_index_of_no_class_has_a_colour_only_when_it_is_given():
    indices = np.array([[0, 255]])
    assert TOWN.to_colours(indices, ignored=(1, 2, 3)).tolist() == [[[128, 64, 128], [1, 2, 3]]]
    with pytest.raises(ValueError, match=r"indices: expected 0 to 2, the palette's classes, got 255 at \(0, 1\)"):
        TOWN.to_colours(indices)
    with pytest.raises(ValueError, match=r"expected 0 to 2, the palette's classes, or 255, got -1 at \(0,\) \(2 such"):
        TOWN.to_colours(np.array([-1, 255, 3]), ignored=(0, 0, 0))
    with pytest.raises(ValueError, match="ignored: expected whole numbers 0 to 255"):
        TOWN.to_colours(indices, ignored=(0, 0, 256))


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Palette([], []), ValueError, "names: expected 1 to 255 classes, got 0. Indices have 8 bits"),
        (lambda: Palette(map(str, range(256)), np.zeros((256, 3), int)), ValueError, "expected 1 to 255 classes, got"),
        (lambda: Palette(["a", "a"], [(0, 0, 0), (1, 1, 1)]), ValueError, "names that all differ, got 'a' twice"),
        (lambda: Palette("road", [(0, 0, 0)]), TypeError, "names: expected a list of names, got 'road'"),
        (lambda: Palette([1], [(0, 0, 0)]), TypeError, "names: expected text for each class, got 1"),
        (
            lambda: Palette(["a", "b", "c"], [(0, 0, 0), (1, 2, 3), (1, 2, 3)]),
            ValueError,
            "colours: expected colours that all differ, got (1, 2, 3) for both b and c",
        ),
        (
            lambda: Palette(["a"], [(0, 0, 0), (1, 1, 1)]),
            ValueError,
            "colours: expected whole numbers 0 to 255 of shape (1, 3), RGB, got shape (2, 3)",
        ),
        (lambda: Palette(["a"], [(0, 0)]), ValueError, "got shape (1, 2)"),
        (lambda: Palette(["a", "b"], [(0, 0), (0, 0, 0)]), ValueError, "got rows of different lengths"),
        (lambda: Palette(["a"], [(0, 0, 256)]), ValueError, "got values 0 to 256"),
        (lambda: Palette(["a"], [(-1, 0, 0)]), ValueError, "got values -1 to 0"),
        (lambda: Palette(["a"], [(0.0, 0.5, 1.0)]), TypeError, "got an array of float64"),
        (lambda: Palette(["a"], [(True, False, True)]), TypeError, "got an array of bool"),
        (lambda: TOWN.to_indices(np.zeros((2, 3))), TypeError, "frames: expected a uint8 array with values 0 to 255"),
        (lambda: TOWN.to_indices([[0, 0, 0]]), TypeError, "got list"),
        (lambda: TOWN.to_indices(np.zeros((2, 4), np.uint8)), ValueError, "axes (…, 3), RGB, got shape (2, 4)"),
        (lambda: TOWN.to_indices(np.uint8(3)[...]), ValueError, "axes (…, 3), RGB, got shape ()"),
        (lambda: TOWN.to_colours(np.zeros(3)), TypeError, "indices: expected an array of whole numbers, got an array"),
        (lambda: TOWN.to_colours([0]), TypeError, "indices: expected an array of whole numbers, got list"),
        (lambda: TOWN.index("skye"), ValueError, "Unknown class 'skye'. Did you mean 'sky'? Known: road, sky, tree."),
    ],
)
def test_what_is_refused(make, kind, message):
    with pytest.raises(kind) as error:
        make()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unknown": "drop"}, "unknown: expected 'nearest', 'refuse' or an index of 0 to 255, got 'drop'"),
        ({"unknown": 256}, "got 256"),
        ({"unknown": True}, "got True"),
        ({"tolerance": 3}, "tolerance: expected None with unknown='nearest', got 3. Pass unknown='refuse' or an index"),
        ({"unknown": 255, "tolerance": -1}, "tolerance: expected None or a number of at least 0, got -1"),
        ({"unknown": 255, "tolerance": float("nan")}, "got nan"),
        ({"unknown": 255, "tolerance": "3"}, "got '3'"),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError) as error:
        TOWN.to_indices(np.zeros((1, 3), np.uint8), **options)
    assert message in str(error.value)


def test_palettes_can_be_pickled():
    assert pickle.loads(pickle.dumps(TOWN)) == TOWN


def test_palettes_are_values():
    same = Palette(("road", "sky", "tree"), np.array(TOWN.colours))
    assert same == TOWN and hash(same) == hash(TOWN) and len(TOWN) == 3
    assert [TOWN.index(name) for name in TOWN.names] == [0, 1, 2]
    assert (
        len({hash(TOWN), hash(Palette(("a", "b", "c"), TOWN.colours)), hash(Palette(TOWN.names, np.eye(3, dtype=int)))})
        == 3
    )
    assert TOWN != Palette(["road", "sky", "bush"], TOWN.colours) and TOWN != Palette(["road"], TOWN.colours[:1])
    assert TOWN != "road"
    assert repr(TOWN) == "Palette(road #804080, sky #4682b4, tree #6b8e23)"
    with pytest.raises(ValueError, match="read-only"):
        same.colours[0] = 0
    with pytest.raises(AttributeError):
        TOWN.names = ()


def test_a_palette_keeps_its_own_colours():
    given_colours = np.array([[1, 2, 3]])
    palette = Palette(["a"], given_colours)
    given_colours[:] = 9
    assert palette.colours.tolist() == [[1, 2, 3]]


def test_files(tmp_path):
    palette = Palette(["Straße", "空"], [(1, 2, 3), (4, 5, 6)])
    path = tmp_path / "a palette.json"
    palette.save(path)
    assert Palette.load(path) == Palette.load(str(path)) == palette
    # For people to read and change: a line for each class.
    lines = ['  {"name": "Straße", "colour": [1, 2, 3]},', '  {"name": "空", "colour": [4, 5, 6]}']
    assert path.read_text(encoding="utf-8") == "\n".join(["[", *lines, "]", ""])
    with pytest.raises(TypeError, match="path: expected a path, as text or pathlib.Path, got 3"):
        Palette.load(3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "got this: Expecting property name"),
        ('{"road": [1, 2, 3]}', "got this: string indices must be integers"),
        ("3", "not iterable"),
        ("[]", "got this: names: expected 1 to 255 classes, got 0"),
        ('[{"name": "road"}]', "got an entry without 'colour'"),
        ('[{"name": "road", "colour": [1, 2]}]', "of shape (1, 3), RGB, got shape (1, 2)"),
        ('[{"name": "road", "colour": [1, 2, 3.5]}]', "got an array of float64"),
        ("\xff", "got this: 'utf-8' codec can't decode"),
    ],
)
def test_files_that_are_no_palette(tmp_path, text, message):
    path = tmp_path / "palette.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError) as error:
        Palette.load(path)
    assert str(error.value).startswith(f'{path}: expected a palette, JSON such as [{{"name": "road", "colour": [128')
    assert message in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json: expected a palette, JSON such as .*, got no file\."):
        Palette.load(tmp_path / "none.json")
