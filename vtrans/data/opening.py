"""Opens the data of a run: both domains, what is held out of them, and the truth that a world knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from vtrans.data import FrameSource, Palette, World, open_source, split, worlds
from vtrans.data.pairs import check_pairs
from vtrans.data.reading.source import CHANNELS
from vtrans.data.settings import DataSettings
from vtrans.data.tensors import Frames, resize_frames
from vtrans.data.transforms import PRESETS, Jitter
from vtrans.errors import refusal, unknown

PUBLISHED = PRESETS["published"]
WORLD_PAIRS, WORLD_PAIR_LENGTH = 8, 8
"""Held-out clips of a world with their exact translation, and frames of each."""
EDGES_HELD_OUT = 0.2
"""Share of a video that is held out where it is paired with its edges, unless another is asked for."""
DOMAINS: tuple[Literal["x"], Literal["y"]] = ("x", "y")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Sources:
    """The data of a run.

    Attributes:
        train: The frames of each domain to train on.
        held_out: Those kept from training, if any.
        pairs: Held-out clips of X and of Y that show the same scenes, ``(count, length, height, width, channel)``
            each, where the exact translation is known.
    """

    train: Mapping[str, FrameSource]
    held_out: Mapping[str, FrameSource]
    pairs: tuple[Frames, Frames] | None = None

    def skipped(self) -> str:
        """What was passed over when they were opened, in words; empty if nothing was."""
        texts = dict.fromkeys(source.skipped_summary() for source in self.train.values())
        return "\n".join(text for text in texts if text)


def resolved(data: DataSettings) -> DataSettings:
    """The settings with their defaults for this kind of data.

    Raises:
        ValueError: There is no data, or two kinds of it, or a setting that this kind has no use for.
    """
    given = [name for name in ("world", "edges_of", "x", "y") if getattr(data, name) is not None]
    if given not in (["world"], ["edges_of"]) and {"world", "edges_of"} & {*given}:
        got = " and ".join(f"data.{name}" for name in given)
        raise ValueError(refusal("data", allowed="data.world, data.edges_of, or data.x and data.y", got=got))
    _refuse_unused(data)
    if data.world is not None:
        size = PUBLISHED["crop"] if data.size in ("published", "own") else data.size
        return replace(data, size=size)
    missing = [] if data.edges_of else [f"data.{domain}" for domain in DOMAINS if getattr(data, domain) is None]
    if missing:
        fix = "Pass --data.x and --data.y: video files or folders of frames. Or --data.world shapes, to try"
        raise ValueError(
            refusal("data", allowed="frames of both domains", got=f"no {' and no '.join(missing)}", fix=fix)
        )
    published = data.crop is None and data.size == "published"
    return replace(
        data,
        x=_place(data.x),
        y=_place(data.y),
        edges_of=_place(data.edges_of),
        palette=_place(data.palette),
        crop=PUBLISHED["crop"] if published else data.crop,
    )


def open_sources(data: DataSettings, seed: int) -> Sources:
    """Opens both domains.

    Args:
        data: Resolved settings.
        seed: Seed of a world.

    Raises:
        FileNotFoundError: There is nothing at a path.
        ValueError: Files cannot be read, or too little is left for training or to be held out.
    """
    if data.world is not None:
        return _open_world(data, seed)
    if data.edges_of is not None:
        return _open_edges(data)
    train: dict[str, FrameSource] = {}
    held_out: dict[str, FrameSource] = {}
    for domain in DOMAINS:
        source = open_domain(data, domain)
        if data.held_out:
            train[domain], held_out[domain] = split(source, data.held_out)
        else:
            train[domain] = source
    pairs = _aligned(held_out["x"], held_out["y"], data) if data.paired else None
    return Sources(train, held_out, pairs)


def open_domain(data: DataSettings, domain: str) -> FrameSource:
    """Opens the frames of a domain, all of them."""
    channels = of_domain("data.channels", data.channels, domain)
    return open_source(
        str(getattr(data, domain)),
        layout=data.layout,
        on_error=data.on_error,
        channels=channels,
        palette=data.palette if channels == "labels" else None,
    )


def world_of(data: DataSettings, seed: int) -> World[Any]:
    """The world that resolved settings name.

    Raises:
        ValueError: It is unknown, or an option of it is.
    """
    if not isinstance(data.size, int):
        got, allowed = repr(data.size), "one side of a square, for a world"
        raise ValueError(refusal("data.size", allowed=allowed, got=got))
    return worlds.create(str(data.world), **{"size": data.size, "seed": seed, **data.world_options})


def jitter_of(data: DataSettings, domain: str) -> Jitter | None:
    """The random changes of colour of a domain.

    Raises:
        ValueError: An unknown kind of change, or one out of range.
    """
    names = [field.name for field in fields(Jitter)]
    for name in data.jitter or {}:
        if name not in (*names, *DOMAINS):
            raise ValueError(unknown("change of colour:", name, [*names, *DOMAINS]))
    given: dict[str, Any] = of_domain("data.jitter", data.jitter or {}, domain) or {}
    return Jitter(**given) if given else None


def palettes_of(data: DataSettings) -> dict[str, Palette]:
    """The palettes of the domains that are label maps."""
    if data.palette is None:
        return {}
    labels = [domain for domain in DOMAINS if of_domain("data.channels", data.channels, domain) == "labels"]
    return {str(domain): Palette.load(data.palette) for domain in labels}


def load_size(data: DataSettings) -> tuple[int, int]:
    """Height and width that frames are loaded at, where the settings say them."""
    size = PUBLISHED["size"] if data.size == "published" else data.size
    if isinstance(size, str):
        raise ValueError(refusal("data.size", allowed="a size", got=size))
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def of_domain(argument: str, value: Value | Mapping[str, Value], domain: str) -> Value:
    """What a setting for both domains, or ``{x: …, y: …}``, says for one of them.

    Example:
        >>> of_domain("data.channels", {"x": "rgb", "y": "labels"}, "y"), of_domain("data.channels", "rgb", "y")
        ('labels', 'rgb')
    """
    if isinstance(value, Mapping) and set(value) & set(DOMAINS):
        if set(value) != set(DOMAINS):
            raise ValueError(refusal(argument, allowed="one value, or {x: …, y: …}", got=dict(value)))
        chosen: Value = value[domain]
        return chosen
    return value  # type: ignore[return-value]


def _refuse_unused(data: DataSettings) -> None:
    """Refuses settings that would have no effect."""
    channels = {of_domain("data.channels", data.channels, domain) for domain in DOMAINS}
    kinds: tuple[str, ...] = CHANNELS
    what = "frames"
    if data.world is not None:
        kinds, what = ("rgb",), "a world"
    elif data.edges_of is not None:
        kinds, what = ("rgb", "grey"), "a video and its edges"
    if wrong := channels.difference(kinds):
        allowed = f"{' or '.join(kinds)} for {what}"
        raise ValueError(refusal("data.channels", allowed=allowed, got=min(wrong)))
    if data.palette is not None and "labels" not in channels:
        fix = "Pass --data.channels '{x: rgb, y: labels}', or leave the palette out"
        raise ValueError(refusal("data.palette", allowed="none without labels", got=data.palette, fix=fix))
    if data.paired and (data.world is not None or data.edges_of is not None or not data.held_out):
        allowed, fix = "frames of X and Y of your own, with held-out ones", "Leave it out, or set data.held_out"
        raise ValueError(refusal("data.paired", allowed=allowed, got="none", fix=fix))
    if data.world_options and data.world is None:
        raise ValueError(refusal("data.world_options", allowed="none without data.world", got=dict(data.world_options)))


def _open_world(data: DataSettings, seed: int) -> Sources:
    world = world_of(data, seed)
    length = max(data.world_length, 2 * data.stride * (data.clip_length or 1))
    train: dict[str, FrameSource] = {
        domain: world.train(domain, sequences=data.world_streams, length=length) for domain in DOMAINS
    }
    return Sources(train, {}, world.pairs(WORLD_PAIRS, WORLD_PAIR_LENGTH))


def _open_edges(data: DataSettings) -> Sources:
    """A video and its edges, from ranges of time that are apart."""
    from vtrans.data.edges import edge_pair

    source = open_source(
        str(data.edges_of),
        layout=data.layout,
        on_error=data.on_error,
        channels=of_domain("data.channels", data.channels, "x"),
    )
    drawn = 1 if of_domain("data.channels", data.channels, "y") == "grey" else 3
    pair = edge_pair(source, held_out=data.held_out or EDGES_HELD_OUT, channels=drawn)
    held_out = {"x": pair.held_out_x, "y": pair.held_out_y}
    return Sources({"x": pair.x, "y": pair.y}, held_out, _aligned(pair.held_out_x, pair.held_out_y, data))


def first_clips(source: FrameSource, data: DataSettings) -> list[Frames]:
    """The first clips of each sequence, one after another, at load size: what a model is measured on.

    They do not depend on how clips are cut for training.

    Args:
        source: Frames, of at least one sequence.
        data: Resolved settings.

    Returns:
        At most 8 clips, uint8 ``(length, height, width, channel)``, of 8 frames or as many as are in a row.
    """
    length = min(WORLD_PAIR_LENGTH, max(sequence.length for sequence in source.sequences))
    clips: list[Frames] = []
    for sequence in source.sequences:
        for number in range(min(sequence.length // length, WORLD_PAIRS - len(clips))):
            frames = sequence.read(number * length, length)
            own = data.size == "own"
            clips.append(frames if own else resize_frames(frames, load_size(data), nearest=sequence.discrete))
    return clips


def _aligned(x: FrameSource, y: FrameSource, data: DataSettings) -> tuple[Frames, Frames]:
    """The first clips of held-out sequences that show the same."""
    check_pairs(x, y)
    if max(sequence.length for sequence in x.sequences) < WORLD_PAIR_LENGTH:
        allowed = f"at least {WORLD_PAIR_LENGTH} held-out frames in a row"
        raise ValueError(refusal("data.held_out", allowed=allowed, got=f"{x.length}", fix="Pass a greater share"))
    return np.stack(first_clips(x, data)), np.stack(first_clips(y, data))


def _place(path: str | None) -> str | None:
    return str(Path(path).resolve()) if path is not None and Path(path).exists() else path
