"""Measures a cell while it is trained."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from vtrans.ablation.held_out import SIDES, HeldOut
from vtrans.ablation.metrics import Better, metrics, possible
from vtrans.errors import refusal
from vtrans.objectives.reports import StepReport
from vtrans.training.averages import averaged
from vtrans.training.callbacks import Callback, Run
from vtrans.training.manifest import replace_text

SCORE, SPENT = "score/", "seconds.txt"


class Scoring(Callback):
    """Measures the model at intervals; the numbers go to ``metrics.jsonl`` as ``score/settled/y``.

    With averages of the weights, it is these that are measured.

    Args:
        held_out: What it is measured on.
        names: The metrics.
        every: Steps between measurements.

    Raises:
        ValueError: A metric can't be measured on these data; the message says why.
    """

    def __init__(self, held_out: HeldOut, names: Sequence[str], every: int) -> None:
        self._held_out, self._every = held_out, every
        self._began: float | None = None
        self._before = 0.0
        self._metrics = {name: metrics.create(name) for name in names}
        for name, metric in self._metrics.items():
            why = metric.why_not(held_out)
            if why:
                fix = f"For these data there are {', '.join(possible(held_out))}"
                data = held_out.prepared.clips_x.source.name
                raise ValueError(refusal("metrics", allowed=f"metrics for {data}", got=f"{name}: {why}", fix=fix))
            if metric.better not in get_args(Better):
                allowed = ", ".join(map(repr, get_args(Better)))
                raise ValueError(refusal(f"better of the metric {name}", allowed=allowed, got=repr(metric.better)))

    @property
    def seconds(self) -> float:
        """How long the run took, without steps that a kill undid; 0 if it has not begun."""
        return 0.0 if self._began is None else self._before + time.monotonic() - self._began

    def on_start(self, run: Run) -> None:
        self._began, self._before = time.monotonic(), spent(run.folder.path) if run.done else 0.0

    def on_checkpoint(self, run: Run, checkpoint: Path) -> None:
        replace_text(run.folder.path / SPENT, f"{self.seconds:.1f}\n")

    def on_step(self, run: Run, report: StepReport) -> None:
        if run.due(self._every) or run.stopping:
            with averaged(run.average):
                run.numbers.update({f"{SCORE}{name}": value for name, value in self.measure().items()})

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics."""
        return tuple(self._metrics)

    def measure(self) -> dict[str, float]:
        """The numbers for the present weights, by names such as ``settled/y``."""
        self._held_out.forget()
        found = {}
        for name, metric in self._metrics.items():
            for side in reversed(SIDES):
                try:
                    value = metric.measure(self._held_out, side)
                    if value is not None and math.isfinite(value):
                        found[f"{name}/{side}"] = float(value)
                except Exception as error:
                    error.add_note(f"It was raised by the metric {name}, of translations into {side}.")
                    raise
        return found


def spent(folder: Path) -> float:
    """Seconds that were noted with the last checkpoint."""
    file = folder / SPENT
    try:
        return float(file.read_text(encoding="utf-8")) if file.is_file() else 0.0
    except ValueError:
        return 0.0
