"""From names and options to the parts of a model: recipes resolved, losses overridden, networks made and seeded."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from torch import nn

from vtrans import registry
from vtrans.algebra.domains import role_of
from vtrans.errors import refusal, unknown
from vtrans.losses import Loss
from vtrans.model.making import Parts, make_networks, part_data
from vtrans.objectives.objective import objectives_of, shortest_clip
from vtrans.objectives.phases import Phase, phases_for, unheld_terms
from vtrans.objectives.terms import named_terms
from vtrans.recipes.base import Part, PartPerDomain, Recipe
from vtrans.registry import check_options

SHORT = {"G": "generator", "P": "predictor", "D": "discriminator"}
"""Roles that arguments of their own name."""

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
    networks: Mapping[str, nn.Module | PartPerDomain] | None,
    seed: int,
) -> dict[str, Any]:
    """What a :class:`vtrans.TranslationModel` is made of, from the arguments of :func:`vtrans.build`."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(refusal("seed", allowed="a whole number", got=repr(seed)))
    chosen = _recipe(recipe)
    domains = chosen.domains
    per_domain = _channels(channels, domains)
    named, notes = _losses(chosen, losses, per_domain)
    terms = named_terms(named, chosen.directions, chosen.translation)
    short: dict[str, Any] = {"generator": generator, "predictor": predictor, "discriminator": discriminator}
    parts = {
        role: _parts(kind, short[kind] if short[kind] is not None else getattr(chosen, kind), domains)
        for role, kind in SHORT.items()
    }
    further, given = _networks(chosen.networks, networks, domains)
    made = make_networks(terms, {**parts, **further}, per_domain, given, seed)
    if warm_up is None:
        warm_up = chosen.warm_up if phases is None else 0
    if frozen_predictors is None:
        frozen_predictors = chosen.frozen_predictors and phases is None
    steps = phases_for(phases if phases is not None else chosen.phases, terms, made, warm_up, frozen_predictors)
    learning = any(True for name in made if role_of(name) == "P" for _ in made[name].parameters())
    if frozen_predictors and not warm_up and learning:
        notes.append(
            "The predictors stand frozen from the start, as they were made: load their weights, or give warm_up."
        )
        warnings.warn(notes[-1], stacklevel=3)
    for note in unheld_terms(terms, steps):
        warnings.warn(note, stacklevel=3)
        notes.append(note)
    length = clip_length if clip_length is not None else chosen.clip_length
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise ValueError(refusal("clip_length", allowed="a whole number of frames above 0", got=repr(length)))
    minimum = shortest_clip(objectives_of(steps, terms).values(), made)
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
            **{kind: part_data(role, parts[role]) for role, kind in SHORT.items()},
            **({"networks": {name: part_data(name, part) for name, part in further.items()}} if further else {}),
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
        "directions": chosen.directions,
        "translation": chosen.translation,
        "guides": chosen.guides,
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


def _channels(channels: int | Mapping[str, int], domains: Sequence[str]) -> dict[str, int]:
    per_domain: dict[str, int] = {}
    for domain in domains:
        number = channels.get(domain) if isinstance(channels, Mapping) else channels
        if isinstance(number, int) and not isinstance(number, bool) and number > 0:
            per_domain[domain] = number
    if len(per_domain) < len(domains) or (isinstance(channels, Mapping) and len(channels) > len(domains)):
        allowed = f"a whole number above 0, or {{{', '.join(f'{name!r}: …' for name in domains)}}}"
        raise ValueError(refusal("channels", allowed=allowed, got=repr(channels)))
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
    if len({*channels.values()}) > 1:
        counts = " and ".join(f"{count} in {domain}" for domain, count in channels.items())
        first, *others = [f"{domain} has {count}" for domain, count in channels.items()]
        having = " and ".join([f"{first} channels", *others])
        for name in [name for name, loss in named.items() if loss.needs_equal_channels]:
            if name in asked:
                raise ValueError(
                    refusal(
                        f"losses[{name!r}]",
                        allowed="domains with the same channels",
                        got=counts,
                        why="It applies a generator to frames of the domain that it produces",
                        fix=f"Drop it with losses={{{name!r}: None}}, or give both domains the same channels",
                    )
                )
            del named[name]
            notes.append(
                f"{name} is left out: {having}, and it applies a generator to frames of the domain that it produces."
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


def _networks(
    of_recipe: Mapping[str, PartPerDomain], asked: object, domains: Sequence[str]
) -> tuple[dict[str, Parts], dict[str, nn.Module]]:
    """The parts of further roles and names, and the networks that were given as they are."""
    if asked is not None and not isinstance(asked, Mapping):
        raise TypeError(refusal("networks", allowed="a mapping such as {'E_X': encoder}", got=type(asked).__name__))
    chosen: dict[str, Any] = {**of_recipe, **(asked or {})}
    given = {name: network for name, network in chosen.items() if isinstance(network, nn.Module)}
    parts = {name: _parts(f"networks[{name!r}]", part, domains) for name, part in chosen.items() if name not in given}
    return parts, given


def _parts(argument: str, spec: PartPerDomain, domains: Sequence[str]) -> Parts:
    if isinstance(spec, Mapping):
        if set(spec) != set(domains):
            names = " and ".join(map(repr, domains))
            raise ValueError(refusal(argument, allowed=f"a part, or one for each of {names}", got=repr(dict(spec))))
        return {domain: _part(f"{argument}[{domain!r}]", spec[domain]) for domain in domains}
    return {domain: _part(argument, spec) for domain in domains}


def _part(argument: str, spec: Part) -> tuple[str, dict[str, Any]]:
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Sequence) and len(spec) == 2 and isinstance(spec[0], str) and isinstance(spec[1], Mapping):
        return spec[0], check_options(argument, spec[1])
    module = "a torch.nn.Module, " if argument.startswith("networks") else ""
    allowed = f"{module}a name such as 'unet', or a pair ('unet', {{'depth': 6}})"
    raise TypeError(refusal(argument, allowed=allowed, got=repr(spec)))


def _loss_data(name: str, loss: Loss) -> list[Any]:
    return [loss.name, loss.options] if name == loss.name else [name, {"loss": loss.name, **loss.options}]


def _phase_data(phase: Phase) -> dict[str, Any]:
    """A phase as plain data; what few phases have is left out where it says nothing."""
    data = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(phase).items()}
    usual = {"every": 1, "optimizer": {}}
    return {key: value for key, value in data.items() if key not in usual or value != usual[key]}
