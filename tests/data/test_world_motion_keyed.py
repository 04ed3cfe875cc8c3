"""The world where only motion tells the pairing: that it does, that single frames don't, and exact motion."""

from dataclasses import replace
from math import comb, pi

import numpy as np
import pytest
import torch
from torch import nn

from vtrans.data import frames_to_tensor, worlds
from vtrans.data.worlds import pairing_share

CUES = ["direction", "change"]
DARK_BRIGHT = {"x": ([28, 28, 28], [238, 238, 238]), "y": ([228, 58, 64], [48, 128, 174])}


def world(**options):
    return worlds.create("motion_keyed", **{"size": 32, **options})


def scenes(world, count, length):
    return [world.scene(np.random.default_rng([99, i]), length) for i in range(count)]


def coverage(frames, domain, kind):
    """How much of each pixel the discs of a kind cover, from the frames' colours alone."""
    frames = frames.astype(float)
    own, other = (np.array(colour, float) for colour in (DARK_BRIGHT[domain][kind], DARK_BRIGHT[domain][1 - kind]))
    near = np.square(frames - own).sum(-1) < np.square(frames - other).sum(-1)
    # The background is the same in every column and changes with neither time nor scene: the median of a row shows it.
    ground = np.median(frames, axis=(0, 2), keepdims=True)
    covered = ((frames - ground) * (own - ground)).sum(-1) / np.square(own - ground).sum(-1)
    return np.where(near, covered, 0.0).clip(0, 1)


# The pairing: nothing in a frame, everything in two.


@pytest.mark.parametrize("cue", CUES)
@pytest.mark.parametrize("domain", ["x", "y"])
def test_the_wrong_pairing_is_the_world_played_backwards(cue, domain):
    one = world(cue=cue, objects=(1, 2))
    for scene in scenes(one, 5, 7):
        backwards = tuple(
            replace(disc, kind=1 - disc.kind, columns=disc.columns[::-1], radii=disc.radii[::-1]) for disc in scene
        )
        np.testing.assert_array_equal(one.swapped.render(scene, domain)[::-1], one.render(backwards, domain))
        for disc in backwards:
            ways = np.diff(disc.columns) / 32 if cue == "direction" else np.diff(disc.radii) / (0.3 * 32 / 4)
            step = 0.123 if disc.kind == 0 else -0.123
            np.testing.assert_allclose(np.mod(ways - step + 0.5, 1.0), 0.5, atol=1e-9)


