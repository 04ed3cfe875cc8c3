"""The street world; its flow and occlusion against a ray caster written another way."""

import hashlib

import numpy as np
import pytest

from vtrans.data import worlds
from vtrans.data.worlds.street import Street, palette
from vtrans.data.worlds.street.geometry import FAR, FOCAL, HEIGHT, HORIZON, NEAR, View
from vtrans.data.worlds.street.looks import LOOKS
from vtrans.data.worlds.street.textures import band, pulses, step

NAMES = [*LOOKS, "labels"]
# Of two frames at size 33, seed 3: the same bytes on every machine.
FINGERPRINTS = {
    "day": "6a7b055194afb865",
    "sunset": "634de02f7f4ee966",
    "rain": "05f95c15694846f8",
    "snow": "1970923892af90e2",
    "night": "cff7a809ae2b03c8",
    "labels": "adb9e0a565918677",
}


def street(look="labels", **options):
    return Street(x=look, y="day" if look != "day" else "labels", **options)


def scene_of(world, length, number=0):
    return world.scene(np.random.default_rng([7, world.seed, number]), length)


@pytest.mark.parametrize("look", NAMES)
def test_every_look_has_the_same_bytes_everywhere(look):
    world = street(look, size=33, seed=3)
    frames = world.render(scene_of(world, 2), "x")
    assert frames.shape == (2, 33, 33, 3) and frames.dtype == np.uint8
    np.testing.assert_array_equal(world.render(scene_of(world, 2), "x"), frames)
    assert hashlib.sha256(frames.tobytes()).hexdigest()[:16] == FINGERPRINTS[look]


def test_longer_drives_begin_like_shorter_ones_in_every_look():
    for look in NAMES:
        world = street(look, size=16)
        short, long = (world.train("x", sequences=1, length=n).sequences[0] for n in (2, 5))
        np.testing.assert_array_equal(short.read(0, 2), long.read(0, 2))


@pytest.mark.parametrize("size", [16, 17, 33, 64, 128, 256])
def test_every_size(size):
    x, y = Street(size=size, x="labels", y="night").pairs(count=1, length=1)
    assert x.shape == y.shape == (1, 1, size, size, 3)
    assert len(np.unique(palette.to_indices(x, unknown="refuse"))) >= 5
    motion = Street(size=size).truth(count=1, length=2).motion_x if size <= 64 else None
    assert motion is None or (np.isfinite(motion.flow).all() and motion.flow.shape == (1, 1, 2, size, size))


def test_labels_are_pure_and_every_class_is_seen():
    assert len(palette) == 10 and worlds.create("street").palette is palette
    world = street(size=64)
    frames = np.concatenate([s.read(0, 30)[::10] for s in world.train("x", sequences=8, length=30).sequences])
    classes = palette.to_indices(frames, unknown="refuse")
    share = np.bincount(classes.ravel(), minlength=10) / classes.size
    assert (share > 0.002).all(), dict(zip(palette.names, share, strict=True))
    assert share[palette.index("road")] < 0.5
    per_frame = [len(np.unique(frame)) for frame in classes]
    assert min(per_frame) >= 7 and np.mean(per_frame) > 8.5


def test_looks_show_the_same_scene_in_their_own_light():
    x, y = Street(size=48, x="labels", y="day").pairs(count=4, length=1)
    of = {name: palette.to_indices(x) == palette.index(name) for name in palette.names}
    clips = {look: street(look, size=48).pairs(count=4, length=1)[0] for look in LOOKS}
    np.testing.assert_array_equal(clips["day"], y)
    means = {look: {name: frames[of[name]].mean(0) for name in of} for look, frames in clips.items()}
    red, green, blue = range(3)
    assert means["day"]["sky"][blue] > means["day"]["sky"][red] + 40
    assert means["sunset"]["sky"][red] > means["sunset"]["sky"][blue]
    assert (means["snow"]["road"] > means["day"]["road"] + 60).all() and (means["snow"]["grass"] > 180).all()
    assert means["day"]["grass"][green] > means["day"]["grass"][red] > means["day"]["grass"][blue]
    for name in ("sky", "building", "tree", "pavement"):
        assert clips["night"][of[name]].mean() < 0.6 * clips["day"][of[name]].mean()
    assert np.ptp(means["rain"]["sky"]) < 30 and means["rain"]["building"].mean() < means["day"]["building"].mean()
    # Lit windows and lamps.
    assert (clips["night"][of["building"]].max(-1) > 200).mean() > 0.005
    assert clips["night"][of["lamp"]].max() > 240


