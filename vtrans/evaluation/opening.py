"""Opens what a run is measured on: the data it held out, or others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vtrans.data import FrameSource, open_source, split, worlds
from vtrans.data.palettes import Palette
from vtrans.errors import refusal
from vtrans.evaluation.data import EvaluationData, world_data
from vtrans.training.data_settings import DataSettings
from vtrans.training.sources import (
    DOMAINS,
    PUBLISHED,
    WORLD_PAIR_LENGTH,
    WORLD_PAIRS,
    load_size,
    of_domain,
    open_sources,
    resolved,
)

_KINDS = ("x", "y", "world", "edges_of")


def run_settings(run: Path) -> tuple[DataSettings, int] | None:
    """The data that a run was trained on, and its seed.

    Args:
        run: The folder of a run, one of its checkpoints, or its model.

    Returns:
        None if it is no run: then its data are not known.

    Raises:
        ValueError: Its ``config.yaml`` cannot be read.
    """
    import yaml

    place = run.resolve()
    file = next((f for folder in (place, *place.parents[:3]) if (f := folder / "config.yaml").is_file()), None)
    if file is None:
        return None
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        return DataSettings(**config["data"]), int(config["seed"])
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        got = f"something else ({' '.join(str(error).split())})"
        raise ValueError(refusal(str(file), allowed="the config of a run of this version", got=got)) from error


def changed_settings(settings: DataSettings, changes: Mapping[str, Any]) -> DataSettings:
    """Data settings with changes; other data replace those that were there.

    Args:
        settings: Those of the run.
        changes: Settings by name.

    Example:
        >>> changed = changed_settings(DataSettings(world="shapes", size=32, held_out=0.1), {"x": "a.mp4"})
        >>> changed.world, changed.x, changed.size, changed.held_out
        (None, 'a.mp4', 32, 0.0)
    """
    if not any(changes.get(kind) is not None for kind in _KINDS):
        return replace(settings, **changes)
    others = {**dict.fromkeys(_KINDS), "held_out": 0.0, "paired": False}
    if changes.get("world") != settings.world:
        others["world_options"] = {}
    return replace(settings, **{**others, **changes})


def open_data(
    settings: DataSettings,
    *,
    seed: int = 0,
    trained_on: bool = False,
    paired: bool = False,
    labels: str = "y",
    clips: int | None = None,
    length: int | None = None,
) -> EvaluationData:
    """Opens the data that a model is measured on.

    Args:
        settings: Where they are. Frames are loaded at their ``size``, published ones at 256x256, and not cropped.
        seed: Seed of a world.
        trained_on: Whether these are the data of the model's run, of which only the part held out is used.
        paired: Whether frames of X and Y at the same position are each other's true translation.
        labels: The domain that a palette is for, where ``settings.channels`` says none.
        clips: Sequences that are used; by default all, of a world 8.
        length: Frames of each that are used; by default all, of a world 8.

    Raises:
        FileNotFoundError: There is nothing at a path.
        ValueError: Nothing is held out, files cannot be read, or pairs do not fit together.
    """
    for argument, value, least in (("clips", clips, 1), ("length", length, 2 if settings.world else 1)):
        if value is not None and value < least:
            raise ValueError(refusal(argument, allowed=f"a whole number of at least {least}", got=value))
    if settings.world is not None:
        data = resolved(settings)
        if not isinstance(data.size, int):
            allowed = "one side of a square, for a world"
            raise ValueError(refusal("data.size", allowed=allowed, got=repr(data.size)))
        world = worlds.create(settings.world, **{"size": data.size, "seed": seed, **data.world_options})
        return world_data(settings.world, world, clips=clips or WORLD_PAIRS, length=length or WORLD_PAIR_LENGTH)
    published = settings.size == "published"
    size = (PUBLISHED["crop"],) * 2 if published else None if settings.size == "own" else load_size(settings)
    if settings.edges_of is not None:
        sources = dict(open_sources(resolved(settings), seed).held_out)
        palettes: dict[str, Palette] = {}
    else:
        sources, palettes = _opened(settings, labels, trained_on)
    if clips is not None:
        sources = {
            domain: FrameSource(source.sequences[:clips], name=source.name) for domain, source in sources.items()
        }
    pairs = paired or settings.paired or settings.edges_of is not None
    return EvaluationData(
        x=sources.get("x"), y=sources.get("y"), paired=pairs, palettes=palettes, size=size, length=length
    )


def _opened(settings: DataSettings, labels: str, trained_on: bool) -> tuple[dict[str, FrameSource], dict[str, Palette]]:
    """The frames of the domains that there are, and the palettes of those that are label maps."""
    if trained_on and not settings.held_out:
        fix = "Pass --x and --y: frames that it did not see"
        raise ValueError(refusal("data", allowed="frames held out from training", got="none in this run", fix=fix))
    if labels not in DOMAINS:
        raise ValueError(refusal("labels", allowed="x or y", got=labels))
    paths = {domain: path for domain in DOMAINS if (path := getattr(settings, domain)) is not None}
    if not paths:
        fix = "Pass --x and --y, or --world"
        raise ValueError(refusal("data", allowed="frames to measure on", got="none", fix=fix))
    channels = {domain: of_domain("data.channels", settings.channels, domain) for domain in DOMAINS}
    if settings.palette is not None and "labels" not in channels.values():
        channels["y" if labels == "y" else "x"] = "labels"
    palettes = {
        domain: Palette.load(str(settings.palette))
        for domain in DOMAINS
        if channels[domain] == "labels" and settings.palette is not None
    }
    sources: dict[str, FrameSource] = {}
    for domain, path in paths.items():
        source = open_source(
            path,
            layout=settings.layout,
            on_error=settings.on_error,
            channels=channels[domain],
            palette=palettes.get(domain),
        )
        sources[domain] = split(source, settings.held_out)[1] if settings.held_out else source
    return sources, {str(domain): palette for domain, palette in palettes.items() if domain in sources}
