"""The training loop: short enough to copy into your own script."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import closing

import torch
from torch import Tensor

from vtrans.data import Clips, batches
from vtrans.model import TranslationModel
from vtrans.objectives.guard import NonFiniteError
from vtrans.objectives.reports import StepReport
from vtrans.training.devices import Devices
from vtrans.training.rates import RateSchedule, rate_factor
from vtrans.training.stepping import Stepper


def training_steps(
    model: TranslationModel,
    optimizers: Mapping[str, torch.optim.Optimizer],
    clips_x: Clips,
    clips_y: Clips,
    *,
    steps: int,
    batch: int = 1,
    accumulate: int = 1,
    lr: float | Mapping[str, float] = 2e-4,
    schedule: RateSchedule = "constant",
    rate_warm_up: int = 0,
    seed: int = 0,
    start: int = 0,
    workers: int = 0,
    stepper: Stepper | None = None,
    leave_out: Collection[int] = (),
    skipped: Callable[[NonFiniteError], None] | None = None,
    waited: Callable[[float], None] | None = None,
) -> Generator[tuple[int, StepReport], None, None]:
    """Trains a model step by step; what happens between the steps is the caller's.

    The clips of a step depend on (seed, step) alone, so that a run that stops after ``done`` steps goes on exactly with
    ``start=done``, given the same weights, optimizers, history pools and random state. They do not depend on how many
    processes share them, how many parts each computes them in, or how many workers load them. Frames that are to be
    kept are decoded first, before this returns.

    Args:
        model: The model, trained in place, on the device where its parameters are.
        optimizers: One a phase, as ``model.optimizers()`` makes them.
        clips_x: Clips of X.
        clips_y: Clips of Y, of the same length, height and width.
        steps: Steps in all.
        batch: Clips of each domain in a step, over all processes.
        accumulate: Parts in which each process computes its share of a step.
        lr: The learning rate that ``schedule`` starts from, or one for each phase.
        schedule: ``"constant"``, ``"published"`` or ``"cosine"``; see :func:`vtrans.training.rates.rate_factor`.
        rate_warm_up: Steps over which the rate rises.
        seed: Seed of the order, crops and flips of the clips.
        start: Steps done before.
        workers: Processes that load clips; with 0 this one does.
        stepper: What takes the steps. Default: one for this process alone, in full precision.
        leave_out: Steps that are counted but not taken.
        skipped: Called with a loss or gradient that was not finite, before its update is left out; without it, such a
            number ends the loop.
        waited: Called before each step with the seconds that it waited for its clips.

    Returns:
        Iterator that takes a step each time, over how many are done and the report of that step, an empty one for a
        step that was left out. Closing it ends the workers.

    Raises:
        NonFiniteError: A loss or gradient is not finite; it is named.
        ValueError: The batch cannot be shared evenly.

    Example:
        >>> import vtrans
        >>> from vtrans.data import open_source
        >>> model = vtrans.build(
        ...     "gan", generator=("resnet", {"blocks": 1, "width": 4}), discriminator=("patch", {"width": 4})
        ... )
        >>> clips = Clips(open_source(torch.rand(6, 3, 32, 32) * 2 - 1))
        >>> for done, report in training_steps(model, model.optimizers(), clips, clips, steps=2):
        ...     print(done, sorted(report))
        1 ['adversarial/x', 'adversarial/y', 'discriminator/x', 'discriminator/y']
        2 ['adversarial/x', 'adversarial/y', 'discriminator/x', 'discriminator/y']
    """
    device = next(model.parameters()).device
    stepper = Stepper(model, optimizers, Devices(device=device.type)) if stepper is None else stepper
    devices = stepper.devices
    share = devices.share_of(batch, accumulate)
    pairs = batches(
        clips_x, clips_y, batch=share, seed=seed, start=start, workers=workers, rank=devices.rank, ranks=devices.ranks
    )

    def draw() -> tuple[Tensor, Tensor]:
        began = time.perf_counter()
        x, y = next(pairs)
        if waited is not None:
            waited(time.perf_counter() - began)
        return _moved(x, device), _moved(y, device)

    def take(step: int) -> StepReport:
        for phase, optimizer in optimizers.items():
            rate = lr[phase] if isinstance(lr, Mapping) else lr
            for group in optimizer.param_groups:
                group["lr"] = rate * rate_factor(schedule, step, steps, warm_up=rate_warm_up)
        x, y = draw()
        if step in leave_out:
            return StepReport({})
        try:
            return stepper(list(zip(x.chunk(accumulate), y.chunk(accumulate), strict=True)), step)
        except NonFiniteError as error:
            if error.updated or skipped is None:
                raise
            skipped(error)
            return StepReport({})

    def loop() -> Generator[tuple[int, StepReport], None, None]:
        with closing(pairs):
            for step in range(start, steps):
                yield step + 1, take(step)

    return loop()


def _moved(clip: Tensor, device: torch.device) -> Tensor:
    # From pinned memory the copy runs beside the host, which goes on to queue the step.
    return clip.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else clip.to(device)
