"""The world of two characters that perform the same poses."""

import hashlib
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest

from vtrans.data import worlds
from vtrans.data.worlds.retarget.characters import FLOOR, SLIM, STOUT
from vtrans.data.worlds.retarget.poses import MOTIONS, Pose, swing, turned
from vtrans.data.worlds.retarget.puppets import Part, Puppet

BUILDS = {"x": SLIM, "y": STOUT}
DOMAINS = ("x", "y")
# Of four frames of each domain's first training stream at size 64, seed 0: the same bytes on every machine.
FINGERPRINT = "0e6ec8adc20bb344"


def create(**options):
    return worlds.create("retarget", **options)


def scene(world, number=0, length=12):
    return world.scene(np.random.default_rng(number), length)


def centres(size):
    return np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5, indexing="ij")


# --- An independent account of the same puppets, in complex numbers (columns + i rows) and with trigonometry.


def limb(angle, way):
    """From a joint along a limb that hangs down at angle 0 and swings forward, rows counted downwards."""
    return way * (np.sin(angle) + 1j * np.cos(angle))


def skeleton(build, pose):
    """Joints by name, in heights of the picture."""
    angle = {f.name: 2 * np.arctan(getattr(pose, f.name)) for f in fields(Pose) if f.name != "facing"}
    upright = np.pi - angle["lean"]  # the trunk points up and leans forward
    joints = {}
    lowest = []
    for which, hip in (("near", -build.hips), ("far", build.hips)):
        thigh = angle[f"hip_{which}"]
        shin = thigh + angle[f"knee_{which}"]
        knee = hip + limb(thigh, build.thigh)
        ankle = knee + limb(shin, build.shin)
        toe = ankle + limb(shin + np.pi / 2, build.foot)
        joints |= {f"{which} hip": hip + 0 * knee, f"{which} knee": knee, f"{which} ankle": ankle, f"{which} toe": toe}
        lowest += [ankle.imag + 0.62 * build.leg, toe.imag + 0.5 * build.leg]
    chest = limb(upright, build.trunk)
    for which, out in (("near", -build.shoulders), ("far", build.shoulders)):
        shoulder = chest + limb(upright - np.pi / 2, out)
        upper = upright - np.pi + angle[f"shoulder_{which}"]
        lower = upper + angle[f"elbow_{which}"]
        elbow = shoulder + limb(upper, build.upper_arm)
        hand = elbow + limb(lower, build.forearm + 0.6 * build.arm)
        joints |= {f"{which} shoulder": shoulder, f"{which} elbow": elbow, f"{which} hand": hand}
    neck = chest + limb(upright, 0.8 * build.chest + build.neck)
    joints["head"] = neck + limb(upright - angle["tilt"], 0.9 * build.head[0])
    hips = FLOOR - np.max(lowest, axis=0) - 0.4 * pose.jump * (build.thigh + build.shin)
    middle = 0.5 + 0.13 * pose.place + 1j * hips
    return {name: middle + pose.facing * place.real + 1j * place.imag for name, place in joints.items()}


def frame(puppet, number, t):
    """Origin, direction along, and sizes of a part's frame."""
    origin = puppet.columns[number, t] + 1j * puppet.rows[number, t]
    axis = puppet.right[number, t] + 1j * puppet.down[number, t]
    return origin, axis, puppet.along[number, t], puppet.across[number, t]


def carried(puppet, number, t, points):
    """Where points of a part are a frame later."""
    origin, axis, along, across = frame(puppet, number, t)
    inside = (points - origin) / axis
    to_origin, to_axis, to_along, to_across = frame(puppet, number, t + 1)
    return to_origin + to_axis * (inside.real * to_along / along + 1j * inside.imag * to_across / across)


def painted(puppet, t, points):
    """What is seen at points: capsules as rows of many discs, ellipses by the distances to their focal points."""
    things = np.zeros(points.shape, int)
    for number, part in enumerate(puppet.parts):
        origin, axis, along, across = frame(puppet, number, t)
        near = np.abs(points - origin) <= 1 + max(along * (part.length + part.start + part.end), along, across)
        if part.length:
            share = np.linspace(0, 1, 80)
            discs = origin + axis * along * part.length * share
            radii = along * (part.start + (part.end - part.start) * share)
            hit = (np.abs(points[near][:, None] - discs) <= radii).any(-1)
        else:
            half, short = max(along, across), min(along, across)
            focus = np.sqrt(half**2 - short**2) * (axis if along > across else 1j * axis)
            hit = np.abs(points[near] - origin - focus) + np.abs(points[near] - origin + focus) <= 2 * half
        things[near] = np.where(hit, number + 1, things[near])
    return things


