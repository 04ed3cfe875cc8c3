"""A world of two characters: a tall slim one in a blue room, and a short stout one on a sandy stage."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from vtrans.data.checks import ends, number
from vtrans.data.tensors import Frames
from vtrans.data.worlds.drawing import Array, Colour, blend, box, centres, plain, smooth, to_bytes
from vtrans.data.worlds.motion import Motion
from vtrans.data.worlds.retarget.characters import SLIM, STOUT, puppet
from vtrans.data.worlds.retarget.poses import MOTIONS, Pose, draw_pose
from vtrans.data.worlds.retarget.puppets import Puppet
from vtrans.data.worlds.world import Domain, World
from vtrans.errors import refusal, unknown


class Retarget(World[Pose]):
    """Two articulated characters that differ in build, colours and surroundings, and perform from one repertoire.

    X shows a tall slim character in an orange shirt, Y a short stout one with a big head in a striped purple shirt.
    Each walks, jumps, waves, talks and dances, looks around, blinks, and opens and spreads its mouth; the training
    streams of X and Y show different performances. The translation of a clip is the same performance, joint by joint,
    by the other character: whoever is shown keeps its build, so how far a hand moves differs between the domains.

    Args:
        size: Height and width of a frame, in pixels, at least 16.
        seed: Seed of every scene, at least 0.
        motions: What the characters do, of ``"walk"``, ``"jump"``, ``"wave"``, ``"talk"`` and ``"dance"``; every
            performance fades between two of these.
        tempo: Least and greatest number of cycles a second, above 0 and at most 5.

    Raises:
        ValueError: If a number is out of range, or a motion is unknown or missing.
        TypeError: If an option is of the wrong kind.

    Example:
        >>> world = Retarget(size=32, motions=("walk", "wave"))
        >>> truth = world.truth(count=1, length=3)
        >>> truth.y.shape, truth.motion_y.flow.shape
        ((1, 3, 32, 32, 3), (1, 2, 2, 32, 32))

    Reference: after the face-to-face experiment of Bansal et al., Recycle-GAN, ECCV 2018.
    """

    name: ClassVar[str] = "retarget"

    def __init__(
        self,
        *,
        size: int = 64,
        seed: int = 0,
        motions: Sequence[str] = tuple(MOTIONS),
        tempo: tuple[float, float] = (0.6, 1.3),
    ) -> None:
        super().__init__(size=size, seed=seed)
        self.motions = _names(motions)
        allowed = "(least, greatest) cycles a second, above 0 and at most 5"
        least, greatest = (number("tempo", cycles, 0, 5) for cycles in ends("tempo", tempo, allowed))
        if not 0 < least <= greatest:
            raise ValueError(refusal("tempo", allowed=allowed, got=repr(tempo)))
        self.tempo = least, greatest
        self._stages: dict[Domain, Array] = {"x": _room(self.size), "y": _theatre(self.size)}

    def scene(self, random: np.random.Generator, length: int) -> Pose:
        """Draws a performance: how every joint moves, whoever performs it."""
        least, greatest = (cycles / float(self.rate) for cycles in self.tempo)
        return draw_pose(random, length, motions=self.motions, tempo=(least, greatest))

    def puppet(self, scene: Pose, domain: Domain) -> Puppet:
        """The parts of a domain's character from back to front, and where each of them is at every time."""
        return puppet(SLIM if domain == "x" else STOUT, scene, self.size)

    def render(self, scene: Pose, domain: Domain) -> Frames:
        """Renders a performance by the character of a domain."""
        performer = self.puppet(scene, domain)
        stage = self._stages[domain]
        return np.stack([to_bytes(performer.draw(stage, t)) for t in range(len(scene.place))])

    def motion(self, scene: Pose, domain: Domain) -> Motion:
        """How the parts of a domain's character move; the stage stands still."""
        return self.puppet(scene, domain).motion(height=self.size, width=self.size)


def _names(motions: object) -> tuple[str, ...]:
    allowed = f"names of motions as a tuple, at least one of {', '.join(MOTIONS)}"
    if not isinstance(motions, (tuple, list)) or not motions:
        kind = ValueError if isinstance(motions, (tuple, list)) else TypeError
        raise kind(refusal("motions", allowed=allowed, got=repr(motions)))
    for name in motions:
        if name not in list(MOTIONS):
            raise ValueError(unknown("motion", name, MOTIONS))
    return tuple(motions)


def _room(size: int) -> Array:
    """A bluish room: a wall that fades downwards, a window, a skirting board and a darker floor."""
    fading = smooth(centres(size))[:, None] * np.ones(size)
    picture = blend(plain(size, (158.0, 200.0, 236.0)), (104.0, 152.0, 208.0), fading)
    picture = _box(picture, (0.1, 0.44), (0.66, 0.94), (232.0, 242.0, 250.0))
    for left, right in ((0.69, 0.785), (0.815, 0.91)):
        picture = _box(picture, (0.13, 0.255), (left, right), (190.0, 226.0, 250.0))
        picture = _box(picture, (0.285, 0.41), (left, right), (172.0, 216.0, 246.0))
    picture = _box(picture, (0.81, 1.0), (0.0, 1.0), (76.0, 106.0, 158.0))
    return _box(picture, (0.78, 0.81), (0.0, 1.0), (222.0, 232.0, 244.0))


def _theatre(size: int) -> Array:
    """A sandy stage: a curtain in folds, lighter in the middle, over boards."""
    folds = smooth(np.abs(2.0 * np.mod(centres(size) * 7.0, 1.0) - 1.0))[None, :] * np.ones(size)[:, None]
    picture = blend(plain(size, (246.0, 228.0, 188.0)), (226.0, 196.0, 144.0), folds)
    picture = _box(picture, (0.0, 0.07), (0.0, 1.0), (206.0, 156.0, 96.0))
    picture = _box(picture, (0.79, 1.0), (0.0, 1.0), (222.0, 184.0, 124.0))
    for row in (0.79, 0.855, 0.93):
        picture = _box(picture, (row, row + 0.012), (0.0, 1.0), (190.0, 148.0, 92.0))
    return picture


def _box(picture: Array, rows: tuple[float, float], columns: tuple[float, float], colour: Colour) -> Array:
    """Lays an upright box over a picture; its sides are given in heights of the picture."""
    size = len(picture)
    top, bottom, left, right = (size * side for side in (*rows, *columns))
    return blend(picture, colour, box(size, (top, bottom), (left, right)))
