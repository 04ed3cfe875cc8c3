"""Formulas as MathML, which browsers show by themselves: the pages load no script for them."""

import html
import re
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\s*\\([(\[])(.*?)\\[)\]]\s*</\1>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """Replace what the arithmatex extension marked."""

    def mathml(match: re.Match[str]) -> str:
        tag, bracket, formula = match.groups()
        display = "block" if bracket == "[" else "inline"
        formula = html.unescape(formula).replace("{aligned}", "{split}")  # the converter knows only the latter
        return f"<{tag}>{convert(formula, display=display)}</{tag}>"

    return FORMULA.sub(mathml, content)
