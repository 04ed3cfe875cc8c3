"""What lies between a street and the camera: rain, flakes, reflections on wet ground, halos of lamps."""

import numpy as np

from vtrans.data.worlds.drawing import Array, blend
from vtrans.data.worlds.motion import Things
from vtrans.data.worlds.street.builder import Kind
from vtrans.data.worlds.street.geometry import FIRST, FOCAL, GROUND, HORIZON, View, wave
from vtrans.data.worlds.street.looks import Look
from vtrans.data.worlds.street.objects import LAMP_HEIGHT, LAMP_REACH
from vtrans.data.worlds.street.scene import StreetScene


def weather(scene: StreetScene, look: Look, view: View, t: int, things: Things, picture: Array) -> Array:
    """Lays rain, flakes and halos over a picture of things, which are told at more points than it has pixels."""
    if look.wet:
        picture = _mirrored(look, things, picture)
    if look.lamps > 0.1:
        picture = _halos(scene, look, view, t, things, picture)
    if look.rain:
        picture = blend(picture, (216, 224, 234), _rain(scene, t, picture.shape[0]) * look.rain)
    if look.flakes:
        picture = blend(picture, (252, 253, 255), _flakes(scene, t, picture.shape[0]) * look.flakes)
    return picture


def _mirrored(look: Look, things: Things, picture: Array) -> Array:
    """The picture upside down on the wet ground, blurred downwards."""
    size = len(picture)
    rows = np.arange(size) + 0.5
    below = rows - HORIZON * size
    smear = [np.clip(HORIZON * size - below * stretch, 0, size - 1).astype(np.int64) for stretch in (0.8, 1.0, 1.25)]
    mirrored = (picture[smear[0]] + picture[smear[1]] + picture[smear[2]]) / 3.0
    near = np.clip(below / (0.5 * size), 0.0, 1.0)
    strength = np.where(below > 0, 0.42 - 0.24 * near, 0.0) * look.wet
    centre = (np.arange(size) * 2 + 1) * (len(things) // size) // 2
    return blend(picture, mirrored, strength[:, None] * (things[centre][:, centre] == GROUND))


def _halos(scene: StreetScene, look: Look, view: View, t: int, things: Things, picture: Array) -> Array:
    """Light around lamps, as bright as they are free to be seen."""
    solids, camera, size = scene.solids, scene.camera, len(picture)
    picture = picture.copy()
    free = np.bincount(things.ravel(), minlength=len(solids.kind) + FIRST)[FIRST:]
    shining = (solids.kind == Kind.LIGHT) | (
        (solids.kind == Kind.BODY) & (solids.detail[:, 1] * solids.detail[:, 3] > 0)
    )
    for i in np.flatnonzero(shining & (free > 0)).tolist():
        lamp = solids.kind[i] == Kind.LIGHT
        x, y, z = view.origin[i].tolist()
        depth = z - float(camera.z[t])
        half, end = solids.detail[i, :2].tolist()
        area = LAMP_REACH * 0.1 if lamp else 1.32 * half
        scale = FOCAL * size / depth
        across = len(things) / size * scale
        share = min(1.0, float(free[i]) / (area * across * across))
        colour = (255.0, 214.0, 140.0) if lamp else (255.0, 244.0, 214.0) if end == 2 else (255.0, 40.0, 30.0)
        if lamp:
            centres = [(x - 0.75 * LAMP_REACH * (1 if x > 0 else -1), LAMP_HEIGHT - 0.1)]
        else:
            centres = [(x - half + 0.19, 0.66), (x + half - 0.19, 0.66)]
        reach = (1.5 if lamp else 0.9 if end == 2 else 0.5) * scale * (1.0 + depth / 40.0)
        for right, up in centres:
            row, column = (float(p) for p in camera.project(t, np.array(right), np.array(up), np.array(depth)))
            top, bottom = max(0, int(row - reach)), min(size, int(row + reach) + 2)
            left, far = max(0, int(column - reach)), min(size, int(column + reach) + 2)
            if top >= bottom or left >= far:
                continue
            down, across = np.arange(top, bottom) + 0.5 - row, np.arange(left, far) + 0.5 - column
            near = np.maximum(1.0 - (down[:, None] ** 2 + across**2) / (reach * reach), 0.0)
            near = near * near * near * (0.75 * share * min(1.0, look.lamps * 1.6))
            window = picture[top:bottom, left:far]
            window += near[..., None] * (np.array(colour) - 0.6 * window)
    return picture


def _rain(scene: StreetScene, t: int, size: int) -> Array:
    """How much of each pixel slanting streaks cover."""
    x, y, fast, close = scene.weather.T
    close = 0.4 + 0.6 * close
    head = np.mod(y + t * (0.10 + 0.05 * fast) * close, 1.15) - 0.08
    long, points = 0.075 * close, max(4, size // 8)
    along = (np.arange(points) + 0.5) / points
    rows = (head[:, None] - long[:, None] * along) * size - 0.5
    columns = (x[:, None] + 0.18 * long[:, None] * along) * size - 0.5
    amount = 0.4 * close * long * size / points * (0.6 + 0.4 * size / 256)
    return np.minimum(_splat(rows, columns, amount[:, None] * np.ones(points), size), 0.55)


def _flakes(scene: StreetScene, t: int, size: int) -> Array:
    """How much of each pixel falling flakes cover."""
    x, y, fast, close = scene.weather.T
    close = 0.25 + 0.75 * close * close
    head = np.mod(y + t * (0.010 + 0.014 * fast) * (0.5 + close), 1.1) - 0.05
    across = np.mod(x + 0.03 * wave(fast * 7 + t / 40.0) + 0.004 * t * close, 1.1) - 0.05
    radius = np.maximum(0.011 * close * size, 0.75)
    reach = int(radius.max()) + 2
    steps = np.arange(-reach, reach + 1)
    rows, columns = head * size - 0.5, across * size - 0.5
    i, j = np.floor(rows)[:, None, None] + steps[:, None], np.floor(columns)[:, None, None] + steps
    away = ((i - rows[:, None, None]) ** 2 + (j - columns[:, None, None]) ** 2) / (radius**2)[:, None, None]
    soft = np.maximum(1.0 - away / 1.6, 0.0) * (0.45 + 0.5 * close)[:, None, None]
    inside = (i >= 0) & (i < size) & (j >= 0) & (j < size) & (soft > 0)
    place = (i * size + j)[inside].astype(np.int64)
    return np.minimum(np.bincount(place, soft[inside], size * size).reshape(size, size), 0.95)


def _splat(rows: Array, columns: Array, amount: Array, size: int) -> Array:
    """Adds amounts at points to the four pixels around each."""
    i, j = np.floor(rows), np.floor(columns)
    down, right = rows - i, columns - j
    covered = np.zeros(size * size)
    for p, weight_p in ((i, 1 - down), (i + 1, down)):
        for q, weight_q in ((j, 1 - right), (j + 1, right)):
            inside = (p >= 0) & (p < size) & (q >= 0) & (q < size)
            place = (p * size + q)[inside].astype(np.int64)
            covered += np.bincount(place, (amount * weight_p * weight_q)[inside], size * size)
    return covered.reshape(size, size)
