"""Synthetic worlds, every one that is registered."""

import hashlib

import numpy as np
import pytest

from vtrans.data import Clips, batches, worlds
from vtrans.data.worlds.drawing import bounce, disc, square

# Of held-out pairs at size 32, count 2, length 3, seed 0: the same bytes on every machine.
FINGERPRINTS = {
    "motion_keyed": "192593a3c20b7b23",
    "retarget": "6023b46a1e113266",
    "shapes": "17c8e6a4b9f32e00",
    "street": "899d37affea2246d",
}


@pytest.fixture(params=list(worlds))
def name(request):
    return request.param


def test_pairs_show_the_same_scenes_and_copying_is_wrong(name):
    x, y = worlds.create(name, size=32).pairs(count=3, length=4)
    assert x.shape == y.shape == (3, 4, 32, 32, 3)
    assert x.dtype == y.dtype == np.uint8
    assert np.abs(x.astype(int) - y).mean() > 30
    assert all((a != b).any() for clip in x for a, b in zip(clip, clip[1:], strict=False))


def test_the_same_seed_gives_the_same_bytes_everywhere(name):
    x, y = worlds.create(name, size=32).pairs(count=2, length=3)
    assert hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()[:16] == FINGERPRINTS[name]
    other, _ = worlds.create(name, size=32, seed=1).pairs(count=2, length=3)
    assert (other != x).any()


def test_training_streams_are_unpaired_and_held_out_scenes_are_not_among_them(name):
    world = worlds.create(name, size=32)
    x, y = (world.train(domain, sequences=3, length=6) for domain in ("x", "y"))
    assert [(s.length, s.height, s.rate) for s in x.sequences] == [(6, 32, world.rate)] * 3
    again = world.train("x", sequences=2, length=6)
    np.testing.assert_array_equal(again.sequences[1].read(0, 6), x.sequences[1].read(0, 6))
    held_x, held_y = world.pairs(count=3, length=6)
    drawn_y = [s.read(0, 6) for s in y.sequences]
    drawn_x = [s.read(0, 6) for s in x.sequences]
    scenes_x = [world.render(world.scene(world._random(1, i), 6), "y") for i in range(3)]
    for a in drawn_y:
        assert all((a != b).any() for b in [*scenes_x, *held_y])
    for a in drawn_x:
        assert all((a != b).any() for b in held_x)


def test_worlds_feed_training(name):
    world = worlds.create(name, size=32)
    clips = [Clips(world.train(domain, sequences=2, length=5)) for domain in ("x", "y")]
    x, y = next(batches(*clips, batch=2))
    assert x.shape == y.shape == (2, 3, 3, 32, 32)
    assert -1 <= x.min() < x.max() <= 1


def test_longer_streams_begin_like_shorter_ones(name):
    world = worlds.create(name, size=32)
    short, long = (world.train("y", sequences=1, length=n).sequences[0] for n in (4, 9))
    np.testing.assert_array_equal(short.read(0, 4), long.read(0, 4))


def test_masks_cover_the_right_area():
    for row, column in [(16.0, 16.0), (12.3, 17.9)]:
        mask = disc(32, row, column, 7.0)
        assert abs(mask.sum() - np.pi * 49) < 0.6
        assert abs((mask.sum(1) * (np.arange(32) + 0.5)).sum() / mask.sum() - row) < 0.02
        np.testing.assert_allclose(square(32, row, column, 3.25).sum(), 6.5**2)


def test_bouncing_stays_inside_and_moves_steadily():
    way = bounce(3.0, 1.75, 2.0, 9.0, 200)
    assert way.min() >= 2 and way.max() <= 9
    steps = np.abs(np.diff(way))
    assert (np.isclose(steps, 1.75)).mean() > 0.6 and steps.max() < 1.75 + 1e-9


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 8}, ValueError, "size: expected a whole number of at least 16, got 8"),
        ({"seed": -1}, ValueError, "seed: expected"),
        ({"squares": 2}, TypeError, r"squares: expected \(least, greatest\), got 2"),
        ({"squares": (2, 1)}, ValueError, "squares: expected a whole number of at least 2, got 1"),
        ({"sizes": 8}, ValueError, "Unknown option of world 'shapes': 'sizes'. Did you mean 'size'"),
    ],
)
def test_options_that_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        worlds.create("shapes", **options)


def test_other_refusals():
    with pytest.raises(ValueError, match="Unknown world 'shape'. Did you mean 'shapes'?"):
        worlds.create("shape")
    world = worlds.create("shapes", size=16)
    with pytest.raises(ValueError, match="domain: expected 'x' or 'y', got 'z'"):
        world.train("z")
    for call in (lambda: world.train("x", sequences=0), lambda: world.train("x", length=0)):
        with pytest.raises(ValueError, match="expected a whole number of at least 1, got 0"):
            call()
    with pytest.raises(ValueError, match="count: expected"):
        world.pairs(count=0)
