"""What stands, drives and walks in a street: houses, trees, lamps, cars and people, built of flat things."""

from dataclasses import dataclass

import numpy as np

from vtrans.data.worlds.street.builder import BACK, UP, Builder, Class, Kind, Vector

STOREY, DEEP = 3.0, 11.0
LAMP_AT, LAMP_REACH, LAMP_HEIGHT = 5.3, 1.5, 5.2


@dataclass(frozen=True)
class Dice:
    """Random numbers of one kind of object, drawn in the order in which the camera meets them."""

    random: np.random.Generator

    def between(self, low: float, high: float) -> float:
        """A number from an interval."""
        return low + (high - low) * float(self.random.random())

    def one(self, of: tuple[Vector, ...]) -> Vector:
        """One of several colours."""
        return of[int(self.random.random() * len(of))]


def house(to: Builder, dice: Dice, side: int, z: float) -> float:
    """Adds a house with a gable or a flat roof; gives how long it is."""
    long, x = dice.between(8.0, 15.0), side * dice.between(8.8, 9.6)
    storeys, gabled = 2 + int(dice.between(0, 2.6)), dice.between(0, 1) < 0.65
    high = STOREY * storeys + 0.5
    rise = dice.between(0.7, 1.0) if gabled else 0.0
    wall, roof = dice.one(WALLS), dice.one(ROOFS)
    detail = (dice.between(1.9, 2.6), dice.between(0, 4096), high, 1.0)
    to.begin(Class.BUILDING, ahead=z)
    to.thing((x, 0, z), (-side, 0, 0), Kind.WALL, wall, detail=detail)
    to.side(0, long, 0, high)
    to.thing((x, 0, z), BACK, Kind.WALL, wall, detail=(*detail[:3], float(side)))
    top = high + rise * DEEP / 2
    to.polygon((0, 0, 0), (side * DEEP, 0, 0), (side * DEEP, high, 0), (side * DEEP / 2, top, 0), (0, high, 0))
    if gabled:
        over = 0.4
        to.thing((x, high, z), (-side * rise, 1, 0), Kind.ROOF, roof, detail=(side,))
        low, ridge = (-side * over, -rise * over), (side * DEEP / 2, rise * DEEP / 2)
        to.polygon((*low, -over), (*low, long + over), (*ridge, long + over), (*ridge, -over))
    return long


def tree(to: Builder, dice: Dice, side: int, z: float) -> None:
    """Adds a broad-leaved tree, a crown of discs on a trunk, or a conifer of triangles."""
    x, size, green = side * dice.between(5.5, 6.0), dice.between(0.85, 1.2), dice.one(LEAF_COLOURS)
    to.begin(Class.TREE, ahead=z)
    to.thing((x, 0, z + 0.02), BACK, Kind.BARK, (104, 80, 60))
    if dice.between(0, 1) < 0.75:
        to.rectangle(-0.17 * size, 0.17 * size, 0, 2.6 * size)
        low, high = 2.0 * size, 5.0 * size
        to.thing((x, 0, z), BACK, Kind.LEAVES, green, detail=(low, high, dice.between(0, 4096), 1.7 * size))
        to.disc(0, 3.5 * size, 1.25 * size)
        for right, up in ((-0.9, 3.0), (0.9, 3.0), (-0.65, 4.1), (0.65, 4.05), (0.0, 4.6)):
            to.disc((right + dice.between(-0.2, 0.2)) * size, (up + dice.between(-0.2, 0.2)) * size, 0.85 * size)
        return
    to.rectangle(-0.15 * size, 0.15 * size, 0, 1.2 * size)
    to.thing(
        (x, 0, z), BACK, Kind.LEAVES, (52, 104, 72), detail=(0.8 * size, 6.0 * size, dice.between(0, 4096), 1.4 * size)
    )
    for bottom, top, wide in ((0.8, 3.2, 1.5), (2.1, 4.6, 1.2), (3.4, 6.0, 0.85)):
        to.polygon((-wide * size, bottom * size, 0), (wide * size, bottom * size, 0), (0, top * size, 0))