def surely(look, points, margin):
    """What is seen at points, or -1 where something else is seen within a margin in pixels."""
    things = look(points)
    for distance in np.arange(margin, 0, -0.5):
        for way in distance * np.exp(2j * np.pi * np.arange(8) / 8):
            things = np.where(look(points + way) == things, things, -1)
    return things


# --- Kinematics


def test_turning_is_what_trigonometry_says():
    s = np.linspace(-3, 3, 61)
    down, right = turned(np.full(61, 0.6), np.full(61, 0.8), s)
    expected = (0.6 + 0.8j) * np.exp(1j * 2 * np.arctan(s))
    np.testing.assert_allclose(down + 1j * right, expected, atol=1e-14)


def test_a_swing_is_smooth_and_repeats():
    phase = np.linspace(-2, 2, 40001)
    wave = swing(phase)
    np.testing.assert_allclose(wave, swing(phase + 3), atol=1e-10)
    assert (wave.max(), wave.min()) == (1, -1) and swing(np.array([0.0, 0.5])).tolist() == [1, -1]
    assert np.abs(np.diff(wave, 2)).max() < 1e-5  # its slope has no jumps
    assert np.abs(wave - np.cos(2 * np.pi * phase)).max() < 0.05


@pytest.mark.parametrize("domain", DOMAINS)
def test_joints_are_where_trigonometry_puts_them(domain):
    world = create(size=100)
    for number in range(6):
        pose = scene(world, number, 30)
        puppet, joints = world.puppet(pose, domain), skeleton(BUILDS[domain], pose)
        names = [part.name for part in puppet.parts]
        starts = {"foot": "ankle", "shin": "knee", "thigh": "hip", "upper arm": "shoulder", "forearm": "elbow"}
        wanted = {f"{side} {part}": f"{side} {joint}" for side in ("near", "far") for part, joint in starts.items()}
        for part, joint in {**wanted, "near hand": "near hand", "far hand": "far hand", "head": "head"}.items():
            i = names.index(part)
            np.testing.assert_allclose(puppet.columns[i] + 1j * puppet.rows[i], 100 * joints[joint], atol=1e-9)
        i = names.index("near forearm")
        axis = joints["near hand"] - joints["near elbow"]
        np.testing.assert_allclose(puppet.right[i] + 1j * puppet.down[i], axis / np.abs(axis), atol=1e-9)


def test_the_same_performance_by_another_build():
    world = create()
    pose = scene(world)
    x, y = (world.puppet(pose, domain) for domain in DOMAINS)
    assert [part.name for part in x.parts] == [part.name for part in y.parts] and len(x.parts) == 22
    np.testing.assert_array_equal(x.down, y.down)
    np.testing.assert_array_equal(x.right, y.right)
    lengths = [(a.length, b.length) for a, b in zip(x.parts, y.parts, strict=True) if a.length]
    assert len(lengths) == 12 and all(a != b for a, b in lengths)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_lower_foot_is_on_the_floor_unless_the_character_jumps(domain):
    world = create(size=128, motions=("walk", "jump"))
    heights, lifts = [], []
    for number in range(4):
        pose = scene(world, number, 20)
        puppet = world.puppet(pose, domain)
        feet = [i + 1 for i, part in enumerate(puppet.parts) if part.name.endswith("foot")]
        for t in range(20):
            rows, _ = np.nonzero(np.isin(puppet.thing_at(t, *centres(128)), feet))
            heights.append(FLOOR * 128 - (rows.max() + 1))
            lifts.append(128 * 0.4 * pose.jump[t] * (BUILDS[domain].thigh + BUILDS[domain].shin))
    np.testing.assert_allclose(heights, lifts, atol=1.0)
    assert max(lifts) > 5 and min(lifts) == 0


# --- Drawing


def alone(part, *, at=(16.0, 16.0), axis=(0.6, 0.8), along=1.0, across=1.0):
    values = [np.array([[value]]) for value in (*at, *axis, along, across)]
    return Puppet((part,), *values)


def test_parts_cover_the_right_area():
    white = {"colour": (255.0, 255.0, 255.0), "shade": 0.0}
    capsule = alone(Part("bone", length=9.0, start=2.5, end=2.5, **white), at=(9.3, 8.1))
    area = capsule.draw(np.zeros((32, 32, 3)), 0)[..., 0].sum() / 255
    assert area == pytest.approx(2 * 2.5 * 9 + np.pi * 2.5**2, rel=0.005)
    oval = alone(Part("oval", **white), along=8.0, across=4.0)
    assert oval.draw(np.zeros((32, 32, 3)), 0)[..., 0].sum() / 255 == pytest.approx(np.pi * 32, rel=0.01)


