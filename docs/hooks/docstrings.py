"""Docstrings as the pages want them: `Example:` becomes code, a role plain code, `.. math::` a formula of the page.

A network's arguments are listed in the order of its signature, and those that all networks share are described as the
docstring of `vtrans.networks` does.
"""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import griffe

ROLE = re.compile(r":(?:func|class|meth|mod|attr|data|exc):`~?([^`]+)`")
EXAMPLE = re.compile(r"^(\s*)Example:$", re.MULTILINE)
MATH = re.compile(r"^( *)\.\. math::(.*(?:\n\1 +\S.*|\n *(?=\n\1 +\S))*)", re.MULTILINE)
NETWORKS = Path(__file__).resolve().parents[2] / "vtrans" / "networks" / "__init__.py"
SHARED = dict(
    re.findall(
        r"^- ``(\w+)``: (.*(?:\n  .*)*)",
        ast.get_docstring(ast.parse(NETWORKS.read_text(encoding="utf-8"))) or "",
        re.MULTILINE,
    )
)
ARGUMENTS = re.compile(r"^Args:\n((?:    .*\n)*)\n|(?=^(?:Raises|Example):\n)", re.MULTILINE)
ARGUMENT = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)


def formula(match: re.Match[str]) -> str:
    indent, text = match.groups()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any("&" in line for line in lines):
        lines = [r"\begin{split}", *lines, r"\end{split}"]
    return "\n".join(indent + line for line in ["$$", *lines, "$$"])


def with_shared(text: str, names: list[str]) -> str:
    """The docstring of a network with all its arguments, in the order of their names."""
    text = inspect.cleandoc(text) + "\n"
    section = ARGUMENTS.search(text)
    described = {**SHARED, **dict(ARGUMENT.findall(section[1] or ""))}
    lines = [f"    {name}: {' '.join(described[name].split())}\n" for name in names]
    return text[: section.start()] + f"Args:\n{''.join(lines)}\n" + text[section.end() :]


class Docstrings(griffe.Extension):
    """Applied to every object as it is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if not obj.docstring:
            return
        text = obj.docstring.value
        if isinstance(obj, griffe.Class) and obj.path.startswith("vtrans.networks."):
            names = [parameter.name for parameter in obj.parameters if parameter.name != "self"]
            text = with_shared(text, names) if set(names) & set(SHARED) and "Example:" in text else text
        text = ROLE.sub(r"`\1`", text)
        obj.docstring.value = MATH.sub(formula, EXAMPLE.sub(r"\1Examples:", text))
