"""The training loop: short enough to copy into your own script."""

from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor

from vtrans.data import Clips, batches
from vtrans.model import TranslationModel
from vtrans.objective import StepReport
from vtrans.training.rates import rate_factor


def training_steps(
    model: TranslationModel,
    optimizers: Mapping[str, torch.optim.Optimizer],
    clips_x: Clips,
    clips_y: Clips,
    *,
    steps: int,
    batch: int = 1,
    lr: float = 2e-4,
    schedule: Literal["constant", "published"] = "constant",
    seed: int = 0,
    start: int = 0,
) -> Iterator[tuple[int, StepReport]]:
    """Trains a model step by step; what happens between the steps is the caller's.

    The clips of a step depend on (seed, step) alone, so that a run that stops after ``done`` steps goes on exactly with
    ``start=done``, given the same weights, optimizers, history pools and random state.

    Args:
        model: The model, trained in place, on the device where its parameters are.
        optimizers: One a phase, as ``model.optimizers()`` makes them.
        clips_x: Clips of X.
        clips_y: Clips of Y, of the same length, height and width.
        steps: Steps in all.
        batch: Clips of each domain in a step.
        lr: The learning rate that ``schedule`` starts from.
        schedule: ``"constant"``, or ``"published"``; see :func:`vtrans.training.rates.rate_factor`.
        seed: Seed of the order, crops and flips of the clips.
        start: Steps done before.

    Yields:
        After each step, how many are done and the report of that step.

    Raises:
        FloatingPointError: A loss is not finite; it is named.

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
    pairs = batches(clips_x, clips_y, batch=batch, seed=seed, start=start)
    for step in range(start, steps):
        rate = lr * rate_factor(schedule, step, steps)
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate
        x, y = next(pairs)
        yield step + 1, model.step(_moved(x, device), _moved(y, device), optimizers, step=step)


def _moved(clip: Tensor, device: torch.device) -> Tensor:
    # From pinned memory the copy runs beside the host, which goes on to queue the step.
    return clip.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else clip.to(device)