@pytest.mark.parametrize("look", ["rain", "snow"])
def test_what_falls_moves_and_differs_between_scenes(look):
    """In a still street without traffic nothing changes, except what falls."""
    world, dry = (street(of, size=64, speed=(0, 0), traffic=0) for of in (look, "day"))
    a, b = (world.render(scene_of(world, 2, number), "x").astype(int) for number in (0, 1))
    first, second = dry.render(scene_of(dry, 2), "x")
    np.testing.assert_array_equal(first, second)
    still = dry.motion(scene_of(dry, 2), "x")
    assert np.abs(still.flow).max() < 1e-9 and not still.occluded.any()
    assert 0.05 < (np.abs(a[1] - a[0]).max(-1) > 12).mean() < 0.6
    assert (np.abs(a[0] - b[0]).max(-1) > 12).mean() > 0.2


def test_pictures_are_averages_over_pixels():
    """A frame is much like one four times as large, reduced: nothing flickers for want of samples."""
    small, large = (street("day", size=size, seed=5) for size in (64, 256))
    a, b = (world.render(scene_of(world, 1), "x")[0].astype(float) for world in (small, large))
    reduced = b.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(a - reduced).mean() < 4.5
    assert (np.abs(a - reduced).max(-1) > 40).mean() < 0.02


def test_patterns_are_averaged_exactly():
    fine = np.arange(0, 12, 1e-4)
    for x, width, share in [(3.3, 0.7, 0.5), (4.98, 2.3, 0.2), (5.5, 0.01, 0.3)]:
        inside = np.abs(fine - x) <= width / 2
        up = np.mod(fine, 1.0) < share
        np.testing.assert_allclose(
            pulses(np.array(x), share, np.array(width)), up[inside].mean(), atol=2e-2 * (width < 0.1) + 2e-3
        )
        np.testing.assert_allclose(step(np.array(x - 3.1), width), (fine[inside] > 3.1).mean(), atol=5e-3)
        np.testing.assert_allclose(
            band(np.array(x), 3, 5.1, width), ((fine > 3) & (fine < 5.1))[inside].mean(), atol=5e-3
        )


def test_the_ground_moves_as_a_plane_does():
    """Flow of the road, sky and pavement from the camera's way alone, by the rule of three."""
    world = street(size=64, seed=2)
    scene = scene_of(world, 3)
    labels = palette.to_indices(world.render(scene, "x"))
    motion = world.motion(scene, "x")
    ground = np.isin(labels, [palette.index(name) for name in ("road", "marking", "pavement", "grass")])
    rows, columns = np.mgrid[:64, :64] + 0.5
    for t in range(2):
        depth = HEIGHT * FOCAL * 64 / np.where(rows > HORIZON * 64, rows - HORIZON * 64, 1)
        x = (columns - 32) * depth / (FOCAL * 64) + scene.camera.x[t]
        left = depth - (scene.camera.z[t + 1] - scene.camera.z[t])
        with np.errstate(divide="ignore"):
            right = FOCAL * 64 * (x - scene.camera.x[t + 1]) / left + 32 - columns
            down = HEIGHT * FOCAL * 64 / left + HORIZON * 64 - rows
        np.testing.assert_allclose(motion.flow[t, 0][ground[t]], right[ground[t]], atol=1e-4)
        np.testing.assert_allclose(motion.flow[t, 1][ground[t]], down[ground[t]], atol=1e-4)
        sky = labels[t] == palette.index("sky")
        assert (motion.flow[t][:, sky] == 0).all()
        assert ground[t].sum() > 500 and sky.sum() > 300


