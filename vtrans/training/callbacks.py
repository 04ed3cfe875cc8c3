"""What happens beside the training: a small protocol for one's own, and the run as it is seen from there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vtrans.objectives.reports import StepReport
from vtrans.registry import Registry
from vtrans.training.averages import GeneratorAverage
from vtrans.training.devices import Devices
from vtrans.training.preparation import Preparation
from vtrans.training.run_folder import RunFolder


@dataclass
class Run:
    """A training run in progress.

    Attributes:
        prepared: Settings, model and clips.
        folder: Where everything is kept.
        devices: What it computes on, and which of its processes this is.
        optimizers: One a phase, by name.
        average: The averages of the generators' weights, if there are any.
        done: Steps done.
        last: Whether this is the last step of the settings; a run that is stopped ends without one.
        numbers: What was measured last, by name: callbacks add to it, and it is written to ``metrics.jsonl`` and the
            trackers with the terms.
        timing: How fast it goes: clips of each domain a second, and the share of the time that clips were waited for.
        stopping: Set to True to end the run after this step, with a checkpoint; with several processes on GPUs after at
            most ``check_every`` more.
        left_out: Steps that are counted but not taken, since a loss or gradient was not finite there.
        best: The best so far of the number to watch: its name, value and step.
    """

    prepared: Preparation
    folder: RunFolder
    devices: Devices
    optimizers: dict[str, torch.optim.Optimizer]
    average: GeneratorAverage | None = None
    done: int = 0
    last: bool = False
    numbers: dict[str, float] = field(default_factory=dict)
    timing: dict[str, float] = field(default_factory=dict)
    stopping: bool = False
    left_out: set[int] = field(default_factory=set)
    best: dict[str, Any] | None = None

    def due(self, every: int) -> bool:
        """Whether something that happens every so many steps, and at the end, happens now; 0 means never."""
        return every > 0 and (self.last or self.done % every == 0)


class Callback:
    """A hook: its methods are called at moments of a run, and do nothing unless they are overridden.

    They run in every process; ask ``run.devices.main`` before writing files, but add the same names to ``run.numbers``
    in all. A checkpoint keeps nothing of them.

    Example:
        >>> class StopEarly(Callback):
        ...     def on_step(self, run, report):
        ...         if report.get("cycle/x", 1.0) < 0.1:
        ...             run.stopping = True
    """

    def on_start(self, run: Run) -> None:
        """The run begins, or goes on after a checkpoint was loaded."""

    def on_step(self, run: Run, report: StepReport) -> None:
        """A step is done; ``report`` has the terms of this process, none for a step that was left out."""

    def on_checkpoint(self, run: Run, checkpoint: Path) -> None:
        """A checkpoint was written."""

    def on_end(self, run: Run) -> None:
        """The run ends after its last step; not called if it fails."""


callbacks: Registry[Callback] = Registry("callback", where="vtrans.training.callbacks")
