"""Measures a model on frames held out: streamed, so that videos may be of any length."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from vtrans.data import frames_to_tensor
from vtrans.errors import refusal
from vtrans.evaluation.catalogue import METRICS, NAMES, obstacle, with_companions
from vtrans.evaluation.chunks import batch_of, translated_chunks
from vtrans.evaluation.data import EvaluationData, stretches
from vtrans.evaluation.features import NOTE, Features
from vtrans.evaluation.measures import (
    Comparison,
    Fidelity,
    Flicker,
    Measure,
    Measured,
    MotionDifference,
    Segmentation,
    Sharpness,
    TruthScores,
    Warping,
)
from vtrans.evaluation.reconstruction import reconstruction_errors
from vtrans.evaluation.results import Evaluation, Value
from vtrans.model import TranslationModel


def evaluate(
    model: TranslationModel,
    data: EvaluationData,
    *,
    to: str = "both",
    metrics: Iterable[str] | None = None,
    features: Features | None = None,
    watch: Callable[[int], None] | None = None,
) -> Evaluation:
    """Translates frames and measures what comes out.

    Translations are rounded to 8 bits first, as they are where they are stored. Only a few frames are in memory at a
    time; of features their moments and a sample.

    Args:
        model: The model, on the device where it shall run.
        data: The frames.
        to: The domain to translate into, ``"x"``, ``"y"`` or ``"both"``.
        metrics: Those to measure; by default all that the data allow. Beside those over time comes ``sharpness``.
        features: The feature network for ``fid``, ``kid`` and ``vfd``.
        watch: Called for each frame that was translated, with how many there are so far.

    Returns:
        The values, and what was left out.

    Raises:
        ValueError: An unknown metric, one that cannot be measured on these data, or frames that do not fit the model.

    Example:
        >>> import vtrans
        >>> from vtrans.data import worlds
        >>> from vtrans.evaluation.data import world_data
        >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
        >>> data = world_data("shapes", worlds.create("shapes", size=16), clips=1, length=2)
        >>> found = evaluate(model, data, to="y", metrics=["psnr", "l1"])
        >>> sorted(found.numbers)
        ['l1/y', 'psnr/y']
    """
    if to not in ("x", "y", "both"):
        raise ValueError(refusal("to", allowed="'x', 'y' or 'both'", got=repr(to)))
    directions = ["y", "x"] if to == "both" else [to]
    names = list(NAMES) if metrics is None else with_companions(metrics := list(metrics))
    if not names:
        raise ValueError(refusal("metrics", allowed="at least one metric", got="none"))
    for direction in directions:
        _check(model, data, direction)
    obstacles = {
        f"{name}/{direction}": reason
        for direction in directions
        for name in names
        if (reason := obstacle(name, model=model, data=data, to=direction, features=features)) is not None
    }
    _check_asked(metrics or (), directions, obstacles)
    values: list[Value] = []
    done = 0

    def count(frames: int) -> None:
        nonlocal done
        for _ in range(frames):
            done += 1
            if watch is not None:
                watch(done)

    for direction in directions:
        chosen = [name for name in names if f"{name}/{direction}" not in obstacles]
        found, missed = _measure(model, data, direction, chosen, features, count)
        obstacles |= missed
        values += found
    _check_asked(metrics or (), directions, obstacles)
    return Evaluation(tuple(values), obstacles, _settings(model, data, directions), _notes(values))


def _check_asked(metrics: Iterable[str], directions: list[str], obstacles: Mapping[str, str]) -> None:
    """Refuses metrics that were asked for and can be measured in no direction."""
    for name in metrics:
        reasons = [obstacles.get(f"{name}/{direction}") for direction in directions]
        if all(reasons):
            allowed, why = "metrics that can be measured on these data", _sentence(reasons)
            raise ValueError(refusal("metrics", allowed=allowed, got=name, why=why))


def _measure(
    model: TranslationModel,
    data: EvaluationData,
    to: str,
    names: list[str],
    features: Features | None,
    count: Callable[[int], None],
) -> tuple[list[Value], dict[str, str]]:
    """The values of one direction, and what could not be measured after all."""
    device = next(model.parameters()).device
    measures = _measures(names, data, to, features)
    if measures:
        for chunk in translated_chunks(model, data, to):
            for measure, _ in measures:
                measure.add(chunk)
            count(len(chunk.source) - chunk.fresh)
    comparing = [measure for measure, _ in measures if isinstance(measure, Comparison)]
    real = data.of(to)
    for sequence in real.sequences if comparing and real is not None else ():
        for frames, fresh in stretches(data.frames(sequence), batch_of(device, *data.size_of(sequence)), 1):
            for measure in comparing:
                measure.add_real(frames_to_tensor(np.stack(frames)), fresh)
    measured: list[Measured] = []
    missed: dict[str, str] = {}
    for measure, of in measures:
        try:
            measured += measure.values()
        except ValueError as error:
            missed |= {f"{name}/{to}": str(error) for name in of}
    back = [name for name in ("cycle", "recycle", "prediction") if name in names]
    if back:
        start = "x" if to == "y" else "y"
        measured += reconstruction_errors(model, data, start, back, batch=lambda h, w: batch_of(device, h, w))
        known = {found.name for found in measured}
        missed |= {f"{name}/{to}": "no sequence is long enough" for name in back if name not in known}
    wanted = [found for found in measured if METRICS[found.name].beside or found.name in names]
    wanted.sort(key=lambda found: [*METRICS].index(found.name))
    return [_value(found, to, features) for found in wanted], missed


def _measures(
    names: list[str], data: EvaluationData, to: str, features: Features | None
) -> list[tuple[Measure, list[str]]]:
    """What computes these metrics, each with the names of those it computes."""
    made: list[tuple[Measure, list[str]]] = []

    def offer(make: Callable[[list[str]], Measure], *offered: str) -> None:
        if wanted := [name for name in offered if name in names]:
            made.append((make(wanted), wanted))

    offer(TruthScores, "psnr", "ssim", "l1")
    offer(lambda _: Segmentation(data.palettes[to]), "pixel_accuracy", "class_accuracy", "mean_iou")
    offer(lambda _: Warping(), "warping_error")
    offer(lambda _: MotionDifference(), "tof")
    offer(lambda _: Flicker(), "flicker")
    offer(lambda _: Sharpness(), "sharpness")
    if features is not None:
        offer(lambda wanted: Fidelity(features, wanted), "fid", "kid", "vfd")
    return made


def _check(model: TranslationModel, data: EvaluationData, to: str) -> None:
    """Refuses frames that the model cannot translate."""
    start = "x" if to == "y" else "y"
    source = data.of(start)
    if source is None:
        allowed = f"a domain that there are frames for: {to.upper()} is translated from {start.upper()}"
        raise ValueError(refusal("to", allowed=allowed, got=repr(to)))
    for domain in (start, to):
        frames = data.of(domain)
        if frames is not None and frames.channels != model.channels[domain]:
            allowed = f"frames of {model.channels[domain]} channels, as the model has them"
            raise ValueError(refusal(domain, allowed=allowed, got=f"{frames.channels} in {frames.name}"))


def _value(found: Measured, to: str, features: Features | None) -> Value:
    metric = METRICS[found.name]
    named = features.name if features is not None and "features" in metric.needs else None
    return Value(
        metric=found.name,
        to=to,
        value=found.value,
        better=metric.better,
        unit=metric.unit,
        count=found.count,
        counted=found.counted,
        features=named,
        parts=found.parts,
    )


def _settings(model: TranslationModel, data: EvaluationData, directions: list[str]) -> dict[str, Any]:
    import vtrans

    facts: dict[str, Any] = {"vtrans": vtrans.__version__, "to": directions, "paired": data.paired}
    for domain in ("x", "y"):
        source = data.of(domain)
        if source is not None:
            facts[domain] = {
                "name": source.name,
                "sequences": len(source.sequences),
                "sizes": sorted({"{}x{}".format(*data.size_of(sequence)) for sequence in source.sequences}),
                "motion": "exact" if domain in data.motion else "estimated by DIS",
            }
    return facts | {"frames_of_a_sequence": data.length or "all", "levels": "8 bits"}


def _notes(values: list[Value]) -> tuple[str, ...]:
    notes = [f"Features: {name}. {NOTE}." for name in dict.fromkeys(v.features for v in values if v.features)]
    if any(value.metric in ("warping_error", "flicker", "tof") for value in values):
        notes.append("Blurred or static frames lower what is measured over time: compare sharpness_ratio.")
    notes += [f"{v.metric}/{v.to} is infinite: a frame is exactly right." for v in values if math.isinf(v.value)]
    return tuple(notes)


def _sentence(reasons: Iterable[str | None]) -> str:
    reason = next(filter(None, reasons), "")
    return reason[:1].upper() + reason[1:]
