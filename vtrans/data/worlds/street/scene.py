"""A street: where everything is, and the way of the camera through it."""

from dataclasses import dataclass

import numpy as np

from vtrans.data.worlds.drawing import Array
from vtrans.data.worlds.street.builder import Builder
from vtrans.data.worlds.street.geometry import FAR, Camera, Solids, wave
from vtrans.data.worlds.street.objects import Dice, car, house, lamp, person, tree

LANE = 1.7
LAMP_SPACING, CROSSING_SPACING = 26.0, 74.0


@dataclass(frozen=True)
class StreetScene:
    """A drive along a street."""

    camera: Camera  # its way
    solids: Solids  # houses, trees, lamps, cars and people
    skyline: Array  # height of the far skyline above the horizon, as a slope, for equal steps to the right
    noise: Array  # 4096 random numbers in [0, 1) that textures are made of
    lamps: tuple[float, float]  # where the lamps of the left and of the right begin, in metres along the street
    crossing: float  # where the zebra crossings begin
    shadows: Array  # middles and radii (to the right, ahead) of the shadows of what stands still, ``(shadows, 4)``
    weather: Array  # random numbers of what falls from the sky, ``(drops, 4)``


def draw_scene(
    random: np.random.Generator, *, size: int, length: int, rate: float, speed: tuple[float, float], traffic: float
) -> StreetScene:
    """Draws a street that is long enough for its frames; a longer drive begins with the same frames.

    ``size``, ``speed`` and ``traffic`` are as for :class:`vtrans.data.worlds.street.Street`.
    """
    # Every kind of object has random numbers of its own, so that more of one leaves the others alone.
    dice = [Dice(np.random.default_rng([int(random.random() * 2**32), kind])) for kind in range(10)]
    pace = dice[0].between(*speed) / rate
    camera = _drive(dice[0], pace, size, length)
    until, to = float(camera.z[-1]) + FAR, Builder()
    shadows: list[tuple[float, float, float, float]] = []

    for side, of in ((-1, dice[1]), (1, dice[2])):
        z = -of.between(0, 10)
        while z < until:
            z += house(to, of, side, z) + max(0.0, of.between(-3.0, 5.0))
    for side, of in ((-1, dice[3]), (1, dice[4])):
        z = of.between(0, 12)
        while z < until:
            tree(to, of, side, z)
            shadows.append((side * 5.75 + 0.9, z - 0.8, 1.7, 1.9))
            z += of.between(8.0, 17.0)
    lamps = (dice[5].between(0, LAMP_SPACING), dice[5].between(0, LAMP_SPACING))
    for side, first in zip((-1, 1), lamps, strict=True):
        for z in np.arange(first, until, LAMP_SPACING).tolist():
            lamp(to, side, z)
    if traffic > 0:
        shadows += _add_cars(to, dice[6], dice[7], camera, pace, rate, traffic)
        _add_people(to, dice[8], length, rate, until, traffic)
    sky = dice[9].random
    return StreetScene(
        camera=camera,
        solids=to.solids(),
        skyline=0.018 + 0.05 * sky.random(64) * sky.random(64),
        noise=sky.random(4096),
        lamps=lamps,
        crossing=dice[0].between(0, CROSSING_SPACING),
        shadows=np.array(shadows, dtype=np.float64),
        weather=sky.random((240, 4)),
    )


def _drive(dice: Dice, pace: float, size: int, length: int) -> Camera:
    """A camera in the right lane that sways a little and is now faster, now slower."""
    frames = np.arange(length, dtype=np.float64)
    sway, surge = dice.between(0.1, 0.3) * min(1.0, 4.0 * pace), min(2.5, pace * dice.between(2.0, 6.0))
    x = LANE + sway * wave(frames / dice.between(60, 110) + dice.between(0, 1))
    z = pace * frames + surge * wave(frames / dice.between(90, 150) + dice.between(0, 1))
    return Camera(x=x, z=z, size=size)


def _add_cars(
    to: Builder, parked: Dice, moving: Dice, camera: Camera, pace: float, rate: float, traffic: float
) -> list[tuple[float, float, float, float]]:
    """Adds parked, oncoming and leading cars; gives the shadows of the parked ones."""
    shadows = []
    for side in (-1, 1):
        z = parked.between(4.0, 16.0)
        while z < camera.z[-1] + FAR:
            car(to, parked, side * 4.05, z, 0.0, oncoming=side < 0)
            shadows.append((side * 4.05 + 0.25, z + 2.1, 1.25, 2.7))
            z += 5.6 + parked.between(1.0, 44.0) / traffic
    ahead = moving.between(9.0, 22.0)
    leading, oncoming = pace * moving.between(1.0, 1.12), moving.between(7.0, 11.0) / rate
    z = ahead
    while z < FAR:
        car(to, moving, LANE + moving.between(-0.15, 0.15), z, leading, oncoming=False)
        z += 9.0 + moving.between(4.0, 36.0) / traffic
    meeting = Dice(np.random.default_rng([int(moving.random.random() * 2**32), 1]))
    z = meeting.between(8.0, 34.0)
    while z < camera.z[-1] + FAR + oncoming * len(camera.z):
        car(to, meeting, -LANE + meeting.between(-0.15, 0.15), z, -oncoming, oncoming=True)
        z += 9.0 + meeting.between(4.0, 40.0) / traffic
    return shadows


def _add_people(to: Builder, dice: Dice, length: int, rate: float, until: float, traffic: float) -> None:
    for side in (-1, 1):
        of = Dice(np.random.default_rng([int(dice.random.random() * 2**32), 1]))
        z = of.between(4.0, 10.0)
        while z < until + 2.0 * length / rate:
            speed = of.between(0.9, 1.6) / rate
            away = of.between(0, 1) < 0.5
            person(to, of, side * of.between(6.5, 8.0), z, speed if away else -speed)
            z += of.between(1.5, 9.0) / traffic
