"""The networks that expressions name: which part each is, with how many channels, and its seeded weights."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from vtrans import registry
from vtrans.algebra.domains import domain_of, networks_in, role_of
from vtrans.algebra.operators import Function, concat
from vtrans.algebra.streams import Apply, Operation, Stream
from vtrans.errors import refusal, unknown
from vtrans.objectives.terms import NamedTerm
from vtrans.registry import Entry, Registry

Parts = Mapping[str, tuple[str, dict[str, Any]]]
"""A registered name and its options, for each domain."""

KINDS: dict[str, Registry[Any]] = {
    "G": registry.generators,
    "P": registry.predictors,
    "D": registry.discriminators,
}
"""The registry in which a role's networks are looked up first."""

_CHANNELS = ("channels", "in_channels", "out_channels")


def make_networks(
    terms: Sequence[NamedTerm],
    parts: Mapping[str, Parts],
    channels: Mapping[str, int],
    given: Mapping[str, nn.Module],
    seed: int,
) -> dict[str, nn.Module]:
    """The networks that the terms name, each with weights that depend on (seed, name) alone.

    Args:
        terms: The terms.
        parts: What each is, by name or by role.
        channels: Channels of the frames of each domain.
        given: Networks that are used as they are.
        seed: Seed of the initial weights.

    Raises:
        ValueError: A network that is needed is nowhere described, or one that is described is needed nowhere.
    """
    judges = {role_of(name) for named in terms for name in named.term.judges}
    streams = [stream for named in terms for stream in named.term.streams]
    names = dict.fromkeys(name for stream in streams for name in networks_in(stream))
    inputs = _inputs(streams)
    made: dict[str, nn.Module] = {}
    for name in sorted(names, key=lambda name: ([*KINDS, role_of(name)].index(role_of(name)), name)):
        role = role_of(name)
        described = next((parts[key] for key in (name, role, "D" if role in judges else "") if key in parts), None)
        if name in given or described is None:
            made[name] = _given(name, given)
            continue
        domain = domain_of(name) or next(iter(described))
        part, options = described[domain]
        entry = find_part(role, part, judge=role in judges)
        taken = inspect.signature(entry.factory).parameters
        counts = dict.fromkeys(_CHANNELS, sum(channels[stream.domain] for stream in inputs[name]))
        counts["out_channels"] = channels[domain]
        own = [option for option in _CHANNELS if option in options]
        if own and role in KINDS:
            raise ValueError(
                refusal(
                    f"options of {part!r}",
                    allowed="options besides the channels",
                    got=", ".join(own),
                    fix="Say vtrans.build(…, channels=…) instead",
                )
            )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(zlib.crc32(f"{seed}/{name}".encode()))
            made[name] = entry.create(**{**{key: n for key, n in counts.items() if key in taken}, **options})
    for name in given:
        if name not in made:
            raise ValueError(unknown("network", name, made, fix="No loss uses it."))
    return made


def find_part(role: str, part: str, *, judge: bool = False) -> Entry[Any]:
    """The entry of a part's name: in the registry of its role, else in any.

    Args:
        role: The network's role.
        part: A registered name.
        judge: Whether it is a discriminator.

    Raises:
        ValueError: No registry has that name.
    """
    first = KINDS.get(role, registry.discriminators if judge else registry.networks)
    for kind in (first, registry.networks, *KINDS.values()):
        if part in kind:
            return kind[part]
    return first[part]


def part_data(name: str, parts: Parts) -> list[Any] | dict[str, Any]:
    """A part with every option that was resolved, as plain data."""
    data = {}
    for domain, (part, options) in parts.items():
        known = {key: value for key, value in find_part(role_of(name), part).defaults.items() if key not in _CHANNELS}
        data[domain] = [part, {**known, **options}]
    first = next(iter(data.values()))
    return first if all(other == first for other in data.values()) else data


def _given(name: str, given: Mapping[str, nn.Module]) -> nn.Module:
    if name in given:
        return given[name]
    role = role_of(name)
    raise ValueError(
        refusal(
            f"network {name}",
            allowed="described by networks=",
            got="none",
            fix=f"Pass networks={{{role!r}: 'NAME of a registered part'}}, or networks={{{name!r}: a module}}",
        )
    )


def _inputs(streams: Sequence[Stream]) -> dict[str, tuple[Stream, ...]]:
    """What each network is first applied to, channel by channel."""
    found: dict[str, tuple[Stream, ...]] = {}
    waiting, seen = list(streams), set(streams)
    for stream in waiting:
        if isinstance(stream, Operation):
            for network in stream.uses:
                inputs = stream.inputs if isinstance(stream, Apply) else stream.inputs[:1]
                found.setdefault(network.name, tuple(part for whole in inputs for part in _concatenated(whole)))
        further = [part for part in stream.parts if part not in seen]
        waiting += further
        seen.update(further)
    return found


def _concatenated(stream: Stream) -> tuple[Stream, ...]:
    joined = isinstance(stream, Function) and stream.function is concat.__wrapped__  # type: ignore[attr-defined]
    return stream.inputs if joined and isinstance(stream, Function) else (stream,)
