"""How the learning rate goes over a run."""

from typing import Literal


def rate_factor(schedule: Literal["constant", "published"], step: int, steps: int) -> float:
    r"""What the learning rate is multiplied by at a step.

    The published schedule is constant for the first half h of the steps, and then

    .. math:: 1 - \frac{\text{step} - h + 1}{\text{steps} - h + 1}

    Args:
        schedule: ``"constant"`` or ``"published"``.
        step: The step, from 0.
        steps: Steps in all.

    Returns:
        A factor in (0, 1].

    Example:
        >>> [round(rate_factor("published", epoch, 200), 3) for epoch in (0, 99, 100, 199)]
        [1.0, 1.0, 0.99, 0.01]

    Reference:
        The code published with Bansal et al., Recycle-GAN, ECCV 2018, there in epochs, 200 of them.
    """
    half = steps // 2
    if schedule == "constant" or step < half:
        return 1.0
    return 1.0 - (step - half + 1) / (steps - half + 1)
