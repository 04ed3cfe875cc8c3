"""Weights of losses: a number, a schedule over steps, or one of these per domain."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any

from vtrans.errors import refusal


class Schedule:
    """A value that changes over steps: linear between the given points, constant before the first and after the last.

    v(s) = v_i + (v_{i+1} − v_i)·(s − s_i)/(s_{i+1} − s_i) for s_i ≤ s ≤ s_{i+1}

    Args:
        points: Pairs of (step, value), steps ascending; two points at neighbouring steps make a jump.

    Raises:
        ValueError: No points, steps not ascending, or a value that is not finite.

    Example:
        >>> warm_up = Schedule([(0, 0.0), (1000, 10.0)])
        >>> warm_up(0), warm_up(250), warm_up(5000)
        (0.0, 2.5, 10.0)
    """

    def __init__(self, points: list[tuple[int, float]] | list[list[float]]) -> None:
        given: object = points
        pairs = list(points) if isinstance(given, list | tuple) else []
        steps = [pair[0] for pair in pairs if _is_point(pair)]
        if not pairs or len(steps) < len(pairs) or steps != sorted(set(steps)):
            raise ValueError(
                refusal("points", allowed="(step, finite value) pairs with ascending steps", got=repr(points))
            )
        self.points = [(int(step), float(value)) for step, value in pairs]

    def __call__(self, step: int) -> float:
        after = bisect_right(self.points, (step, math.inf))
        if after == 0:
            return self.points[0][1]
        if after == len(self.points):
            return self.points[-1][1]
        (s, v), (next_s, next_v) = self.points[after - 1], self.points[after]
        return v + (next_v - v) * (step - s) / (next_s - s)

    def __repr__(self) -> str:
        return f"Schedule({self.points})"


def _is_point(pair: object) -> bool:
    if not isinstance(pair, list | tuple) or len(pair) != 2 or any(isinstance(part, bool) for part in pair):
        return False
    return isinstance(pair[0], int) and isinstance(pair[1], int | float) and math.isfinite(pair[1])


Weight = float | Schedule | Callable[[int], float] | Mapping[str, Any]
"""A number, a schedule, ``{"points": [...]}`` as its plain data, or ``{"x": weight, "y": weight}``."""


def weight_at(weight: Weight, step: int, domain: str) -> float:
    """The number that a weight stands for at a step, for the term of a domain.

    Example:
        >>> weight_at({"x": 7.0, "y": {"points": [(0, 0.0), (10, 1.0)]}}, step=5, domain="y")
        0.5
    """
    if isinstance(weight, Mapping):
        if "points" in weight:
            return Schedule(weight["points"])(step)
        if domain not in weight:
            raise ValueError(
                refusal("weight", allowed=f"one for each of {', '.join(weight)}", got=f"a term of {domain}")
            )
        return weight_at(weight[domain], step, domain)
    if callable(weight):
        return float(weight(step))
    return float(weight)


def check_weight(weight: object, argument: str = "weight") -> None:
    """Refuses what is no weight."""
    if isinstance(weight, Mapping):
        if set(weight) == {"points"}:
            check_weight(Schedule(weight["points"]), argument)
            return
        if len(weight) > 1 and "points" not in weight and all(isinstance(name, str) for name in weight):
            for domain, part in weight.items():
                check_weight(part, f"{argument}[{domain!r}]")
            return
    elif isinstance(weight, Schedule):
        if all(value >= 0 for _, value in weight.points):
            return
    elif callable(weight) and not isinstance(weight, type) and _gives_numbers(weight):
        return
    elif isinstance(weight, int | float) and not isinstance(weight, bool) and math.isfinite(weight) and weight >= 0:
        return
    raise ValueError(
        refusal(
            argument,
            allowed="a finite number of 0 or more, a Schedule, or {'x': weight, 'y': weight}",
            got=repr(weight),
            fix="To drop a loss from a recipe pass None in its place",
        )
    )


def _gives_numbers(weight: Callable[[int], float]) -> bool:
    """Whether a function of the step gives weights; tried at step 0, before hours of training."""
    try:
        value = weight(0)
    except Exception:
        return False
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def weight_data(weight: Weight) -> float | dict[str, Any]:
    """The weight as plain data, for a configuration."""
    if isinstance(weight, Schedule):
        return {"points": [list(point) for point in weight.points]}
    if isinstance(weight, Mapping):
        return {key: part if key == "points" else weight_data(part) for key, part in weight.items()}
    if callable(weight):
        raise ValueError(
            refusal("weight", allowed="plain data in a configuration", got=repr(weight), fix="Use vtrans.Schedule")
        )
    return weight
