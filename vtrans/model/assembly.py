"""From names and options to the parts of a model: recipes resolved, losses overridden, networks made and seeded."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from vtrans import registry
from vtrans.algebra.expressions import networks_in, role_of
from vtrans.errors import refusal, unknown
from vtrans.losses import Loss
from vtrans.objectives.objective import objectives_of, shortest_clip
from vtrans.objectives.phases import Phase, phases_for, unheld_terms
from vtrans.recipes.base import Part, PartPerDomain, Recipe
from vtrans.registry import check_options

_KINDS = {"G": registry.generators, "P": registry.predictors, "D": registry.discriminators}
_DOMAINS = ("x", "y")

LossOverrides = Mapping[str, Any] | Sequence[Any]


def assemble(
    recipe: str,
    *,
    generator: PartPerDomain | None,
    predictor: PartPerDomain | None,
    discriminator: PartPerDomain | None,
    losses: LossOverrides | None,
    channels: int | Mapping[str, int],
    clip_length: int | None,
    warm_up: int | None,
    frozen_predictors: bool | None,
    phases: Sequence[Phase | Mapping[str, Any]] | None,
    networks: Mapping[str, nn.Module] | None,
    seed: int,
) -> dict[str, Any]:
    """What a :class:`vtrans.TranslationModel` is made of, from the arguments of :func:`vtrans.build`."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(refusal("seed", allowed="a whole number", got=repr(seed)))
    chosen = _recipe(recipe)
    per_domain = _channels(channels)
    named, notes = _losses(chosen, losses, per_domain)
    parts = {
        "G": _parts("generator", generator if generator is not None else chosen.generator),
        "P": _parts("predictor", predictor if predictor is not None else chosen.predictor),
        "D": _parts("discriminator", discriminator if discriminator is not None else chosen.discriminator),
    }
    given = _given(networks)
    made = _networks(named, parts, per_domain, given, seed)
    if warm_up is None:
        warm_up = chosen.warm_up if phases is None else 0
    if frozen_predictors is None:
        frozen_predictors = chosen.frozen_predictors and phases is None
    steps = phases_for(phases if phases is not None else chosen.phases, named, made, warm_up, frozen_predictors)
    learning = any(True for name in made if role_of(name) == "P" for _ in made[name].parameters())
    if frozen_predictors and not warm_up and learning:
        notes.append(
            "The predictors stand frozen from the start, as they were made: load their weights, or give warm_up."
        )
        warnings.warn(notes[-1], stacklevel=3)
    for note in unheld_terms(named, steps):
        warnings.warn(note, stacklevel=3)
        notes.append(note)
    length = clip_length if clip_length is not None else chosen.clip_length
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise ValueError(refusal("clip_length", allowed="a whole number of frames above 0", got=repr(length)))
    minimum = shortest_clip(objectives_of(steps, named).values(), made)
    if length < minimum:
        if clip_length is not None:
            raise ValueError(
                refusal("clip_length", allowed=f"{minimum} or more for these losses and networks", got=length)
            )
        length = minimum
    config = None
    if not given and all(loss.is_plain for loss in named.values()):
        config = {
            "recipe": recipe,
            "generator": _part_data("G", parts["G"]),
            "predictor": _part_data("P", parts["P"]),
            "discriminator": _part_data("D", parts["D"]),
            "losses": [_loss_data(name, loss) for name, loss in named.items()],
            "channels": per_domain,
            "clip_length": length,
            "phases": [_phase_data(phase) for phase in steps],
            "seed": seed,
        }
    return {
        "networks": made,
        "losses": named,
        "phases": steps,
        "channels": per_domain,
        "clip_length": length,
        "config": config,
        "seed": seed,
        "notes": notes,
    }


def _recipe(name: str) -> Recipe:
    made = registry.recipes.create(name)
    if not isinstance(made, Recipe):
        raise TypeError(
            refusal(f"recipe {name!r}", allowed="a function that returns a Recipe", got=type(made).__name__)
        )
    return made


def _channels(channels: int | Mapping[str, int]) -> dict[str, int]:
    per_domain: dict[str, int] = {}
    for domain in _DOMAINS:
        number = channels.get(domain) if isinstance(channels, Mapping) else channels
        if isinstance(number, int) and not isinstance(number, bool) and number > 0:
            per_domain[domain] = number
    if len(per_domain) < 2 or (isinstance(channels, Mapping) and len(channels) > 2):
        raise ValueError(refusal("channels", allowed="a whole number above 0, or {'x': …, 'y': …}", got=repr(channels)))
    return per_domain


def _losses(
    recipe: Recipe, overrides: LossOverrides | None, channels: Mapping[str, int]
) -> tuple[dict[str, Loss], list[str]]:
    named = recipe.named_losses
    asked: set[str] = set()
    if isinstance(overrides, Mapping):
        for name, override in overrides.items():
            if override is None:
                if name not in named and name not in registry.losses:
                    raise ValueError(unknown("loss to drop", name, [*named, *registry.losses]))
                named.pop(name, None)
            else:
                named[name] = _overridden(name, named.get(name), override)
                asked.add(name)
    elif overrides is not None and not isinstance(overrides, list | tuple):
        raise TypeError(refusal("losses", allowed="a mapping or a sequence", got=repr(overrides)))
    elif overrides is not None:
        named = {}
        for item in overrides:
            name, loss = _named_loss(item)
            if name in named:
                raise ValueError(refusal("losses", allowed="one loss of each name", got=f"{name!r} twice"))
            named[name] = loss
        asked = set(named)
    if not named:
        raise ValueError(refusal("losses", allowed="at least one loss", got="none left"))
    notes = []
    if channels["x"] != channels["y"]:
        for name in [name for name, loss in named.items() if loss.needs_equal_channels]:
            if name in asked:
                raise ValueError(
                    refusal(
                        f"losses[{name!r}]",
                        allowed="domains with the same channels",
                        got=f"{channels['x']} in x and {channels['y']} in y",
                        why="It applies a generator to frames of the domain that it produces",
                        fix=f"Drop it with losses={{{name!r}: None}}, or give both domains the same channels",
                    )
                )
            del named[name]
            notes.append(
                f"{name} is left out: x has {channels['x']} channels and y has {channels['y']}, "
                "and it applies a generator to frames of the domain that it produces."
            )
            warnings.warn(notes[-1], stacklevel=4)
    return named, notes


