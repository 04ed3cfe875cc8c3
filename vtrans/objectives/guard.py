"""Watches for numbers that are not finite, without making the host wait for the device at every step."""

from collections.abc import Sequence

import torch
from torch import Tensor


class NonFiniteError(FloatingPointError):
    """A loss or gradient is not finite.

    Attributes:
        step: The step at which it was seen first.
        names: What was not finite then: terms by their names, gradients as ``"gradient of G_X"``.
        updated: Whether weights have changed since.

    Args:
        step: The step.
        names: What was not finite.
        updated: Whether weights have changed since.
    """

    def __init__(self, step: int, names: Sequence[str], *, updated: bool) -> None:
        self.step, self.names, self.updated = step, tuple(names), updated
        since = (
            "The weights were updated since; go back to a checkpoint from before that step. "
            if updated
            else "The weights of this phase were left as they were. "
        )
        super().__init__(
            f"A loss or gradient is not finite at step {step}: {', '.join(names)}. {since}"
            "Check the clips for NaN, lower the learning rate or the weight of that term, or use float32."
        )


class FiniteGuard:
    """Remembers, on the device, the first step at which each number was not finite.

    Example:
        >>> guard = FiniteGuard()
        >>> guard.note(["cycle/x", "cycle/y"], torch.tensor([1.0, float("nan")]), step=7)
        >>> guard.raise_if_seen()
        Traceback (most recent call last):
            ...
        vtrans.objectives.guard.NonFiniteError: A loss or gradient is not finite at step 7: cycle/y. ...
    """

    def __init__(self) -> None:
        self._first: dict[tuple[str, ...], Tensor] = {}

    def note(self, names: Sequence[str], values: Tensor, step: int) -> None:
        """Takes note of numbers; nothing waits.

        Args:
            names: What they are.
            values: ``(names,)``.
            step: The step.
        """
        bad = ~torch.isfinite(values.detach())
        known = self._first.get(tuple(names))
        first = torch.full_like(bad, -1, dtype=torch.int64) if known is None else known
        self._first[tuple(names)] = torch.where(bad & (first < 0), step, first)

    def raise_if_seen(self, *, updated: bool = True) -> None:
        """Raises if a number was not finite since the last look; reading waits for the device.

        Args:
            updated: Whether weights were updated since the last look.

        Raises:
            NonFiniteError: A number was not finite; those of the earliest step are named.
        """
        seen = [
            (step, name)
            for names, first in self._first.items()
            for name, step in zip(names, first.tolist(), strict=True)
            if step >= 0
        ]
        self._first.clear()
        if seen:
            earliest = min(step for step, _ in seen)
            raise NonFiniteError(earliest, [name for step, name in seen if step == earliest], updated=updated)
