"""The world of a drive along a street."""

from typing import ClassVar

import numpy as np

from vtrans.data.checks import ends, number
from vtrans.data.palettes import Palette
from vtrans.data.tensors import Frames
from vtrans.data.worlds.drawing import Array
from vtrans.data.worlds.motion import Motion, Things, exact_motion
from vtrans.data.worlds.street.builder import Class
from vtrans.data.worlds.street.geometry import FIRST, GROUND, HEIGHT, View
from vtrans.data.worlds.street.looks import LOOKS
from vtrans.data.worlds.street.pictures import classes, image
from vtrans.data.worlds.street.scene import StreetScene, draw_scene
from vtrans.data.worlds.world import Domain, World
from vtrans.errors import refusal, unknown

LABELS = "labels"
FASTEST, BUSIEST = 60.0, 4.0

palette = Palette(
    [of.name.lower() for of in Class],
    [
        (84, 206, 214),
        (112, 66, 148),
        (250, 250, 250),
        (226, 150, 210),
        (168, 222, 92),
        (226, 138, 62),
        (36, 124, 66),
        (250, 214, 40),
        (44, 72, 196),
        (222, 40, 64),
    ],
)
"""Names and colours of the classes of label frames."""


class Street(World[StreetScene]):
    """A camera drives along a street with houses, trees, lamps, cars and people.

    A domain is one of the looks ``"day"``, ``"sunset"``, ``"rain"``, ``"snow"`` and ``"night"``, or ``"labels"``: the
    colour of the class that is seen at each pixel's centre, of ten classes: sky, road, marking, pavement, grass,
    building, tree, lamp, car and person. ``Street.palette`` maps colours to classes and back.

    Its flow is that of surfaces, the same in every look: houses and the ground pass by, cars and people move by
    themselves, legs swing. Light, shadows, what wet roads mirror, raindrops and flakes have no part in it.

    Args:
        size: Height and width of a frame, in pixels, at least 16.
        seed: Seed of every scene, at least 0.
        x: Look of X.
        y: Look of Y, another one.
        speed: Least and greatest speed of the camera, in metres per second, 0 to 60; a scene has 25 frames per second.
        traffic: How many cars and people there are, relative to the usual number, 0 to 4.

    Raises:
        TypeError: If an option has the wrong type.
        ValueError: If a number is out of range, a look is unknown, or X and Y have the same one.

    Example:
        >>> x, y = Street(size=32, x="labels", y="night").pairs(count=1, length=2)
        >>> classes = Street.palette.to_indices(x, unknown="refuse")
        >>> classes.shape, Street.palette.names[classes[0, 0, 31, 16]]
        ((1, 2, 32, 32), 'road')
    """

    name: ClassVar[str] = "street"
    palette: ClassVar[Palette] = palette

    def __init__(
        self,
        *,
        size: int = 64,
        seed: int = 0,
        x: str = "day",
        y: str = LABELS,
        speed: tuple[float, float] = (8.0, 13.0),
        traffic: float = 1.0,
    ) -> None:
        super().__init__(size=size, seed=seed)
        for look in (x, y):
            if look not in (*LOOKS, LABELS):
                raise ValueError(unknown("look", look, (*LOOKS, LABELS)))
        if x == y:
            fix = "Pass two different ones: a copy of a frame would be its translation."
            raise ValueError(refusal("y", allowed="another look than x", got=repr(y), fix=fix))
        self.looks: dict[Domain, str] = {"x": x, "y": y}
        least, greatest = ends("speed", speed)
        self.speed = (number("speed", least, 0, FASTEST), number("speed", greatest, least, FASTEST))
        self.traffic = number("traffic", traffic, 0, BUSIEST)

    def scene(self, random: np.random.Generator, length: int) -> StreetScene:
        """Draws a scene: where everything stands, how cars, people and the camera move."""
        return draw_scene(
            random, size=self.size, length=length, rate=float(self.rate), speed=self.speed, traffic=self.traffic
        )

    def render(self, scene: StreetScene, domain: Domain) -> Frames:
        """Renders a scene in the look of a domain."""
        look, frames = self.looks[domain], range(len(scene.camera.z))
        if look == LABELS:
            return palette.to_colours(np.stack([classes(scene, t) for t in frames]))
        return np.stack([image(scene, LOOKS[look], t) for t in frames])

    def motion(self, scene: StreetScene, domain: Domain) -> Motion:
        """How the surfaces that are seen move, whichever the domain."""
        camera, solids = scene.camera, scene.solids
        views = [View(camera, solids, scene.skyline, t) for t in range(len(camera.z))]

        def thing_at(t: int, rows: Array, columns: Array) -> Things:
            return views[t].at(*camera.ray(rows, columns))

        def moved(t: int, things: Things, rows: Array, columns: Array) -> tuple[Array, Array]:
            u, v = camera.ray(rows, columns)
            still, near = things < FIRST, things >= GROUND
            depth = np.where(near, views[t].depth(things, u, v), 1.0)
            x, y, solid = camera.x[t] + u * depth, HEIGHT - v * depth, np.maximum(things - FIRST, 0)
            leant = (solids.lean(t + 1) - solids.lean(t))[solid] * (solids.origin[solid, 1] - y)
            right, up, ahead = (np.where(still, 0.0, solids.velocity[solid, i]) for i in range(3))
            there = depth + camera.z[t] - camera.z[t + 1] + ahead
            to_rows, to_columns = camera.project(t + 1, x + right + np.where(still, 0.0, leant), y + up, there)
            return np.where(near, to_rows, rows), np.where(near, to_columns, columns)

        return exact_motion(thing_at, moved, height=self.size, width=self.size, length=len(views))
