"""The ground of a street: road, markings, pavement and grass."""

from dataclasses import dataclass

import numpy as np

from vtrans.data.worlds.drawing import Array, blend
from vtrans.data.worlds.motion import Things
from vtrans.data.worlds.street.builder import Class
from vtrans.data.worlds.street.geometry import FOCAL, HEIGHT
from vtrans.data.worlds.street.looks import Look
from vtrans.data.worlds.street.scene import CROSSING_SPACING, LANE, StreetScene
from vtrans.data.worlds.street.textures import band, fade, noise, pulses, speckle

KERB, VERGE, WALK = 5.0, 6.2, 8.4
DASHES, CROSSING, POINT = 6.0, 3.4, 1e-6


@dataclass(frozen=True)
class Patch:
    """Points of the ground: x and z in metres, and how wide a pixel is there in either direction."""

    x: Array
    z: Array
    wide: Array
    long: Array


def labels(scene: StreetScene, x: Array, z: Array) -> Things:
    """The class of points of the ground."""
    point = np.full(x.shape, POINT)
    away = np.abs(x)
    of_place = np.where(away < KERB, Class.ROAD, np.where((away > VERGE) & (away < WALK), Class.PAVEMENT, Class.GRASS))
    return np.where(_marked(scene, Patch(x, z, point, point)) > 0.5, Class.MARKING, of_place)


def ground(scene: StreetScene, look: Look, x: Array, z: Array, depth: Array) -> Array:
    """Colours of points of the ground in plain light, ``(points, 3)``."""
    wide = depth / (FOCAL * scene.camera.size)
    at = Patch(x, z, wide, wide * depth / HEIGHT)
    away, table = np.abs(x), scene.noise
    road = band(away, -1.0, KERB, wide)
    walk = band(away, VERGE, WALK, wide)

    patchy = noise(table, x * 0.9, z * 0.35) - 0.5
    grain = (noise(table, x * 5, z * 3, 1) - 0.5) * fade(at.long, 0.4)
    asphalt = (104 + 14 * patchy + 12 * grain)[:, None] * np.array([0.96, 0.98, 1.04])
    joints = np.maximum(pulses(z, 0.07, at.long), pulses(x, 0.07, wide))
    tiles = (184 + 14 * (speckle(table, x, z) - 0.5) * fade(at.long, 1.0) - 44 * joints)[:, None]
    tiles = tiles * np.array([1.04, 1.0, 0.93])
    blades = noise(table, x * 2.1, z * 1.1, 3) + (speckle(table, x * 7, z * 5, 7) - 0.5) * fade(at.long, 0.3)
    grass = blend(np.broadcast_to(np.array([78.0, 128.0, 54.0]), (len(x), 3)), (138, 170, 80), blades.clip(0, 1))

    mark = _marked(scene, at)
    if look.snow:
        white = np.array([238.0, 242.0, 250.0])
        tracks = band(np.abs(away - LANE), 0.5, 0.95, 0.25) * (0.7 + 0.8 * (patchy + grain))
        asphalt = blend(asphalt, white, look.snow * (0.86 - 0.62 * tracks.clip(0, 1)))
        tiles = blend(tiles, white, np.full(x.shape, 0.8 * look.snow, np.float64))
        grass = blend(grass, white + 8, look.snow * np.where(blades > 0.9, 0.7, 0.95))
        mark = mark * (1 - 0.75 * look.snow)
    colours = blend(blend(grass, tiles, walk), asphalt, road)
    colours = blend(colours, (236, 236, 230), 0.92 * mark)
    kerb = band(away, KERB, KERB + 0.22, wide)
    colours = blend(colours, (206, 202, 194) if not look.snow else (228, 232, 240), kerb)
    return colours * (1.0 - look.shadow * _shadow(scene, x, z, z - depth))[:, None]


def _marked(scene: StreetScene, at: Patch) -> Array:
    """How much of a pixel is painted white: dashes, and now and then a zebra crossing."""
    across = np.mod(at.z - scene.crossing, CROSSING_SPACING)
    zebra = pulses(at.x + 0.25, 0.5, at.wide) * band(np.abs(at.x), -1.0, 4.25, at.wide)
    zebra = zebra * band(across, 0.0, CROSSING, at.long)
    dashed = pulses(at.z / DASHES, 0.5, at.long / DASHES) * band(at.x, -0.12, 0.12, at.wide)
    return zebra + dashed * band(across, CROSSING + 1.5, CROSSING_SPACING - 1.5, at.long)


def _shadow(scene: StreetScene, x: Array, z: Array, camera: Array) -> Array:
    """How dark the ground is beside houses, and below trees and parked cars, 0 to 1."""
    dark = 0.6 * np.clip((np.abs(x) - 7.2) / 2.5, 0.0, 1.0)
    here = float(camera[0]) if len(camera) else 0.0
    middle_x, middle_z, right, ahead = scene.shadows.T
    near = (middle_z > here) & (middle_z < here + 75.0)
    for a, b, wide, long in zip(*(values[near].tolist() for values in (middle_x, middle_z, right, ahead)), strict=True):
        p, q = (x - a) / wide, (z - b) / long
        dark = np.maximum(dark, np.clip(2.2 * (1.0 - (p * p + q * q)), 0.0, 1.0))
    return dark
