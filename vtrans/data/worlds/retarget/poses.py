"""Poses of an articulated character over time: what its joints and its face do, whoever it is.

An angle is given as the tangent of its half, ``s``: its cosine is ``(1 - s²) / (1 + s²)`` and its sine
``2s / (1 + s²)``, which every machine computes alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vtrans.data.worlds.drawing import Array, smooth


@dataclass(frozen=True)
class Pose:
    """What every joint does at each time, as arrays ``(time,)``; angles as tangents of their halves.

    Limbs hang straight down at 0 and swing forward above 0. The near limbs are in front of the trunk, the far ones
    behind it.
    """

    facing: int  # 1 if the character faces right, -1 if left
    place: Array  # where it stands, from -1 at the left to 1 at the right
    jump: Array  # height of its feet above the floor, 1 for a high jump
    lean: Array  # angle of the trunk, forward
    tilt: Array  # angle of the head to the trunk, forward
    shoulder_near: Array  # angle of the near upper arm to the trunk
    elbow_near: Array  # angle of the near forearm to its upper arm
    shoulder_far: Array  # angle of the far upper arm to the trunk
    elbow_far: Array  # angle of the far forearm to its upper arm
    hip_near: Array  # angle of the near thigh to the vertical
    knee_near: Array  # angle of the near shin to its thigh; a knee bends below 0
    hip_far: Array  # angle of the far thigh to the vertical
    knee_far: Array  # angle of the far shin to its thigh
    mouth: Array  # how far the mouth is open, 0 to 1
    smile: Array  # how wide it is, 0 to 1
    eyes: Array  # how far the eyes are open, 0 to 1
    look: Array  # where they look, from -1 backward to 1 forward


Joints = Mapping[str, Array]


def turned(down: Array, right: Array, s: Array) -> tuple[Array, Array]:
    """A direction turned by the angle whose half has the tangent ``s``, from down towards right.

    Example:
        >>> down, right = turned(np.ones(1), np.zeros(1), np.ones(1))
        >>> down.item(), right.item()
        (0.0, 1.0)
    """
    whole = 1.0 + s * s
    cosine, sine = (1.0 - s * s) / whole, (s + s) / whole
    return down * cosine - right * sine, right * cosine + down * sine


def swing(phase: Array) -> Array:
    """A smooth wave from 1 at phase 0 to -1 at phase 0.5 and back, of period 1, without sines."""
    return 2.0 * smooth(np.abs(2.0 * np.mod(phase, 1.0) - 1.0)) - 1.0


def walk(phase: Array) -> Joints:
    """Legs swing in turn, the knee of the one that comes forward bends, arms swing against them."""
    step, lift = swing(phase), 0.5 + 0.5 * swing(phase + 0.25)
    return {
        "hip_near": 0.05 + 0.3 * step,
        "knee_near": -0.05 - 0.42 * lift,
        "hip_far": 0.05 - 0.3 * step,
        "knee_far": -0.05 - 0.42 * (1.0 - lift),
        "shoulder_near": -0.05 - 0.33 * step,
        "elbow_near": 0.24 - 0.14 * step,
        "shoulder_far": -0.05 + 0.33 * step,
        "elbow_far": 0.24 + 0.14 * step,
        "lean": 0.04 + 0.02 * swing(2.0 * phase),
    }


def jump(phase: Array) -> Joints:
    """A crouch, then a flight along a parabola with the arms thrown up."""
    part = np.mod(phase, 1.0)
    flight = np.clip(2.0 * part - 1.0, 0.0, 1.0)
    height = 4.0 * flight * (1.0 - flight)
    crouch = smooth(np.clip(1.0 - np.abs(4.0 * part - 1.0), 0.0, 1.0))
    return {
        "jump": height,
        "hip_near": -0.06 + 0.42 * crouch + 0.1 * height,
        "knee_near": -0.85 * crouch - 0.25 * height,
        "hip_far": 0.08 + 0.42 * crouch - 0.2 * height,
        "knee_far": -0.04 - 0.85 * crouch,
        "shoulder_near": -0.12 - 0.2 * crouch - 1.2 * height,
        "elbow_near": 0.1 + 0.3 * crouch - 0.3 * height,
        "shoulder_far": 0.12 - 0.2 * crouch + 1.4 * height,
        "elbow_far": 0.1 + 0.3 * crouch + 0.1 * height,
        "lean": 0.16 * crouch,
    }


def wave(phase: Array) -> Joints:
    """One arm is up and waves, the weight shifts a little."""
    hand, sway = swing(2.0 * phase), swing(phase)
    return {
        "shoulder_near": -1.25 + 0.12 * sway,
        "elbow_near": -0.5 + 0.38 * hand,
        "shoulder_far": 0.14 + 0.05 * sway,
        "elbow_far": 0.16 + 0.05 * sway,
        "hip_near": -0.09 + 0.03 * sway,
        "hip_far": 0.11 + 0.03 * sway,
        "knee_near": -0.03 - 0.03 * sway,
        "knee_far": -0.06 + 0.03 * sway,
        "lean": -0.02 + 0.05 * sway,
        "tilt": -0.06 * sway,
    }


def talk(phase: Array) -> Joints:
    """Forearms up, hands gesture out of step."""
    one, other = swing(phase), swing(phase + 0.3)
    return {
        "shoulder_near": -0.22 + 0.14 * one,
        "elbow_near": 0.55 + 0.35 * other,
        "shoulder_far": 0.3 - 0.15 * other,
        "elbow_far": 0.5 + 0.3 * one,
        "hip_near": -0.08 + 0.02 * one,
        "hip_far": 0.12 + 0.02 * one,
        "knee_near": -0.03 + 0.02 * one,
        "knee_far": -0.06 - 0.02 * one,
        "lean": 0.04 * other,
        "tilt": 0.08 * one,
    }


def dance(phase: Array) -> Joints:
    """Feet apart, weight from one to the other, arms out and up in turn."""
    step, beat = swing(phase), 0.5 + 0.5 * swing(2.0 * phase)
    return {
        "hip_near": -0.2 + 0.1 * step + 0.14 * beat,
        "knee_near": -0.06 - 0.2 * beat,
        "hip_far": 0.2 + 0.1 * step + 0.1 * beat,
        "knee_far": -0.1 - 0.2 * beat,
        "shoulder_near": -0.85 + 0.4 * step,
        "elbow_near": -0.15 - 0.3 * step,
        "shoulder_far": 0.95 + 0.4 * step,
        "elbow_far": 0.15 - 0.3 * step,
        "lean": 0.13 * step,
        "tilt": -0.1 * step,
        "jump": 0.06 * (1.0 - beat),
    }


MOTIONS: Mapping[str, Callable[[Array], Joints]] = {
    motion.__name__: motion for motion in (walk, jump, wave, talk, dance)
}


def draw_pose(
    random: np.random.Generator, length: int, *, motions: tuple[str, ...], tempo: tuple[float, float]
) -> Pose:
    """Draws a performance: two motions that fade into each other and back, a face that talks, and a slow drift.

    A longer performance begins like a shorter one. ``tempo`` is the least and the greatest number of cycles a frame.
    """
    times = np.arange(length, dtype=np.float64)

    def between(low: float, high: float) -> float:
        return low + (high - low) * random.random()

    def clock(low: float, high: float) -> Array:
        return random.random() + between(low, high) * times

    def choose() -> Joints:
        return MOTIONS[motions[int(random.random() * len(motions))]](clock(*tempo))

    facing = 1 if random.random() < 0.5 else -1
    first, second, mix = choose(), choose(), 0.5 + 0.5 * np.clip(1.6 * swing(clock(0.004, 0.01)), -1.0, 1.0)
    vigour = between(0.85, 1.1)
    syllables = 0.5 + 0.5 * swing(clock(0.07, 0.13))
    sentences = np.clip(0.65 + 1.2 * swing(clock(0.008, 0.02)), 0.0, 1.0)
    blink = np.abs(2.0 * np.mod(clock(0.01, 0.02), 1.0) - 1.0)

    def joint(name: str) -> Array:
        one, other = first.get(name, np.zeros(length)), second.get(name, np.zeros(length))
        return (one + (other - one) * mix) * vigour

    body = ("jump", "lean", "tilt", "shoulder_near", "elbow_near", "shoulder_far", "elbow_far")
    legs = ("hip_near", "knee_near", "hip_far", "knee_far")
    return Pose(
        facing=facing,
        place=swing(clock(0.008, 0.018)),
        mouth=syllables * sentences,
        smile=0.5 + 0.5 * swing(clock(0.008, 0.02)),
        eyes=1.0 - 0.92 * smooth(np.clip(12.0 * blink - 11.0, 0.0, 1.0)),
        look=swing(clock(0.008, 0.02)),
        **{name: joint(name) for name in (*body, *legs)},
    )
