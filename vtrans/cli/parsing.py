"""Options from typed dataclasses, YAML files and the command line, with refusals in the library's words."""

from __future__ import annotations

import re
import types
import typing
from argparse import ArgumentError
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vtrans.errors import refusal, unknown

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

IMPORTED: list[str] = []
"""Modules that ``--import`` named in this call."""


def with_imports(command: str) -> str:
    """A command to be shown to the user, with the imports that it needs."""
    return " ".join([command, *(f"--import {module}" for module in IMPORTED)])


def new_parser(command: str, description: str, usage: str) -> ArgumentParser:
    """A parser for a command."""
    from argparse import RawDescriptionHelpFormatter

    from jsonargparse import ArgumentParser, DefaultHelpFormatter

    class Formatter(DefaultHelpFormatter, RawDescriptionHelpFormatter):
        """Keeps the line breaks of the description."""

    return ArgumentParser(
        prog=f"vtrans {command}",
        description=description,
        usage=f"vtrans {command} {usage}",
        formatter_class=Formatter,
        exit_on_error=False,
        allow_abbrev=False,
    )


def parse(parser: ArgumentParser, words: list[str]) -> dict[str, Any]:
    """Parses the words after a command; dashes in an option's name count as underscores.

    Args:
        parser: The command's parser.
        words: The words.

    Returns:
        The options, those in groups as mappings.

    Raises:
        FileNotFoundError: A config file is missing.
        ValueError: An option is unknown (the nearest is named) or its value cannot be read.
    """
    words = [_underscored(word) for word in words]
    names = option_names(parser)
    for file in _config_files(words):
        _check_config(file, names)
    try:
        return dict(parser.parse_args(words).as_dict())
    except ArgumentError as error:
        raise ValueError(_worded(str(error), names, parser)) from error


def option_names(parser: ArgumentParser) -> list[str]:
    """The names of a parser's options, without the dashes."""
    strings = [string for action in parser._actions for string in action.option_strings]
    return [string.removeprefix("--") for string in strings if string.startswith("--") and not string.endswith("+")]


def describe(kind: object) -> str:
    """A type in words.

    Example:
        >>> describe(int | None), describe(Literal["auto", "cpu"]), describe(float)
        ('a whole number, or null', 'auto or cpu', 'a number')
    """
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}
    if isinstance(kind, type) and kind in words:
        return words[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return ", or ".join(describe(argument) for argument in arguments)
    if origin is Literal:
        return " or ".join(map(str, arguments))
    if origin is tuple:
        return f"[{', '.join(describe(argument) for argument in arguments)}]"
    return "a list" if origin is list else "a mapping" if origin is dict else str(kind)


def _underscored(word: str) -> str:
    if not word.startswith("--"):
        return word
    name, equals, value = word[2:].partition("=")
    return f"--{name.replace('-', '_')}{equals}{value}"


def _config_files(words: list[str]) -> Iterable[Path]:
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word == "--config":
            yield Path(following)
        elif word.startswith("--config="):
            yield Path(word.removeprefix("--config="))


def _check_config(file: Path, names: list[str]) -> None:
    import yaml

    if not file.is_file():
        raise FileNotFoundError(refusal("config", allowed="a YAML file", got=f"{file}, which does not exist"))
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        got = " ".join(str(error).split())
        raise ValueError(refusal(str(file), allowed="YAML", got=f"text that cannot be read ({got})")) from error
    if not isinstance(content, dict):
        raise ValueError(refusal(str(file), allowed="options by name", got=type(content).__name__))
    _check_keys(content, "", names, file)


def _check_keys(content: Mapping[str, Any], prefix: str, names: list[str], file: Path) -> None:
    for key, value in content.items():
        name = f"{prefix}{key}"
        if name not in names:
            raise ValueError(unknown(f"option in {file}:", name, _near_group(name, names)))
        if isinstance(value, dict) and any(other.startswith(f"{name}.") for other in names):
            _check_keys(value, f"{name}.", names, file)


def _near_group(name: str, names: list[str]) -> list[str]:
    """The options of the same group, if there is one of that name; else those with names that are alike; else all."""
    group = name.rpartition(".")[0]
    return (
        [other for other in names if group and other.rpartition(".")[0] == group]
        or get_close_matches(name, names, n=5, cutoff=0.4)
        or names
    )


def _worded(message: str, names: list[str], parser: ArgumentParser) -> str:
    stray = re.match(r"unrecognized arguments: (\S+)", message, re.IGNORECASE)
    if stray is not None:
        word = stray[1].partition("=")[0]
        if word.startswith("--"):
            name = word.removeprefix("--")
            known = [f"--{other}" for other in _near_group(name, names)]
            return unknown("option", word, known, fix=f"{parser.prog} --help explains all.")
        return refusal("arguments", allowed=parser.usage or "", got=f"{word!r} besides")
    missing = re.search(r"the following arguments are required: (.+)", message)
    if missing is not None:
        missed = [f"--{name}" if name in names else name.upper() for name in missing[1].split(", ")]
        return refusal("arguments", allowed=parser.usage or "", got=f"no {', '.join(missed)}")
    wrong = re.match(r'Parser key "([^"]+)"[^:]*:', message)
    if wrong is not None:
        name = wrong[1]
        given = re.search(r"Given value: (.*)|Got value: (.*)", message)
        got = (given[1] or given[2]) if given is not None else "something else"
        kind = {a.dest: getattr(a, "_typehint", None) or a.type for a in parser._actions}.get(name)
        return refusal(f"--{name}", allowed=describe(kind) if kind is not None else "another value", got=got)
    return " ".join(message.split())
