"""``vtrans list``: everything that has a name."""

from __future__ import annotations

from typing import Any

import vtrans
from vtrans.cli.parsing import new_parser, parse
from vtrans.errors import unknown
from vtrans.registry import Registry

_DESCRIPTION = """\
Lists what can be used by name: with a kind, each entry's options with their defaults and its reference.

  vtrans list
  vtrans list predictors
"""


def run(words: list[str]) -> int:
    """Runs the command and returns the exit code."""
    from vtrans.data import worlds
    from vtrans.evaluation import metrics

    kinds = ("recipes", "generators", "predictors", "discriminators", "losses", "distances", "criteria")
    registries: dict[str, Registry[Any]] = {kind: getattr(vtrans, kind) for kind in kinds}
    registries |= {"worlds": worlds, "metrics": metrics}
    parser = new_parser("list", _DESCRIPTION, "[KIND]")
    parser.add_argument("kind", nargs="?", metavar="KIND", help=f"One of {', '.join(registries)}.")
    kind = parse(parser, words)["kind"]
    if kind is not None and kind not in registries:
        raise ValueError(unknown("kind", kind, registries))
    for name, registry in registries.items():
        if kind in (None, name):
            print("\n".join(_lines(name, registry, details=kind is not None)))
    return 0


def _lines(kind: str, registry: Registry[Any], *, details: bool) -> list[str]:
    lines = [kind]
    width = max(map(len, registry), default=0)
    for name in registry:
        entry = registry[name]
        lines.append(f"  {name:<{width}}  {entry.description}")
        if details:
            options = ", ".join(f"{option}={value!r}" for option, value in entry.defaults.items())
            lines += [f"  {'':<{width}}    {label}: {text}" for label, text in (("options", options),) if text]
            lines += [f"  {'':<{width}}    reference: {entry.reference}"] if entry.reference else []
    return [*lines, ""]
