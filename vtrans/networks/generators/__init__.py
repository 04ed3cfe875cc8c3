"""Generators: a frame of one domain into a frame of the other."""

from vtrans.networks.generators.resnet import ResnetGenerator
from vtrans.networks.generators.timm_unet import TimmUnet
from vtrans.networks.generators.unet import UnetGenerator

__all__ = ["ResnetGenerator", "TimmUnet", "UnetGenerator"]
