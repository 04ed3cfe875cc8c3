"""Characters: builds and colours, and the puppet that a build in a pose makes."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vtrans.data.worlds.drawing import Array
from vtrans.data.worlds.retarget.poses import Pose, turned
from vtrans.data.worlds.retarget.puppets import Colour, Part, Puppet

Point = tuple[Array, Array]
Piece = tuple[Part, tuple[Array, ...]]
Side = Literal["near", "far"]

FLOOR = 0.925  # where feet stand, in heights of the picture
_JUMP = 0.4  # height of a high jump, in lengths of a leg
_RANGE = 0.13  # how far the place goes to either side of the middle


@dataclass(frozen=True)
class Build:
    """Sizes of a character, in heights of the picture, and its colours, RGB from 0 to 255."""

    thigh: float  # length of each thigh
    shin: float  # length of each shin
    leg: float  # radius of a thigh at its hip; it thins towards the foot
    foot: float  # length of each foot
    hips: float  # how far the hips lie from the middle
    trunk: float  # length of the trunk
    belly: float  # radius of the trunk at the hips
    chest: float  # radius at the shoulders
    shoulders: float  # how far the shoulders lie from the middle
    upper_arm: float  # length of each upper arm
    forearm: float  # length of each forearm
    arm: float  # radius of an upper arm at its shoulder
    neck: float  # length of the neck
    head: tuple[float, float]  # half the height of the head and half its width
    skin: Colour  # of head, neck, forearms and hands
    hair: Colour  # of the hair
    shirt: Colour  # of trunk and upper arms
    stripe: Colour  # of the stripes on the shirt
    stripes: int  # how many there are
    trousers: Colour  # of thighs and shins
    shoes: Colour  # of the feet
    shadow: Colour  # of the shadow on the floor


SLIM = Build(
    thigh=0.165,
    shin=0.155,
    leg=0.034,
    foot=0.056,
    hips=0.018,
    trunk=0.18,
    belly=0.046,
    chest=0.058,
    shoulders=0.048,
    upper_arm=0.125,
    forearm=0.112,
    arm=0.029,
    neck=0.03,
    head=(0.08, 0.064),
    skin=(255.0, 219.0, 186.0),
    hair=(92.0, 52.0, 30.0),
    shirt=(250.0, 128.0, 30.0),
    stripe=(255.0, 202.0, 104.0),
    stripes=1,
    trousers=(36.0, 46.0, 104.0),
    shoes=(244.0, 244.0, 246.0),
    shadow=(58.0, 82.0, 124.0),
)
STOUT = Build(
    thigh=0.1,
    shin=0.095,
    leg=0.058,
    foot=0.065,
    hips=0.055,
    trunk=0.15,
    belly=0.135,
    chest=0.1,
    shoulders=0.105,
    upper_arm=0.105,
    forearm=0.095,
    arm=0.044,
    neck=0.012,
    head=(0.132, 0.138),
    skin=(146.0, 200.0, 118.0),
    hair=(206.0, 76.0, 44.0),
    shirt=(124.0, 54.0, 168.0),
    stripe=(190.0, 128.0, 222.0),
    stripes=2,
    trousers=(62.0, 70.0, 92.0),
    shoes=(110.0, 34.0, 40.0),
    shadow=(172.0, 132.0, 78.0),
)
_EYE, _PUPIL, _MOUTH = (252.0, 252.0, 252.0), (24.0, 24.0, 32.0), (150.0, 28.0, 44.0)


def puppet(build: Build, pose: Pose, size: int) -> Puppet:
    """The puppet of a build in a pose, in a picture of ``size`` pixels.

    Its lower foot stands on the floor, or above it by the height of its jump.

    Example:
        >>> from vtrans.data.worlds.retarget.poses import draw_pose
        >>> pose = draw_pose(np.random.default_rng(0), 5, motions=("walk",), tempo=(0.03, 0.05))
        >>> made = puppet(SLIM, pose, 64)
        >>> made.rows.shape, [part.name for part in made.parts][-3:]
        ((22, 5), ['near upper arm', 'near forearm', 'near hand'])
    """
    zero, one = np.zeros(len(pose.place)), np.ones(len(pose.place))
    up = turned(-one, zero, -pose.lean)
    chest = _on((zero, zero), up, build.trunk)
    far_leg, far_low = _leg(build, pose, "far")
    near_leg, near_low = _leg(build, pose, "near")
    hips = FLOOR - np.maximum(far_low, near_low) - pose.jump * _JUMP * (build.thigh + build.shin)

    width = (build.belly + 0.06) * (1.0 - 0.35 * np.minimum(pose.jump, 1.0))
    shadow = Part("shadow", build.shadow, shade=0.0), (FLOOR - hips, zero, zero, one, width, 0.2 * width)
    shirt = {"stripes": build.stripes, "stripe": build.stripe}
    trunk = _bone("trunk", build.shirt, (zero, zero), up, build.trunk, build.belly, build.chest, **shirt)
    neck, *head = _head(build, pose, chest, up)
    pieces = [
        shadow,
        *_arm(build, pose, "far", chest, up),
        *far_leg,
        *near_leg,
        neck,
        trunk,
        *head,
        *_arm(build, pose, "near", chest, up),
    ]
    parts, frames = zip(*pieces, strict=True)
    rows, columns, down, right, along, across = (np.stack(values) for values in zip(*frames, strict=True))
    return Puppet(
        parts=parts,
        rows=size * (hips + rows),
        columns=size * (0.5 + _RANGE * pose.place + pose.facing * columns),
        down=down,
        right=pose.facing * right,
        along=size * along,
        across=size * across,
    )


def _leg(build: Build, pose: Pose, which: Side) -> tuple[list[Piece], Array]:
    """Thigh, shin and foot, and the row of the leg's lowest point."""
    one, zero = np.ones(len(pose.place)), np.zeros(len(pose.place))
    near = which == "near"
    hip = zero, one * (-build.hips if near else build.hips)
    thigh = turned(one, zero, pose.hip_near if near else pose.hip_far)
    knee = _on(hip, thigh, build.thigh)
    shin = turned(*thigh, pose.knee_near if near else pose.knee_far)
    ankle = _on(knee, shin, build.shin)
    foot = -shin[1], shin[0]
    sole, tip = 0.62 * build.leg, 0.5 * build.leg
    pieces = [
        _bone(f"{which} foot", build.shoes, ankle, foot, build.foot, sole, tip),
        _bone(f"{which} shin", build.trousers, knee, shin, build.shin, 0.8 * build.leg, 0.6 * build.leg),
        _bone(f"{which} thigh", build.trousers, hip, thigh, build.thigh, build.leg, 0.8 * build.leg),
    ]
    return pieces, np.maximum(ankle[0] + sole, _on(ankle, foot, build.foot)[0] + tip)


