"""The results as tables in LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vtrans.ablation.tables import budget, matched, tables_of

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
    r"""All tables, by ``assets/tables.tex``; the document needs ``\usepackage{booktabs,longtable}``.

    Args:
        results: What :func:`vtrans.ablation.summary.summarise` returned.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Braces and percent signs are LaTeX's own.
    pages = Environment(
        loader=PackageLoader("vtrans.ablation", "assets"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        block_start_string="((*",
        block_end_string="*))",
        variable_start_string="(((",
        variable_end_string=")))",
        keep_trailing_newline=True,
    )
    pages.filters["tex"] = _escaped
    return pages.get_template("tables.tex").render(
        notes=[f"{budget(results)}.", *results["notes"]],
        worlds=tables_of(results),
        found=results["worlds"],
        matched=matched,
        most=ROWS,
    )


def _escaped(text: str) -> str:
    return "".join(_SIGNS.get(c, f"\\{c}" if c in "_%&#${}" else c) for c in text)
