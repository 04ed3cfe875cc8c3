"""From the plain data of a grid to the settings of a training run."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

from vtrans.data.settings import DataSettings
from vtrans.errors import refusal, unknown
from vtrans.training.settings import ModelSettings, TrainingSettings

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

BASE: dict[str, Any] = {
    "model": {
        "generator": ["resnet", {"blocks": 2, "width": 12}],
        "predictor": ["unet", {"depth": 4, "width": 12}],
        "discriminator": ["n_layers", {"layers": 2, "width": 24}],
    },
    "data": {"size": 32},
    "steps": 1000,
    "batch": 4,
    "lr": 4e-4,
    "preview_every": 0,
    "trackers": [],
    "keep_last": 2,
}
"""What a grid's base starts from: networks and frames small enough for a CPU, and no more files than a resume needs."""

_GROUPS: dict[str, type] = {"model": ModelSettings, "data": DataSettings}
_KINDS: tuple[type, ...] = (TrainingSettings, *_GROUPS.values())


def merged(first: Mapping[str, Any], *others: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with changes: mappings are merged, all else is replaced, and the first mapping stays as it is.

    Example:
        >>> merged({"batch": 4, "data": {"size": 32}}, {"data": {"flip": True}}, {"batch": 2})
        {'batch': 2, 'data': {'size': 32, 'flip': True}}
    """
    result = copy.deepcopy(dict(first))
    for other in others:
        for name, value in other.items():
            inner = result.get(name)
            if isinstance(value, Mapping) and isinstance(inner, Mapping):
                result[name] = merged(inner, value)
            else:
                result[name] = copy.deepcopy(value)
    return result


def nested(where: str, changes: object) -> dict[str, Any]:
    """Changes with each setting in its place: those of the model and of the data may be written without their group.

    Args:
        where: What the changes are of, for messages.
        changes: Settings of a run; ``context`` is an option of the predictor.

    Raises:
        TypeError: They are no mapping.
        ValueError: An unknown setting; the nearest is named.

    Example:
        >>> nested("variant a", {"recipe": "gan", "warm_up": 5, "clip_length": 2})
        {'recipe': 'gan', 'model': {'warm_up': 5}, 'data': {'clip_length': 2}}
    """
    if not isinstance(changes, Mapping):
        allowed = "settings by name, such as {recipe: cycle_gan}"
        raise TypeError(refusal(where, allowed=allowed, got=repr(changes)))
    names = {kind: [field.name for field in fields(kind)] for kind in _KINDS}
    result: dict[str, Any] = {}
    for name, value in changes.items():
        if name in _GROUPS:
            if not isinstance(value, Mapping):
                raise TypeError(refusal(f"{where}: {name}", allowed="settings by name", got=repr(value)))
            for inner in value:
                if inner not in names[_GROUPS[name]] and (name, inner) != ("model", "context"):
                    raise ValueError(unknown(f"setting in {where}: {name}", inner, names[_GROUPS[name]]))
            result = merged(result, {name: value})
        elif name in names[TrainingSettings]:
            result[name] = value
        elif name in names[DataSettings]:
            result = merged(result, {"data": {name: value}})
        elif name in names[ModelSettings] or name == "context":
            result = merged(result, {"model": {name: value}})
        else:
            known = dict.fromkeys([*names[TrainingSettings], *names[ModelSettings], "context", *names[DataSettings]])
            raise ValueError(unknown(f"setting in {where}:", name, known))
    return result


def settings_of(where: str, content: Mapping[str, Any]) -> TrainingSettings:
    """The settings that nested plain data describe.

    Args:
        where: What they are of, for messages.
        content: Settings by name, as :func:`nested` and :func:`merged` leave them.

    Raises:
        ValueError: A setting is missing, of the wrong type or out of range.

    Example:
        >>> settings_of("base", {"recipe": "gan", "data": {"world": "shapes"}}).data.world
        'shapes'
    """
    from jsonargparse import ArgumentError

    plain = copy.deepcopy(dict(content))
    if "recipe" not in plain:
        raise ValueError(refusal(where, allowed="a recipe, such as {recipe: cycle_gan}", got="none"))
    model, data = dict(plain.pop("model", {})), dict(plain.pop("data", {}))
    if "context" in model:
        model["predictor"] = _with_context(where, model.get("predictor"), model.pop("context"))
    try:
        _parser().parse_object({"settings": {**plain, "model": model, "data": data}})
        return TrainingSettings(**plain, model=ModelSettings(**model), data=DataSettings(**data))
    except ArgumentError as error:
        raise ValueError(_worded(where, str(error))) from error
    except (ValueError, TypeError) as error:
        raise type(error)(f"{where}: {error}") from error


def _with_context(where: str, predictor: object, context: object) -> list[Any]:
    """A predictor, a name or ``[name, options]``, with another number of frames that it reads."""
    if isinstance(predictor, str):
        predictor = [predictor, {}]
    if not isinstance(predictor, list) or len(predictor) != 2:
        fix = "Give each domain's predictor its own context option"
        raise ValueError(
            refusal(f"{where}: context", allowed="one predictor for both domains", got=repr(predictor), fix=fix)
        )
    return [predictor[0], {**predictor[1], "context": context}]


@cache
def _parser() -> ArgumentParser:
    """Knows the type of each setting."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(TrainingSettings, "settings")
    return parser


def _worded(where: str, message: str) -> str:
    wrong = re.match(r'Parser key "settings\.([^"]+)":', message)
    if wrong is None:
        return f"{where}: {' '.join(message.split())}"
    *groups, name = wrong[1].split(".")
    kind = _GROUPS[groups[0]] if groups and groups[0] in _GROUPS else TrainingSettings
    given = re.search(r"(?:Given value|Got value): (.*)", message)
    allowed = next((str(field.type) for field in fields(kind) if field.name == name), "another value")
    return refusal(f"{where}: {wrong[1]}", allowed=allowed, got=given[1] if given else "something else")
