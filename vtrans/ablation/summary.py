"""The results of a grid as plain data: every value, medians and spreads, and comparisons of variants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vtrans.ablation.grid import Grid
from vtrans.ablation.statistics import (
    bootstrap_interval,
    clopper_pearson,
    fisher_exact,
    holm,
    mcnemar_exact,
    sign_flip_test,
)
from vtrans.evaluation import metrics
from vtrans.training.run_folder import differences, versions

FORMAT = 1
FEW = 6
"""Seeds below which no paired exact test can give a p below 0.05."""

Result = Mapping[str, Any]
_OUTCOMES = ("right", "wrong", "undecided", "diverged")


def summarise(grid: Grid, results: Sequence[Result], seeds: int | None = None) -> dict[str, Any]:
    """Puts together what ``results.json`` holds.

    Args:
        grid: The grid.
        results: What each cell left, all of them.
        seeds: How many seeds there are to be, if these are not all.

    Returns:
        Plain data: the grid, the metrics, for each world its numbers, outcomes and how well its cells are matched, the
        objectives, and all cells.
    """
    measured = list(dict.fromkeys(name.partition("/")[0] for result in results for name in final(result)))
    return {
        "format": FORMAT,
        "versions": versions(),
        "grid": grid.plain(),
        "metrics": {name: _facts(name) for name in measured},
        "worlds": {world: _world(grid, [r for r in results if r["world"] == world]) for world in grid.worlds},
        "objectives": _objectives(results),
        "notes": _notes(grid, results, seeds or len(grid.seeds)),
        "cells": [{name: value for name, value in r.items() if name != "objective"} for r in results],
    }


def final(result: Result) -> dict[str, float]:
    """What a cell had at its end; nothing if it diverged."""
    if result["status"] != "finished" or not result["curve"]:
        return {}
    return {name: value for name, value in result["curve"][-1].items() if name != "step"}


def _facts(name: str) -> dict[str, Any]:
    metric = metrics.create(name)
    facts = {key: getattr(metric, key) for key in ("title", "better", "unit", "digits")}
    return {**facts, "limits": list(metric.limits) if metric.limits else None}


def _world(grid: Grid, results: Sequence[Result]) -> dict[str, Any]:
    numbers = list(dict.fromkeys(name for result in results for name in final(result)))
    bimodal = [name for name in dict.fromkeys(n.partition("/")[0] for n in numbers) if metrics.create(name).limits]
    return {
        "numbers": {name: _number(grid, results, name) for name in numbers},
        "outcomes": {name: _outcomes(grid, results, name) for name in bimodal},
        "matched": _matched(grid, results),
        "seconds": {
            variant: float(np.median([r["seconds"] for r in results if r["variant"] == variant]))
            for variant in grid.variants
        },
    }


def _number(grid: Grid, results: Sequence[Result], name: str) -> dict[str, Any]:
    values = {
        variant: {str(r["seed"]): final(r).get(name) for r in results if r["variant"] == variant}
        for variant in grid.variants
    }
    compared = [_difference(grid, values, pair) for pair in grid.compare]
    known = [each for each in compared if each["p"] is not None]
    for each, adjusted in zip(known, holm([each["p"] for each in known]), strict=True):
        each["p_holm"] = adjusted
    return {
        "variants": {v: {"values": of_seeds, **_spread(of_seeds.values())} for v, of_seeds in values.items()},
        "differences": compared,
    }


def _spread(values: Iterable[float | None]) -> dict[str, float | None]:
    given = list(values)
    known = [value for value in given if value is not None]
    counts: dict[str, float | None] = {"count": len(known), "seeds": len(given)}
    if not known:
        return {**counts, **dict.fromkeys(("median", "least", "greatest", "lower_quartile", "upper_quartile"))}
    low, median, high = np.quantile(known, [0.25, 0.5, 0.75])
    spread = {"median": median, "least": min(known), "greatest": max(known), "lower_quartile": low}
    return {**counts, **{name: float(value) for name, value in {**spread, "upper_quartile": high}.items()}}


def _difference(grid: Grid, values: Mapping[str, Mapping[str, float | None]], pair: tuple[str, str]) -> dict[str, Any]:
    """The second less the first, seed by seed."""
    first, second = (values[variant] for variant in pair)
    found = {s: b - a for s in first if (a := first[s]) is not None and (b := second.get(s)) is not None}
    listed = list(found.values())
    low, high = bootstrap_interval(listed) if len(listed) > 1 else (None, None)
    return {
        "first": pair[0],
        "second": pair[1],
        "changed": differences(grid.variants[pair[0]], grid.variants[pair[1]]),
        "values": found,
        "seeds": len(values[pair[0]]),
        "mean": float(np.mean(listed)) if listed else None,
        "low": low,
        "high": high,
        "p": sign_flip_test(listed),
        "p_holm": None,
    }


def _outcomes(grid: Grid, results: Sequence[Result], metric: str) -> dict[str, Any]:
    limits = metrics.create(metric).limits or (0.0, 1.0)
    found = {
        variant: {
            str(r["seed"]): "diverged" if r["status"] == "diverged" else outcome(limits, final(r), metric)
            for r in results
            if r["variant"] == variant
        }
        for variant in grid.variants
    }
    tests = [_tests(found, pair) for pair in grid.compare]
    for each, adjusted in zip(tests, holm([each["mcnemar_p"] for each in tests]), strict=True):
        each["mcnemar_p_holm"] = adjusted
    return {
        "limits": list(limits),
        "variants": {variant: _counts(of_seeds) for variant, of_seeds in found.items()},
        "tests": tests,
        "over_steps": {variant: _over_steps(results, variant, metric, limits) for variant in grid.variants},
    }


def outcome(limits: tuple[float, float], numbers: Mapping[str, float], metric: str) -> str:
    """Which of the two ways a cell has gone, both directions together.

    Args:
        limits: See :class:`vtrans.evaluation.Metric`.
        numbers: The cell's numbers.
        metric: The one that tells.

    Returns:
        ``"right"`` or ``"wrong"``, if both directions are; else ``"undecided"``.

    Example:
        >>> [outcome((0.1, 0.9), {"a/x": 0.95, "a/y": share}, "a") for share in (0.9, 0.5)]
        ['right', 'undecided']
        >>> outcome((0.1, 0.9), {"a/x": 0.1, "a/y": 0.0}, "a")
        'wrong'
    """
    shares = [value for name, value in numbers.items() if name.partition("/")[0] == metric]
    if len(shares) < 2 or not np.isfinite(shares).all():
        return "undecided"
    if min(shares) >= limits[1]:
        return "right"
    return "wrong" if max(shares) <= limits[0] else "undecided"


def _counts(of_seeds: Mapping[str, str]) -> dict[str, Any]:
    counts = {name: sum(value == name for value in of_seeds.values()) for name in _OUTCOMES}
    low, high = clopper_pearson(counts["right"], len(of_seeds))
    return {"seeds": dict(of_seeds), **counts, "low": low, "high": high}


def _tests(found: Mapping[str, Mapping[str, str]], pair: tuple[str, str]) -> dict[str, Any]:
    first, second = ({seed: value == "right" for seed, value in found[variant].items()} for variant in pair)
    seeds = [seed for seed in first if seed in second]
    only_first = sum(first[seed] and not second[seed] for seed in seeds)
    only_second = sum(second[seed] and not first[seed] for seed in seeds)
    a, b = ((sum(of.values()), len(of) - sum(of.values())) for of in (first, second))
    return {
        "first": pair[0],
        "second": pair[1],
        "only_first": only_first,
        "only_second": only_second,
        "both": sum(first[seed] and second[seed] for seed in seeds),
        "neither": sum(not first[seed] and not second[seed] for seed in seeds),
        "mcnemar_p": mcnemar_exact(only_first, only_second),
        "fisher_p": fisher_exact(a, b),
    }


def _over_steps(
    results: Sequence[Result], variant: str, metric: str, limits: tuple[float, float]
) -> list[dict[str, float]]:
    """The share of seeds that are right at each step; one that ended early stays as it was, and none if it diverged."""
    own = [result for result in results if result["variant"] == variant]
    steps = sorted({line["step"] for result in own for line in result["curve"]})
    rates = []
    for step in steps:
        lines = [_at(result, step) for result in own]
        right = sum(outcome(limits, line, metric) == "right" for line in lines)
        rates.append({"step": step, "right": right / len(own)})
    return rates


def _at(result: Result, step: int) -> Mapping[str, float]:
    """What was measured last in a cell up to a step."""
    if result["status"] == "diverged" and step > max((line["step"] for line in result["curve"]), default=0):
        return {}
    return next((line for line in reversed(result["curve"]) if line["step"] <= step), {})


def _matched(grid: Grid, results: Sequence[Result]) -> dict[str, Any]:
    """Whether cells of a seed began with the same weights and clips, and were measured on the same; with exceptions."""
    roles = list(dict.fromkeys(name for result in results for name in result["initial"]))
    weights = {role: _same(grid, [(r, r["initial"].get(role)) for r in results]) for role in roles}
    clips, held_out = (_same(grid, [(r, r[name]) for r in results]) for name in ("first_batch", "held_out"))
    return {"weights": weights, "clips": clips, "held_out": held_out}


def _same(grid: Grid, digests: Sequence[tuple[Result, object]]) -> dict[str, Any]:
    """Variants that agree with the first that has it, in all seeds; and those that do not."""
    by_variant = {v: {r["seed"]: digest for r, digest in digests if r["variant"] == v} for v in grid.variants}
    having = {v: of for v, of in by_variant.items() if any(digest is not None for digest in of.values())}
    if not having:
        return {"same": [], "others": []}
    first = next(iter(having.values()))
    same = [variant for variant, of in having.items() if of == first]
    return {"same": same, "others": [variant for variant in having if variant not in same]}


def _objectives(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Each objective once, with the variants and worlds that it is of."""
    found: list[dict[str, Any]] = []
    for result in results:
        match = next((o for o in found if o["variant"] == result["variant"] and o["of"] == result["objective"]), None)
        if match is None:
            found.append({"variant": result["variant"], "worlds": [result["world"]], "of": result["objective"]})
        elif result["world"] not in match["worlds"]:
            match["worlds"].append(result["world"])
    return found


