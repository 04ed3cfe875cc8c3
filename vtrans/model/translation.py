"""Frames of any size through a generator: padded to what it takes, and cropped back."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from vtrans.errors import refusal
from vtrans.model.checks import check_precision, check_range
from vtrans.networks.modes import evaluating


def translate(generator: nn.Module, frames: Tensor, channels: int, batch: int) -> Tensor:
    """Translates frames, each on its own, in evaluation mode.

    Args:
        generator: The generator.
        frames: ``(…, channel, height, width)`` in [-1, 1].
        channels: Channels that the generator takes.
        batch: Frames translated at a time.

    Returns:
        The translated frames, with the same axes and size.

    Raises:
        ValueError: Wrong channels, too few axes, or ``batch`` below 1.
    """
    check_translatable(frames, channels, batch)
    check_precision("frames", frames, generator)
    flat = frames.flatten(0, -4) if frames.ndim > 3 else frames[None]
    with evaluating(generator):
        pieces = [_translate_padded(generator, piece) for piece in flat.split(batch)]
    if pieces[0].shape[-2:] != flat.shape[-2:] or pieces[0].shape[0] != min(batch, flat.shape[0]):
        raise ValueError(
            refusal(
                f"output of {type(generator).__name__}",
                allowed=f"frames of the size that it is given, {tuple(flat.shape[-2:])}",
                got=f"shape {tuple(pieces[0].shape)}",
            )
        )
    result = torch.cat(pieces)
    return result.unflatten(0, frames.shape[:-3]) if frames.ndim > 3 else result[0]


def check_translatable(frames: object, channels: int, batch: int) -> None:
    """Refuses what are no frames ``(…, channel, height, width)`` in [-1, 1], and batches of less than one."""
    if not isinstance(frames, Tensor) or frames.ndim < 3 or frames.shape[-3] != channels:
        got = f"shape {tuple(frames.shape)}" if isinstance(frames, Tensor) else type(frames).__name__
        raise ValueError(
            refusal(
                "frames", allowed=f"a tensor (…, {channels}, height, width)", got=got, why="Channels come third last"
            )
        )
    if not frames.is_floating_point():
        raise TypeError(
            refusal(
                "frames",
                allowed="floating point in [-1, 1]",
                got=str(frames.dtype),
                fix="Pass frames.float() / 127.5 - 1",
            )
        )
    if 0 in frames.shape[-3:]:
        raise ValueError(refusal("frames", allowed="at least one pixel", got=f"shape {tuple(frames.shape)}"))
    if frames.numel():
        check_range("frames", frames)
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise ValueError(refusal("batch", allowed="a whole number of frames, 1 or more", got=repr(batch)))


def padding(size: int, multiple: int, minimum: int) -> tuple[int, int]:
    """What to add before and after an axis of ``size`` to make it a size that is taken.

    Example:
        >>> padding(30, multiple=4, minimum=8), padding(64, multiple=4, minimum=8)
        ((1, 1), (0, 0))
    """
    wanted = max(-(-size // multiple) * multiple, -(-minimum // multiple) * multiple)
    missing = wanted - size
    return missing // 2, missing - missing // 2


def _translate_padded(generator: nn.Module, frames: Tensor) -> Tensor:
    padded, crop = pad_for([generator], frames)
    translated: Tensor = generator(padded)
    return crop(translated)


def pad_for(networks: Sequence[nn.Module], frames: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Frames padded by reflection to a size that networks take, and what crops the result back.

    Args:
        networks: The networks; ``multiple`` and ``minimum`` say what they take.
        frames: ``(…, height, width)``.
    """
    multiple = math.lcm(*(int(getattr(network, "multiple", 1)) for network in networks))
    minimum = max((int(getattr(network, "minimum", 1)) for network in networks), default=1)
    height, width = frames.shape[-2:]
    vertical, horizontal = (padding(size, multiple, minimum) for size in (height, width))
    padded = _reflect(_reflect(frames, -1, horizontal), -2, vertical)
    rows, columns = slice(vertical[0], vertical[0] + height), slice(horizontal[0], horizontal[0] + width)
    return padded, lambda translated: translated[..., rows, columns]


def _reflect(frames: Tensor, axis: int, amount: tuple[int, int]) -> Tensor:
    """Pads one axis by mirroring at its ends, as often as needed."""
    size = frames.shape[axis]
    positions = torch.arange(-amount[0], size + amount[1], device=frames.device)
    period = max(2 * (size - 1), 1)
    folded = positions.remainder(period)
    return (
        frames.index_select(axis, torch.minimum(folded, period - folded).clamp(0, size - 1)) if any(amount) else frames
    )
