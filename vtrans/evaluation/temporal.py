"""How steady frames are over time, and how sharp: blurred or static frames are the steadiest."""

import numpy as np
import torch
from torch import Tensor

from vtrans.data.worlds import Motion
from vtrans.errors import refusal
from vtrans.evaluation.flow import Flow, warp


def warping_error(frames: Tensor, motion: Motion) -> Tensor:
    r"""How much what is seen changes along the motion of the source, where it stays in sight; lower is better.

    With flow f_t of the source from t to t + 1, and M_t the pixels that are not occluded:

    .. math:: \frac{1}{|M_t|} \sum_{p \in M_t} |y_t(p) - y_{t+1}(p + f_t(p))|

    averaged over channels. Without motion and occlusion it is the :func:`flicker`. A static or blurred video has a
    small one: read it beside :func:`sharpness`.

    Args:
        frames: ``(time, channel, height, width)`` in [-1, 1].
        motion: The motion of the source, of ``time - 1`` steps.

    Returns:
        The error of each step, ``(time - 1,)``, from 0 to 2; NaN for a step in which all is occluded.

    Raises:
        ValueError: The shapes do not fit.

    Example:
        >>> still = Motion(flow=np.zeros((1, 2, 4, 4), np.float32), occluded=np.zeros((1, 4, 4), bool))
        >>> warping_error(torch.stack([torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.5)]), still).tolist()
        [0.5]

    Reference:
        Lai et al., Learning blind video temporal consistency, ECCV 2018 (arXiv 1808.00449); they square differences.
    """
    _check(frames)
    changes = (frames[:-1].double() - warp(frames[1:].double(), motion.flow)).abs().mean(dim=1)
    if motion.occluded.shape != tuple(changes.shape):
        raise ValueError(refusal("occluded", allowed=f"{tuple(changes.shape)}", got=motion.occluded.shape))
    seen = torch.from_numpy(~motion.occluded)
    return (changes * seen).sum(dim=(1, 2)) / seen.sum(dim=(1, 2))


def flow_difference(flow: Flow, truth: Flow) -> Tensor:
    """How far the motion of translated frames is from that of the truth (tOF); lower is better.

    It is the mean length of the difference of flow vectors. Both flows have to be estimated in the same way.

    Args:
        flow: Flow of the translated video, ``(steps, 2, height, width)``.
        truth: Flow of the true one, of that shape.

    Returns:
        The difference of each step in pixels, ``(steps,)``.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> still = np.zeros((1, 2, 4, 4), np.float32)
        >>> flow_difference(still, still + np.array([3, 4], np.float32)[:, None, None]).tolist()
        [5.0]

    Reference:
        Chu et al., Learning temporal coherence via self-supervision for GAN-based video generation (TecoGAN), SIGGRAPH
        2020 (arXiv 1811.09393); they estimate flow by Farnebäck's method.
    """
    if flow.shape != truth.shape:
        raise ValueError(refusal("flow and truth", allowed="one shape", got=f"{flow.shape} and {truth.shape}"))
    return torch.from_numpy(np.sqrt(((flow.astype(np.float64) - truth) ** 2).sum(axis=1))).mean(dim=(1, 2))


def flicker(frames: Tensor) -> Tensor:
    r"""The mean absolute change from each frame to the next: motion and flicker together.

    .. math:: \operatorname{mean} |y_{t+1} - y_t|

    It says something only beside that of the truth or the input: a static video has none.

    Args:
        frames: ``(time, channel, height, width)`` in [-1, 1].

    Returns:
        The change of each step, ``(time - 1,)``, from 0 to 2.

    Raises:
        ValueError: The frames have other axes.

    Example:
        >>> flicker(torch.tensor([0.0, 0.5, 0.25]).view(3, 1, 1, 1)).tolist()
        [0.5, 0.25]
    """
    _check(frames)
    return (frames[1:].double() - frames[:-1].double()).abs().mean(dim=(1, 2, 3))


def sharpness(frames: Tensor) -> Tensor:
    r"""The mean strength of edges: the length of the gradient of grey values.

    .. math:: \operatorname{mean} \sqrt{(g(r, c + 1) - g(r, c))^2 + (g(r + 1, c) - g(r, c))^2}

    Blur lowers it and noise raises it: the best value is that of real frames of the domain.

    Args:
        frames: ``(time, channel, height, width)`` in [-1, 1], at least 2 pixels high and wide; g is the mean channel.

    Returns:
        The sharpness of each frame, ``(time,)``.

    Raises:
        ValueError: The frames have other axes, or are too small.

    Example:
        >>> sharpness(torch.tensor([[0.0, 1.0], [0.0, 1.0]]).expand(1, 3, 2, 2)).tolist()
        [1.0]

    Reference:
        Pertuz et al., Analysis of focus measure operators for shape-from-focus, Pattern Recognition 2013.
    """
    _check(frames)
    if min(frames.shape[-2:]) < 2:
        raise ValueError(refusal("frames", allowed="at least 2x2 pixels", got=f"shape {tuple(frames.shape)}"))
    grey = frames.double().mean(dim=1)
    corner = grey[:, :-1, :-1]
    return torch.hypot(grey[:, :-1, 1:] - corner, grey[:, 1:, :-1] - corner).mean(dim=(1, 2))


def _check(frames: Tensor) -> None:
    if frames.ndim != 4:
        allowed = "(time, channel, height, width)"
        raise ValueError(refusal("frames", allowed=allowed, got=f"shape {tuple(frames.shape)}"))
