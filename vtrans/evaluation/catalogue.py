"""What every number of an evaluation is: its unit, which is better, and what has to be known to measure it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from vtrans.errors import unknown
from vtrans.evaluation.data import EvaluationData
from vtrans.evaluation.features import Features
from vtrans.evaluation.flow import LEAST
from vtrans.model import TranslationModel

Better = Literal["higher", "lower", "near 1", ""]
Need = Literal["truth", "palette", "real", "features", "predictor", "window", "flow", "edges", "steps", "past"]
RANGE = "of range 2"


@dataclass(frozen=True)
class Metric:
    """A number of an evaluation.

    Attributes:
        group: What it belongs to, as the table's headings say.
        better: Which values are better; empty where that depends on others beside it.
        unit: Its unit; empty for plain numbers.
        needs: What has to be known.
        beside: The metric that it is reported with, where it is none to be asked for.
    """

    group: str
    better: Better
    unit: str = ""
    needs: tuple[Need, ...] = ()
    beside: str | None = None


_TRUTH, _TIME, _REAL, _BACK = "against the truth", "over time", "against real frames", "there and back"

METRICS: dict[str, Metric] = {
    "psnr": Metric(_TRUTH, "higher", "dB", ("truth",)),
    "ssim": Metric(_TRUTH, "higher", "", ("truth", "window")),
    "l1": Metric(_TRUTH, "lower", RANGE, ("truth",)),
    "pixel_accuracy": Metric(_TRUTH, "higher", "", ("truth", "palette")),
    "class_accuracy": Metric(_TRUTH, "higher", "", ("truth", "palette")),
    "mean_iou": Metric(_TRUTH, "higher", "", ("truth", "palette")),
    "warping_error": Metric(_TIME, "lower", RANGE, ("steps", "flow")),
    "warping_error_input": Metric(_TIME, "", RANGE, beside="warping_error"),
    "warping_error_truth": Metric(_TIME, "", RANGE, beside="warping_error"),
    "masked_share": Metric(_TIME, "", "of pixels", beside="warping_error"),
    "tof": Metric(_TIME, "lower", "pixels", ("truth", "steps", "flow")),
    "flicker": Metric(_TIME, "", RANGE, ("steps",)),
    "flicker_input": Metric(_TIME, "", RANGE, beside="flicker"),
    "flicker_truth": Metric(_TIME, "", RANGE, beside="flicker"),
    "sharpness": Metric(_TIME, "", RANGE, ("edges",)),
    "sharpness_real": Metric(_TIME, "", RANGE, beside="sharpness"),
    "sharpness_ratio": Metric(_TIME, "near 1", "", beside="sharpness"),
    "fid": Metric(_REAL, "lower", "", ("real", "features")),
    "kid": Metric(_REAL, "lower", "", ("real", "features")),
    "vfd": Metric(_REAL, "lower", "", ("real", "features", "steps")),
    "cycle": Metric(_BACK, "lower", RANGE),
    "recycle": Metric(_BACK, "lower", RANGE, ("predictor", "past")),
    "prediction": Metric(_BACK, "lower", RANGE, ("predictor", "past")),
}
"""All of them, in the order in which they are shown."""

NAMES = tuple(name for name, metric in METRICS.items() if metric.beside is None)
"""Those that can be asked for."""


def with_companions(names: Iterable[str]) -> list[str]:
    """The metrics to compute where these are asked for: whatever is steadiest over time may be blurred.

    Args:
        names: The metrics asked for.

    Raises:
        ValueError: An unknown metric; the nearest is named.

    Example:
        >>> with_companions(["flicker", "psnr"])
        ['psnr', 'flicker', 'sharpness']
    """
    asked = set()
    for name in names:
        if name not in NAMES:
            raise ValueError(unknown("metric", name, NAMES))
        asked |= {name, "sharpness"} if METRICS[name].group == _TIME else {name}
    return [name for name in NAMES if name in asked]


def obstacle(
    name: str, *, model: TranslationModel, data: EvaluationData, to: str, features: Features | None
) -> str | None:
    """Why a metric cannot be measured; None if it can.

    Args:
        name: The metric.
        model: The model.
        data: The frames.
        to: The domain translated into.
        features: The feature network, if there is one.
    """
    source = data.of("y" if to == "x" else "x")
    sizes = [data.size_of(sequence) for sequence in source.sequences] if source is not None else []
    least = min((min(size) for size in sizes), default=0)
    estimated = name == "tof" or ("x" if to == "y" else "y") not in data.motion
    predictor = f"P_{to.upper()}" if name == "recycle" else f"P_{'X' if to == 'y' else 'Y'}"
    longest = max((data.count(sequence) for sequence in source.sequences), default=0) if source is not None else 0
    context = int(getattr(model.networks[predictor], "context", None) or 1) if predictor in model.networks else 1
    problems: dict[Need, tuple[bool, str]] = {
        "truth": (not data.paired, "the true translation is not known (--paired says that frames are pairs)"),
        "palette": (to not in data.palettes, f"frames of {to.upper()} have no palette (--palette names one)"),
        "real": (data.of(to) is None, f"there are no real frames of {to.upper()}"),
        "features": (features is None, "there is no feature network (--features names one)"),
        "predictor": (predictor not in model.networks, f"the model has no {predictor}"),
        "window": (least < 11, "frames are smaller than its window, 11x11 pixels"),
        "flow": (estimated and least < LEAST, f"frames are too small to estimate flow, below {LEAST}x{LEAST} pixels"),
        "steps": (longest < 2, "no sequence has two frames"),
        "past": (longest <= context, f"no sequence has more than the {context} frames that {predictor} reads"),
        "edges": (least < 2, "frames are smaller than 2x2 pixels"),
    }
    return next((problems[need][1] for need in METRICS[name].needs if problems[need][0]), None)
