"""Numbers of a run, how fast it goes among them: into ``metrics.jsonl``, the trackers, and the progress bar."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vtrans.errors import refusal, unknown
from vtrans.objectives.reports import StepReport
from vtrans.progress import Progress
from vtrans.training.callbacks import Callback, Run

TENSORBOARD = "tensorboard"


class Recording(Callback):
    """Writes terms, totals, learning rates and what else was measured to ``metrics.jsonl`` and the trackers.

    Args:
        trackers: Names of trackers: tensorboard, or others that Accelerate knows.
    """

    def __init__(self, trackers: list[str]) -> None:
        check_trackers(trackers)
        self._names = trackers
        self._trackers: list[Any] = []

    def on_start(self, run: Run) -> None:
        if run.devices.main:
            self._trackers = open_trackers(self._names, run)

    def on_step(self, run: Run, report: StepReport) -> None:
        wanted = run.due(run.prepared.settings.log_every) or run.done == 1 or run.numbers
        if not wanted:
            return
        line = {**metrics_of(run, report), **run.numbers, **run.timing}
        if run.devices.main:
            run.folder.append_metrics({"step": run.done, **line})
            for tracker in self._trackers:
                tracker.log(line, step=run.done)

    def on_end(self, run: Run) -> None:
        for tracker in self._trackers:
            tracker.finish()


class Display(Callback):
    """Shows how far the run is.

    Args:
        progress: What shows it; opened by the caller.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_step(self, run: Run, report: StepReport) -> None:
        if run.devices.main:
            wanted = run.last or self._progress.wants(run.done)
            self._progress.update(run.done, _note(run, report) if wanted else "")


class Clock:
    """Counts clips and waiting from now on.

    Example:
        >>> clock = Clock(done=0)
        >>> clock.wait(0.5)
        >>> sorted(clock.numbers(done=10, batch=4))
        ['time/clips_per_second', 'time/wait_share']
    """

    def __init__(self, done: int) -> None:
        self._began, self._done, self._waited = time.perf_counter(), done, 0.0

    def wait(self, seconds: float) -> None:
        """Adds time that was waited."""
        self._waited += seconds

    def numbers(self, done: int, batch: int) -> dict[str, float]:
        """Clips of each domain a second, and the share of the time that was waited.

        Args:
            done: Steps done by now.
            batch: Clips of each domain in a step.
        """
        ran = max(time.perf_counter() - self._began, 1e-9)
        return {"time/clips_per_second": batch * (done - self._done) / ran, "time/wait_share": self._waited / ran}


def metrics_of(run: Run, report: StepReport) -> dict[str, float]:
    """Every term, each phase's total and each phase's learning rate; averaged over all processes."""
    if not report:
        return {}
    names = list(report) + [f"total/{phase}" for phase in report.phases]
    values = [value.detach() for value in report.values()] + [part.total.detach() for part in report.phases.values()]
    line = dict(zip(names, run.devices.mean(torch.stack(values)).tolist(), strict=True))
    rates = {phase: optimizer.param_groups[0]["lr"] for phase, optimizer in run.optimizers.items()}
    if len(set(rates.values())) == 1:
        return {**line, "lr": next(iter(rates.values()))}
    return {**line, **{f"lr/{phase}": rate for phase, rate in rates.items()}}


def check_trackers(names: list[str]) -> None:
    """Refuses trackers that are unknown or not installed.

    Raises:
        ValueError: One is; the message says what to do.
    """
    for name in names:
        if name != TENSORBOARD:
            _accelerated(name)


def open_trackers(names: list[str], run: Run) -> list[Any]:
    """Starts trackers; those that keep files keep them in ``trackers/`` of the run's folder."""
    opened: list[Any] = []
    title, folder = run.folder.path.resolve().name, run.folder.trackers
    for name in names:
        if name == TENSORBOARD:
            opened.append(_TensorBoard(folder / title))
            continue
        kind = _accelerated(name)
        if kind.requires_logging_directory:
            folder.mkdir(exist_ok=True)
        tracker = kind(title, *[str(folder)] * kind.requires_logging_directory)
        if hasattr(tracker, "start"):
            tracker.start()
        tracker.store_init_configuration(_flat(run.prepared.config))
        opened.append(tracker)
    return opened


class _TensorBoard:
    """Curves for TensorBoard. The settings stay out: it would make a table of its own of them that hides the curves."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(folder)

    def log(self, line: Mapping[str, float], step: int) -> None:
        for name, value in line.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def finish(self) -> None:
        self._writer.close()


def _accelerated(name: str) -> type[Any]:
    """A kind of tracker that Accelerate knows, and whose package is installed."""
    allowed, fix = "trackers that are installed", "or leave it out, such as with --trackers '[]'"
    try:
        from accelerate import PartialState
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS, filter_trackers
    except ModuleNotFoundError as error:
        why = f"All but {TENSORBOARD} need Accelerate"
        fix = f"Install accelerate and the package of the tracker, {fix}"
        raise ValueError(refusal("trackers", allowed=allowed, got=name, why=why, fix=fix)) from error
    PartialState()  # without which nothing of Accelerate can log
    if name not in LOGGER_TYPE_TO_CLASS:
        raise ValueError(unknown("tracker", name, LOGGER_TYPE_TO_CLASS))
    if not filter_trackers([name], logging_dir="."):
        raise ValueError(refusal("trackers", allowed=allowed, got=name, fix=f"Install its package, {fix}"))
    kind: type[Any] = LOGGER_TYPE_TO_CLASS[name]
    return kind


def _note(run: Run, report: StepReport) -> str:
    totals = ", ".join(f"{phase} {part.total.item():.3f}" for phase, part in report.phases.items())
    totals = f"{totals or 'left out'}, {run.timing.get('time/clips_per_second', 0.0):.1f} clips/s"
    if run.devices.device.type != "cuda":
        return totals
    return f"{totals}, {torch.cuda.max_memory_allocated(run.devices.device) / 2**30:.1f} GiB"


def _flat(config: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in config.items()}
