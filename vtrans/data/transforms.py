"""Changes of colour drawn at random for a whole clip, and named settings of how clips are prepared."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TypedDict

import numpy as np
from torch import Tensor

from vtrans.data.checks import number
from vtrans.data.tensors import check_clip
from vtrans.errors import refusal


class Preparation(TypedDict):
    """Arguments of :class:`vtrans.data.Clips` that say how frames are prepared."""

    size: int
    crop: int
    flip: bool


PRESETS: Mapping[str, Preparation] = MappingProxyType({"published": Preparation(size=286, crop=256, flip=False)})
"""How clips are prepared, by name: ``Clips(source, **PRESETS["published"])``.

``published`` is the preparation of the published training: loaded at 286x286 with a bicubic filter, cropped to a window
of 256x256 anywhere, and not mirrored: the published triplets never are, whatever ``--no_flip`` says.
"""


@dataclass(frozen=True)
class Colouring:
    """One change of colour, as :meth:`Jitter.draw` draws it; without arguments, no change at all."""

    brightness: float = 1.0  # factor of all levels
    contrast: float = 1.0  # factor of the distance from the clip's mean grey
    saturation: float = 1.0  # factor of the distance from a pixel's own grey
    hue: float = 0.0  # turn of the hue, in full turns


@dataclass(frozen=True)
class Jitter:
    r"""Random changes of brightness, contrast, saturation and hue: one draw for all frames of a clip.

    The steps come in this order, on levels :math:`v \in [0, 1]`, and each is clamped to that range:

    .. math::
        v &\leftarrow b\,v, & b &\sim U(1 - \text{brightness}, 1 + \text{brightness}) \\
        v &\leftarrow c\,v + (1 - c)\,\bar g, & c &\sim U(1 - \text{contrast}, 1 + \text{contrast}) \\
        v &\leftarrow s\,v + (1 - s)\,g, & s &\sim U(1 - \text{saturation}, 1 + \text{saturation}) \\
        h &\leftarrow h + \delta, & \delta &\sim U(-\text{hue}, \text{hue})

    where g is a pixel's grey (0.299 r + 0.587 g + 0.114 b), its mean taken over the whole clip, and h the hue in full
    turns. So equal colours stay equal in every frame of a clip: nothing flickers.

    Args:
        brightness: Half-width, 0 to 1.
        contrast: Half-width, 0 to 1.
        saturation: Half-width, 0 to 1; 0 for grey clips.
        hue: Half-width in full turns, 0 to 0.5; 0 for grey clips.

    Raises:
        TypeError: If one is no number.
        ValueError: If one is out of range.

    Example:
        >>> import torch
        >>> jitter = Jitter(brightness=0.2, hue=0.05)
        >>> colouring = jitter.draw(np.random.default_rng(0))
        >>> jitter.apply(torch.zeros(3, 3, 8, 8), colouring).shape
        torch.Size([3, 3, 8, 8])
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            most = 0.5 if field.name == "hue" else 1
            value = number(field.name, getattr(self, field.name), 0, most, what="a half-width")
            object.__setattr__(self, field.name, value)

    def check_channels(self, channels: int) -> None:
        """Refuses frames whose colours it can't change.

        Args:
            channels: Channels of the frames.

        Raises:
            ValueError: If saturation or hue is asked for, and the frames haven't 3 channels.
        """
        if channels != 3:
            _refuse_colours({"saturation": self.saturation, "hue": self.hue}, channels)

    def draw(self, random: np.random.Generator) -> Colouring:
        """Draws the change for one clip.

        Args:
            random: Where random numbers come from; four are taken, whichever half-widths are 0.

        Returns:
            The change.
        """
        brightness, contrast, saturation, hue = (2 * random.random(4) - 1).tolist()
        return Colouring(
            brightness=1 + self.brightness * brightness,
            contrast=1 + self.contrast * contrast,
            saturation=1 + self.saturation * saturation,
            hue=self.hue * hue,
        )

    @staticmethod
    def apply(clip: Tensor, colouring: Colouring) -> Tensor:
        """Changes the colours of a clip. A step that changes nothing is passed over, so that none at all is exact.

        Args:
            clip: Floating tensor ``(time, channel, height, width)`` in [-1, 1].
            colouring: The change.

        Returns:
            Tensor of the same shape in [-1, 1]; the clip itself where nothing changes.

        Raises:
            TypeError: If the clip isn't a floating tensor.
            ValueError: If it hasn't four axes, or saturation or hue is to change and it hasn't 3 channels.
        """
        check_clip("clip", clip)
        if clip.shape[1] != 3:
            _refuse_colours({"saturation": colouring.saturation - 1, "hue": colouring.hue}, clip.shape[1])
        return clip if colouring == Colouring() or not clip.numel() else _coloured(clip, colouring)


def _coloured(clip: Tensor, colouring: Colouring) -> Tensor:
    from kornia import enhance

    # The frames one below the other as one picture, so that the mean is that of the clip.
    time, channels, height, width = clip.shape
    levels = clip.transpose(0, 1).reshape(channels, time * height, width).add(1).div(2)
    if colouring.brightness != 1:
        levels = enhance.adjust_brightness_accumulative(levels, float(colouring.brightness))
    if colouring.contrast != 1:
        levels = enhance.adjust_contrast_with_mean_subtraction(levels, float(colouring.contrast))
    if colouring.saturation != 1:
        levels = enhance.adjust_saturation_with_gray_subtraction(levels, float(colouring.saturation))
    if colouring.hue != 0:
        levels = enhance.adjust_hue(levels, 2 * math.pi * colouring.hue)
    return levels.mul(2).sub(1).reshape(channels, time, height, width).transpose(0, 1).contiguous()


def _refuse_colours(changes: Mapping[str, float], channels: int) -> None:
    if asked := [name for name, change in changes.items() if change != 0]:
        why = f"Frames of {channels} channel{'s' * (channels != 1)} have none."
        raise ValueError(refusal(asked[0], allowed="no change", got="some", why=why, fix=f"Leave {asked[0]} at 0."))
