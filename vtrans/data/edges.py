"""A video and its edges: a real pair of domains whose truth is known exactly."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from vtrans.data.colours import check_source, each_whole, luma
from vtrans.data.sequences import FrameSource
from vtrans.data.tensors import Frames
from vtrans.data.views import Changed, split
from vtrans.errors import refusal


def edges(source: FrameSource, *, channels: int = 3) -> FrameSource:
    r"""The edges of a source's frames, dark on white like a pencil drawing.

    From the grey v of a frame, as :func:`vtrans.data.colours.grey` has it, and Sobel's derivatives in whole numbers:

    .. math:: e = 255 - \min(255, \mathrm{round}(\sqrt{(S_x * v)^2 + (S_y * v)^2} / 2)),
        \quad S_x = \begin{bmatrix} -1 & 0 & 1 \\ -2 & 0 & 2 \\ -1 & 0 & 1 \end{bmatrix}, \; S_y = S_x^\top

    A step of 128 levels is drawn black. Strengths stay soft rather than being thresholded, so that lines neither
    flicker from frame to frame nor vanish when frames are made smaller.

    Args:
        source: The source, of 1 or 3 channels.
        channels: 1, or 3 that are all the same.

    Raises:
        TypeError: If it is no source.
        ValueError: If it has another number of channels, or another one is asked for.

    Example:
        >>> from vtrans.data import open_source
        >>> plain = open_source(np.full((5, 3, 4, 4), 9, dtype=np.uint8))
        >>> edges(plain).sequences[0].read(0, 1)[0, 0, 0].tolist()
        [255, 255, 255]

    Reference:
        Sobel and Feldman, 1968, as ``kornia.filters.sobel`` computes it.
    """
    check_source(source, channels=(1, 3))
    if channels not in (1, 3):
        raise ValueError(refusal("channels", allowed="1 or 3", got=repr(channels)))
    draw, reading = partial(_draw, channels), f"edges, Sobel, of {channels} channels"
    return each_whole(source, lambda sequence: Changed(sequence, draw, reading=reading, channels=channels))


@dataclass(frozen=True)
class EdgePair:
    """Two domains of one source: its frames, and the edges of other frames of it.

    Attributes:
        x: Frames to train on.
        y: Edges to train on, of frames of another time.
        held_out_x: Frames held out.
        held_out_y: The edges of just these: the truth for translating them.
    """

    x: FrameSource
    y: FrameSource
    held_out_x: FrameSource
    held_out_y: FrameSource


def edge_pair(source: FrameSource, *, held_out: float = 0.2, gap: int | None = None, channels: int = 3) -> EdgePair:
    """Makes two unpaired domains with exact truth of one source: frames, and edges.

    In order of time come the frames of X, those whose edges are Y, and those held out; no frame serves two of them. So
    training sees no pair, while each held-out frame has its true translation.

    Args:
        source: The source, of 1 or 3 channels.
        held_out: Share of the frames that is held out, above 0 and below 1.
        gap: Frames left out between the three where they meet inside a sequence, as for
            :func:`vtrans.data.views.split`.
        channels: Channels of the edges, 1 or 3.

    Returns:
        The four parts.

    Raises:
        TypeError: If it is no source.
        ValueError: If an option is out of range, or a part would be empty.

    Example:
        >>> from vtrans.data import open_source
        >>> pair = edge_pair(open_source(np.zeros((100, 3, 4, 4), dtype=np.uint8)))
        >>> pair.x.length, pair.y.length, pair.held_out_x.length, pair.held_out_y.length
        (34, 38, 20, 20)
    """
    drawn = edges(source, channels=channels)
    train, held_out_x = split(source, held_out, gap=gap)
    train_drawn, held_out_y = split(drawn, held_out, gap=gap)
    return EdgePair(split(train, 0.5, gap=gap)[0], split(train_drawn, 0.5, gap=gap)[1], held_out_x, held_out_y)


def _draw(channels: int, frames: Frames) -> Frames:
    """The edges of frames. All sums are whole numbers below 2²⁴: exact in 32 bits."""
    from kornia.filters import sobel

    grey = torch.from_numpy(frames if frames.shape[-1] == 1 else luma(frames)).permute(0, 3, 1, 2)
    # One by one, as the derivatives take much memory.
    strengths = [sobel(levels[None].float(), normalized=False, eps=0.0)[0, 0] for levels in grey]
    drawn = 255 - (torch.stack(strengths) / 2).round().clamp(max=255)
    return np.repeat(drawn.to(torch.uint8).numpy()[..., None], channels, axis=-1)
