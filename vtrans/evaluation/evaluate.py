"""Measures a model on frames held out: streamed, so that videos may be of any length."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vtrans.errors import refusal
from vtrans.evaluation.chunks import Chunk
from vtrans.evaluation.data import EvaluationData
from vtrans.evaluation.features import NOTE, Features
from vtrans.evaluation.metrics import metrics as known_metrics
from vtrans.evaluation.metrics.metric import Metric, created, with_those_beside
from vtrans.evaluation.results import Evaluation, Value
from vtrans.evaluation.streams import given, real_frames, translated
from vtrans.model import TranslationModel


def evaluate(
    model: TranslationModel,
    data: EvaluationData,
    *,
    to: str = "both",
    metrics: Iterable[str] | None = None,
    features: Features | None = None,
    rounded: bool = True,
    watch: Callable[[int], None] | None = None,
) -> Evaluation:
    """Translates frames and measures what comes out.

    Only a few frames are in memory at a time; of features their moments and a sample.

    Args:
        model: The model, on the device where it shall run.
        data: The frames.
        to: The domain to translate into, ``"x"``, ``"y"`` or ``"both"``.
        metrics: Those to measure; by default all that the data allow. Those that have to stand beside them are added.
        features: The feature network for ``fid``, ``kid`` and ``vfd``.
        rounded: Whether translations are rounded to 8 bits first, as they are where they are stored.
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
    asked = None if metrics is None else list(metrics)
    chosen, left_out = choose(model, data, to=to, metrics=asked, features=features)
    values: list[Value] = []
    done = 0
    for direction, made in chosen.items():
        needs = {need for metric in made.values() for need in metric.needs}
        for chunk in translated(model, data, direction, needs, features=features, rounded=rounded):
            _add(made, chunk)
            for _ in range(len(chunk.new)):
                done += 1
                if watch is not None:
                    watch(done)
        if "real" in needs:
            for chunk in real_frames(data, direction, next(model.parameters()).device, features):
                _add(made, chunk)
        for name, metric in made.items():
            try:
                values.append(_value(name, metric, direction, features))
            except ValueError as error:
                left_out[f"{name}/{_domain(metric, direction)}"] = str(error)
    _check_asked(asked or (), list(chosen), left_out)
    return Evaluation(tuple(values), left_out, _settings(data, list(chosen), rounded), _notes(values))


def choose(
    model: TranslationModel,
    data: EvaluationData,
    *,
    to: str = "both",
    metrics: Iterable[str] | None = None,
    features: Features | None = None,
) -> tuple[dict[str, dict[str, Metric]], dict[str, str]]:
    """What :func:`evaluate` would measure, without any work.

    Returns:
        For each domain translated into its metrics by name; and what is left out, such as ``"fid/y"``, and why.

    Raises:
        ValueError: As :func:`evaluate`.
    """
    if to not in ("x", "y", "both"):
        raise ValueError(refusal("to", allowed="'x', 'y' or 'both'", got=repr(to)))
    asked = list(known_metrics if metrics is None else metrics)
    names = with_those_beside(asked)
    if not names:
        raise ValueError(refusal("metrics", allowed="at least one metric", got="none"))
    chosen: dict[str, dict[str, Metric]] = {}
    left_out: dict[str, str] = {}
    for direction in [name for name in ("y", "x") if name in model.targets] if to == "both" else [to]:
        _check(model, data, direction)
        there = given(model, data, direction, features)
        chosen[direction] = {}
        for name in names:
            metric = created(name)
            reason = metric.why_not(there)
            if reason:
                left_out[f"{name}/{_domain(metric, direction)}"] = reason
            else:
                chosen[direction][name] = metric
    _check_asked(asked if metrics is not None else (), list(chosen), left_out)
    return chosen, left_out


def _check_asked(asked: Iterable[str], directions: Iterable[str], left_out: Mapping[str, str]) -> None:
    """Refuses metrics that were asked for and can be measured in no direction."""
    for name in asked:
        reasons = [left_out.get(f"{name}/{_domain(created(name), direction)}", "") for direction in directions]
        if all(reasons):
            allowed, why = "metrics that can be measured on these data", reasons[0][:1].upper() + reasons[0][1:]
            raise ValueError(refusal("metrics", allowed=allowed, got=name, why=why))


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


def _add(made: Mapping[str, Metric], chunk: Chunk) -> None:
    for name, metric in made.items():
        try:
            metric.add(chunk)
        except Exception as error:
            error.add_note(f"It was raised by the metric {name}.")
            raise


def _domain(metric: Metric, to: str) -> str:
    """The domain that a number is named for: that of the frames it compares with."""
    return to if metric.ends == "output" else "y" if to == "x" else "x"


def _value(name: str, metric: Metric, to: str, features: Features | None) -> Value:
    found = metric.result()
    return Value(
        metric=name,
        to=_domain(metric, to),
        value=found.value,
        better=metric.better,
        unit=metric.unit,
        count=found.count,
        counted=metric.counted,
        features=features.name if features is not None and "features" in metric.needs else None,
        parts=None if found.parts is None else dict(found.parts),
        sequences=list(found.sequences),
        group=metric.group,
    )


def _settings(data: EvaluationData, directions: list[str], rounded: bool) -> dict[str, Any]:
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
    return facts | {"frames_of_a_sequence": data.length or "all", "levels": "8 bits" if rounded else "as computed"}


def _notes(values: list[Value]) -> tuple[str, ...]:
    notes = [f"Features: {name}. {NOTE}." for name in dict.fromkeys(v.features for v in values if v.features)]
    if any(value.metric in ("warping_error", "flicker", "tof") for value in values):
        notes.append("Blurred or static frames lower what is measured over time: compare sharpness_ratio.")
    notes += [f"{v.metric}/{v.to} is infinite: a frame is exactly right." for v in values if math.isinf(v.value)]
    return tuple(notes)
