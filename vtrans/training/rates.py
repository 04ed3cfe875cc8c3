"""How the learning rate goes over a run."""

from __future__ import annotations

import math
from typing import Literal, get_args

from vtrans.errors import unknown

RateSchedule = Literal["constant", "published", "cosine"]
EPOCHS = 200
"""Epochs of the published schedule, over which a run's steps are spread."""


def rate_factor(schedule: RateSchedule, step: int, steps: int, *, warm_up: int = 0) -> float:
    r"""What the learning rate is multiplied by at a step.

    The published schedule has 200 epochs, e = 1 … 200: constant for e < 100, and from then on

    .. math:: 1 - \frac{e - 99}{101}

    which is zero in the last. A run of any length is divided into 200 epochs of equal length. Cosine goes from 1 at the
    first step towards 0 after the last, over S steps:

    .. math:: \tfrac{1}{2} (1 + \cos(\pi s / S))

    During a warm-up of w steps any of them is multiplied by (s + 1) / (w + 1).

    Args:
        schedule: ``"constant"``, ``"published"`` or ``"cosine"``.
        step: The step, from 0.
        steps: Steps in all.
        warm_up: Steps over which the rate rises from near zero.

    Returns:
        A factor in [0, 1].

    Raises:
        ValueError: An unknown schedule.

    Example:
        >>> [round(rate_factor("published", epoch - 1, 200), 3) for epoch in (1, 99, 100, 199, 200)]
        [1.0, 1.0, 0.99, 0.01, 0.0]
        >>> [round(rate_factor("cosine", step, 100, warm_up=3), 3) for step in (0, 2, 50)]
        [0.25, 0.749, 0.5]

    Reference:
        The code published with Bansal et al., Recycle-GAN, ECCV 2018. Cosine: Loshchilov and Hutter, SGDR, 2017.
    """
    rising = min(1.0, (step + 1) / (warm_up + 1))
    if schedule == "published":
        epoch = 1 + EPOCHS * step // steps
        return rising * (1.0 - max(0, epoch - 99) / 101)
    if schedule == "cosine":
        return rising * 0.5 * (1.0 + math.cos(math.pi * step / steps))
    if schedule != "constant":
        raise ValueError(unknown("schedule", schedule, get_args(RateSchedule)))
    return rising
