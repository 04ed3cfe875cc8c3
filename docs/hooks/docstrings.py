"""Docstrings as the pages want them: `Example:` becomes code, a role plain code, `.. math::` a formula of the page."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:func|class|meth|mod|attr|data|exc):`~?([^`]+)`")
EXAMPLE = re.compile(r"^(\s*)Example:$", re.MULTILINE)
MATH = re.compile(r"^( *)\.\. math::(.*(?:\n\1 +\S.*|\n *(?=\n\1 +\S))*)", re.MULTILINE)


def formula(match: re.Match[str]) -> str:
    indent, text = match.groups()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any("&" in line for line in lines):
        lines = [r"\begin{split}", *lines, r"\end{split}"]
    return "\n".join(indent + line for line in ["$$", *lines, "$$"])


class Docstrings(griffe.Extension):
    """Applied to every object as it is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            text = ROLE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = MATH.sub(formula, EXAMPLE.sub(r"\1Examples:", text))
