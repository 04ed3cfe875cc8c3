"""Measures a cell while it is trained."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from vtrans.evaluation import EvaluationData, evaluate, metrics
from vtrans.evaluation.evaluate import choose
from vtrans.files import replace_text
from vtrans.model import TranslationModel
from vtrans.objectives.reports import StepReport
from vtrans.training.averages import averaged
from vtrans.training.callbacks import Callback, Run

SCORE, SPENT = "score/", "seconds.txt"


class Scoring(Callback):
    """Measures the model at intervals; the numbers go to ``metrics.jsonl`` as ``score/settled/y``.

    With averages of the weights, it is these that are measured.

    Args:
        model: The model.
        data: What it is measured on.
        names: The metrics; None for all that are possible.
        every: Steps between measurements.

    Raises:
        ValueError: A metric can't be measured on these data; the message says why.
    """

    def __init__(self, model: TranslationModel, data: EvaluationData, names: Sequence[str] | None, every: int) -> None:
        self._model, self._data, self._names, self._every = model, data, names, every
        self._began: float | None = None
        self._before = 0.0
        own = defined(model, names)
        if own is None or own:
            choose(model, data, metrics=own)

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
                found = scores(self._model, self._data, self._names)
            run.numbers.update({f"{SCORE}{name}": value for name, value in found.items()})


def scores(model: TranslationModel, data: EvaluationData, names: Sequence[str] | None) -> dict[str, float]:
    """The finite numbers of a model by names such as ``settled/y``, those that were asked for first.

    Args:
        model: The model.
        data: What it is measured on.
        names: The metrics; None for all that are possible.
    """
    own = defined(model, names)
    found = {} if own is not None and not own else evaluate(model, data, metrics=own, rounded=False).numbers
    order = dict.fromkeys([*(names or ()), *metrics])
    named = {f"{name}/{domain}": found.get(f"{name}/{domain}", math.nan) for name in order for domain in "yx"}
    return {name: value for name, value in named.items() if math.isfinite(value)}


def defined(model: TranslationModel, names: Sequence[str] | None) -> Sequence[str] | None:
    """Metrics without those of predictors, if this model, unlike others of a grid, has none."""
    if names is None or any(network.startswith("P_") for network in model.networks):
        return names
    return [name for name in names if not {"recycled", "predicted"} & {*metrics.create(name).needs}]


def spent(folder: Path) -> float:
    """Seconds that were noted with the last checkpoint."""
    file = folder / SPENT
    try:
        return float(file.read_text(encoding="utf-8")) if file.is_file() else 0.0
    except ValueError:
        return 0.0
