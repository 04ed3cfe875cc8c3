"""Which checkpoints a run writes and keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from vtrans.errors import unknown
from vtrans.evaluation.metrics.metric import goodness
from vtrans.objectives.reports import StepReport
from vtrans.training.callbacks import Callback, Run
from vtrans.training.checkpoints import prune, save_checkpoint
from vtrans.training.recording import metrics_of


class Saving(Callback):
    """Writes a checkpoint at intervals, at the end, and where the number to watch is the best so far.

    Args:
        tell: Callbacks that are told of each checkpoint.
        check: Called before one is written; raises if a loss or gradient was not finite since the last one.
    """

    def __init__(self, tell: Sequence[Callback] = (), check: Callable[[], None] | None = None) -> None:
        self._tell, self._check = tell, check

    def on_step(self, run: Run, report: StepReport) -> None:
        due = run.due(run.prepared.settings.checkpoint_every)
        if self._is_best(run, report, due) or due:
            self.save(run)

    def save(self, run: Run) -> None:
        """Writes a checkpoint now, and removes those that are no longer kept."""
        if self._check is not None:
            self._check()
        settings = run.prepared.settings
        checkpoint = save_checkpoint(
            run.folder.checkpoints,
            run.done,
            run.prepared.model,
            run.optimizers,
            average=run.average,
            devices=run.devices,
            progress={"left_out": sorted(run.left_out), "best": run.best},
        )
        if run.devices.main:
            spare = [] if run.best is None else [run.best["step"]]
            prune(
                run.folder.checkpoints,
                keep_last=settings.keep_last,
                milestone_every=settings.milestone_every,
                spare=spare,
            )
        for callback in self._tell:
            callback.on_checkpoint(run, checkpoint)

    def _is_best(self, run: Run, report: StepReport, due: bool) -> bool:
        """Whether the number to watch, looked at when it was measured or a checkpoint is due, is the best so far."""
        name = run.prepared.settings.best
        if name is None or not (due or name in run.numbers):
            return False
        found = run.numbers if name in run.numbers else metrics_of(run, report)
        if report and name not in found and run.due(run.prepared.settings.validate_every or 1):
            raise ValueError(unknown("number to watch as best:", name, [*found, *run.numbers]))
        value = run.devices.of_main(found.get(name, math.nan))
        before = run.best if run.best is not None and run.best["name"] == name else None
        if not math.isfinite(value) or (
            before is not None and goodness(name, value) <= goodness(name, before["value"])
        ):
            return False
        run.best = {"name": name, "value": value, "step": run.done}
        return True
