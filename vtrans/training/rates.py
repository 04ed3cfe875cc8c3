"""How the learning rate goes over a run."""

from typing import Literal

EPOCHS = 200
"""Epochs of the published schedule, over which a run's steps are spread."""


def rate_factor(schedule: Literal["constant", "published"], step: int, steps: int) -> float:
    r"""What the learning rate is multiplied by at a step.

    The published schedule has 200 epochs, e = 1 … 200: constant for e < 100, and from then on

    .. math:: 1 - \frac{e - 99}{101}

    which is zero in the last. A run of any length is divided into 200 epochs of equal length.

    Args:
        schedule: ``"constant"`` or ``"published"``.
        step: The step, from 0.
        steps: Steps in all.

    Returns:
        A factor in [0, 1].

    Example:
        >>> [round(rate_factor("published", epoch - 1, 200), 3) for epoch in (1, 99, 100, 199, 200)]
        [1.0, 1.0, 0.99, 0.01, 0.0]

    Reference:
        The code published with Bansal et al., Recycle-GAN, ECCV 2018.
    """
    if schedule == "constant":
        return 1.0
    epoch = 1 + EPOCHS * step // steps
    return 1.0 - max(0, epoch - 99) / 101
