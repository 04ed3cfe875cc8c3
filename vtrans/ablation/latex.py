"""The results as tables in LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vtrans.ablation.tables import Table, budget, matched, tables_of

ROWS = 40
"""Rows of a table that fits a page; longer ones may break."""
_SIGNS = {
    "−": "$-$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "≈": r"$\approx$",
    "–": "--",
    "<": "$<$",
    "\\": r"\textbackslash{}",
}


def latex(results: Mapping[str, Any]) -> str:
    r"""All tables as LaTeX; the document needs ``\usepackage{booktabs,longtable}``.

    Args:
        results: What :func:`vtrans.ablation.summary.summarise` returned.
    """
    notes = [f"{budget(results)}.", *results["notes"]]
    blocks = ["% Needs \\usepackage{booktabs,longtable}.", "\n".join(map(_escaped, notes))]
    for world, tables in tables_of(results).items():
        blocks.append(rf"\paragraph{{{_escaped(world)}.}} {_escaped(matched(results['worlds'][world]['matched']))}")
        blocks += [_long(world, table) if len(table.rows) > ROWS else _short(world, table) for table in tables]
    return "\n\n".join(blocks) + "\n"


def _short(world: str, table: Table) -> str:
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_caption(world, table)}}}",
            rf"\begin{{tabular}}{{{_columns(table)}}}",
            *_head(table),
            *_rows(table),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _long(world: str, table: Table) -> str:
    return "\n".join(
        [
            rf"\begin{{longtable}}{{{_columns(table)}}}",
            rf"\caption{{{_caption(world, table)}}}\\",
            *_head(table),
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *_rows(table),
            r"\end{longtable}",
        ]
    )


def _columns(table: Table) -> str:
    return f"l{'r' * (len(table.head) - 1)}"


def _caption(world: str, table: Table) -> str:
    return _escaped(f"{world}: {table.caption}. {table.note}".strip())


def _head(table: Table) -> list[str]:
    return [r"\toprule", " & ".join(map(_escaped, table.head)) + r" \\", r"\midrule"]


def _rows(table: Table) -> list[str]:
    return [" & ".join(map(_escaped, row)) + r" \\" for row in table.rows]


def _escaped(text: str) -> str:
    return "".join(_SIGNS.get(c, f"\\{c}" if c in "_%&#${}" else c) for c in text)