def test_parts_are_shaded_across_and_striped_along():
    part = Part("bone", (200.0, 100.0, 0.0), length=9.0, start=4.0, end=4.0, shade=0.5)
    picture = alone(part, at=(16.0, 8.0), axis=(0.0, 1.0)).draw(np.zeros((32, 32, 3)), 0)
    np.testing.assert_allclose(
        picture[15, 12, :2] / picture[13, 12, :2], (1 - 0.5 * 0.5**2 / 16) / (1 - 0.5 * 2.5**2 / 16)
    )
    np.testing.assert_allclose(picture[15, 9:16], picture[15, 9][None].repeat(7, 0))
    striped = replace(part, stripes=1, stripe=(0.0, 0.0, 100.0), shade=0.0)
    line = alone(striped, at=(16.0, 7.5), axis=(0.0, 1.0)).draw(np.zeros((32, 32, 3)), 0)[15]
    assert line[12, 2] > 95 and line[7].tolist() == line[16].tolist() == [200, 100, 0]


def test_parts_outside_of_the_picture_are_drawn_as_nothing():
    part = Part("bone", (255.0, 0.0, 0.0), length=5.0, start=2.0, end=1.0)
    for at in [(-40.0, 8.0), (8.0, 90.0), (60.0, 60.0)]:
        assert alone(part, at=at).draw(np.zeros((16, 20, 3)), 0).max() == 0


@pytest.mark.parametrize("domain", DOMAINS)
def test_what_is_drawn_is_what_is_there(domain):
    """Each part in a flat colour of its own: pixels away from edges have the colour of the thing painted there."""
    world = create(size=96)
    puppet = world.puppet(scene(world, 3), domain)
    flat = tuple(
        replace(part, colour=(10.0 * (i + 1), 0.0, 0.0), shade=0.0, stripes=0) for i, part in enumerate(puppet.parts)
    )
    rows, columns = centres(96)
    points = columns + 1j * rows
    for t in (0, 11):
        picture = replace(puppet, parts=flat).draw(np.zeros((96, 96, 3)), t)[..., 0]
        things = surely(partial(painted, puppet, t), points, 1.5)
        assert (things >= 0).mean() > 0.8
        np.testing.assert_array_equal(picture[things >= 0], 10 * things[things >= 0])
        np.testing.assert_array_equal(puppet.thing_at(t, rows, columns)[things >= 0], things[things >= 0])


