"""A world of bouncing shapes: an orange disc and white squares at night, or teal and purple ones on sand."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vtrans.data.checks import ends, whole
from vtrans.data.tensors import Frames
from vtrans.data.worlds.drawing import Array, blend, bounce, centres, disc, plain, smooth, square, to_bytes
from vtrans.data.worlds.motion import Motion, Things, exact_motion
from vtrans.data.worlds.world import Domain, World


@dataclass(frozen=True)
class Moving:
    """A shape's way: rows and columns of its centre in pixels, one each frame, and its radius or half side."""

    rows: Array
    columns: Array
    extent: float


@dataclass(frozen=True)
class ShapesScene:
    """A disc, and squares that pass in front of it."""

    disc: Moving
    squares: tuple[Moving, ...]


class Shapes(World[ShapesScene]):
    """A large disc and small squares that move straight and bounce off the walls.

    In X the disc is orange, the squares white, on a blue that fades from bright to dark. In Y the disc is teal with a
    darker ring near its edge, the squares purple, on pale sand with faint stripes. Every frame alone says what its
    translation is; two frames say where everything goes next.

    Args:
        size: Height and width of a frame, in pixels, at least 16.
        seed: Seed of every scene, at least 0.
        squares: Least and greatest number of squares in a scene.

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> x, y = Shapes(size=32).pairs(count=2, length=3)
        >>> x.shape, bool((x == y).all())
        ((2, 3, 32, 32, 3), False)
    """

    name: ClassVar[str] = "shapes"

    def __init__(self, *, size: int = 64, seed: int = 0, squares: tuple[int, int] = (1, 2)) -> None:
        super().__init__(size=size, seed=seed)
        least, greatest = ends("squares", squares)
        self.squares = (whole("squares", least, least=0), whole("squares", greatest, least=least))

    def scene(self, random: np.random.Generator, length: int) -> ShapesScene:
        """Draws a scene: where each shape starts, how large it is and how it moves."""
        least, greatest = self.squares
        count = least + int(random.random() * (greatest - least + 1))
        return ShapesScene(
            disc=self._moving(random, length, least=0.19, greatest=0.24),
            squares=tuple(self._moving(random, length, least=0.075, greatest=0.1) for _ in range(count)),
        )

    def render(self, scene: ShapesScene, domain: Domain) -> Frames:
        """Renders a scene in the look of a domain."""
        look = self._frame_x if domain == "x" else self._frame_y
        return np.stack([to_bytes(look(scene, t)) for t in range(len(scene.disc.rows))])

    def motion(self, scene: ShapesScene, domain: Domain) -> Motion:
        """How the disc and the squares move; the background stands still, whichever the domain."""
        shapes = (scene.disc, *scene.squares)

        def thing_at(t: int, rows: Array, columns: Array) -> Things:
            things = np.zeros(rows.shape, np.int64)
            for number, shape in enumerate(shapes, 1):
                down, right = np.abs(rows - shape.rows[t]), np.abs(columns - shape.columns[t])
                round_ = shape is scene.disc
                distance = np.sqrt(down * down + right * right) if round_ else np.maximum(down, right)
                things[distance <= shape.extent] = number
            return things

        def moved(t: int, things: Things, rows: Array, columns: Array) -> tuple[Array, Array]:
            down = np.array([0.0, *(shape.rows[t + 1] - shape.rows[t] for shape in shapes)])
            right = np.array([0.0, *(shape.columns[t + 1] - shape.columns[t] for shape in shapes)])
            return rows + down[things], columns + right[things]

        return exact_motion(thing_at, moved, height=self.size, width=self.size, length=len(scene.disc.rows))

    def _moving(self, random: np.random.Generator, length: int, *, least: float, greatest: float) -> Moving:
        extent = self.size * (least + (greatest - least) * random.random())
        margin = extent + self.size / 64

        def way() -> Array:
            start = margin + (self.size - 2 * margin) * random.random()
            speed = self.size * (0.015 + 0.025 * random.random())
            return bounce(start, speed if random.random() < 0.5 else -speed, margin, self.size - margin, length)

        return Moving(rows=way(), columns=way(), extent=extent)

    def _frame_x(self, scene: ShapesScene, t: int) -> Array:
        edge = centres(self.size)
        # Bright at the upper left, dark at the lower right.
        light = smooth(0.75 * edge[:, None] + 0.25 * edge[None, :])
        picture = blend(plain(self.size, _SKY), _NIGHT, light)
        picture = blend(picture, _ORANGE, self._disc(scene, t))
        for shape in scene.squares:
            picture = blend(picture, _WHITE, square(self.size, shape.rows[t], shape.columns[t], shape.extent))
        return picture

    def _frame_y(self, scene: ShapesScene, t: int) -> Array:
        # Four stripes down the picture, as a smoothed triangle wave.
        phase = np.mod(centres(self.size) * 4, 1.0)
        stripes = smooth(np.abs(2 * phase - 1))[:, None] * np.ones(self.size)
        picture = blend(plain(self.size, _SAND), _STRIPE, stripes)
        picture = blend(picture, _TEAL, self._disc(scene, t))
        picture = blend(picture, _RING, self._disc(scene, t, 0.88) - self._disc(scene, t, 0.66))
        for shape in scene.squares:
            picture = blend(picture, _PURPLE, square(self.size, shape.rows[t], shape.columns[t], shape.extent))
        return picture

    def _disc(self, scene: ShapesScene, t: int, part: float = 1.0) -> Array:
        return disc(self.size, scene.disc.rows[t], scene.disc.columns[t], scene.disc.extent * part)


_SKY, _NIGHT = (116.0, 172.0, 232.0), (14.0, 24.0, 72.0)
_ORANGE, _WHITE = (250.0, 138.0, 36.0), (248.0, 248.0, 250.0)
_SAND, _STRIPE = (242.0, 226.0, 192.0), (228.0, 207.0, 166.0)
_TEAL, _RING, _PURPLE = (32.0, 158.0, 148.0), (12.0, 92.0, 96.0), (116.0, 58.0, 156.0)
