"""Opens what a model is measured on: what its run held out, or other frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vtrans.data import FrameSource, split
from vtrans.data.checks import whole
from vtrans.data.opening import (
    DOMAINS,
    PUBLISHED,
    WORLD_PAIR_LENGTH,
    WORLD_PAIRS,
    load_size,
    of_domain,
    open_domain,
    open_sources,
    palettes_of,
    resolved,
    world_of,
)
from vtrans.data.settings import DataSettings
from vtrans.errors import refusal
from vtrans.evaluation.data import EvaluationData, world_data

_KINDS = ("x", "y", "world", "edges_of")


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
    for argument, value in (("clips", clips), ("length", length)):
        if value is not None:
            whole(argument, value, least=1)
    if settings.world is not None:
        world = world_of(resolved(settings), seed)
        return world_data(settings.world, world, clips=clips or WORLD_PAIRS, length=length or WORLD_PAIR_LENGTH)
    published = settings.size == "published"
    size = (PUBLISHED["crop"],) * 2 if published else None if settings.size == "own" else load_size(settings)
    if settings.edges_of is not None:
        sources = dict(open_sources(resolved(settings), seed).held_out)
    else:
        settings = _with_labels(settings, labels)
        sources = _opened(settings, trained_on)
    sources = {
        domain: FrameSource(source.sequences[:clips], name=source.name, skipped=source.skipped)
        for domain, source in sources.items()
    }
    pairs = paired or settings.paired or settings.edges_of is not None
    return EvaluationData(
        x=sources.get("x"),
        y=sources.get("y"),
        paired=pairs,
        palettes={domain: palette for domain, palette in palettes_of(settings).items() if domain in sources},
        size=size,
        length=length,
    )


def _with_labels(settings: DataSettings, labels: str) -> DataSettings:
    """Settings in which a palette is for one of the domains at least."""
    if labels not in DOMAINS:
        raise ValueError(refusal("labels", allowed="x or y", got=labels))
    channels = {str(domain): of_domain("data.channels", settings.channels, domain) for domain in DOMAINS}
    if settings.palette is not None and "labels" not in channels.values():
        channels[labels] = "labels"
    return replace(settings, channels=channels)


def _opened(settings: DataSettings, trained_on: bool) -> dict[str, FrameSource]:
    """The frames of the domains that there are."""
    if trained_on and not settings.held_out:
        fix = "Pass --x and --y: frames that it did not see"
        raise ValueError(refusal("data", allowed="frames held out from training", got="none in this run", fix=fix))
    sources = {
        str(domain): open_domain(settings, domain) for domain in DOMAINS if getattr(settings, domain) is not None
    }
    if not sources:
        fix = "Pass --x and --y, or --world"
        raise ValueError(refusal("data", allowed="frames to measure on", got="none", fix=fix))
    if settings.held_out:
        return {domain: split(source, settings.held_out)[1] for domain, source in sources.items()}
    return sources
