"""Materials: the colours of surfaces in plain light, and of the light that they give themselves."""

from dataclasses import dataclass

import numpy as np

from vtrans.data.worlds.drawing import Array, blend
from vtrans.data.worlds.motion import Things
from vtrans.data.worlds.street.builder import Kind
from vtrans.data.worlds.street.geometry import FOCAL
from vtrans.data.worlds.street.looks import Look
from vtrans.data.worlds.street.objects import STOREY
from vtrans.data.worlds.street.scene import StreetScene
from vtrans.data.worlds.street.textures import band, fade, noise, pulses, speckle, step


@dataclass(frozen=True)
class Surface:
    """Points of things of one material."""

    solid: Things  # number of the thing that each point belongs to
    right: Array  # where it is on its thing, in metres, as the next two
    up: Array
    ahead: Array
    pixel: Array  # how wide a pixel is there, in metres


def wall(scene: StreetScene, look: Look, at: Surface) -> tuple[Array, Array]:
    """Plaster with rows of windows, some of them lit."""
    solids, table = scene.solids, scene.noise
    colour = solids.colour[at.solid]
    pitch, seed, high, side = (solids.detail[at.solid, i] for i in range(4))
    front = np.abs(solids.normal[at.solid, 2]) > 0.5
    along = np.where(front, at.right * side, at.ahead)
    # The farther a wall turns away from the camera, the more of it a pixel sees.
    wide = np.where(front, at.pixel, at.pixel * np.maximum(1.0, at.pixel * FOCAL * scene.camera.size / 8.5))
    level = at.up / STOREY
    share = 0.5 * (level > 0) * (at.up < high - 0.3)
    column = along / pitch
    across = pulses(column - 0.25, share, wide / pitch)
    window = across * pulses(level - 0.3, 0.5, at.pixel / STOREY)
    frame = pulses(column - 0.2, share * 1.2, wide / pitch) * pulses(level - 0.26, 0.58, at.pixel / STOREY)
    gable = at.up > high
    window, frame = np.where(gable, 0.0, window), np.where(gable, 0.0, frame)
    texture = 1.0 + 0.1 * (noise(table, along * 1.3, at.up * 1.3, seed) - 0.5) * 2.0 * fade(wide, 1.0)
    base = colour * texture[:, None]
    base = blend(base, colour * 0.72, 0.8 * step(0.5 - at.up, at.pixel))
    base = blend(base, np.minimum(colour * 1.12 + 12, 255), 0.8 * pulses(level + 0.03, 0.06, at.pixel / STOREY))
    base = blend(base, (240, 236, 226), 0.85 * frame)
    sheen = np.clip(level - np.floor(level), 0.0, 1.0)
    pane = blend(np.broadcast_to(np.array([52.0, 66.0, 86.0]), colour.shape), look.horizon, 0.15 + 0.4 * sheen)
    base = blend(base, pane, window)
    chance = speckle(table, column, level, seed + 17)
    bright = np.where(chance < look.lit, 1.0, 0.0)
    bright = look.lit + (bright - look.lit) * fade(wide, 2.0 * 2.2)
    warm = blend(np.broadcast_to(np.array([255.0, 190.0, 96.0]), colour.shape), (255, 232, 170), chance * 7 % 1.0)
    return base * (1 - 0.6 * bright * window)[:, None], warm * (0.9 * bright * window)[:, None]


def roof(scene: StreetScene, look: Look, at: Surface) -> tuple[Array, Array]:
    """Rows of tiles."""
    rows = pulses(at.up / 0.55, 0.25, at.pixel / 0.55)
    tiles = speckle(scene.noise, at.ahead * 1.6, at.up / 0.55) - 0.5
    bright = 1.0 - 0.25 * rows + 0.2 * tiles * fade(at.pixel, 0.5)
    return scene.solids.colour[at.solid] * bright[:, None], np.zeros(3)


