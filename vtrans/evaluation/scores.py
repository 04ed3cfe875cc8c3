"""Scores of translated clips against the truth."""

import torch
from torch import Tensor

from vtrans.errors import refusal

RANGE, WINDOW = 2.0, 11


def psnr(translated: Tensor, truth: Tensor) -> float:
    r"""Peak signal-to-noise ratio in decibels, averaged over the frames; higher is better.

    .. math:: 10 \log_{10} \frac{2^2}{\operatorname{mean}((a - b)^2)}

    Args:
        translated: Frames ``(…, channel, height, width)`` in [-1, 1].
        truth: What they should be, of the same shape.

    Returns:
        The mean over frames; infinite where a frame is exactly right.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> round(psnr(torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.2)), 3)
        20.0
    """
    return float(psnr_of_frames(translated, truth).mean())


def l1(translated: Tensor, truth: Tensor) -> float:
    r"""Mean absolute difference, in the frames' own range of 2; lower is better.

    Args:
        translated: Frames ``(…, channel, height, width)`` in [-1, 1].
        truth: What they should be, of the same shape.

    Returns:
        The mean over everything, from 0 to 2.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> l1(torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.5))
        0.5
    """
    return float(l1_of_frames(translated, truth).mean())


def ssim(translated: Tensor, truth: Tensor) -> float:
    """Structural similarity in Gaussian windows of 11 pixels (σ = 1.5), averaged; higher is better, 1 is equal.

    It is computed on brightness from 0 to 1, as is usual, and only windows that lie within the frame count.

    Args:
        translated: Frames ``(…, channel, height, width)`` in [-1, 1], at least 11 pixels high and wide.
        truth: What they should be, of the same shape.

    Returns:
        The mean over everything, from -1 to 1.

    Raises:
        ValueError: The shapes differ, or a frame is smaller than a window.

    Example:
        >>> frames = torch.linspace(-1, 1, 256).view(1, 1, 16, 16)
        >>> round(ssim(frames, frames), 4)
        1.0

    Reference:
        Wang et al., Image quality assessment: from error visibility to structural similarity, 2004.
    """
    return float(ssim_of_frames(translated, truth).mean())


def psnr_of_frames(translated: Tensor, truth: Tensor) -> Tensor:
    """The :func:`psnr` of each frame."""
    a, b = _frames(translated, truth)
    return 10 * torch.log10(RANGE**2 / (a - b).square().mean(dim=(1, 2, 3)))


def l1_of_frames(translated: Tensor, truth: Tensor) -> Tensor:
    """The :func:`l1` of each frame."""
    a, b = _frames(translated, truth)
    return (a - b).abs().mean(dim=(1, 2, 3))


def ssim_of_frames(translated: Tensor, truth: Tensor) -> Tensor:
    """The :func:`ssim` of each frame."""
    from kornia.metrics import ssim as similarity

    a, b = _frames(translated, truth)
    if min(a.shape[-2:]) < WINDOW:
        allowed = f"frames of at least {WINDOW}x{WINDOW} pixels"
        raise ValueError(refusal("translated", allowed=allowed, got=f"{tuple(a.shape[-2:])}"))
    a, b = (a + 1) / 2, (b + 1) / 2  # its comparison of means takes brightness from 0 up
    return similarity(a, b, window_size=WINDOW, max_val=1.0, padding="valid").mean(dim=(1, 2, 3))


def _frames(translated: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    if translated.shape != truth.shape or translated.ndim < 3:
        got = f"{tuple(translated.shape)} and {tuple(truth.shape)}"
        raise ValueError(refusal("translated and truth", allowed="one shape (…, channel, height, width)", got=got))
    shape = (-1, *translated.shape[-3:])
    return translated.detach().reshape(shape).double(), truth.detach().reshape(shape).double()
