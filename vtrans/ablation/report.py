"""The report: one page that holds its videos, curves, equations and tables, and asks for nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from vtrans.ablation.clips import clips_of, frames_note
from vtrans.ablation.curves import Line, chart, dots, key
from vtrans.ablation.equations import mathml
from vtrans.ablation.tables import NONE, Table, budget, heading, matched, shown, tables_of

Folders = Mapping[tuple[str, str, str], Path]
CHARTS = 2
"""Metrics of a world that are drawn; the others stand in its tables and in results.json."""


def report(results: Mapping[str, Any], folders: Folders) -> str:
    """Makes the page.

    Args:
        results: What :func:`vtrans.ablation.summary.summarise` returned.
        folders: The folder of each cell, by world, variant and seed, with its videos.

    Returns:
        HTML.
    """
    clips, left_out = clips_of(results, folders)
    sections = [_results(results)]
    if clips:
        note = frames_note(clips, left_out)
        sections.append(_asset("player.html").replace("{{note}}", escape(note)))
    sections += [_curves(results), _tables(results), _objectives(results), _settings(results)]
    names = ["results", *["videos"] * bool(clips), "curves", "tables", "objectives", "settings"]
    parts = {
        "title": escape(f"Ablation on {', '.join(results['worlds'])}"),
        "style": _asset("report.css"),
        "budget": f"{escape(budget(results))}.",
        "nav": " ".join(f'<a href="#{name}">{name.capitalize()}</a>' for name in names),
        "footer": f"Made by vtrans {escape(str(results['versions'].get('vtrans', '')))}.",
        # Within a script element only this could end it.
        "clips": json.dumps(clips).replace("<", "\\u003c"),
        "script": _asset("report.js"),
        "main": "\n".join(sections),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _asset("page.html"))


def _section(name: str, title: str, body: str) -> str:
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">\n'
        f'<h2 id="{name}-title">{escape(title)}</h2>\n{body}\n</section>'
    )


def _results(results: Mapping[str, Any]) -> str:
    """What came out, first: outcomes where there are two, and every seed of the first metric."""
    notes = "".join(f"<li>{escape(note)}</li>" for note in results["notes"])
    body = [f"<ul>{notes}</ul>" if notes else ""]
    for world, found in results["worlds"].items():
        body.append(f"<h3>{escape(world)}</h3><p>{escape(matched(found['matched']))}</p>")
        tables = tables_of(results)[world]
        body += [_table(table, world) for table in tables[: len(found["outcomes"])]]
        first = next(iter(found["numbers"]), "").partition("/")[0]
        body += [
            _dots(name, results["metrics"][first], number, world)
            for name, number in found["numbers"].items()
            if name.partition("/")[0] == first
        ]
    return _section("results", "Results", "\n".join(body))


def _dots(name: str, facts: Mapping[str, Any], found: Mapping[str, Any], world: str) -> str:
    """A table with every seed's value as a dot."""
    ends = [spread[end] for spread in found["variants"].values() for end in ("least", "greatest")]
    known = [value for value in ends if value is not None]
    low, high = (0.0, 1.0) if facts["limits"] else (min(known, default=0.0), max(known, default=1.0))
    digits, rows = facts["digits"], []
    for number, (variant, spread) in enumerate(found["variants"].items()):
        span = NONE
        if spread["median"] is not None:
            span = f"{shown(spread['least'], digits)} to {shown(spread['greatest'], digits)}"
        picture = dots(spread["values"], low=low, high=high, number=number, median=not facts["limits"])
        cells = f"<td>{picture}</td><td>{shown(spread['median'], digits)}</td><td>{span}</td>"
        rows.append(f'<tr><th scope="row">{escape(variant)}</th>{cells}</tr>')
    head = (f"every seed, {shown(low, digits)} to {shown(high, digits)}", "median", "least to greatest")
    return _framed(f"{heading(name, facts)}: {facts['title']}", "", ("variant", *head), rows, where=world)


def _curves(results: Mapping[str, Any]) -> str:
    variants = list(results["grid"]["variants"])
    keys = "".join(f"<li>{key(number)}{escape(name)}</li>" for number, name in enumerate(variants))
    how = "Thick: the median of the seeds, where outcomes are not two. Thin: every seed."
    body = [f'<ul class="legend">{keys}</ul><p class="quiet">{how}</p>']
    for world, found in results["worlds"].items():
        cells = [cell for cell in results["cells"] if cell["world"] == world]
        charts: list[tuple[str, list[Line], tuple[float, float] | None, str]] = [
            (f"Share of seeds that are right, by {name}", _rates(of["over_steps"], variants), (0.0, 1.0), "")
            for name, of in found["outcomes"].items()
        ]
        drawn = list(dict.fromkeys(name.partition("/")[0] for name in found["numbers"]))[:CHARTS]
        for name in found["numbers"]:
            facts = results["metrics"][name.partition("/")[0]]
            if name.partition("/")[0] in drawn:
                ends = (0.0, 1.0) if facts["limits"] else None
                lines = _lines(cells, variants, name, median=not facts["limits"])
                charts.append((heading(name, facts), lines, ends, facts["unit"]))
        figures = "".join(
            f"<figure>{chart(title, lines, limits=ends, unit=unit)}<figcaption>{escape(title)}</figcaption></figure>"
            for title, lines, ends, unit in charts
        )
        body.append(f'<h3>{escape(world)}</h3><div class="charts">{figures}</div>')
    return _section("curves", "Curves", "\n".join(body))