def _notes(grid: Grid, results: Sequence[Result], seeds: int) -> list[str]:
    """What a reader must know."""
    notes = []
    if len(grid.seeds) < seeds:
        notes.append(f"Not finished: {len(grid.seeds)} of {seeds} seeds, those of which all cells are.")
    if len(grid.seeds) < FEW:
        least = 2.0 ** (1 - len(grid.seeds))
        notes.append(f"The results are descriptive: with so few seeds no paired exact test can give p below {least:g}.")
    if len(grid.compare) > 1:
        notes.append(
            f"{len(grid.compare)} pairs are compared: p values are given as they are, and adjusted by Holm's method."
        )
    diverged = [_name(r) for r in results if r["status"] == "diverged"]
    if diverged:
        notes.append(
            f"Diverged: {'; '.join(diverged)}. It counts as not right where outcomes are counted, and has no part in "
            "medians and differences, which say of how many seeds they are."
        )
    gaps = [_name(r) for r in results if r["status"] == "finished" and _missing(r, grid.score_every)]
    if gaps:
        notes.append(
            f"Points of the curve are missing of {'; '.join(gaps)}: nothing finite was measured there, or lines "
            "of metrics.jsonl were lost."
        )
    short = [r for r in results if r["status"] == "finished" and r["steps"] < grid.base["steps"]]
    if short:
        notes.append(f"Ended by a callback before the budget was spent: {'; '.join(map(_name, short))}.")
    if len({str(r["versions"]) for r in results}) > 1:
        notes.append("Not all cells were run with the same versions; see cells in results.json.")
    if len({str({**r["machine"], "threads": None}) for r in results}) > 1:
        notes.append("Not all cells were run on the same kind of machine; see cells in results.json.")
    return notes


def _name(result: Result) -> str:
    return f"{result['world']}, {result['variant']}, seed {result['seed']}"


def _missing(result: Result, every: int) -> bool:
    """Whether the curve lacks a point at which it was measured."""
    return not {*range(every, result["steps"] + 1, every)} <= {line["step"] for line in result["curve"]}