def lamp(to: Builder, side: int, z: float) -> None:
    """Adds a street lamp that reaches over the road."""
    x, arm = side * LAMP_AT, -side * LAMP_REACH
    to.begin(Class.LAMP, ahead=z - 0.1)
    to.thing((x, 0, z), BACK, Kind.PLAIN, (84, 92, 100))
    to.rectangle(-0.09, 0.09, 0, LAMP_HEIGHT)
    to.rectangle(min(0, arm), max(0, arm), LAMP_HEIGHT - 0.06, LAMP_HEIGHT + 0.08)
    to.thing((x, 0, z - 0.1), BACK, Kind.LIGHT, (236, 232, 214), detail=(1.0, 0.92, 0.62))
    to.rectangle(min(arm, arm * 0.5), max(arm, arm * 0.5), LAMP_HEIGHT - 0.2, LAMP_HEIGHT)


def car(to: Builder, dice: Dice, x: float, z: float, speed: float, *, oncoming: bool) -> None:
    """Adds a car, or the front of an oncoming one, that moves along the street."""
    paint, half, long = dice.one(PAINTS), 0.88, 4.2
    to.begin(Class.CAR, ahead=z, speed=speed)
    to.thing((x, 0.06, z), UP, Kind.PLAIN, (26, 26, 30))
    to.polygon((-half, 0, 0.1), (half, 0, 0.1), (half, 0, long - 0.1), (-half, 0, long - 0.1))
    to.thing((x, 0, z + 0.05), BACK, Kind.PLAIN, (30, 30, 34))
    to.rectangle(-half, -half + 0.24, 0, 0.4)
    to.rectangle(half - 0.24, half, 0, 0.4)
    to.thing((x, 0, z), BACK, Kind.BODY, paint, detail=(half, 2.0 if oncoming else 1.0, 0.0, float(speed != 0)))
    to.rectangle(-half, half, 0.2, 0.86)
    to.thing((x, 0.86, z), UP, Kind.PLAIN, paint)
    to.polygon((-half, 0, 0), (half, 0, 0), (half, 0, long), (-half, 0, long))
    for side in (-1, 1):
        to.thing((x + side * half, 0, z), (side, 0, 0), Kind.BODY, paint, detail=(half, 0.0, long))
        to.side(0, long, 0.2, 0.86)
        to.thing((x + side * (half + 0.01), 0, z), (side, 0, 0), Kind.PLAIN, (34, 34, 38))
        for wheel in (0.8, long - 0.8):
            to.polygon(*((0, 0.32 + 0.32 * up, wheel + 0.32 * ahead) for up, ahead in OCTAGON))
    back, front, roof = (1.1, 1.9, 3.1) if oncoming else (0.35, 0.85, 2.3)
    slope, top, wide, narrow = front - back, 0.6, half - 0.06, half - 0.2
    # The window's plane leans forward: its normal is at right angles to (0, top, slope).
    to.thing((x, 0.86, z + back), (0, slope, -top), Kind.GLASS, paint, detail=(wide, narrow, top))
    to.polygon((-wide, 0, 0), (wide, 0, 0), (narrow, top, slope), (-narrow, top, slope))
    end = long - (0.35 if oncoming else 1.1)
    for side in (-1, 1):
        tilt = wide - narrow
        to.thing((x + side * wide, 0.86, z + back), (side * top, tilt, 0), Kind.GLASS, paint, detail=(0.0, 0.0, top))
        upper = -side * tilt
        to.polygon((0, 0, 0), (0, 0, end - back), (upper, top, roof - back + 0.3), (upper, top, slope))
    to.thing((x, 0.86 + top, z), UP, Kind.PLAIN, paint)
    to.polygon((-narrow, 0, front), (narrow, 0, front), (narrow, 0, roof + 0.3), (-narrow, 0, roof + 0.3))


