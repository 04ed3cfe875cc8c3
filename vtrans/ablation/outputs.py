"""What a grid leaves: results.json, table.md, table.tex and report.html."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from vtrans.ablation.cells import finished
from vtrans.ablation.grid import Cell, Grid
from vtrans.ablation.latex import latex
from vtrans.ablation.plan_file import OUTPUTS
from vtrans.ablation.report import report
from vtrans.ablation.summary import summarise
from vtrans.ablation.tables import markdown
from vtrans.files import read_json, replace_text

LINES = 30
"""Rows of a table that is printed."""


def write_outputs(grid: Grid, out: Path, cells: Sequence[tuple[Cell, Path]], seeds: int) -> None:
    """Writes the results of finished cells and the report.

    Args:
        grid: The grid, or its seeds that are finished.
        out: Its folder.
        cells: The cells, each with its folder.
        seeds: How many seeds there are to be.

    Raises:
        ValueError: A cell is not finished.
    """
    results = []
    for cell, folder in cells:
        result = finished(cell, folder)
        if result is None:
            raise ValueError(f"{cell.name} is not finished.")
        results.append(result)
    summary = summarise(grid, results, seeds)
    folders = {(cell.world, cell.variant, str(cell.seed)): folder for cell, folder in cells}
    numbers = json.dumps(summary, indent=1) + "\n"
    for name, text in zip(OUTPUTS, (numbers, markdown(summary), latex(summary), report(summary, folders)), strict=True):
        replace_text(out / name, text)


def print_outputs(out: Path) -> None:
    """Prints the shorter tables and where everything is."""
    summary = read_json(out / OUTPUTS[0])
    print(f"\n{markdown(summary, most=LINES)}")
    for name, what in (
        ("report.html", "videos in step, curves, equations and tables; open it in a browser"),
        ("table.md", "the tables above, and in table.tex"),
        ("results.json", "every number and setting"),
    ):
        print(f"  {out / name}  {what}")
