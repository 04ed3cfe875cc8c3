"""Frames to a device and back while it computes: 8 bits a value on the way, floats only there."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vtrans.data import frames_to_tensor, tensor_to_frames
from vtrans.data.tensors import Frames
from vtrans.errors import refusal


class Transfer:
    """Copies frames to a device and back; the numbers are those of ``frames_to_tensor`` and ``tensor_to_frames``.

    Both directions start a copy and return a function that waits for it, so that other work fits in between. To a GPU,
    copies go through pinned memory, those to it on a stream of their own.

    Args:
        device: The device.

    Example:
        >>> transfer = Transfer(torch.device("cpu"))
        >>> frames = torch.arange(12, dtype=torch.uint8).reshape(1, 2, 2, 3).numpy()
        >>> bool((transfer.down(transfer.up(frames)())() == frames).all())
        True
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._uploads = torch.cuda.Stream(device) if device.type == "cuda" else None

    def up(self, frames: Frames) -> Callable[[], Tensor]:
        """Starts the way of uint8 frames ``(time, height, width, channel)`` to the device.

        Returns:
            A function, for the thread that computes, that gives the float tensor ``(time, channel, height, width)``.
        """
        if self._uploads is None:
            tensor = frames_to_tensor(frames).to(self._device)
            return lambda: tensor
        with torch.cuda.stream(self._uploads):
            levels = torch.from_numpy(frames).pin_memory().to(self._device, non_blocking=True)
            copied = self._uploads.record_event()

        def arrived() -> Tensor:
            computing = torch.cuda.current_stream(self._device)
            computing.wait_event(copied)
            levels.record_stream(computing)
            return levels_to_tensor(levels)

        return arrived

    def down(self, tensor: Tensor) -> Callable[[], Frames]:
        """Starts the way of a float tensor ``(time, channel, height, width)`` back.

        Returns:
            A function, for any thread, that gives the uint8 frames ``(time, height, width, channel)``; it raises a
            ValueError if the tensor holds NaN.
        """
        if self._uploads is None:
            return lambda: tensor_to_frames(tensor)
        levels, bad = tensor_to_levels(tensor)
        frames = torch.empty(levels.shape, dtype=torch.uint8, pin_memory=True).copy_(levels, non_blocking=True)
        flag = torch.empty((), dtype=torch.bool, pin_memory=True).copy_(bad, non_blocking=True)
        copied = torch.cuda.current_stream(self._device).record_event()

        def arrived() -> Frames:
            copied.synchronize()
            if flag.item():
                why = "A network that diverged gives such frames."
                raise ValueError(refusal("tensor", allowed="numbers", got="NaN", why=why))
            result: Frames = frames.numpy()
            return result

        return arrived


def levels_to_tensor(levels: Tensor) -> Tensor:
    """``frames_to_tensor`` where the frames are, bit for bit."""
    tensor = levels.permute(0, 3, 1, 2).contiguous().to(torch.float32)
    # A GPU multiplies by the reciprocal of a plain number, which is another number in the last bit.
    return tensor.div_(torch.full((), 127.5, device=tensor.device)).sub_(1.0)


def tensor_to_levels(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """``tensor_to_frames`` where the tensor is, bit for bit, and whether it holds NaN."""
    values = tensor.detach().to(torch.float32)
    levels = values.nan_to_num(0.0).clamp(-1.0, 1.0).add_(1.0).mul_(127.5).round_().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous(), values.isnan().any()
