"""The report: one page that holds its videos, curves, equations and tables, and asks for nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from vtrans.ablation.clips import clips_of, frames_note
from vtrans.ablation.curves import Line, chart, dots, key
from vtrans.ablation.equations import mathml
from vtrans.ablation.tables import NONE, Table, budget, heading, matched, shown, tables_of

Folders = Mapping[tuple[str, str, str], Path]
CHARTS = 2
"""Metrics of a world that are drawn; the others stand in its tables and in results.json."""


def report(results: Mapping[str, Any], folders: Folders) -> str:
    """Makes the page, by the template ``assets/page.html``.

    Args:
        results: What :func:`vtrans.ablation.summary.summarise` returned.
        folders: The folder of each cell, by world, variant and seed, with its videos.

    Returns:
        HTML.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    clips, left_out = clips_of(results, folders)
    pages = Environment(
        loader=PackageLoader("vtrans.ablation", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.policies["json.dumps_kwargs"] = {"sort_keys": False}  # seeds and worlds stay in their order
    return pages.get_template("page.html").render(
        results=results,
        clips=clips,
        frames_note=frames_note(clips, left_out) if clips else "",
        seeds={world: _every_seed(results, found) for world, found in results["worlds"].items()},
        charts={world: _charts(results, world) for world in results["worlds"]},
        tables={world: _in_parts(tables, results["worlds"][world]) for world, tables in tables_of(results).items()},
        grid=json.dumps(results["grid"], indent=1, ensure_ascii=False),
        machines=dict.fromkeys(_listed(cell["machine"]) for cell in results["cells"]),
        versions=_listed(results["versions"]),
        **{function.__name__: function for function in (budget, key, matched, mathml)},
    )


def _listed(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _in_parts(tables: list[Table], found: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a world: outcomes come with the results, and the long last one is folded."""
    outcomes = len(found["outcomes"])
    return {"outcomes": tables[:outcomes], "others": tables[outcomes:-1], "every_seed": tables[-1]}


def _every_seed(results: Mapping[str, Any], found: Mapping[str, Any]) -> list[Table]:
    """Tables of a world's first metric with every seed's value as a dot."""
    first = next(iter(found["numbers"]), "").partition("/")[0]
    tables = []
    for name, number in found["numbers"].items():
        if name.partition("/")[0] == first:
            facts, rows = results["metrics"][first], []
            ends = [spread[end] for spread in number["variants"].values() for end in ("least", "greatest")]
            known = [value for value in ends if value is not None]
            low, high = (0.0, 1.0) if facts["limits"] else (min(known, default=0.0), max(known, default=1.0))
            for place, (variant, spread) in enumerate(number["variants"].items()):
                least, middle, greatest = (shown(spread[of], facts["digits"]) for of in ("least", "median", "greatest"))
                picture = dots(spread["values"], low=low, high=high, number=place, median=not facts["limits"])
                rows.append((variant, picture, middle, NONE if middle == NONE else f"{least} to {greatest}"))
            ends = [shown(end, facts["digits"]) for end in (low, high)]
            head = ("variant", f"every seed, {' to '.join(ends)}", "median", "least to greatest")
            tables.append(Table(f"{heading(name, facts)}: {facts['title']}", head, tuple(rows)))
    return tables


def _charts(results: Mapping[str, Any], world: str) -> list[tuple[str, str]]:
    """The charts of a world with their titles."""
    found, variants = results["worlds"][world], list(results["grid"]["variants"])
    cells = [cell for cell in results["cells"] if cell["world"] == world]
    charts = []
    for name, of in found["outcomes"].items():
        title, lines = f"Share of seeds that are right, by {name}", _rates(of["over_steps"], variants)
        charts.append((title, chart(title, lines, limits=(0.0, 1.0))))
    drawn = list(dict.fromkeys(name.partition("/")[0] for name in found["numbers"]))[:CHARTS]
    for name in found["numbers"]:
        if (metric := name.partition("/")[0]) in drawn:
            facts = results["metrics"][metric]
            title, lines = heading(name, facts), _lines(cells, variants, name, median_drawn=not facts["limits"])
            limits = (0.0, 1.0) if facts["limits"] else None
            charts.append((title, chart(title, lines, limits=limits, unit=facts["unit"])))
    return charts


def _rates(over_steps: Mapping[str, Any], variants: list[str]) -> list[Line]:
    return [
        Line(variant, number, [(point["step"], point["right"]) for point in over_steps[variant]])
        for number, variant in enumerate(variants)
    ]


def _lines(cells: list[Mapping[str, Any]], variants: list[str], name: str, *, median_drawn: bool) -> list[Line]:
    """Every seed's curve and their median; that of a pairing settled right or wrong would be of no run."""
    lines = []
    for number, variant in enumerate(variants):
        curves = [cell["curve"] for cell in cells if cell["variant"] == variant]
        each = [[(point["step"], point[name]) for point in curve if name in point] for curve in curves]
        at: dict[float, list[float]] = {}
        for points in each:
            for step, value in points:
                at.setdefault(step, []).append(value)
        middle = [(step, median(values)) for step, values in sorted(at.items())]
        several = len(each) > 1
        lines.append(Line(variant, number, middle if median_drawn or not several else (), each if several else ()))
    return lines