@pytest.mark.parametrize("cue", CUES)
@pytest.mark.parametrize("domain", ["x", "y"])
def test_one_frame_leaves_a_network_at_chance_and_two_tell_it_all(cue, domain):
    """The same small network, trained alike on both: is this the world, or the wrong pairing?"""
    one = world(size=16, cue=cue)
    train, test = 1280, 1024
    drawn = scenes(one, train + test, 2)
    wrong = np.arange(train + test) % 2
    rendered = [(one.swapped if w else one).render(scene, domain) for scene, w in zip(drawn, wrong, strict=True)]
    clips = torch.stack([frames_to_tensor(frames) for frames in rendered])
    labels = torch.from_numpy(wrong).float()

    def right(inputs):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(6, 16, 5, stride=2, padding=2, padding_mode="circular"),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, padding_mode="circular"),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 1),
        )
        adam = torch.optim.Adam(net.parameters(), lr=1e-2)
        for step in range(120):
            some = torch.arange(64) + 64 * (step % (train // 64))
            adam.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(net(inputs[some])[:, 0], labels[some]).backward()
            adam.step()
        with torch.no_grad():
            return int(((net(inputs[train:])[:, 0] > 0) == (labels[train:] > 0.5)).sum())

    one_frame = right(clips[:, [0, 0]].flatten(1, 2))
    two_frames = right(clips.flatten(1, 2))
    # So far from half is a fair coin once in 1,000 times or less; the binomial tail is exact.
    tail = sum(comb(test, k) for k in range(max(one_frame, test - one_frame), test + 1)) / 2**test
    assert 2 * tail > 1e-3, f"{one_frame} of {test} from one frame"
    assert two_frames >= 0.98 * test, f"{two_frames} of {test} from two frames"


@pytest.mark.parametrize("cue", CUES)
def test_positions_and_sizes_are_distributed_alike_at_every_time(cue):
    one = world(cue=cue)
    drawn = scenes(one, 3000, 6)
    for t in (0, 5):
        for attribute in ("row", "columns", "radii"):
            kinds = [
                np.sort(
                    [
                        getattr(d, attribute) if attribute == "row" else getattr(d, attribute)[t]
                        for s in drawn
                        for d in s
                        if d.kind == kind
                    ]
                )
                for kind in (0, 1)
            ]
            both = np.concatenate(kinds)
            # Two samples of one distribution differ so much (Kolmogorov and Smirnov) once in 10,000 times.
            apart = np.abs(np.searchsorted(kinds[0], both, "right") - np.searchsorted(kinds[1], both, "right")).max()
            assert apart / 3000 < 2.225 * np.sqrt(2 / 3000), (attribute, t)
        columns = np.array([[d.columns[t] for d in s] for s in drawn])
        counts = np.histogram2d(*columns.T, bins=4, range=[[0, 32]] * 2)[0]
        # Jointly uniform: chi-square of 15 degrees exceeds 44.3 once in 10,000 times.
        assert ((counts - 187.5) ** 2 / 187.5).sum() < 44.3


def test_no_colour_of_y_is_nearer_to_a_kind_of_x():
    one = world(size=64)
    looks = {}
    for domain in ("x", "y"):
        scene = scenes(one, 1, 1)[0]
        frame = one.render(scene, domain)[0]
        looks[domain] = [frame[int(d.row), int(d.columns[0])].astype(int).tolist() for d in scene]
    assert looks == {domain: list(pair) for domain, pair in DARK_BRIGHT.items()}
    (dark, bright), (red, blue) = np.array(looks["x"]), np.array(looks["y"])
    for distance in (lambda a, b: np.abs(a - b).sum(), lambda a, b: np.square(a - b).sum()):
        assert distance(dark, red) + distance(bright, blue) == distance(dark, blue) + distance(bright, red)
    luma = np.array([0.299, 0.587, 0.114])
    assert abs((red - blue) @ luma) < 0.5


# What moves.


def test_dark_and_red_go_right_bright_and_blue_go_left():
    one = world(speed=0.1)
    for scene in scenes(one, 4, 5):
        for domain in ("x", "y"):
            frames = one.render(scene, domain)
            for kind, sign in ((0, 1), (1, -1)):
                around = coverage(frames, domain, kind).sum(1) @ np.exp(2j * pi * (np.arange(32) + 0.5) / 32)
                steps = np.angle(around[1:] / around[:-1]) / (2 * pi)
                np.testing.assert_allclose(steps, sign * 0.1, atol=0.003)


def test_the_first_kind_grows_and_the_second_shrinks():
    one = world(size=64, cue="change", speed=0.1)
    for scene in scenes(one, 4, 12):
        for domain in ("x", "y"):
            frames = one.render(scene, domain)
            for kind, sign in ((0, 1), (1, -1)):
                radii = np.sqrt(coverage(frames, domain, kind).sum((1, 2)) / pi)
                steps = np.diff(radii) / (0.3 * 32)
                np.testing.assert_allclose(np.mod(steps - sign * 0.1 + 0.5, 1.0), 0.5, atol=0.015)
                assert (np.abs(steps) > 0.8).sum() in (1, 2)


def test_the_picture_is_a_cylinder():
    """An eighth of 32 pixels is a whole number of them: a disc's rows are rolled, also across the border."""
    one = world(speed=0.125)
    for scene in scenes(one, 3, 9):
        frames = one.render(scene, "y").astype(int)
        for disc in scene:
            rows = slice(16 * int(disc.row // 16), 16 * int(disc.row // 16) + 16)
            for t in range(9):
                rolled = np.roll(frames[0, rows], (4 if disc.kind == 0 else -4) * t, axis=1)
                assert np.abs(frames[t, rows] - rolled).max() <= 1


def inside(disc, t, row, column, size):
    """Whether a point lies in one of a disc's three copies, by plain arithmetic."""
    copies = [disc.columns[t] + shift for shift in (-size, 0, size)]
    return next((c for c in copies if (row - disc.row) ** 2 + (column - c) ** 2 <= disc.radii[t] ** 2), None)


@pytest.mark.parametrize(("cue", "size"), [("direction", 16), ("direction", 33), ("change", 16), ("change", 33)])
def test_flow_and_occlusion_match_a_pixel_by_pixel_reference(cue, size):
    one = world(cue=cue, size=size)
    for scene in scenes(one, 3, 6):
        motion = one.motion(scene, "y")
        for t in range(5):
            for i in range(size):
                for j in range(size):
                    at, to = (i + 0.5, j + 0.5), (i + 0.5, j + 0.5)
                    seen = next((d for d in scene if inside(d, t, *at, size) is not None), None)
                    if seen is not None and cue == "direction":
                        to = (at[0], at[1] + (1 if seen.kind == 0 else -1) * 0.123 * size)
                    elif seen is not None:
                        centre = np.array([seen.row, inside(seen, t, *at, size)])
                        to = tuple(centre + (np.array(at) - centre) * seen.radii[t + 1] / seen.radii[t])
                    np.testing.assert_allclose(motion.flow[t, :, i, j], [to[1] - at[1], to[0] - at[0]], atol=1e-5)
                    outside = not (0 <= to[0] < size and 0 <= to[1] < size)
                    then = next((d for d in scene if inside(d, t + 1, *to, size) is not None), None)
                    assert motion.occluded[t, i, j] == (outside or then is not seen)


@pytest.mark.parametrize("domain", ["x", "y"])
@pytest.mark.parametrize("cue", CUES)
def test_the_next_frame_warped_back_is_this_one(cue, domain):
    one = world(cue=cue, size=64)
    for scene in scenes(one, 4, 6):
        frames = torch.from_numpy(one.render(scene, domain)).permute(0, 3, 1, 2).double()
        motion = one.motion(scene, domain)
        grid = torch.stack(torch.meshgrid(*[torch.arange(64) + 0.5] * 2, indexing="xy")) + torch.from_numpy(motion.flow)
        warped = nn.functional.grid_sample(
            frames[1:], (grid / 32 - 1).permute(0, 2, 3, 1).double(), padding_mode="border", align_corners=False
        )
        edges = np.zeros((5, 64, 64), bool)
        for t in range(5):
            for disc in scene:
                for time in (t, t + 1):
                    # In the next frame an edge spreads over the pixels around it; in this one it's as wide once
                    # warped, and scaled where the disc is.
                    reach = 2.5 * max(1.0, disc.radii[t] / disc.radii[t + 1])
                    across = np.arange(64) + 0.5 - disc.columns[time]
                    across = np.minimum(np.abs(across), 64 - np.abs(across))
                    distance = np.hypot(np.arange(64)[:, None] + 0.5 - disc.row, across[None])
                    edges[t] |= np.abs(distance - disc.radii[time]) < reach
        shown = ~motion.occluded & ~edges
        assert 0.6 < shown.mean() < 1
        assert np.abs((warped - frames[:-1]).numpy()).max(1)[shown].max() <= 1


# Options, and the score.


@pytest.mark.parametrize("cue", CUES)
@pytest.mark.parametrize("size", [16, 17, 33, 64, 128, 256])
def test_every_size_shows_both_kinds(size, cue):
    one = world(size=size, cue=cue)
    x, y = one.pairs(count=1, length=2)
    assert x.shape == y.shape == (1, 2, size, size, 3)
    radii = {"direction": (0.24, 0.34), "change": (0.14, 0.44)}[cue]
    for domain, clips in (("x", x), ("y", y)):
        for kind in (0, 1):
            area = coverage(clips[0], domain, kind).sum((1, 2)) / size**2
            least, most = (pi * (radius / 2) ** 2 for radius in radii)
            assert (area > 0.95 * least - 0.003).all() and (area < 1.05 * most + 0.003).all()


def test_numbers_of_objects_are_drawn_alike_for_both_kinds():
    one = world(size=64, objects=(1, 3))
    drawn = scenes(one, 900, 1)
    counts = np.zeros((4, 4), int)
    for scene in drawn:
        counts[tuple(sum(disc.kind == kind for disc in scene) for kind in (0, 1))] += 1
        rows = sorted((disc.row, disc.radii[0]) for disc in scene)
        assert all(b - a > r + s for (a, r), (b, s) in zip(rows, rows[1:], strict=False))
    assert counts[0].sum() == counts[:, 0].sum() == 0
    # Nine equally likely outcomes: chi-square of 8 degrees exceeds 31.8 once in 10,000 times.
    assert ((counts[1:, 1:] - 100) ** 2 / 100).sum() < 31.8
    scene = next(scene for scene in drawn if len(scene) == 6)
    frames = one.render(scene, "y")
    for disc in scene:
        assert frames[0, int(disc.row), int(disc.columns[0])].tolist() == DARK_BRIGHT["y"][disc.kind]


def test_the_share_of_right_pixels():
    one = world(objects=(1, 2))
    right, wrong = (w.pairs(count=3, length=4) for w in (one, one.swapped))
    for domain, truth, swapped in zip(("x", "y"), right, wrong, strict=True):
        np.testing.assert_array_equal(one.settled(truth, domain), 1)
        np.testing.assert_array_equal(one.settled(swapped, domain), 0)
        np.testing.assert_array_equal(one.swapped.settled(swapped, domain), 1)
        np.testing.assert_array_equal(one.settled((0.5 * truth + 64).astype(np.uint8), domain), 1)
        half = truth.copy()
        half[1:, ::2] = swapped[1:, ::2]
        shares = one.settled(half, domain)
        assert shares[0] == 1 and (np.abs(shares[1:] - 0.5) < 0.2).all()
    # All red: a clip scores the part of its disc pixels that ought to be red.
    one = world(size=64)
    _, y = one.pairs(count=3, length=4)
    red, blue = ((y == colour).all(-1).sum((1, 2, 3)) for colour in DARK_BRIGHT["y"])
    painted = np.broadcast_to(np.array(DARK_BRIGHT["y"][0], np.uint8), y.shape)
    np.testing.assert_allclose(one.settled(painted, "y"), red / (red + blue), atol=0.03)
    grey = np.full((1, 1, 2, 2, 3), 100, np.uint8)
    assert pairing_share(grey, grey - 50, grey + 50).tolist() == [0.5]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cue": "directions"}, ValueError, "Unknown cue 'directions'. Did you mean 'direction'"),
        ({"cue": ["change"]}, ValueError, "Unknown cue"),
        ({"speed": 0}, ValueError, "speed: expected a number above 0 and below 0.5, got 0. Half of the way around"),
        ({"speed": 0.5}, ValueError, "speed: expected a number above 0 and below 0.5, got 0.5"),
        ({"speed": float("nan")}, ValueError, "speed: expected .* got nan"),
        ({"speed": "fast"}, TypeError, "speed: expected .* got 'fast'"),
        ({"speed": True}, TypeError, "speed: expected .* got True"),
        ({"objects": 2}, TypeError, r"objects: expected \(least, greatest\), got 2"),
        ({"objects": (0, 1)}, ValueError, "objects: expected a whole number of at least 1, got 0"),
        ({"objects": (2, 1)}, ValueError, "objects: expected a whole number of at least 2, got 1"),
        ({"objects": (1, 3)}, ValueError, "objects: expected at most 2 of each kind at size 32, got 3. Each disc has"),
        ({"size": 12}, ValueError, "size: expected a whole number of at least 16, got 12"),
    ],
)
def test_options_that_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        world(**options)


def test_scores_that_are_refused():
    one = world(size=16)
    _, y = one.pairs(count=2, length=2)
    with pytest.raises(ValueError, match="domain: expected 'x' or 'y', got 'z'"):
        one.settled(y, "z")
    with pytest.raises(ValueError, match=r"translated: expected axes .*, got shape \(2, 16, 16, 3\)"):
        one.settled(y[0], "y")
    with pytest.raises(TypeError, match="translated: expected a uint8 array .*, got an array of float64"):
        one.settled(y / 255, "y")
    with pytest.raises(TypeError, match="truth: expected a uint8 array .*, got list"):
        pairing_share(y, y.tolist(), y)
    with pytest.raises(ValueError, match="translated, truth and swapped: expected one shape, got "):
        one.settled(y[:, :, :8], "y")
    wrong = y.copy()
    wrong[0] = 0
    with pytest.raises(ValueError, match="swapped: expected clips that differ .*, got the same frames for clip 1"):
        pairing_share(y, y, wrong)