class Caster:
    """Casts one ray at a time at triangles and discs in space, and follows what it hits as they move."""

    def __init__(self, scene, t):
        solids, camera = scene.solids, scene.camera
        self.at = np.array([camera.x[t], HEIGHT, camera.z[t]])
        self.shapes, self.facing, triangles, discs = [], [], [], []
        parts = zip(solids.corners, solids.counts, solids.radius, solids.part_of, strict=True)
        for number, (corners, count, radius, thing) in enumerate(parts):
            amount, turns, phase = solids.swing[thing]
            turn = 2 * ((turns * t + phase) % 1) - 1
            lean = amount * -4 * turn * (1 - abs(turn))
            shape = corners[: max(count, 1)] + solids.origin[thing] + solids.velocity[thing] * t
            shape[:, 0] -= lean * corners[: len(shape), 1]
            near = solids.ahead[thing] + solids.velocity[thing, 2] * t - self.at[2]
            facing = solids.normal[thing] @ (shape[0] - self.at) < 0 and near < FAR
            self.shapes.append(shape)
            self.facing.append(facing and shape[:, 2].max() - self.at[2] > NEAR)
            if self.facing[-1] and radius:
                discs.append((number, *shape[0], radius))
            elif self.facing[-1]:
                triangles += [(number, k, shape[[0, k, k + 1]]) for k in range(1, len(shape) - 1)]
        self.discs = np.array(discs)
        self.parts = np.array([(number, k) for number, k, _ in triangles])
        self.triangles = np.array([triangle for _, _, triangle in triangles])

    def cast(self, direction):
        """Depth of the nearest hit, and what was hit and where on it; None for the ground and the sky."""
        best, hit = (np.inf, None) if direction[1] >= 0 else (-HEIGHT / direction[1], None)
        origin, first, second = (self.triangles[:, k] for k in range(3))
        system = np.stack([np.broadcast_to(direction, origin.shape), origin - first, origin - second], axis=2)
        usable = np.abs(np.linalg.det(system)) > 1e-12
        depth, p, q = np.linalg.solve(system[usable], (origin - self.at)[usable][..., None])[..., 0].T
        depth = np.where((depth > 0) & (p >= 0) & (q >= 0) & (p + q <= 1), depth, np.inf)
        if depth[k := depth.argmin()] < best:
            best, hit = depth[k], (*self.parts[usable][k], (p[k], q[k]))
        for number, x, y, z, radius in self.discs:
            depth = z - self.at[2]
            offset = self.at + depth * direction - (x, y, z)
            if 0 < depth < best and offset @ offset <= radius**2:
                best, hit = depth, (int(number), None, offset)
        return best, hit

    def place(self, hit):
        """Where a point that was hit at another time is now."""
        number, k, weights = hit
        shape = self.shapes[number]
        if k is None:
            return shape[0] + weights
        return shape[0] + weights[0] * (shape[k] - shape[0]) + weights[1] * (shape[k + 1] - shape[0])


@pytest.mark.parametrize("seed", [0, 1])
def test_flow_and_occlusion_agree_with_a_ray_caster(seed):
    """Solves three equations for each ray and triangle, follows the hit by its place in the triangle, casts again."""
    size, t = 96, 17
    world = street(size=size, seed=seed, traffic=2)
    scene = scene_of(world, t + 2)
    motion, view = world.motion(scene, "x"), View(scene.camera, scene.solids, scene.skyline, t)
    now, later = Caster(scene, t), Caster(scene, t + 1)
    random = np.random.default_rng(5)
    u, v = scene.camera.ray(*np.mgrid[:size, :size] + 0.5)
    things, hidden, moving = view.at(u, v), 0, 0
    moves = np.array([False] * 3 + (scene.solids.velocity[:, 2] != 0).tolist())[things]
    chosen = [np.argwhere(of) for of in (motion.occluded[t], moves, moves & motion.occluded[t], things >= 0)]
    points = np.concatenate([of[random.permutation(len(of))[:60]] for of in chosen])
    for row, column in points:
        direction = np.array([u[row, column], -v[row, column], 1.0])
        depth, hit = now.cast(direction)
        assert (hit is None) == (things[row, column] < 3)
        if hit is None and direction[1] >= 0:
            expected, seen = np.zeros(2), later.cast(direction)[1] is None
        else:
            if hit is not None:
                assert scene.solids.part_of[hit[0]] + 3 == things[row, column]
            x, y, z = (now.at + depth * direction if hit is None else later.place(hit)) - later.at
            to = np.array([size / 2 + FOCAL * size * x / z, HORIZON * size - FOCAL * size * y / z])
            expected = to - [column + 0.5, row + 0.5]
            # The camera may see it from behind by then.
            facing = hit is None or later.facing[hit[0]]
            nearest, _ = later.cast(np.array([x / z, y / z, 1.0]))
            seen = facing and 0 < z <= nearest + 1e-6 and (to >= 0).all() and (to < size).all()
            moving += hit is not None and bool(scene.solids.velocity[scene.solids.part_of[hit[0]], 2])
        np.testing.assert_allclose(motion.flow[t, :, row, column], expected, atol=1e-4, rtol=1e-4)
        assert motion.occluded[t, row, column] == (not seen), (row, column)
        hidden += not seen
    assert hidden >= 60 and len(points) - hidden >= 60 and moving >= 50


def warped(frames, flow, t):
    """Frame t + 1 looked up where the points of frame t go, bilinearly, and the four pixels that were used."""
    size = frames.shape[1]
    rows, columns = np.mgrid[:size, :size] + flow[t, ::-1]
    i, j = np.floor(rows).astype(int).clip(0, size - 2), np.floor(columns).astype(int).clip(0, size - 2)
    p, q = (rows - i).clip(0, 1)[..., None], (columns - j).clip(0, 1)[..., None]
    a, b, c, d = (frames[t + 1, i + m, j + n].astype(float) for m in (0, 1) for n in (0, 1))
    return (a * (1 - q) + b * q) * (1 - p) + (c * (1 - q) + d * q) * p, np.stack([a, b, c, d])


