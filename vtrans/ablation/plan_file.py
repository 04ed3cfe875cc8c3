"""What a grid's folder says of it, so that it is gone on with as it was begun."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtrans.ablation.grid import FREE, Grid
from vtrans.errors import refusal
from vtrans.evaluation.metrics.metric import with_those_beside
from vtrans.files import read_json, replace_text
from vtrans.training.run_folder import differences

NAME = "grid.json"
CELLS, RESULT = "cells", "result.json"
OUTPUTS = ("results.json", "table.md", "table.tex", "report.html")


def begin(grid: Grid, out: Path, *, write: bool = False) -> None:
    """Compares a grid with the one that its folder holds, if any; and notes it there when told to.

    Worlds, variants, seeds and pairs to compare may be added. None with a finished cell may be left out: a report shows
    all that was run.

    Args:
        grid: The grid.
        out: Its folder, which exists.
        write: Whether to write.

    Raises:
        FileExistsError: The folder holds something else.
        ValueError: The grid there has other settings, or more cells; what differs is named.
    """
    file, found = out / NAME, list[str]()
    if file.is_file():
        try:
            before = read_json(file)
        except ValueError as error:
            raise ValueError(f"{error} Without it the cells there are still gone on with: remove it.") from error
        found = _differences(before, grid.plain())
    elif _others(out) or any((out / name).is_dir() for name in OUTPUTS):
        got, fix = f"{out}, which holds other files", "Pass another --out"
        raise FileExistsError(refusal("out", allowed="a new or empty folder, or that of a grid", got=got, fix=fix))
    found += _left_out(grid, out / CELLS)
    if found:
        allowed, fix = "the grid that it was begun with, or more cells of it", "Pass the same, or another --out"
        raise ValueError(refusal(f"grid {out}", allowed=allowed, got="; ".join(found), fix=fix))
    if write:
        replace_text(file, json.dumps(grid.plain(), indent=1) + "\n")


def _others(out: Path) -> set[str]:
    """What a folder holds beside what a grid leaves there."""
    names = {path.name for path in out.iterdir() if not path.name.endswith(".part")} - {".lock"}
    return names - {CELLS, *OUTPUTS} if CELLS in names else names


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = differences({"base": before.get("base", {})}, {"base": now["base"]}, tuple(f"base.{n}" for n in FREE))
    found += differences({"score_every": before.get("score_every")}, {"score_every": now["score_every"]})
    if _measured(before) != _measured(now):  # earlier versions noted those that stand beside them as well
        found += differences({"metrics": before.get("metrics")}, {"metrics": now["metrics"]})
    for part in ("worlds", "variants"):
        for name, changes in before.get(part, {}).items():
            if name in now[part]:
                found += differences({f"{part}.{name}": changes}, {f"{part}.{name}": now[part][name]})
    pairs = [pair for pair in before.get("compare", []) if {*pair} <= {*now["variants"]}]
    dropped = [" and ".join(pair) for pair in pairs if pair not in now["compare"]]
    return found + ([f"no comparison of {', of '.join(dropped)}"] if dropped else [])


def _measured(plan: Mapping[str, Any]) -> list[str] | None:
    names = plan.get("metrics")
    return None if names is None else with_those_beside(names)


def _left_out(grid: Grid, cells: Path) -> list[str]:
    """Finished cells in the folder that are none of the grid."""
    places = {cell.place for cell in grid.cells()}
    others = sorted(file.parent.relative_to(cells) for file in cells.glob(f"*/*/*/{RESULT}"))
    return [f"without the finished cell {place.as_posix()}" for place in others if place not in places]
