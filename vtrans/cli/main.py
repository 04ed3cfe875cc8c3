"""Finds the command, runs it, and turns a user's mistake into one clear line."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings

import vtrans
from vtrans.cli.parsing import IMPORTED
from vtrans.errors import refusal, unknown

COMMANDS = {
    "demo": ("demo", "train on an embedded world and show the translation, in minutes on a CPU"),
    "train": ("train", "train a recipe on your videos, folders of frames, or a world"),
    "translate": ("translate", "translate a video or a folder of frames with a trained model"),
    "evaluate": ("evaluate", "measure a model: against the truth, over time, as a distribution, there and back"),
    "ablate": ("ablate", "compare recipes, losses or settings over worlds and seeds, with a report"),
    "explain": ("explain", "print a recipe's equations, what trains what, and the plan of its calls"),
    "list": ("list_parts", "list recipes, networks, losses and everything else that has a name"),
    "export": ("export", "write a generator as ONNX or with torch.export, checked against PyTorch"),
    "import": ("import_published", "turn a checkpoint of the published code into a model"),
}
"""The module in this folder and the one-line description of each command."""

MISTAKES = (ValueError, TypeError, OSError, FloatingPointError, ImportError, MemoryError)
"""What is raised where the user can do something about it."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: The words after ``vtrans``; by default those of the process.

    Returns:
        The exit code: 0 if all went well, 2 for a mistake in the call, 130 or 143 if Ctrl-C or SIGTERM ended it.

    Example:
        >>> main(["list", "criteria"])  # doctest: +ELLIPSIS
        criteria
          least_squares   ...
        0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words or os.environ.get("VTRANS_DEBUG", "") not in ("", "0")
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if words[0] == "--version":
        print(f"vtrans {vtrans.__version__}")
        return 0
    try:
        if words[0] not in COMMANDS:
            raise ValueError(unknown("command", words[0], COMMANDS, fix="See vtrans --help."))
        command = importlib.import_module(f"vtrans.cli.{COMMANDS[words[0]][0]}")
        with warnings.catch_warnings():
            warnings.showwarning = lambda text, *_, **__: print(f"vtrans: warning: {text}", file=sys.stderr)
            words = [words[0], *_import_parts(words[1:])]
            return int(command.run(words[1:]))
    except BrokenPipeError:  # whoever read the output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MISTAKES as error:
        if debug:
            traceback.print_exc()
        hint = " On the command line, --import MODULE registers it." if "Add your own" in str(error) else ""
        print(f"vtrans: error: {error}{hint}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if debug:
            traceback.print_exc()
        print("vtrans: stopped", file=sys.stderr)
        return 130


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: vtrans COMMAND …",
            "",
            "Unpaired video translation from losses written as equations.",
            "",
            *lines,
            "",
            "vtrans COMMAND --help explains a command's options. --import MODULE first registers parts of your own,",
            "from a module in this folder or installed. --debug shows where an error comes from.",
            "Start with: vtrans demo",
        ]
    )


def _import_parts(words: list[str]) -> list[str]:
    """Imports the modules named by ``--import``, which register parts of their own; returns the other words."""
    rest: list[str] = []
    IMPORTED.clear()
    waiting = iter(words)
    for word in waiting:
        option, equals, module = word.partition("=")
        if option != "--import":
            rest.append(word)
            continue
        module = module if equals else next(waiting, "")
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            importlib.import_module(module)
        except (ImportError, ValueError) as error:
            fix = "Name it as in Python's import, without .py"
            raise ValueError(refusal("--import", allowed="a module", got=f"{module!r} ({error})", fix=fix)) from error
        IMPORTED.append(module)
    return rest
