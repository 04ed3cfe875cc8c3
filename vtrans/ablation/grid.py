"""A grid: every variant in every world for every seed, under one budget, from plain data."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vtrans
from vtrans.ablation.settings import BASE, merged, nested, settings_of
from vtrans.data import worlds as known_worlds
from vtrans.errors import refusal, unknown
from vtrans.evaluation import metrics as known_metrics
from vtrans.training.settings import TrainingSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_BUDGET = ("steps", "batch")
_WORLD = (
    *("world", "world_options", "x", "y", "edges_of", "layout", "held_out", "paired"),
    *("size", "channels", "palette", "cuts", "on_error"),
)
FREE = ("device", "threads", "compile", "optimizer", "recompute", "checkpoint_every", "log_every", "keep_last")
"""What decides where and how a cell is computed, and nothing about what."""


@dataclass(frozen=True)
class Cell:
    """One training run of a grid: a variant in a world from a seed."""

    world: str
    variant: str
    seed: int
    settings: TrainingSettings

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.world}, {self.variant}, seed {self.seed}"

    @property
    def place(self) -> Path:
        """Its folder below that of the cells."""
        return Path(self.world, self.variant, f"seed-{self.seed}")

    @property
    def digest(self) -> str:
        """Tells settings apart that give other numbers; those that are as by default count for nothing."""
        content = {name: value for name, value in _chosen(self.settings).items() if name not in FREE}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Grid:
    """What is to be compared; :meth:`of` reads and checks it.

    Attributes:
        base: Settings that all cells share.
        worlds: What each world changes.
        variants: What each variant changes.
        seeds: The seeds.
        metrics: What is measured, beside what has to stand with it; None for all that the world allows.
        score_every: Steps between measurements.
        compare: Pairs of variants to be compared.
    """

    base: dict[str, Any]
    worlds: dict[str, dict[str, Any]]
    variants: dict[str, dict[str, Any]]
    seeds: tuple[int, ...]
    metrics: tuple[str, ...] | None
    score_every: int
    compare: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Grid:
        """Reads a grid from plain data, such as a YAML file's.

        Args:
            content: ``worlds``, a list of names, or changes of the settings by a name of one's own; ``variants``,
                changes of the settings by name, or a list of recipes; ``seeds``, how many from 0 on, or a list;
                ``base``, settings that all share; ``budget``, their steps and batch; ``metrics``, a list;
                ``score_every``, steps; ``compare``, pairs of variants.

        Raises:
            TypeError: A part is of the wrong kind.
            ValueError: A name is unknown (the nearest is named), a number is out of range, or something is missing.

        Example:
            >>> grid = Grid.of({"worlds": ["shapes"], "variants": ["gan", "cycle_gan"], "seeds": 2})
            >>> [cell.name for cell in grid.cells()]
            ['shapes, gan, seed 0', 'shapes, cycle_gan, seed 0', 'shapes, gan, seed 1', 'shapes, cycle_gan, seed 1']
        """
        for name in content:
            if name not in _PARTS:
                raise ValueError(unknown("part of a grid:", name, _PARTS))
        given = nested("base", content.get("base") or {})
        if "seed" in given:
            fix = "Set seeds of the grid"
            raise ValueError(refusal("base: seed", allowed="none", got=given["seed"], fix=fix))
        base = merged(BASE, given, _budget(content.get("budget") or {}))
        variants = _variants(content.get("variants"))
        every = content.get("score_every")
        most = _whole("budget: steps", base["steps"])
        grid = cls(
            base=base,
            worlds=_worlds(content.get("worlds")),
            variants=variants,
            seeds=_seeds(content.get("seeds", 1)),
            metrics=_metrics(content.get("metrics")),
            score_every=max(1, most // 20) if every is None else _whole("score_every", every),
            compare=_pairs(content.get("compare"), variants),
        )
        grid.cells()
        return grid

    def plain(self) -> dict[str, Any]:
        """The grid as plain data; :meth:`of` takes it."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return content

    def cells(self) -> list[Cell]:
        """Every run: seed by seed, so that a grid that is stopped early has compared all variants on some seeds.

        Raises:
            ValueError: Settings that do not fit, with the variant named.
        """
        return [
            Cell(world, variant, seed, self._settings(world, variant, seed))
            for seed in self.seeds
            for world in self.worlds
            for variant in self.variants
        ]

    def _settings(self, world: str, variant: str, seed: int) -> TrainingSettings:
        steps = self.base["steps"]
        own = {"seed": seed, "log_every": self.score_every, "checkpoint_every": max(1, steps // 10)}
        content = merged(own, self.base, self.worlds[world], self.variants[variant], {"seed": seed})
        settings = settings_of(f"variant {variant!r} in world {world!r}", content)
        if settings.recipe not in vtrans.recipes:
            raise ValueError(unknown("recipe", settings.recipe, vtrans.recipes))
        name = settings.data.world
        if name is not None and name not in known_worlds:
            raise ValueError(unknown("world", name, known_worlds))
        return settings


def _chosen(settings: DataclassInstance) -> dict[str, Any]:
    """The settings that are not as by default, as plain data."""
    found = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if value != default:
            found[field.name] = _chosen(value) if is_dataclass(value) and not isinstance(value, type) else value
    return found


_PARTS = ("worlds", "variants", "seeds", "base", "budget", "metrics", "score_every", "compare")


def _worlds(given: object) -> dict[str, dict[str, Any]]:
    listed = _named("worlds", given, "names of worlds, or settings by name", lambda name: {"world": name})
    found = {}
    for name, changes in listed.items():
        own = _without_budget(f"world {name!r}", nested(f"world {name!r}", changes or {}))
        data = own.get("data", {})
        if not {"world", "edges_of", "x", "y"} & {*data}:
            if name not in known_worlds:
                raise ValueError(
                    unknown("world", name, known_worlds, fix="Or give it data: world, edges_of, or x and y")
                )
            own = merged(own, {"data": {"world": name}})
        found[name] = own
    return found


def _variants(given: object) -> dict[str, dict[str, Any]]:
    listed = _named("variants", given, "recipes, or settings by name", lambda name: {"recipe": name})
    found = {}
    for name, changes in listed.items():
        own = _without_budget(f"variant {name!r}", nested(f"variant {name!r}", changes or {}))
        _same_data(f"variant {name!r}", own.get("data", {}))
        found[name] = own if "recipe" in own else {"recipe": name, **own}
        if found[name]["recipe"] not in vtrans.recipes:
            raise ValueError(unknown("recipe", found[name]["recipe"], vtrans.recipes))
    return found


def _named(argument: str, given: object, allowed: str, short: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Sequence):
        twice = [name for number, name in enumerate(given) if name in given[:number]]
        if twice:
            raise ValueError(refusal(argument, allowed="each name once", got=f"{twice[0]!r} twice"))
        given = {name: short(name) for name in given}
    if not isinstance(given, Mapping) or not given:
        raise ValueError(refusal(argument, allowed=allowed, got="none" if not given else repr(given)))
    for name in given:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            why = "Folders are named after it"
            raise ValueError(
                refusal(f"name in {argument}", allowed="letters, digits and _.+-, at most 64", got=repr(name), why=why)
            )
    return dict(given)


def _without_budget(where: str, changes: dict[str, Any]) -> dict[str, Any]:
    for name in (*_BUDGET, "seed"):
        if name in changes:
            why = "All cells of a grid share one budget, and each runs with every seed"
            fix = f"Set {name} for the whole grid, or make another grid"
            raise ValueError(refusal(f"{where}: {name}", allowed="none", got=changes[name], why=why, fix=fix))
    return changes


def _same_data(where: str, changes: Mapping[str, Any]) -> None:
    for name in changes:
        if name in _WORLD:
            why, fix = "What is measured on other data cannot be compared", "Vary it among the worlds"
            raise ValueError(refusal(f"{where}: data.{name}", allowed="none", got=changes[name], why=why, fix=fix))


def _budget(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise TypeError(refusal("budget", allowed="{steps: …, batch: …}", got=repr(given)))
    for name in given:
        if name not in _BUDGET:
            raise ValueError(unknown("part of the budget:", name, _BUDGET))
    return dict(given)


def _seeds(given: object) -> tuple[int, ...]:
    allowed = "how many seeds, at least 1, or a list of them"
    if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
        return tuple(range(given))
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else None
    if not listed or not all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in listed):
        raise ValueError(refusal("seeds", allowed=allowed, got=repr(given)))
    if len(set(listed)) < len(listed):
        raise ValueError(refusal("seeds", allowed="each seed once", got=repr(given)))
    return tuple(listed)


def _metrics(given: object) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise ValueError(refusal("metrics", allowed="a list of metrics", got=repr(given)))
    for name in given:
        if name not in known_metrics:
            raise ValueError(unknown("metric", name, known_metrics))
    return tuple(given)


def _pairs(given: object, variants: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if given is None:
        return tuple(combinations(variants, 2))
    pairs: list[tuple[str, str]] = []
    for pair in given if isinstance(given, Sequence) else [given]:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2 or pair[0] == pair[1]:
            raise ValueError(refusal("compare", allowed="pairs of variants, such as [[a, b]]", got=repr(pair)))
        for name in pair:
            if name not in variants:
                raise ValueError(unknown("variant in compare:", name, variants))
        if {*pair} in map(set, pairs):
            raise ValueError(refusal("compare", allowed="each pair once", got=f"{list(pair)} twice"))
        pairs.append((str(pair[0]), str(pair[1])))
    return tuple(pairs)


def _whole(argument: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(refusal(argument, allowed="a whole number of at least 1", got=repr(value)))
    return value
