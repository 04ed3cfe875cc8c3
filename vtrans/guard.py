"""Watches for losses that are not finite, without making the host wait for the device at every step."""

import torch
from torch import Tensor

from vtrans.objective import LossReport


class FiniteGuard:
    """Remembers, on the device, the first step at which each term was not finite.

    Example:
        >>> guard = FiniteGuard()
        >>> guard.raise_if_seen()
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[tuple[str, ...], Tensor]] = {}

    def note(self, phase: str, report: LossReport, step: int) -> None:
        """Takes note of a phase's report; nothing waits."""
        names, bad = tuple(report), ~torch.isfinite(report.values_tensor())
        known = self._first.get(phase)
        first = known[1] if known is not None and known[0] == names else torch.full_like(bad, -1, dtype=torch.int64)
        self._first[phase] = names, torch.where(bad & (first < 0), step, first)

    def raise_if_seen(self) -> None:
        """Raises if a term was not finite since the last look, naming the first; reading waits for the device.

        Raises:
            FloatingPointError: A term was not finite.
        """
        seen = [
            (step, name)
            for names, first in self._first.values()
            for name, step in zip(names, first.tolist(), strict=True)
            if step >= 0
        ]
        self._first.clear()
        if not seen:
            return
        earliest = min(step for step, _ in seen)
        bad = ", ".join(name for step, name in seen if step == earliest)
        raise FloatingPointError(
            f"A loss was not finite at step {earliest}: {bad}. The weights were updated since; go back to a checkpoint "
            "from before that step. Check the clips for NaN, lower the learning rate or the weight of that term, or "
            "use float32."
        )