def test_warping_the_next_frame_back_gives_this_one():
    """Labels exactly where the four pixels agree, thin things aside; daylight closely, but for sharpness."""
    label_errors, day_errors, unmoved = [], [], []
    for seed in range(3):
        world = Street(size=128, seed=seed)
        scene = scene_of(world, 4)
        day, labels = world.render(scene, "x"), world.render(scene, "y")
        motion = world.motion(scene, "x")
        for t in range(3):
            looked_up, four = warped(labels, motion.flow, t)
            inside = ~motion.occluded[t] & (four == four[0]).all((0, 3))
            label_errors.append((looked_up != labels[t]).any(-1)[inside])
            same = labels[t, 1:-1, 1:-1] == [
                labels[t, 1 + a : 127 + a, 1 + b : 127 + b] for a in (-1, 0, 1) for b in (-1, 0, 1)
            ]
            away = np.zeros((128, 128), bool)
            away[1:-1, 1:-1] = same.all((0, 3))
            day_errors.append(np.abs(warped(day, motion.flow, t)[0] - day[t]).max(-1)[inside & away])
            unmoved.append(np.abs(day[t + 1].astype(int) - day[t]).max(-1)[inside & away])
    labels_wrong, errors, before = (np.concatenate(of) for of in (label_errors, day_errors, unmoved))
    print(labels_wrong.mean(), errors.mean(), np.quantile(errors, [0.9, 0.99, 1]), before.mean())
    assert labels_wrong.mean() < 0.004
    assert errors.mean() < 3 and np.quantile(errors, 0.9) < 8
    assert before.mean() > 2.5 * errors.mean()


def test_traffic_and_speed():
    still = street(size=32, speed=(0, 0), traffic=0)
    scene = scene_of(still, 3)
    assert (scene.solids.velocity == 0).all() and (scene.camera.z == 0).all()
    empty = palette.to_indices(still.train("x", sequences=4, length=2).sequences[0].read(0, 2))
    assert not np.isin(empty, [palette.index("car"), palette.index("person")]).any()
    usual, busy = (scene_of(street(traffic=traffic), 3).solids.label for traffic in (1.0, 4.0))
    for name in ("car", "person"):
        assert (busy == palette.index(name)).sum() > 1.4 * (usual == palette.index(name)).sum() > 0
    for name in ("building", "tree", "lamp"):
        assert (busy == palette.index(name)).sum() == (usual == palette.index(name)).sum()
    camera = scene_of(street(speed=(25, 25)), 101).camera
    assert abs((camera.z[-1] - camera.z[0]) / 4 - 25) < 2
    assert np.diff(camera.z).min() > 0.6 and np.abs(np.diff(camera.x)).max() < 0.05


def test_cars_never_meet():
    """Cars in a lane keep their distance, and the camera keeps its own to those ahead."""
    for seed in range(10):
        scene = scene_of(street(size=16, seed=seed, traffic=4, speed=(0, 60)), 400)
        solids = scene.solids
        of = (solids.label == palette.index("car")) & (solids.velocity[:, 2] > 0)
        rear = np.unique(solids.ahead[of])
        assert (np.diff(rear) > 4.2).all()
        ways = rear.min() + np.unique(solids.velocity[of, 2]).item() * np.arange(400) - scene.camera.z
        assert ways.min() > 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"x": "fog"}, ValueError, "Unknown look 'fog'.*Known: day, sunset, rain, snow, night, labels"),
        ({"y": "nigth"}, ValueError, "Unknown look 'nigth'. Did you mean 'night'?"),
        ({"x": 3}, ValueError, "Unknown look 3"),
        (
            {"x": "snow", "y": "snow"},
            ValueError,
            "y: expected another look than x, got 'snow'. Pass two different ones",
        ),
        ({"speed": 3}, TypeError, r"speed: expected \(least, greatest\), got 3"),
        ({"speed": (3, "4")}, TypeError, "speed: expected a number from 3 to 60, got '4'"),
        ({"speed": (5, 4)}, ValueError, "speed: expected a number from 5 to 60, got 4"),
        ({"speed": (-1, 4)}, ValueError, "speed: expected a number from 0 to 60, got -1"),
        ({"traffic": 4.5}, ValueError, "traffic: expected a number from 0 to 4, got 4.5"),
        ({"traffic": float("nan")}, ValueError, "traffic: expected a number from 0 to 4, got nan"),
        ({"traffic": True}, TypeError, "traffic: expected a number from 0 to 4, got True"),
        ({"size": 15}, ValueError, "size: expected a whole number of at least 16, got 15"),
        ({"weather": "rain"}, ValueError, "Unknown option of world 'street': 'weather'"),
    ],
)
def test_options_that_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        worlds.create("street", **options)
