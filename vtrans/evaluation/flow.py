"""Optical flow of real frames, where it can be trusted, and frames moved along it."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vtrans.data.colours import luma
from vtrans.data.tensors import Frames, tensor_to_frames
from vtrans.data.worlds import Motion
from vtrans.errors import refusal

Flow = npt.NDArray[np.float32]

LEAST = 12
"""Pixels of the smallest side that flow is estimated for."""

SLACK, FLOOR = 0.01, 0.5
"""How far flow there and back may miss its start: squared, this share of both squared lengths, and so many pixels²."""


def estimate_flow(frames: Tensor) -> Flow:
    """The flow from each frame to the next, estimated by DIS (OpenCV's preset "medium") on grey values.

    Args:
        frames: ``(time, channel, height, width)`` in [-1, 1] with 1 or 3 channels, at least 12 pixels high and wide.

    Returns:
        float32 array ``(time - 1, 2, height, width)``: how far each pixel moves to the right and down, in pixels.

    Raises:
        ValueError: The frames are too small, or of other channels.

    Example:
        >>> estimate_flow(torch.zeros(3, 3, 16, 20)).shape
        (2, 2, 16, 20)

    Reference:
        Kroeger et al., Fast optical flow using dense inverse search, ECCV 2016 (arXiv 1603.03590).
    """
    greys = _greys(frames)
    return np.stack([_flow(a, b) for a, b in zip(greys, greys[1:], strict=False)]) if len(greys) > 1 else _none(frames)


def estimate_motion(frames: Tensor) -> Motion:
    """The flow from each frame to the next, and where it cannot be trusted: see :func:`inconsistent`.

    Args:
        frames: As for :func:`estimate_flow`.

    Returns:
        The motion, as a world tells it exactly.

    Raises:
        ValueError: The frames are too small, or of other channels.

    Example:
        >>> estimate_motion(torch.zeros(3, 3, 16, 20)).occluded.any()
        np.False_
    """
    forward, backward = estimate_flow(frames), estimate_flow(frames.flip(0))[::-1]
    return Motion(flow=forward, occluded=inconsistent(forward, backward.copy()))


def inconsistent(forward: Flow, backward: Flow) -> npt.NDArray[np.bool_]:
    r"""Where flow forth and back do not agree: the point is hidden in the next frame, has left it, or was lost.

    With forward flow f at p and backward flow b where it leads, a pixel is marked where

    .. math:: |f + b|^2 > 0.01\,(|f|^2 + |b|^2) + 0.5

    or where p + f lies outside the picture.

    Args:
        forward: Flow from frames to the next ones, ``(steps, 2, height, width)`` in pixels.
        backward: Flow from those back, of that shape.

    Returns:
        bool array ``(steps, height, width)``.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> still = np.zeros((1, 2, 4, 4), np.float32)
        >>> inconsistent(still, still).any(), inconsistent(still, still + 1).all()
        (np.False_, np.True_)

    Reference:
        Sundaram et al., Dense point trajectories by GPU-accelerated large displacement optical flow, ECCV 2010.
    """
    if forward.shape != backward.shape:
        got = f"{forward.shape} and {backward.shape}"
        raise ValueError(refusal("forward and backward", allowed="one shape", got=got))
    back = warp(torch.from_numpy(backward), forward).numpy()
    apart, lengths = ((forward + back) ** 2).sum(1), (forward**2 + back**2).sum(1)
    missed: npt.NDArray[np.bool_] = apart > SLACK * lengths + FLOOR
    return missed | _outside(forward)


def warp(frames: Tensor, flow: Flow) -> Tensor:
    """What frames show where flow leads: at p the value at p + flow, bilinearly; beyond the border that of the border.

    Args:
        frames: ``(steps, channel, height, width)``: those that the flow leads to.
        flow: ``(steps, 2, height, width)``, to the right and down, in pixels.

    Returns:
        Frames of the same shape.

    Raises:
        ValueError: The shapes do not fit.

    Example:
        >>> ramp = torch.arange(5.0).expand(1, 1, 5, 5)
        >>> warp(ramp, np.full((1, 2, 5, 5), 0.5, np.float32))[0, 0, 0].tolist()
        [0.5, 1.5, 2.5, 3.5, 4.0]
    """
    height, width = frames.shape[-2:]
    if flow.shape != (len(frames), 2, height, width):
        allowed = f"({len(frames)}, 2, {height}, {width}), for frames {tuple(frames.shape)}"
        raise ValueError(refusal("flow", allowed=allowed, got=flow.shape))
    to = torch.from_numpy(np.ascontiguousarray(flow)).to(frames)
    columns = to[:, 0] + torch.arange(width).to(frames)
    rows = to[:, 1] + torch.arange(height).to(frames)[:, None]
    grid = torch.stack([2 * columns / max(width - 1, 1) - 1, 2 * rows / max(height - 1, 1) - 1], dim=-1)
    return torch.nn.functional.grid_sample(frames, grid, padding_mode="border", align_corners=True)


def _outside(flow: Flow) -> npt.NDArray[np.bool_]:
    height, width = flow.shape[-2:]
    columns, rows = flow[:, 0] + np.arange(width), flow[:, 1] + np.arange(height)[:, None]
    outside: npt.NDArray[np.bool_] = (columns < -0.5) | (columns > width - 0.5) | (rows < -0.5) | (rows > height - 0.5)
    return outside


def _greys(frames: Tensor) -> Frames:
    if frames.ndim != 4 or frames.shape[1] not in (1, 3) or min(frames.shape[-2:]) < LEAST:
        allowed = f"(time, 1 or 3 channels, height, width) of at least {LEAST}x{LEAST} pixels"
        raise ValueError(refusal("frames", allowed=allowed, got=f"shape {tuple(frames.shape)}"))
    levels = tensor_to_frames(frames)
    return (levels if levels.shape[-1] == 1 else luma(levels))[..., 0]


def _flow(a: Frames, b: Frames) -> Flow:
    import cv2

    still = np.zeros((*a.shape, 2), np.float32)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(a, b, still)
    return np.ascontiguousarray(np.asarray(flow, np.float32).transpose(2, 0, 1))


def _none(frames: Tensor) -> Flow:
    return np.zeros((0, 2, *frames.shape[-2:]), np.float32)