def _arm(build: Build, pose: Pose, which: Side, chest: Point, up: Point) -> list[Piece]:
    near = which == "near"
    shoulder = _on(chest, _forward(up), -build.shoulders if near else build.shoulders)
    upper = turned(-up[0], -up[1], pose.shoulder_near if near else pose.shoulder_far)
    elbow = _on(shoulder, upper, build.upper_arm)
    lower = turned(*upper, pose.elbow_near if near else pose.elbow_far)
    hand = _on(elbow, lower, build.forearm + 0.6 * build.arm)
    return [
        _bone(f"{which} upper arm", build.shirt, shoulder, upper, build.upper_arm, build.arm, 0.85 * build.arm),
        _bone(f"{which} forearm", build.skin, elbow, lower, build.forearm, 0.75 * build.arm, 0.6 * build.arm),
        _oval(f"{which} hand", build.skin, hand, lower, 1.15 * build.arm, 0.95 * build.arm),
    ]


def _head(build: Build, pose: Pose, chest: Point, up: Point) -> list[Piece]:
    """Neck, hair, head, eyes and mouth; the face slides over the head with the look, as when a head turns."""
    high, wide = build.head
    neck = _on(chest, up, 0.8 * build.chest + build.neck)
    crown = turned(*up, -pose.tilt)
    middle = _on(neck, crown, 0.9 * high)

    def on_face(upward: float, forward: Array | float) -> Point:
        return _on(_on(middle, crown, upward * high), _forward(crown), (0.16 + 0.16 * pose.look + forward) * wide)

    back = _on(_on(middle, crown, 0.24 * high), _forward(crown), -0.1 * wide)
    smile = (0.2 + 0.16 * pose.smile) * wide
    eyes = [
        piece
        for name, forward in (("far eye", 0.34), ("near eye", -0.34))
        for piece in (
            _oval(name, _EYE, on_face(0.12, forward), crown, 0.24 * high * pose.eyes, 0.24 * wide, shade=0.0),
            _oval(
                f"{name}'s pupil",
                _PUPIL,
                on_face(0.1, forward + 0.08 * pose.look),
                crown,
                0.15 * high * pose.eyes,
                0.12 * wide,
                shade=0.0,
            ),
        )
    ]
    return [
        _bone("neck", build.skin, chest, up, 0.8 * build.chest + build.neck + 0.3 * high, 0.42 * wide, 0.4 * wide),
        _oval("hair", build.hair, back, crown, 0.96 * high, 1.1 * wide),
        _oval("head", build.skin, middle, crown, high, wide, shade=0.2),
        *eyes,
        _oval("mouth", _MOUTH, on_face(-0.48, 0.0), crown, (0.05 + 0.2 * pose.mouth) * high, smile, shade=0.0),
    ]


def _on(point: Point, direction: Point, way: Array | float) -> Point:
    """A point that lies some way from another one in a direction."""
    return point[0] + direction[0] * way, point[1] + direction[1] * way


def _forward(up: Point) -> Point:
    """The direction across ``up``, to the side that the character faces."""
    return up[1], -up[0]


def _bone(
    name: str, colour: Colour, at: Point, axis: Point, length: float, start: float, end: float, **look: Any
) -> Piece:
    one = np.ones(len(at[0]))
    return Part(name, colour, length=length, start=start, end=end, **look), (*at, *axis, one, one)


def _oval(
    name: str, colour: Colour, at: Point, axis: Point, along: Array | float, across: Array | float, **look: Any
) -> Piece:
    one = np.ones(len(at[0]))
    return Part(name, colour, **look), (*at, *axis, along * one, across * one)
