"""How good a translation is: scores against the truth, over time and of features, and pictures to judge by eye."""

from vtrans.evaluation.chunks import Chunk
from vtrans.evaluation.data import EvaluationData, world_data
from vtrans.evaluation.evaluate import evaluate
from vtrans.evaluation.features import Features, timm_features
from vtrans.evaluation.fidelity import Moments, frechet_distance, kernel_distance
from vtrans.evaluation.flow import estimate_flow, estimate_motion, warp
from vtrans.evaluation.metrics import metrics
from vtrans.evaluation.metrics.metric import Given, Measured, Metric, PerFrame, PerStep
from vtrans.evaluation.results import Evaluation, Value
from vtrans.evaluation.scores import l1, psnr, ssim
from vtrans.evaluation.segmentation import Confusion
from vtrans.evaluation.temporal import flicker, flow_difference, sharpness, warping_error
from vtrans.evaluation.translations import predicted, recycled

__all__ = [
    "Chunk",
    "Confusion",
    "Evaluation",
    "EvaluationData",
    "Features",
    "Given",
    "Measured",
    "Metric",
    "Moments",
    "PerFrame",
    "PerStep",
    "Value",
    "estimate_flow",
    "estimate_motion",
    "evaluate",
    "flicker",
    "flow_difference",
    "frechet_distance",
    "kernel_distance",
    "l1",
    "metrics",
    "predicted",
    "psnr",
    "recycled",
    "sharpness",
    "ssim",
    "timm_features",
    "warp",
    "warping_error",
    "world_data",
]
