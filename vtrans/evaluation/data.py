"""The frames that a model is measured on, and what is known about them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Any, TypeVar

from vtrans.data import ArraySequence, FrameSource, Motion, Sequence, World
from vtrans.data.pairs import check_pairs
from vtrans.data.palettes import Palette
from vtrans.data.tensors import Frames, resize_frames
from vtrans.data.worlds.motion_keyed import MotionKeyed
from vtrans.data.worlds.street.street import LABELS, Street
from vtrans.errors import refusal

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class EvaluationData:
    """Frames of the domains, held out from training, and what is known about them.

    Attributes:
        x: Frames of X, if there are any.
        y: Frames of Y, if there are any.
        paired: Whether frames of X and Y at the same position are each other's true translation.
        motion: By domain, the exact motion of each sequence, where a world tells it.
        palettes: The palettes of the domains that are label maps.
        swapped: By domain, the same clips with the looks of a world's two kinds exchanged, where it has such.
        size: Height and width that frames are loaded at, in pixels; None leaves them as they are.
        length: Frames of each sequence that are used; None for all.

    Raises:
        ValueError: There are no frames at all, or pairs that do not fit together.

    Example:
        >>> from vtrans.data import worlds
        >>> world_data("shapes", worlds.create("shapes", size=16), clips=2, length=3).paired
        True
    """

    x: FrameSource | None = None
    y: FrameSource | None = None
    paired: bool = False
    motion: Mapping[str, list[Motion]] = field(default_factory=dict)
    palettes: Mapping[str, Palette] = field(default_factory=dict)
    swapped: Mapping[str, FrameSource] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    length: int | None = None

    def __post_init__(self) -> None:
        if self.x is None and self.y is None:
            raise ValueError(refusal("x and y", allowed="frames of at least one domain", got="none"))
        if self.paired:
            self._check_pairs()

    def of(self, domain: str) -> FrameSource | None:
        """The frames of a domain, if there are any."""
        return self.x if domain == "x" else self.y

    def sequences(self, domain: str) -> tuple[Sequence, ...]:
        """The sequences of a domain; none where it has no frames."""
        source = self.of(domain)
        return () if source is None else source.sequences

    def size_of(self, sequence: Sequence) -> tuple[int, int]:
        """Height and width that frames of a sequence are loaded at."""
        return self.size or (sequence.height, sequence.width)

    def count(self, sequence: Sequence) -> int:
        """How many frames of a sequence are used."""
        return sequence.length if self.length is None else min(self.length, sequence.length)

    def frames(self, sequence: Sequence) -> Iterator[Frames]:
        """The frames of a sequence that are used, one at a time: uint8 ``(height, width, channel)``."""
        for frame in islice(sequence.stream(), self.length):
            yield resize_frames(frame[None], self.size_of(sequence), nearest=sequence.discrete)[0]

    def _check_pairs(self) -> None:
        if self.x is None or self.y is None:
            got = f"those of {'y' if self.x is None else 'x'} alone"
            raise ValueError(refusal("paired", allowed="frames of X and of Y", got=got))
        check_pairs(self.x, self.y, length=self.length)
        for of_x, of_y in zip(self.x.sequences, self.y.sequences, strict=True):
            sizes = ["{}x{}".format(*self.size_of(sequence)) for sequence in (of_x, of_y)]
            if sizes[0] != sizes[1]:
                allowed, fix = "sequences of one size (height x width)", "Pass --data.size"
                got = f"{sizes[0]} in {of_x.name}, {sizes[1]} in {of_y.name}"
                raise ValueError(refusal("paired", allowed=allowed, got=got, fix=fix))


def world_data(name: str, world: World[Any], *, clips: int = 8, length: int = 8) -> EvaluationData:
    """The held-out pairs of a world, with its exact motion.

    Args:
        name: What to call them.
        world: The world.
        clips: How many pairs.
        length: Frames of each, at least 2.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> from vtrans.data import worlds
        >>> world_data("shapes", worlds.create("shapes", size=16), clips=2, length=3).x.length
        6
    """
    truth = world.truth(clips, length)
    swapped = world.swapped.pairs(clips, length) if isinstance(world, MotionKeyed) else ()
    looks = world.looks if isinstance(world, Street) else {}
    return EvaluationData(
        x=clips_source(f"{name}/held_out/x", truth.x, rate=world.rate),
        y=clips_source(f"{name}/held_out/y", truth.y, rate=world.rate),
        paired=True,
        motion={
            domain: [Motion(*steps) for steps in zip(moved.flow, moved.occluded, strict=True)]
            for domain, moved in (("x", truth.motion_x), ("y", truth.motion_y))
        },
        palettes={str(domain): Street.palette for domain, look in looks.items() if look == LABELS},
        swapped=dict(zip("xy", (clips_source(name, frames) for frames in swapped), strict=False)),
    )


def clips_source(name: str, clips: Iterable[Frames], *, rate: Fraction | None = None) -> FrameSource:
    """Clips in memory as a source, each a sequence without cuts.

    Args:
        name: What to call them.
        clips: uint8 arrays ``(time, height, width, channel)``.
        rate: Frames a second, if known.
    """
    sequences = [
        ArraySequence(clip, name=f"{name}/{number}", rate=rate, continuous=True) for number, clip in enumerate(clips)
    ]
    return FrameSource(sequences, name=name)


def stretches(items: Iterable[T], length: int, overlap: int) -> Iterator[tuple[list[T], int]]:
    """Lists of consecutive items, each of which begins with the last ones of the list before.

    Args:
        items: The items.
        length: New items in a list; the last list may have fewer.
        overlap: Items of the list before that each one but the first begins with.

    Yields:
        A list, and the position of its first new item.

    Example:
        >>> list(stretches("abcde", 2, 1))
        [(['a', 'b'], 0), (['b', 'c', 'd'], 1), (['d', 'e'], 1)]
    """
    waiting = iter(items)
    kept: list[T] = []
    while new := list(islice(waiting, length)):
        yield kept + new, len(kept)
        kept = (kept + new)[-overlap:] if overlap else []