def test_faces_show_the_pose():
    world = create(size=128)
    for domain in DOMAINS:
        pose = scene(world, 1, 40)
        frames = world.render(pose, domain).astype(int)
        red = (frames[..., 0] - frames[..., 1] - frames[..., 2] // 2 > 60) & (frames[..., 0] < 200)
        puppet = world.puppet(pose, domain)
        names = [part.name for part in puppet.parts]
        lips = np.array([(puppet.thing_at(t, *centres(128)) == names.index("mouth") + 1).sum() for t in range(40)])
        expected = pose.mouth * (0.2 + 0.16 * pose.smile)
        assert np.corrcoef(lips, expected)[0, 1] > 0.9 and red.any()
        white = [(frames[t].min(-1) > 240).sum() for t in range(40)]
        closed = replace(pose, eyes=np.full(40, 0.08))
        assert np.mean(white) > np.mean([(f.min(-1) > 240).sum() for f in world.render(closed, domain)])


# --- Motion


def sampled(picture, points):
    """Bilinear values at points of a picture."""
    column = np.clip(points.real - 0.5, 0, picture.shape[1] - 1.001)
    row = np.clip(points.imag - 0.5, 0, picture.shape[0] - 1.001)
    i, j = row.astype(int), column.astype(int)
    down, right = (row - i)[..., None], (column - j)[..., None]
    upper = picture[i, j] * (1 - right) + picture[i, j + 1] * right
    return upper * (1 - down) + (picture[i + 1, j] * (1 - right) + picture[i + 1, j + 1] * right) * down


def seen(puppet, t, points):
    return puppet.thing_at(t, points.imag, points.real)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_next_frame_warped_back_is_this_frame(domain):
    """On what stays visible, 2 pixels away from the edges of things: within 4 of 255, and 0.6 on average."""
    size = 192
    world = create(size=size)
    rows, columns = centres(size)
    points = columns + 1j * rows
    errors = []
    for number in range(2):
        pose = scene(world, number, 3)
        frames = world.render(pose, domain).astype(float)
        motion, puppet = world.motion(pose, domain), world.puppet(pose, domain)
        for t in range(2):
            shown = seen(puppet, t, points) > 0
            assert not motion.flow[t][:, ~shown].any()
            to = points[shown] + motion.flow[t, 0][shown] + 1j * motion.flow[t, 1][shown]
            clear = surely(partial(seen, puppet, t), points[shown], 2.0) > 0
            kept = clear & (surely(partial(seen, puppet, t + 1), to, 2.0) > 0) & ~motion.occluded[t][shown]
            errors.append(np.abs(sampled(frames[t + 1], to) - frames[t][shown])[kept])
            assert kept.sum() > 300
    errors = np.concatenate(errors)
    assert errors.max() < 4 and errors.mean() < 0.6


@pytest.mark.parametrize("domain", DOMAINS)
def test_flow_and_occlusion_are_those_of_an_independent_account(domain):
    size = 64
    world = create(size=size)
    rows, columns = centres(size)
    points = columns + 1j * rows
    compared = hidden = 0
    for number in range(2):
        pose = scene(world, number, 4)
        motion, puppet = world.motion(pose, domain), world.puppet(pose, domain)
        for t in range(3):
            here = surely(partial(painted, puppet, t), points, 0.25)
            to = points.copy()
            for part in np.unique(here[here > 0]):
                to[here == part] = carried(puppet, part - 1, t, points[here == part])
            flow = motion.flow[t, 0] + 1j * motion.flow[t, 1]
            np.testing.assert_allclose(flow[here >= 0], (to - points)[here >= 0], atol=1e-4)
            there = surely(partial(painted, puppet, t + 1), to, 0.25)
            outside = (to.real < 0) | (to.real >= size) | (to.imag < 0) | (to.imag >= size)
            sure = (here >= 0) & (there >= 0)
            np.testing.assert_array_equal(motion.occluded[t][sure], (outside | (there != here))[sure])
            compared += sure.sum()
            hidden += motion.occluded[t][sure].sum()
    assert compared > 0.8 * 6 * size * size and hidden >= 20


@pytest.mark.parametrize("domain", DOMAINS)
def test_points_of_a_forearm_keep_their_place_between_elbow_and_hand(domain):
    """Tracked through the flow, from joints that trigonometry gives."""
    size = 128
    world = create(size=size, motions=("wave", "dance"))
    rows, columns = centres(size)
    points = columns + 1j * rows
    followed = 0
    for number in range(3):
        pose = scene(world, number, 6)
        motion, puppet = world.motion(pose, domain), world.puppet(pose, domain)
        joints = skeleton(BUILDS[domain], pose)
        elbow, hand = size * joints["near elbow"], size * joints["near hand"]
        forearm = [part.name for part in puppet.parts].index("near forearm") + 1
        for t in range(5):
            seen = puppet.thing_at(t, rows, columns) == forearm
            place = (points[seen] - elbow[t]) / (hand[t] - elbow[t])
            to = (points + motion.flow[t, 0] + 1j * motion.flow[t, 1])[seen]
            np.testing.assert_allclose((to - elbow[t + 1]) / (hand[t + 1] - elbow[t + 1]), place, atol=1e-4)
            followed += seen.sum()
    assert followed > 500


def test_the_builds_make_the_motion_differ_between_domains():
    truth = create(size=32).truth(count=2, length=4)
    assert truth.motion_x.flow.shape == truth.motion_y.flow.shape == (2, 3, 2, 32, 32)
    assert (truth.motion_x.flow != truth.motion_y.flow).any(axis=(2, 3, 4)).all()
    assert truth.motion_x.occluded.any() and truth.motion_y.occluded.any()


# --- Scenes, options, sizes


def test_frames_are_the_same_on_every_machine():
    world = create(size=64)
    drawn = [world.train(domain, sequences=1, length=4).sequences[0].read(0, 4) for domain in DOMAINS]
    assert hashlib.sha256(b"".join(frames.tobytes() for frames in drawn)).hexdigest()[:16] == FINGERPRINT


def test_x_and_y_and_the_held_out_clips_show_different_performances():
    world = create()
    poses = [world.scene(world._random(tag, i), 8) for tag in (1, 2, 3) for i in range(6)]
    for name in ("place", "hip_near", "elbow_near", "smile", "look"):
        assert len({getattr(pose, name).tobytes() for pose in poses}) == len(poses)
    assert {pose.facing for pose in poses} == {-1, 1}


def test_performances_stay_in_range_and_move_smoothly():
    world = create()
    for number in range(10):
        pose = scene(world, number, 300)
        for name, (low, high) in {
            "place": (-1, 1),
            "jump": (0, 1.1),
            "mouth": (0, 1),
            "smile": (0, 1),
            "eyes": (0.08 - 1e-9, 1),
            "look": (-1, 1),
        }.items():
            assert low <= getattr(pose, name).min() and getattr(pose, name).max() <= high, name
        for name in ("knee_near", "knee_far"):
            assert getattr(pose, name).max() <= 0.02
        for f in fields(Pose):
            if f.name not in ("facing", "eyes"):
                assert np.abs(np.diff(getattr(pose, f.name))).max() < 0.5, f.name


def test_characters_stay_in_the_picture():
    world = create(size=64)
    for number in range(10):
        pose = scene(world, number, 60)
        for domain in DOMAINS:
            puppet = world.puppet(pose, domain)
            middle = [part.name for part in puppet.parts].index("head")
            assert 0 < puppet.rows[middle].min() and puppet.rows[middle].max() < 60
            assert 12 < puppet.columns[middle].min() and puppet.columns[middle].max() < 52


@pytest.mark.parametrize("motion", MOTIONS)
def test_every_motion_alone(motion):
    world = create(size=32, motions=[motion])
    pose = scene(world, 5, 60)
    assert (pose.jump.max() > 0.5) == (motion == "jump")
    assert (pose.shoulder_near.max() < -0.9) == (motion == "wave")
    assert (np.ptp(pose.hip_near - pose.hip_far) > 0.9) == (motion == "walk")
    frames = world.render(pose, "y")
    assert all((a != b).any() for a, b in zip(frames, frames[1:], strict=False))


def test_performances_fade_between_two_motions():
    world = create(motions=("wave", "jump"))
    poses = [scene(world, number, 250) for number in range(8)]
    both = [pose.jump.max() > 0.5 and pose.shoulder_near[pose.jump < 0.01].min() < -0.9 for pose in poses]
    assert 0 < sum(both) < len(both)


@pytest.mark.parametrize("tempo", [(0.5, 0.5), (1.0, 2.0)])
def test_tempo_is_cycles_a_second(tempo):
    world = create(motions=("walk",), tempo=tempo)
    for number in range(3):
        step = scene(world, number, 500).hip_near - 0.05
        upward = ((step[:-1] < 0) & (step[1:] >= 0)).sum()
        seconds = 500 / float(world.rate)
        assert tempo[0] * seconds - 2 <= upward <= tempo[1] * seconds + 2


@pytest.mark.parametrize("size", [16, 17, 33, 64, 128, 256])
def test_any_size(size):
    world = create(size=size)
    x, y = world.pairs(count=1, length=2)
    assert x.shape == y.shape == (1, 2, size, size, 3)
    assert np.abs(x.astype(int) - y).mean() > 30
    motion = world.motion(scene(world, 0, 2), "x")
    assert motion.flow.shape == (1, 2, size, size) and np.isfinite(motion.flow).all()


def test_a_larger_picture_shows_the_same():
    small, large = (create(size=size).pairs(count=2, length=2) for size in (64, 256))
    for a, b in zip(small, large, strict=True):
        shrunk = b.reshape(2, 2, 64, 4, 64, 4, 3).mean(axis=(3, 5))
        assert np.abs(shrunk - a).mean() < 1.0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 15}, ValueError, "size: expected a whole number of at least 16, got 15"),
        ({"seed": -1}, ValueError, "seed: expected a whole number of at least 0, got -1"),
        ({"motions": "walk"}, TypeError, "motions: expected names of motions as a tuple, at least one of walk, jump"),
        ({"motions": ()}, ValueError, r"motions: expected .*, got \(\)"),
        ({"motions": ("walks",)}, ValueError, "Unknown motion 'walks'. Did you mean 'walk'"),
        ({"motions": [["walk"]]}, ValueError, r"Unknown motion \['walk'\]"),
        ({"tempo": 1.0}, TypeError, r"tempo: expected \(least, greatest\) cycles a second, above 0 and at most 5, got"),
        ({"tempo": (1.0, True)}, TypeError, "tempo: expected"),
        ({"tempo": (1.0,)}, TypeError, "tempo: expected"),
        ({"tempo": (0.0, 1.0)}, ValueError, r"tempo: expected .*, got \(0.0, 1.0\)"),
        ({"tempo": (2.0, 1.0)}, ValueError, "tempo: expected"),
        ({"tempo": (1.0, 6.0)}, ValueError, "tempo: expected"),
        ({"tempo": (float("nan"), 1.0)}, ValueError, "tempo: expected"),
        ({"motion": ("walk",)}, ValueError, "Unknown option of world 'retarget': 'motion'. Did you mean 'motions'"),
    ],
)
def test_options_that_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        create(**options)