def _rates(over_steps: Mapping[str, Any], variants: list[str]) -> list[Line]:
    return [
        Line(variant, number, [(point["step"], point["right"]) for point in over_steps[variant]])
        for number, variant in enumerate(variants)
    ]


def _lines(cells: list[Mapping[str, Any]], variants: list[str], name: str, *, median: bool) -> list[Line]:
    """Every seed's curve and their median; that of a pairing settled right or wrong would be of no run."""
    lines = []
    for number, variant in enumerate(variants):
        curves = [cell["curve"] for cell in cells if cell["variant"] == variant]
        each = [[(point["step"], point[name]) for point in curve if name in point] for curve in curves]
        at: dict[float, list[float]] = {}
        for points in each:
            for step, value in points:
                at.setdefault(step, []).append(value)
        middle = [(step, _median(values)) for step, values in sorted(at.items())]
        several = len(each) > 1
        lines.append(Line(variant, number, middle if median or not several else (), each if several else ()))
    return lines


def _median(values: list[float]) -> float:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _tables(results: Mapping[str, Any]) -> str:
    body = []
    for world, tables in tables_of(results).items():
        body.append(f"<h3>{escape(world)}</h3>")
        *others, every_seed = tables[len(results["worlds"][world]["outcomes"]) :]
        body += [_table(table, world) for table in others]
        body.append(f"<details><summary>{every_seed.caption}</summary>{_table(every_seed, world)}</details>")
    return _section("tables", "Tables", "\n".join(body))


def _table(table: Table, world: str) -> str:
    rows = []
    for first, *rest in table.rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        rows.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return _framed(table.caption, table.note, table.head, rows, where=world)


def _framed(caption: str, note: str, head: tuple[str, ...], rows: list[str], *, where: str, kind: str = "") -> str:
    """A table that scrolls by itself where it is too wide, also by keyboard."""
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    small = f"<small>{escape(note)}</small>" if note else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(f"{where}: {caption}", quote=True)}">'
        f"<table{kind}><caption><span>{escape(caption)}{small}</span></caption>"
        f"<thead><tr>{names}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _objectives(results: Mapping[str, Any]) -> str:
    body = ["<p>What each variant minimises, phase by phase: the sum of these terms.</p>"]
    several = len(results["worlds"]) > 1
    for number, objective in enumerate(results["objectives"]):
        where = f" ({', '.join(objective['worlds'])})" if several else ""
        inner = "".join(f"<p>{escape(note)}</p>" for note in objective["of"]["notes"])
        for phase in objective["of"]["phases"]:
            rows = [
                f'<tr><th scope="row">{escape(term["name"])}</th><td>{mathml(term["latex"], term["text"])}</td>'
                f"<td>{escape(', '.join(term['trains']) or 'nothing')}</td></tr>"
                for term in phase["terms"]
            ]
            heading = phase["heading"].partition(";")[0]
            inner += _framed(
                heading, "", ("term", "equation", "trains"), rows, where=objective["variant"], kind=' class="equations"'
            )
        name = escape(objective["variant"] + where)
        body.append(f"<details{' open' * (number == 0)}><summary>{name}</summary>{inner}</details>")
    return _section("objectives", "Objectives", "\n".join(body))


def _settings(results: Mapping[str, Any]) -> str:
    machines = {json.dumps(cell["machine"]): cell["machine"] for cell in results["cells"]}
    facts = "".join(
        f"<li>{escape(', '.join(f'{name} {value}' for name, value in of.items()))}</li>" for of in machines.values()
    )
    times = "".join(
        f"<li>{escape(world)}: "
        + escape(", ".join(f"{variant} {seconds:.0f} s" for variant, seconds in found["seconds"].items()))
        + "</li>"
        for world, found in results["worlds"].items()
    )
    versions = escape(", ".join(f"{name} {version}" for name, version in results["versions"].items()))
    grid = escape(json.dumps(results["grid"], indent=1, ensure_ascii=False))
    body = (
        f"<h3>Machine</h3><ul>{facts}</ul><p>{versions}</p>"
        f"<h3>Median time of a cell</h3><ul>{times}</ul>"
        f"<details><summary>The grid</summary>"
        f'<pre tabindex="0" role="region" aria-label="The grid as data">{grid}</pre></details>'
    )
    return _section("settings", "Settings", body)


def _asset(name: str) -> str:
    return files("vtrans.ablation").joinpath("assets", name).read_text(encoding="utf-8").strip()
