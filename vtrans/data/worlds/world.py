"""What a synthetic world is: scenes that can be drawn in two looks."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np

from vtrans.data.checks import whole
from vtrans.data.sequences import ArraySequence, FrameSource
from vtrans.data.tensors import Frames
from vtrans.data.worlds.motion import Motion
from vtrans.errors import refusal

Domain = Literal["x", "y"]
Scene = TypeVar("Scene")


@dataclass(frozen=True)
class Truth:
    """Held-out clips in both looks, and how everything in them moves.

    Attributes:
        x: uint8 frames of X, ``(count, length, height, width, 3)``.
        y: The same scenes in the look of Y.
        motion_x: What moves in X; its arrays have the clips as their first axis.
        motion_y: What moves in Y.
    """

    x: Frames
    y: Frames
    motion_x: Motion
    motion_y: Motion


class World(ABC, Generic[Scene]):
    """Two domains that show the same kind of scene, rendered from a seed with numpy alone, the same on every machine.

    A world draws a scene from random numbers, then renders it in the look of either domain. Training streams of X and Y
    show different scenes; held-out pairs show the same scene in both looks, which is the exact translation.

    Args:
        size: Height and width of a frame, in pixels, at least 16.
        seed: Seed of every scene, at least 0.

    Raises:
        ValueError: If a number is out of range.
    """

    name: ClassVar[str]
    rate: ClassVar[Fraction] = Fraction(25)

    def __init__(self, *, size: int = 64, seed: int = 0) -> None:
        self.size = whole("size", size, least=16)
        self.seed = whole("seed", seed, least=0)

    @abstractmethod
    def scene(self, random: np.random.Generator, length: int) -> Scene:
        """Draws a scene of ``length`` frames: whatever :meth:`render` needs."""

    @abstractmethod
    def render(self, scene: Scene, domain: Domain) -> Frames:
        """Renders a scene as uint8 frames ``(time, height, width, 3)`` in the look of a domain."""

    @abstractmethod
    def motion(self, scene: Scene, domain: Domain) -> Motion:
        """How what a scene shows moves from each frame to the next, in the look of a domain."""

    def train(self, domain: Domain, *, sequences: int = 8, length: int = 64) -> FrameSource:
        """The training streams of a domain; those of the other one show other scenes.

        Args:
            domain: ``"x"`` or ``"y"``.
            sequences: How many streams.
            length: Frames of each.

        Returns:
            The source, in memory.

        Raises:
            ValueError: If an argument is out of range.
        """
        check_domain(domain)
        whole("sequences", sequences, least=1)
        whole("length", length, least=1)
        tag = _TRAIN_X if domain == "x" else _TRAIN_Y
        name = f"{self.name}/{domain}"
        streams = [
            ArraySequence(
                self.render(self.scene(self._random(tag, i), length), domain),
                name=f"{name}/{i}",
                rate=self.rate,
                continuous=True,
            )
            for i in range(sequences)
        ]
        return FrameSource(streams, name=name)

    def pairs(self, count: int = 8, length: int = 8) -> tuple[Frames, Frames]:
        """Held-out clips with their exact translation; no training stream shows these scenes.

        Args:
            count: How many clips.
            length: Frames of each.

        Returns:
            ``(x, y)``, uint8 arrays ``(count, length, height, width, 3)`` that show the same scenes.

        Raises:
            ValueError: If a number is out of range.
        """
        whole("count", count, least=1)
        whole("length", length, least=1)
        scenes = self._held_out(count, length)
        x, y = (np.stack([self.render(scene, domain) for scene in scenes]) for domain in _DOMAINS)
        return x, y

    def truth(self, count: int = 8, length: int = 8) -> Truth:
        """The held-out clips of :meth:`pairs`, with how everything in them moves.

        Args:
            count: How many clips.
            length: Frames of each, at least 2.

        Returns:
            The clips in both looks, and their exact motion.

        Raises:
            ValueError: If a number is out of range.
        """
        whole("length", length, least=2)
        x, y = self.pairs(count, length)
        scenes = self._held_out(count, length)
        motion_x, motion_y = (_stacked([self.motion(scene, domain) for scene in scenes]) for domain in _DOMAINS)
        return Truth(x=x, y=y, motion_x=motion_x, motion_y=motion_y)

    def _held_out(self, count: int, length: int) -> list[Scene]:
        return [self.scene(self._random(_PAIRS, i), length) for i in range(count)]

    def _random(self, tag: int, number: int) -> np.random.Generator:
        return np.random.default_rng([tag, self.seed, number])


def check_domain(domain: object) -> None:
    """Refuses what is no domain."""
    if domain not in _DOMAINS:
        raise ValueError(refusal("domain", allowed="'x' or 'y'", got=repr(domain)))


def _stacked(motions: list[Motion]) -> Motion:
    return Motion(np.stack([motion.flow for motion in motions]), np.stack([motion.occluded for motion in motions]))


_DOMAINS: tuple[Domain, Domain] = ("x", "y")
_TRAIN_X, _TRAIN_Y, _PAIRS = 1, 2, 3
