"""Discriminators: logits of whether a frame, or a window of frames, is a real one."""

from vtrans.networks.discriminators.patch import NLayerDiscriminator
from vtrans.networks.discriminators.pixel import PixelDiscriminator
from vtrans.networks.discriminators.temporal import TemporalPatchDiscriminator

__all__ = ["NLayerDiscriminator", "PixelDiscriminator", "TemporalPatchDiscriminator"]
