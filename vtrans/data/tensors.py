"""Frames of 8 bits to tensors in [-1, 1] and back, and resizing."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vtrans.data.checks import came
from vtrans.errors import refusal

Frames = npt.NDArray[np.uint8]


def frames_to_tensor(frames: Frames) -> Tensor:
    r"""Turns 8-bit frames into a float tensor.

    .. math:: x = v / 127.5 - 1

    Args:
        frames: uint8 array ``(time, height, width, channel)``, values 0 to 255.

    Returns:
        float32 tensor ``(time, channel, height, width)`` in [-1, 1].

    Raises:
        TypeError: If the frames aren't a uint8 array.
        ValueError: If the array hasn't four axes.

    Example:
        >>> frames_to_tensor(np.full((2, 4, 6, 3), 255, dtype=np.uint8)).shape
        torch.Size([2, 3, 4, 6])
    """
    check_frames("frames", frames)
    # Not with PyTorch, whose threads would contend with those of the training for work that one does in no time.
    values = np.divide(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)), np.float32(127.5), dtype=np.float32)
    values -= np.float32(1.0)
    return torch.from_numpy(values)


def tensor_to_frames(tensor: Tensor) -> Frames:
    r"""Turns a tensor into 8-bit frames, the exact inverse of :func:`frames_to_tensor`.

    Values are clamped to [-1, 1] and rounded.

    .. math:: v = \mathrm{round}(127.5\,(\min(\max(x, -1), 1) + 1))

    Args:
        tensor: floating tensor ``(time, channel, height, width)``, on any device; values outside [-1, 1] are clamped.

    Returns:
        uint8 array ``(time, height, width, channel)``.

    Raises:
        TypeError: If it isn't a floating tensor.
        ValueError: If it hasn't four axes or holds NaN.

    Example:
        >>> tensor_to_frames(torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)).tolist()
        [[[[0, 128, 255]]]]
    """
    check_clip("tensor", tensor)
    values = tensor.detach().to(device="cpu", dtype=torch.float32)
    if bool(values.isnan().any()):
        why = "A network that diverged gives such frames."
        raise ValueError(refusal("tensor", allowed="numbers", got="NaN", why=why))
    levels = values.clamp(-1.0, 1.0).add_(1.0).mul_(127.5).round_().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).numpy())


def resize_frames(frames: Frames, size: tuple[int, int], *, nearest: bool = False) -> Frames:
    """Resizes frames as Pillow does, with a bicubic filter that antialiases when it shrinks.

    Args:
        frames: uint8 array ``(time, height, width, channel)``.
        size: The new (height, width) in pixels.
        nearest: Take the pixel nearest to each new one's centre instead, so that no colours are mixed.

    Returns:
        uint8 array ``(time, *size, channel)``; the same array if it has that size.

    Example:
        >>> resize_frames(np.zeros((2, 8, 8, 3), dtype=np.uint8), (4, 6)).shape
        (2, 4, 6, 3)
    """
    check_frames("frames", frames)
    if frames.shape[1:3] == tuple(size):
        return frames
    if not nearest:
        return np.stack([_bicubic(frame, size) for frame in frames])
    tensor = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(tensor, size=size, mode="nearest-exact")
    return np.ascontiguousarray(resized.permute(0, 2, 3, 1).numpy())


def _bicubic(frame: Frames, size: tuple[int, int]) -> Frames:
    from PIL import Image

    def resized(picture: Frames) -> Frames:
        return np.array(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BICUBIC))

    # Pillow rounds alike on every machine, which PyTorch does not. Other numbers of channels it takes one by one.
    if frame.shape[2] == 3:
        return resized(frame)
    return np.stack([resized(frame[..., channel]) for channel in range(frame.shape[2])], axis=-1)


def check_frames(argument: str, frames: object, axes: str = "(time, height, width, channel)") -> None:
    """Refuses what isn't a uint8 array of as many axes as are named."""
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8:
        raise TypeError(refusal(argument, allowed="a uint8 array with values 0 to 255", got=came(frames)))
    if frames.ndim != axes.count(",") + 1:
        raise ValueError(refusal(argument, allowed=f"axes {axes}", got=f"shape {frames.shape}"))


def check_clip(argument: str, clip: object) -> None:
    """Refuses what isn't a floating tensor ``(time, channel, height, width)``."""
    if not isinstance(clip, Tensor) or not clip.is_floating_point():
        got = clip.dtype if isinstance(clip, Tensor) else type(clip).__name__
        raise TypeError(refusal(argument, allowed="a floating tensor with values in [-1, 1]", got=got))
    if clip.ndim != 4:
        allowed = "axes (time, channel, height, width)"
        raise ValueError(refusal(argument, allowed=allowed, got=f"shape {tuple(clip.shape)}"))
