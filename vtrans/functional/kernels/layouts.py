"""Memory orders that a kernel can walk through."""

from typing import Literal

import torch
from torch import Tensor

Layout = Literal["contiguous", "channels_last"]


def layout_of(*tensors: Tensor) -> Layout:
    """The order that all of them have, or else that into which they are to be copied."""
    if not all(tensor.is_contiguous() for tensor in tensors) and all(map(_is_channels_last, tensors)):
        return "channels_last"
    return "contiguous"


def in_layout(tensor: Tensor, layout: Layout) -> Tensor:
    """The tensor itself if it has that order, else a copy that has."""
    if layout == "channels_last":
        return tensor.contiguous(memory_format=torch.channels_last)
    return tensor.contiguous()


def _is_channels_last(tensor: Tensor) -> bool:
    return tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
