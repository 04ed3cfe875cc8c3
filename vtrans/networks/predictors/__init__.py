"""Predictors: the next frame of a domain from the frames before it."""

from vtrans.networks.predictors.baselines import LastFrame, LinearExtrapolation
from vtrans.networks.predictors.conv_gru import ConvGruPredictor
from vtrans.networks.predictors.resnet import ResnetPredictor
from vtrans.networks.predictors.siamese import SiamesePredictor
from vtrans.networks.predictors.unet import UnetPredictor

__all__ = [
    "ConvGruPredictor",
    "LastFrame",
    "LinearExtrapolation",
    "ResnetPredictor",
    "SiamesePredictor",
    "UnetPredictor",
]
