"""A world of two kinds of discs, where only motion tells which kind of X is which kind of Y."""

from copy import copy
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from vtrans.data.checks import ends, number, whole
from vtrans.data.tensors import Frames, check_frames
from vtrans.data.worlds.drawing import Array, Colour, blend, centres, disc, plain, smooth, to_bytes
from vtrans.data.worlds.motion import Motion, Things, exact_motion
from vtrans.data.worlds.pairing import CLIPS, pairing_share
from vtrans.data.worlds.world import Domain, World, check_domain
from vtrans.errors import refusal, unknown

Cue = Literal["direction", "change"]


@dataclass(frozen=True)
class Disc:
    """A disc's kind, 0 or 1, the row of its centre, and each frame's column and radius; in pixels."""

    kind: int
    row: float
    columns: Array
    radii: Array


class MotionKeyed(World[tuple[Disc, ...]]):
    """Discs of two kinds that only their motion tells apart: the right pairing of looks can't be seen in a frame.

    A disc of the first kind is dark in X and red in Y, and moves right. One of the second kind is bright in X and blue
    in Y, and moves left. The picture is a cylinder: a disc that leaves at one side enters at the other.

    **A single frame says nothing about the pairing.** Discs of both kinds are drawn alike in number, lane, row and
    size, and at each time a disc's column is uniform and independent of all else. So exchanging the two looks in either
    domain turns a random frame into an equally likely one. If maps between X and Y match both domains' frames and
    undo each other, the same maps with the looks exchanged do so just as well: losses on single frames can't tell
    right (dark to red) from wrong (dark to blue). Nor do the colours suggest a pairing: red and blue are equally light,
    and the distance from dark to red and bright to blue adds up to that from dark to blue and bright to red.

    **Time says it.** The wrong pairing shows red discs that move left: the world played backwards. Two frames are
    enough to see that, so losses on the frames to come can tell. Mirroring clips, as ``data.flip`` does, would destroy
    the cue ``"direction"``.

    Args:
        size: Height and width of a frame, in pixels, at least 16.
        seed: Seed of every scene, at least 0.
        cue: What tells the kinds apart: ``"direction"``; or ``"change"``, where discs stay in place, and the first kind
            grows and starts small again, while the second one shrinks and starts large again.
        speed: Way of a disc in a frame's time, as a part of the picture's width; or, for ``"change"``, of the cycle.
            Between 0 and 0.5, both excluded. The default is near an eighth, but it's long until a stream repeats.
        objects: Least and greatest number of discs of each kind in a scene.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If an option is out of range.

    Example:
        >>> world = MotionKeyed(size=32)
        >>> _, y = world.pairs(count=2, length=3)
        >>> _, wrong = world.swapped.pairs(count=2, length=3)
        >>> world.settled(y, "y").tolist(), world.settled(wrong, "y").tolist()
        ([1.0, 1.0], [0.0, 0.0])
    """

    name: ClassVar[str] = "motion_keyed"

    def __init__(
        self,
        *,
        size: int = 64,
        seed: int = 0,
        cue: Cue = "direction",
        speed: float = 0.123,
        objects: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__(size=size, seed=seed)
        if cue not in _CUES:
            raise ValueError(unknown("cue", cue, _CUES))
        self.cue: Cue = cue
        why = "Half of the way around is the same in both directions"
        self.speed = number("speed", speed, 0, 0.5, inside=True, why=why)
        least, greatest = ends("objects", objects)
        self.objects = (whole("objects", least, least=1), whole("objects", greatest, least=least))
        self._lane = self.size / (2 * self.objects[1])
        if self._lane < _LEAST_LANE:
            most = self.size // (2 * _LEAST_LANE)
            why = f"Each disc has a lane of its own, at least {_LEAST_LANE} pixels high"
            allowed = f"at most {most} of each kind at size {self.size}"
            raise ValueError(refusal("objects", allowed=allowed, got=self.objects[1], why=why))
        self._looks = _LOOKS

    def scene(self, random: np.random.Generator, length: int) -> tuple[Disc, ...]:
        """Draws a scene: how many discs of each kind, their lanes, and how each one starts."""
        least, greatest = self.objects
        counts = [least + int(random.random() * (greatest - least + 1)) for _ in (0, 1)]
        lanes = np.argsort(random.random(2 * greatest), kind="stable")
        kinds = [0] * counts[0] + [1] * counts[1]
        return tuple(self._disc(random, kind, int(lane), length) for kind, lane in zip(kinds, lanes, strict=False))

    def render(self, scene: tuple[Disc, ...], domain: Domain) -> Frames:
        """Renders a scene in the look of a domain."""
        background = self._background(domain)
        frames = []
        for t in range(len(scene[0].columns)):
            picture = background
            for one in scene:
                mask = disc(self.size, one.row, one.columns[t], one.radii[t], around=True)
                picture = blend(picture, self._looks[domain][one.kind], mask)
            frames.append(to_bytes(picture))
        return np.stack(frames)

    def motion(self, scene: tuple[Disc, ...], domain: Domain) -> Motion:
        """How the discs move or change; the background stands still, whichever the domain.

        A point that leaves the picture is occluded, although it's seen again at the other side.
        """

        def thing_at(t: int, rows: Array, columns: Array) -> Things:
            things = np.zeros(rows.shape, np.int64)
            for i, one in enumerate(scene, 1):
                down, right = rows - one.row, self._around(columns - one.columns[t])
                things[down * down + right * right <= one.radii[t] * one.radii[t]] = i
            return things

        def moved(t: int, things: Things, rows: Array, columns: Array) -> tuple[Array, Array]:
            rows, columns = rows.copy(), columns.copy()
            for i, one in enumerate(scene, 1):
                own = things == i
                growth = one.radii[t + 1] / one.radii[t] - 1
                rows[own] += growth * (rows[own] - one.row)
                columns[own] += growth * self._around(columns[own] - one.columns[t])
                columns[own] += self._around(one.columns[t + 1] - one.columns[t])
            return rows, columns

        return exact_motion(thing_at, moved, height=self.size, width=self.size, length=len(scene[0].columns))

    @property
    def swapped(self) -> "MotionKeyed":
        """The same scenes with the looks of the two kinds exchanged in both domains: what the wrong pairing shows."""
        world = copy(self)
        world._looks = {domain: (second, first) for domain, (first, second) in self._looks.items()}
        return world

    def settled(self, translated: Frames, domain: Domain) -> npt.NDArray[np.float64]:
        """Which pairing a translation of the held-out clips has settled on, by :func:`pairing_share`.

        Args:
            translated: The clips of :meth:`pairs`, translated into a domain: uint8 ``(count, length, height, width,
                3)``.
            domain: The domain that they were translated into.

        Returns:
            Each clip's share of right pixels, ``(count,)``: 1 for the right pairing, 0 for the wrong one.

        Raises:
            TypeError: If the clips aren't a uint8 array.
            ValueError: If their shape doesn't fit or the domain is unknown.
        """
        check_domain(domain)
        check_frames("translated", translated, CLIPS)
        which = "xy".index(domain)
        truth, swapped = (world.pairs(*translated.shape[:2])[which] for world in (self, self.swapped))
        return pairing_share(translated, truth, swapped)

    def _disc(self, random: np.random.Generator, kind: int, lane: int, length: int) -> Disc:
        least, greatest = (part * self._lane for part in _RADII[self.cue])
        row = lane * self._lane + greatest + (self._lane - 2 * greatest) * random.random()
        column, phase = random.random(), random.random()
        way = (self.speed if kind == 0 else -self.speed) * np.arange(length, dtype=np.float64)
        columns = np.mod(column + (way if self.cue == "direction" else 0.0 * way), 1.0)
        phases = np.mod(phase + (way if self.cue == "change" else 0.0 * way), 1.0)
        return Disc(kind, row, self.size * columns, least + (greatest - least) * phases)

    def _around(self, ways: Array) -> Array:
        """Ways along the cylinder as the shorter one of the two."""
        around: Array = np.mod(ways + self.size / 2, self.size) - self.size / 2
        return around

    def _background(self, domain: Domain) -> Array:
        # A valley of light across the picture, the same in every column.
        light = smooth(np.abs(2 * centres(self.size) - 1))[:, None] * np.ones(self.size)
        middle, rim = _BACKGROUNDS[domain]
        return blend(plain(self.size, middle), rim, light)


_CUES: tuple[Cue, ...] = ("direction", "change")
_LEAST_LANE = 6
# Of a lane's height.
_RADII: dict[Cue, tuple[float, float]] = {"direction": (0.24, 0.34), "change": (0.14, 0.44)}
# The first and the second kind. The channels of red add up to those of blue, and both have the same luma.
_LOOKS: dict[Domain, tuple[Colour, Colour]] = {
    "x": ((28.0, 28.0, 28.0), (238.0, 238.0, 238.0)),
    "y": ((228.0, 58.0, 64.0), (48.0, 128.0, 174.0)),
}
_BACKGROUNDS = {
    "x": ((124.0, 124.0, 124.0), (142.0, 142.0, 142.0)),
    "y": ((252.0, 252.0, 252.0), (238.0, 238.0, 238.0)),
}