def _overridden(name: str, present: Loss | None, override: object) -> Loss:
    if isinstance(override, Loss):
        return override
    if isinstance(override, type):
        fix = f"Pass {override.__name__}()"
        raise TypeError(refusal(f"losses[{name!r}]", allowed="a loss", got=f"the class {override.__name__}", fix=fix))
    options = check_options(f"losses[{name!r}]", override) if isinstance(override, Mapping) else {"weight": override}
    if set(options) and set(options) <= {"x", "y", "points"}:
        options = {"weight": options}
    if present is not None:
        kind = registry.Entry("loss", name, type(present), "", "")
        return kind.create(**{**present.given, **options})
    made: Loss = registry.losses.create(str(options.pop("loss", name)), **options)
    return made


def _named_loss(item: object) -> tuple[str, Loss]:
    if isinstance(item, Loss):
        return item.name, item
    if isinstance(item, str):
        return item, registry.losses.create(item)
    if isinstance(item, Sequence) and len(item) == 2 and isinstance(item[0], str):
        return item[0], _overridden(item[0], None, item[1])
    raise TypeError(refusal("losses", allowed="losses, names or (name, options) pairs", got=repr(item)))


def _parts(argument: str, spec: PartPerDomain) -> dict[str, tuple[str, dict[str, Any]]]:
    if isinstance(spec, Mapping):
        if set(spec) != set(_DOMAINS):
            raise ValueError(refusal(argument, allowed="a part, or one for each of 'x' and 'y'", got=repr(dict(spec))))
        return {domain: _part(f"{argument}[{domain!r}]", spec[domain]) for domain in _DOMAINS}
    return {domain: _part(argument, spec) for domain in _DOMAINS}


def _part(argument: str, spec: Part) -> tuple[str, dict[str, Any]]:
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Sequence) and len(spec) == 2 and isinstance(spec[0], str) and isinstance(spec[1], Mapping):
        return spec[0], check_options(argument, spec[1])
    raise TypeError(
        refusal(argument, allowed="a name such as 'unet', or a pair ('unet', {'depth': 6})", got=repr(spec))
    )


def _given(networks: object) -> dict[str, nn.Module]:
    if networks is None:
        return {}
    if not isinstance(networks, Mapping):
        raise TypeError(refusal("networks", allowed="a mapping such as {'E_X': encoder}", got=type(networks).__name__))
    for name, network in networks.items():
        if not isinstance(network, nn.Module):
            raise TypeError(refusal(f"networks[{name!r}]", allowed="a torch.nn.Module", got=type(network).__name__))
    return dict(networks)


def _networks(
    losses: Mapping[str, Loss],
    parts: Mapping[str, Mapping[str, tuple[str, dict[str, Any]]]],
    channels: Mapping[str, int],
    given: Mapping[str, nn.Module],
    seed: int,
) -> dict[str, nn.Module]:
    """The networks that the losses name, each with weights that depend on (seed, name) alone."""
    names: dict[str, None] = {}
    for loss in losses.values():
        for term in loss.directions():
            for stream in term.streams:
                names.update(dict.fromkeys(networks_in(stream)))
    made: dict[str, nn.Module] = {}
    for name in sorted(names, key=lambda name: ([*_KINDS, role_of(name)].index(role_of(name)), name)):
        role, domain = role_of(name), name[-1].lower()
        if name in given:
            made[name] = given[name]
        elif role in _KINDS:
            part, options = parts[role][domain]
            other = "y" if domain == "x" else "x"
            shape = (
                {"in_channels": channels[other], "out_channels": channels[domain]}
                if role == "G"
                else {"channels": channels[domain]}
            )
            taken = [option for option in shape if option in options]
            if taken:
                raise ValueError(
                    refusal(
                        f"options of {part!r}",
                        allowed="options besides the channels",
                        got=", ".join(taken),
                        fix="Say vtrans.build(…, channels=…) instead",
                    )
                )
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(zlib.crc32(f"{seed}/{name}".encode()))
                made[name] = _KINDS[role].create(part, **shape, **options)
        else:
            raise ValueError(
                refusal(
                    f"network {name}", allowed="given by networks=", got="none", fix=f"Pass networks={{{name!r}: …}}"
                )
            )
    for name in given:
        if name not in made:
            raise ValueError(unknown("network", name, made, fix="No loss uses it."))
    return made


def _part_data(role: str, parts: Mapping[str, tuple[str, dict[str, Any]]]) -> list[Any] | dict[str, Any]:
    """A part with every option that was resolved, as plain data."""
    data = {}
    for domain, (name, options) in parts.items():
        data[domain] = [name, {**_KINDS[role][name].defaults, **options}]
    return data["x"] if data["x"] == data["y"] else data


def _loss_data(name: str, loss: Loss) -> list[Any]:
    return [loss.name, loss.options] if name == loss.name else [name, {"loss": loss.name, **loss.options}]


def _phase_data(phase: Phase) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(phase).items()}