def leaves(scene: StreetScene, look: Look, at: Surface) -> tuple[Array, Array]:
    """A crown, brighter towards the top and the left."""
    low, high, seed, wide = (scene.solids.detail[at.solid, i] for i in range(4))
    rough = noise(scene.noise, at.right * 2.2, at.up * 2.2, seed) - 0.5
    fine = noise(scene.noise, at.right * 5.5, at.up * 5.5, seed + 3) - 0.5
    rise = (at.up - low) / (high - low)
    bright = 0.62 + 0.55 * rise - 0.22 * at.right / wide
    bright = bright + 0.55 * rough * fade(at.pixel, 0.9) + 0.5 * fine * fade(at.pixel, 0.36)
    colour = scene.solids.colour[at.solid] * bright[:, None]
    return blend(colour, (226, 214, 110), 0.22 * np.clip(bright - 0.7, 0.0, 1.0)), np.zeros(3)


def bark(scene: StreetScene, look: Look, at: Surface) -> tuple[Array, Array]:
    """A trunk."""
    grain = speckle(scene.noise, at.right * 14, at.up * 2.5) - 0.5
    bright = 1.0 + 0.5 * grain * fade(at.pixel, 0.2) - 1.2 * at.right
    return scene.solids.colour[at.solid] * bright[:, None], np.zeros(3)


def light(scene: StreetScene, look: Look, at: Surface) -> tuple[Array, Array]:
    """The head of a lamp."""
    return scene.solids.colour[at.solid], 255.0 * min(1.0, look.lamps * 2.5) * scene.solids.detail[at.solid, :3]


def body(scene: StreetScene, look: Look, at: Surface) -> tuple[Array, Array]:
    """Rear, front or side of a car, with lamps, doors and wheel arches."""
    half, end, long = (scene.solids.detail[at.solid, i] for i in range(3))
    colour = scene.solids.colour[at.solid] * (0.8 + 0.25 * at.up)[:, None]
    pixel, away = at.pixel, np.abs(at.right)
    flat = end > 0
    colour = blend(colour, (40, 42, 46), step(0.36 - at.up, pixel))
    bumper = band(at.up, 0.36, 0.44, pixel) * flat
    colour = blend(colour, (170, 172, 176), 0.7 * bumper)
    plate = band(at.right, -0.24, 0.24, pixel) * band(at.up, 0.46, 0.58, pixel) * flat
    grille = band(at.right, -0.45, 0.45, pixel) * band(at.up, 0.44, 0.66, pixel) * (end == 2)
    colour = blend(blend(colour, (36, 38, 42), grille), (240, 236, 200), plate)
    lamps = band(away, half - 0.34, half - 0.04, pixel) * band(at.up, 0.56, 0.76, pixel) * flat
    red, white = np.array([214.0, 26.0, 24.0]), np.array([250.0, 246.0, 226.0])
    of_lamp = np.where((end == 2)[:, None], white, red)
    doors = (band(np.abs(at.ahead - 1.6), 0.52, 0.56, pixel)) * ~flat
    colour = blend(colour, colour * 0.6, doors)
    arch = np.minimum(np.abs(at.ahead - 0.8), np.abs(at.ahead - long + 0.8))
    round_ = step(0.4 - np.sqrt(arch * arch + (at.up - 0.32) ** 2), pixel) * ~flat
    colour = blend(colour, (24, 24, 28), round_)
    shine = min(1.0, look.lamps * 3.0) * scene.solids.detail[at.solid, 3]
    return blend(colour, of_lamp, lamps), of_lamp * (shine * lamps * np.where(end == 2, 1.0, 0.75))[:, None]


def glass(scene: StreetScene, look: Look, at: Surface) -> tuple[Array, Array]:
    """Windows of a car in their frame."""
    solids = scene.solids
    wide, narrow, top = (solids.detail[at.solid, i] for i in range(3))
    edge = np.where(wide > 0, wide + (narrow - wide) * at.up / top - 0.07 - np.abs(at.right), 1.0)
    pillar = np.where(wide > 0, 1.0, 1.0 - band(at.ahead, 1.0, 1.1, at.pixel))
    pane = step(edge, at.pixel) * band(at.up, 0.05, top - 0.06, at.pixel) * pillar
    mirror = blend(np.broadcast_to(np.array([44.0, 54.0, 66.0]), (len(at.up), 3)), look.horizon, 0.15 + 0.6 * at.up)
    return blend(solids.colour[at.solid], mirror, pane), np.zeros(3)


# A material is painted by the function of its name.
PAINTS = {Kind[paint.__name__.upper()]: paint for paint in (wall, roof, leaves, bark, light, body, glass)}