def person(to: Builder, dice: Dice, x: float, z: float, speed: float) -> None:
    """Adds someone who walks along the pavement, legs swinging."""
    tall = dice.between(0.9, 1.08)
    shirt, trousers, skin, hair = (dice.one(colours) for colours in (SHIRTS, TROUSERS, SKINS, HAIRS))
    turn, phase = abs(speed) * 0.7, dice.between(0, 1)
    to.begin(Class.PERSON, ahead=z, speed=speed)
    for leg, side in enumerate((-1, 1)):
        hip = (x + side * 0.07 * tall, 0.86 * tall, z + 0.03 + 0.02 * leg)
        to.thing(hip, BACK, Kind.PLAIN, trousers, swing=(side * 0.24, turn, phase))
        to.rectangle(-0.085 * tall, 0.085 * tall, -0.86 * tall, 0.04)
    for arm, side in enumerate((-1, 1)):
        shoulder = (x + side * 0.22 * tall, 1.42 * tall, z + 0.01 + 0.07 * arm)
        to.thing(shoulder, BACK, Kind.PLAIN, _darker(shirt), swing=(-side * 0.2, turn, phase))
        to.rectangle(-0.06 * tall, 0.06 * tall, -0.58 * tall, 0.0)
    to.thing((x, 0, z), BACK, Kind.PLAIN, shirt)
    corners = ((-0.17, 0.82), (0.17, 0.82), (0.24, 1.36), (0.15, 1.46), (-0.15, 1.46), (-0.24, 1.36))
    to.polygon(*((a * tall, b * tall, 0) for a, b in corners))
    to.thing((x, 0, z - 0.02), BACK, Kind.PLAIN, skin if speed < 0 else hair)
    to.disc(0, 1.6 * tall, 0.15 * tall)
    if speed < 0:
        to.thing((x, 0, z - 0.03), BACK, Kind.PLAIN, hair)
        to.polygon(*((a * tall, b * tall, 0) for a, b in ((-0.15, 1.63), (0.15, 1.63), (0.09, 1.76), (-0.09, 1.76))))


def _darker(colour: Vector) -> Vector:
    return colour[0] * 0.8, colour[1] * 0.8, colour[2] * 0.8


OCTAGON = ((1, 0), (0.707, 0.707), (0, 1), (-0.707, 0.707), (-1, 0), (-0.707, -0.707), (0, -1), (0.707, -0.707))
# fmt: off
WALLS: tuple[Vector, ...] = (
    (226, 196, 150), (204, 120, 92), (232, 222, 202), (166, 182, 190), (216, 168, 120), (190, 148, 132),
    (238, 206, 128),
)
ROOFS: tuple[Vector, ...] = ((164, 74, 56), (126, 66, 56), (92, 88, 98), (142, 92, 66))
LEAF_COLOURS: tuple[Vector, ...] = ((86, 148, 62), (112, 160, 60), (66, 128, 66), (136, 158, 56))
PAINTS: tuple[Vector, ...] = (
    (206, 46, 44), (38, 86, 168), (236, 236, 232), (52, 56, 64), (226, 168, 40), (44, 128, 108), (158, 164, 172),
)
SHIRTS: tuple[Vector, ...] = (
    (204, 52, 60), (44, 96, 176), (240, 190, 60), (240, 236, 226), (60, 140, 110), (150, 84, 160),
)
TROUSERS: tuple[Vector, ...] = ((40, 48, 76), (58, 56, 58), (104, 88, 70), (72, 92, 128))
SKINS: tuple[Vector, ...] = ((238, 194, 160), (206, 150, 112), (142, 96, 70))
HAIRS: tuple[Vector, ...] = ((58, 40, 30), (28, 24, 26), (152, 110, 60))
# fmt: on
