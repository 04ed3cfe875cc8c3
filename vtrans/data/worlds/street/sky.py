"""What is infinitely far away: the sky with its clouds, sun, moon and stars, and a skyline."""

import numpy as np

from vtrans.data.worlds.drawing import Array, blend, smooth
from vtrans.data.worlds.street.looks import Look
from vtrans.data.worlds.street.scene import StreetScene
from vtrans.data.worlds.street.textures import noise, speckle, step


def sky(scene: StreetScene, look: Look, u: Array, v: Array) -> Array:
    """Colours of the sky along rays, ``(points, 3)``."""
    up = np.clip(-v / 0.64, 0.0, 1.0)
    fresh = 1.0 - (1.0 - up) * (1.0 - up)
    colours = blend(np.broadcast_to(np.array(look.horizon), (*u.shape, 3)), look.zenith, fresh)
    right, high, radius = look.orb_at
    away = np.sqrt((u - right) ** 2 + (-v - high) ** 2)
    glow = 1.0 / (1.0 + (away / (2.2 * radius)) ** 2)
    colours = blend(colours, look.orb, 0.75 * glow)
    if look.lamps >= 1:
        a, b = u * 60, v * 60
        star = np.clip(speckle(scene.noise, a, b) * 24 - 23, 0.0, 1.0)
        spot = np.mod(a, 1.0) - 0.5, np.mod(b, 1.0) - 0.5
        colours = blend(colours, (255, 255, 255), star * up * step(0.16 - spot[0] ** 2 - spot[1] ** 2, 0.2))
    pixel = 1.0 / (0.75 * scene.camera.size)
    colours = blend(colours, look.orb, step(radius - away, pixel))
    # Clouds lie on a plane above, so that they crowd towards the horizon.
    near = 0.5 / (0.12 - np.minimum(v, 0.0))
    a, b = u * near * 2.2, near * 2.0
    depth = sum(noise(scene.noise, a * n, b * n, n) / n for n in (1, 2, 4, 8)) / 1.875
    lit = sum(noise(scene.noise, a * n - 0.25, b * n + 0.3, n) / n for n in (1, 2, 4)) / 1.75
    thick = smooth(np.clip((depth - (0.86 - 0.7 * look.cover)) * 5.0, 0.0, 1.0))
    dark = np.broadcast_to(np.array(look.clouds[1]), colours.shape)
    shade = blend(dark, look.clouds[0], np.clip(0.75 + 3.0 * (depth - lit), 0.0, 1.0))
    return blend(colours, shade, thick * np.clip(up * 3.0, 0.25, 0.94))


def skyline(scene: StreetScene, look: Look, u: Array, v: Array) -> Array:
    """Colours of the far town, ``(points, 3)``: haze, a little darker than the sky."""
    town = blend(np.array(look.haze), (84, 92, 112) if look.lamps < 1 else (14, 16, 34), np.array(0.24))
    colours = np.broadcast_to(town, (*u.shape, 3))
    lights = speckle(scene.noise, u * 110, v * 110, 5) < look.lit * 0.4
    return blend(colours, (255, 206, 122), np.where(lights, 0.7, 0.0))
