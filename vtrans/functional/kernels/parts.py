"""What a weighted sum of distances is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from vtrans.errors import refusal

Kind = Literal["l1", "l2", "charbonnier", "above", "below", "minus"]


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a term: ``count`` times the mean of a function of d = a − b over the elements.

    Args:
        kind: ``"l1"`` is |d|, ``"l2"`` d², ``"charbonnier"`` √(d² + ε²) − ε, ``"above"`` max(0, d), ``"below"``
            max(0, −d), ``"minus"`` −d.
        a: Frames or logits of any shape.
        b: A tensor of the same shape, or one number for all elements.
        term: Index of the term to which the part adds.
        count: By how much the mean counts; the number of times where a distance is summed over them.
        epsilon: ε of ``"charbonnier"``.

    Raises:
        ValueError: ``kind`` is unknown, the shapes differ, or ``term`` is negative.

    Example:
        >>> import torch
        >>> from vtrans.functional.kernels import weighted_sums
        >>> part = Part("l1", torch.zeros(2, 3), torch.ones(2, 3), count=2)
        >>> weighted_sums([part], torch.tensor([10.0]))
        tensor([20.])
    """

    kind: Kind
    a: Tensor
    b: Tensor | float
    term: int = 0
    count: float = 1.0
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(refusal("kind", allowed=", ".join(get_args(Kind)), got=repr(self.kind)))
        if isinstance(self.b, Tensor) and self.a.shape != self.b.shape:
            shapes = f"{tuple(self.a.shape)} and {tuple(self.b.shape)}"
            raise ValueError(refusal("a and b", allowed="tensors of one shape", got=shapes))
        if self.term < 0:
            raise ValueError(refusal("term", allowed="an index from 0 up", got=self.term))

    @property
    def frames(self) -> tuple[Tensor, ...]:
        """``a``, and ``b`` where it is a tensor."""
        return (self.a, self.b) if isinstance(self.b, Tensor) else (self.a,)

    def value(self) -> Tensor:
        """The part by plain operations."""
        b = self.b if not isinstance(self.b, Tensor) else wide(self.b)
        d = wide(self.a) - b
        if self.kind == "l1":
            cost = d.abs()
        elif self.kind == "l2":
            cost = d.square()
        elif self.kind == "charbonnier":
            cost = (d.square() + self.epsilon**2).sqrt() - self.epsilon
        else:
            cost = d if self.kind == "above" else -d
            cost = cost if self.kind == "minus" else cost.relu()
        return cost.mean() * self.count


def with_frames(parts: Sequence[Part], frames: Sequence[Tensor]) -> list[Part]:
    """The same parts of other frames, taken in the order in which they were given."""
    waiting = iter(frames)
    return [
        Part(p.kind, next(waiting), next(waiting) if isinstance(p.b, Tensor) else p.b, p.term, p.count, p.epsilon)
        for p in parts
    ]


def wide(frame: Tensor) -> Tensor:
    """The frames in single precision at least."""
    return frame.float() if frame.itemsize < 4 else frame
