"""Which frame sizes a network takes, and the refusal of others."""

from typing import Protocol

from torch import Tensor

from vtrans.errors import refusal


class Sized(Protocol):
    """A network that says which sizes it takes: multiples of ``multiple``, each side at least ``minimum``."""

    multiple: int
    minimum: int


def nearest_sizes(side: int, *, multiple: int, minimum: int) -> tuple[int, ...]:
    """The sizes that work nearest to one side of a frame: below and above it, or itself.

    Args:
        side: Height or width that came.
        multiple: What the side must be a multiple of.
        minimum: The smallest side.

    Returns:
        One or two sizes, ascending.

    Example:
        >>> nearest_sizes(130, multiple=128, minimum=128)
        (128, 256)
        >>> nearest_sizes(100, multiple=128, minimum=128)
        (128,)
    """
    smallest = -(-minimum // multiple) * multiple
    below = side // multiple * multiple
    if below < smallest:
        return (smallest,)
    return (side,) if below == side else (below, below + multiple)


def check_frames(network: Sized, frames: Tensor, *, channels: int) -> None:
    """Refuses frames that a network cannot take.

    Args:
        network: The network, with its ``multiple`` and ``minimum``.
        frames: Tensor that should be ``(batch, channel, height, width)``.
        channels: The channels that the network was built for.

    Raises:
        ValueError: If the axes, the channels or the size do not fit; a wrong size comes with the nearest that work.
    """
    if frames.ndim != 4 or frames.shape[1] != channels:
        raise ValueError(_wrong_shape(network, frames, f"(batch, {channels}, height, width)"))
    _check_size(network, frames)


def check_clip(network: Sized, clip: Tensor, *, channels: int, length: int | None) -> None:
    """Refuses a clip that a network cannot take.

    Args:
        network: The network, with its ``multiple`` and ``minimum``.
        clip: Tensor that should be ``(batch, time, channel, height, width)``.
        channels: The channels that the network was built for.
        length: The number of frames that it looks at; None takes any number from one up.

    Raises:
        ValueError: If the axes, the frames, the channels or the size do not fit.
    """
    wrong_length = clip.ndim == 5 and (clip.shape[1] < 1 if length is None else clip.shape[1] != length)
    if clip.ndim != 5 or wrong_length or clip.shape[2] != channels:
        time = "time" if length is None else length
        raise ValueError(_wrong_shape(network, clip, f"(batch, {time}, {channels}, height, width)"))
    _check_size(network, clip)


def _check_size(network: Sized, frames: Tensor) -> None:
    sides = frames.shape[-2:]
    if any(side < network.minimum or side % network.multiple for side in sides):
        raise ValueError(_wrong_size(network, *map(int, sides)))


def _wrong_size(network: Sized, height: int, width: int) -> str:
    heights, widths, (smallest, *_) = (
        nearest_sizes(side, multiple=network.multiple, minimum=network.minimum) for side in (height, width, 0)
    )
    return refusal(
        f"size of the frames for {type(network).__name__}",
        allowed=f"height and width in multiples of {network.multiple} from {smallest} up",
        got=f"{height}x{width} (height x width)",
        fix=f"Nearest that work: height {' or '.join(map(str, heights))}, width {' or '.join(map(str, widths))}",
    )


def _wrong_shape(network: Sized, frames: Tensor, shape: str) -> str:
    return refusal(
        f"input of {type(network).__name__}", allowed=f"a tensor {shape}", got=f"shape {tuple(frames.shape)}"
    )
