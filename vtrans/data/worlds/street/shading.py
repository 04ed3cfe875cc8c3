"""The colours of everything in a street, in the light of a look."""

import numpy as np

from vtrans.data.worlds.drawing import Array, blend
from vtrans.data.worlds.motion import Things
from vtrans.data.worlds.street.builder import Kind
from vtrans.data.worlds.street.geometry import FIRST, FOCAL, GROUND, HEIGHT, SKY, SKYLINE, View
from vtrans.data.worlds.street.ground import ground
from vtrans.data.worlds.street.looks import Look
from vtrans.data.worlds.street.materials import PAINTS, Surface
from vtrans.data.worlds.street.objects import LAMP_AT, LAMP_HEIGHT, LAMP_REACH
from vtrans.data.worlds.street.scene import LAMP_SPACING, StreetScene
from vtrans.data.worlds.street.sky import sky, skyline


def shade(scene: StreetScene, look: Look, view: View, t: int, things: Things, u: Array, v: Array) -> Array:
    """Colours from 0 to 255 of what is seen along rays, ``(points, 3)``."""
    colours = np.empty((len(things), 3))
    for thing, far in ((SKY, sky), (SKYLINE, skyline)):
        of = np.flatnonzero(things == thing)
        colours[of] = far(scene, look, u[of], v[of])
    near = np.flatnonzero(things >= GROUND)
    things, u, v = things[near], u[near], v[near]
    depth = view.depth(things, u, v)
    x, y, z = scene.camera.x[t] + u * depth, HEIGHT - v * depth, scene.camera.z[t] + depth
    light = np.array([look.ambient, *(look.ambient + _direct(scene, look))])
    seen, glow = np.empty((len(near), 3)), np.zeros((len(near), 3))

    of = np.flatnonzero(things == GROUND)
    seen[of] = ground(scene, look, x[of], z[of], depth[of])
    light[0] += np.array(look.sun) * look.towards[1]
    solids = scene.solids
    solid = things - FIRST
    kind = np.where(solid < 0, -1, solids.kind[solid])
    for number in np.unique(kind[kind >= 0]).tolist():
        of = np.flatnonzero(kind == number)
        s = solid[of]
        at = (view.origin[s, i] for i in range(3))
        right, up, ahead = (p[of] - o for p, o in zip((x, y, z), at, strict=True))
        surface = Surface(s, right, up, ahead, depth[of] / (FOCAL * scene.camera.size))
        paint = PAINTS.get(number)
        seen[of], glow[of] = paint(scene, look, surface) if paint else (solids.colour[s], 0.0)
    if look.snow:
        seen = _snowed(scene, look, solid, seen)
    lit = light[np.where(solid < 0, 0, solid + 1)]
    if look.lamps:
        lit = lit + look.lamps * (_lamplight(scene, x, y, z) + _headlights(scene, t, x, y, depth))
    hazy = 1.0 - 1.0 / (1.0 + (depth / look.sight) ** 2)
    colours[near] = blend(seen * lit + glow, look.haze, hazy)
    return colours


def _direct(scene: StreetScene, look: Look) -> Array:
    """Light of the sun on each thing, ``(things, 3)``."""
    normal = scene.solids.normal
    long = np.sqrt((normal**2).sum(1))
    towards = sum(normal[:, i] * look.towards[i] for i in range(3)) / long
    light: Array = np.maximum(towards, 0.0)[:, None] * np.array(look.sun)
    return light


def _snowed(scene: StreetScene, look: Look, solid: Things, colours: Array) -> Array:
    """Snow on what faces up, and some on leaves."""
    solids = scene.solids
    normal = solids.normal
    faces_up = normal[:, 1] / np.sqrt((normal**2).sum(1))
    lies = np.where(solids.kind == Kind.LEAVES, 0.55, 0.92 * np.clip(faces_up * 2 - 0.4, 0, 1)) * look.snow
    lies = np.where(solids.colour.sum(1) < 100, 0.0, lies)
    return blend(colours, (240, 244, 250), np.where(solid < 0, 0.0, lies[solid]))


def _lamplight(scene: StreetScene, x: Array, y: Array, z: Array) -> Array:
    """Light of the street lamps: of each side the nearest one."""
    light = np.zeros(len(x))
    for side, first in zip((-1, 1), scene.lamps, strict=True):
        ahead = np.mod(z - first + LAMP_SPACING / 2, LAMP_SPACING) - LAMP_SPACING / 2
        right, up = x - side * (LAMP_AT - LAMP_REACH), y - LAMP_HEIGHT
        away = right * right + ahead * ahead + 0.5 * up * up
        light += (12.0 / (12.0 + away)) ** 2 * 2.6
    warm: Array = np.minimum(light, 0.8)[:, None] * np.array([1.0, 0.80, 0.50])
    return warm


def _headlights(scene: StreetScene, t: int, x: Array, y: Array, depth: Array) -> Array:
    """Light of the lamps of the car that carries the camera."""
    right = (x - scene.camera.x[t]) / (1.2 + 0.16 * depth)
    beam = 1.0 / (1.0 + right * right * right * right) * np.clip(depth / 5.0, 0.0, 1.0) * np.clip(2.2 - y, 0.0, 1.0)
    light: Array = (0.45 * beam / (1.0 + (depth / 15.0) ** 2))[:, None] * np.array([1.0, 0.95, 0.80])
    return light
