"""Every metric by name: ``vtrans.evaluation.metrics`` holds the built-in ones, and takes one's own."""

from vtrans.evaluation.metrics.against_real import FrechetDistance, KernelDistance, VideoFrechetDistance
from vtrans.evaluation.metrics.against_truth import L1, OfLabels, Psnr, Settled, Ssim
from vtrans.evaluation.metrics.metric import metrics as metrics
from vtrans.evaluation.metrics.over_time import (
    Flicker,
    MaskedShare,
    MotionDifference,
    Sharpness,
    SharpnessRatio,
    WarpingError,
)
from vtrans.evaluation.metrics.there_and_back import Difference

LONG = "Long et al., Fully convolutional networks for semantic segmentation, 2015"

metrics.add("settled", Settled)
metrics.add(
    "mean_iou",
    OfLabels,
    description="Intersection over union of the classes, averaged over those that occur.",
    reference=LONG,
    of="mean_iou",
)
metrics.add(
    "class_accuracy",
    OfLabels,
    description="The share of a class's pixels that are right, averaged over the classes that occur.",
    reference=LONG,
    of="class_accuracy",
)
metrics.add(
    "pixel_accuracy",
    OfLabels,
    description="The share of pixels of the right class.",
    reference=LONG,
    of="pixel_accuracy",
)
metrics.add("psnr", Psnr)
metrics.add("ssim", Ssim, reference="Wang et al., Image quality assessment, 2004")
metrics.add("l1", L1)

metrics.add("warping_error", WarpingError, reference="Lai et al., Learning blind video temporal consistency, 2018")
metrics.add("warping_error_input", WarpingError, description="The warping error of the source itself.", of="source")
metrics.add("warping_error_truth", WarpingError, description="The warping error of the truth.", of="truth")
metrics.add("masked_share", MaskedShare)
metrics.add("tof", MotionDifference, reference="Chu et al., TecoGAN, 2020")
metrics.add("flicker", Flicker)
metrics.add("flicker_input", Flicker, description="The flicker of the source.", of="source")
metrics.add("flicker_truth", Flicker, description="The flicker of the truth.", of="truth")
metrics.add("sharpness", Sharpness, reference="Pertuz et al., Analysis of focus measure operators, 2013")
metrics.add("sharpness_real", Sharpness, description="The sharpness of real frames.", of="real")
metrics.add("sharpness_ratio", SharpnessRatio)

metrics.add("fid", FrechetDistance, reference="Heusel et al., Two time-scale update rule, 2017")
metrics.add("kid", KernelDistance, reference="Bińkowski et al., Demystifying MMD GANs, 2018")
metrics.add(
    "vfd", VideoFrechetDistance, reference="Unterthiner et al., Towards accurate generative models of video, 2018"
)

metrics.add("cycle", Difference, description="Mean |G_X(G_Y(x_t)) − x_t|: there and back.", stream="back")
metrics.add(
    "recycle",
    Difference,
    description="Mean |G_X(P_Y(G_Y(x_{1:t}))) − x_{t+1}|: there, on by the predictor, and back.",
    stream="recycled",
)
metrics.add("prediction", Difference, description="Mean |P_X(x_{1:t}) − x_{t+1}| of real frames.", stream="predicted")
