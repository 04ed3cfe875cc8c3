"""A frame of a street, as classes or as an image."""

import numpy as np
import numpy.typing as npt

from vtrans.data.worlds.drawing import to_bytes
from vtrans.data.worlds.motion import Things
from vtrans.data.worlds.street.builder import Class
from vtrans.data.worlds.street.geometry import GROUND, HEIGHT, View
from vtrans.data.worlds.street.ground import labels
from vtrans.data.worlds.street.looks import Look
from vtrans.data.worlds.street.scene import StreetScene
from vtrans.data.worlds.street.shading import shade
from vtrans.data.worlds.street.weather import weather

FINER = 3
"""An image looks at this many rows and columns of points within each pixel; odd, so that its centre is one of them."""


def classes(scene: StreetScene, t: int) -> Things:
    """The class that is seen at the centre of each pixel, ``(height, width)``."""
    camera = scene.camera
    points = np.arange(camera.size, dtype=np.float64) + 0.5
    u, v = camera.ray(points, points)
    things = View(camera, scene.solids, scene.skyline, t).grid(u, v)
    seen = np.array([Class.SKY, Class.BUILDING, Class.ROAD, *scene.solids.label])[things]
    rows, columns = np.nonzero(things == GROUND)
    depth = HEIGHT / v[rows]
    seen[rows, columns] = labels(scene, camera.x[t] + u[columns] * depth, camera.z[t] + depth)
    return seen


def image(scene: StreetScene, look: Look, t: int) -> npt.NDArray[np.uint8]:
    """A frame in a look, ``(height, width, 3)``.

    Pixels that show one thing are coloured at their centres, since textures are averaged over a pixel by themselves;
    those at the edges of things are averaged over nine points.
    """
    size = scene.camera.size
    points = (np.arange(size * FINER, dtype=np.float64) + 0.5) / FINER
    u, v = scene.camera.ray(points, points)
    view = View(scene.camera, scene.solids, scene.skyline, t)
    things = view.grid(u, v)
    parts = [(i, j) for i in range(FINER) for j in range(FINER)]
    centre = things[FINER // 2 :: FINER, FINER // 2 :: FINER]
    even = np.ones((size, size), np.bool_)
    for i, j in parts:
        even &= things[i::FINER, j::FINER] == centre
    at_centre, at_edge = np.argwhere(even) * FINER, np.argwhere(~even) * FINER
    rows, columns = np.concatenate([at_centre + FINER // 2, *(at_edge + part for part in parts)]).T
    colours = shade(scene, look, view, t, things[rows, columns], u[columns], v[rows])
    picture = np.empty((size, size, 3))
    picture[even] = colours[: len(at_centre)]
    # Added one by one: a sum over an axis may add in another order on another machine.
    total = np.zeros((len(at_edge), 3))
    for part in colours[len(at_centre) :].reshape(len(parts), -1, 3):
        total += part
    picture[~even] = total / len(parts)
    return to_bytes(weather(scene, look, view, t, things, picture))
