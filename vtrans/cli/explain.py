"""``vtrans explain``: a recipe as equations."""

from __future__ import annotations

from typing import Any

from vtrans.cli.parsing import new_parser, parse
from vtrans.model import TranslationModel
from vtrans.training.settings import ModelSettings

_DESCRIPTION = """\
Prints a recipe's objective as equations, says what trains what, and shows the plan of its network calls.

  vtrans explain recycle_gan
  vtrans explain recycle_gan --model.losses '{"cycle": 10.0}' --against cycle_gan
"""


def run(words: list[str]) -> int:
    """Runs the command and returns the exit code."""
    parser = new_parser("explain", _DESCRIPTION, "RECIPE [options]")
    parser.add_argument("recipe", metavar="RECIPE", type=str, help="The recipe; vtrans list recipes shows them.")
    parser.add_argument("--latex", action="store_true", help="Print the equations as LaTeX.")
    parser.add_argument("--against", type=str, default=None, help="Another recipe: show what differs from it.")
    parser.add_argument("--length", type=int, default=None, help="Frames of a clip. Default: the model's.")
    parser.add_class_arguments(ModelSettings, "model")
    options = parse(parser, words)
    model = _build(options["recipe"], options["model"])
    other = None if options["against"] is None else _build(options["against"], {})
    explanation = model.explain(against=other, length=options["length"])
    print(explanation.latex() if options["latex"] else explanation)
    return 0


def _build(recipe: str, options: dict[str, Any]) -> TranslationModel:
    import torch

    with torch.device("meta"):  # an explanation needs no weights
        return ModelSettings(**options).build(recipe)
