"""From settings to a model and clips that fit together, checked before any work is done."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vtrans.data import Clips, FrameSource, open_source, worlds
from vtrans.data.checks import counted
from vtrans.errors import refusal
from vtrans.model import TranslationModel
from vtrans.networks.sizes import nearest_sizes
from vtrans.training.settings import DataSettings, TrainingSettings

PUBLISHED_SIZE, PUBLISHED_CROP = 286, 256
WORLD_STREAMS, WORLD_LENGTH = 32, 16
"""Streams that a world draws for each domain, and frames of each: many scenes are harder to learn by heart."""


@dataclass(frozen=True)
class Preparation:
    """A model and the clips that it will be trained on."""

    settings: TrainingSettings
    model: TranslationModel
    clips_x: Clips
    clips_y: Clips
    device: torch.device
    config: dict[str, Any]

    def summary(self) -> str:
        """What would be trained on what, in a few lines."""
        lines = []
        for domain, clips in (("x", self.clips_x), ("y", self.clips_y)):
            time, channels, height, width = clips.shape
            source = clips.source
            parts = [
                source.name,
                counted(len(source.sequences), "sequence"),
                counted(source.length, "frame"),
                f"{counted(len(clips), 'clip')} of {counted(time, 'frame')}",
                counted(channels, "channel"),
                f"{width}x{height} pixels",
            ]
            lines.append(f"{domain}: {', '.join(parts)}")
        counts = {name: sum(p.numel() for p in network.parameters()) for name, network in self.model.networks.items()}
        each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        lines.append(f"parameters: {each}; {sum(counts.values()):,} in all")
        settings = self.settings
        lines.append(
            f"{counted(settings.steps, 'step')} of {counted(settings.batch, 'clip')} of each domain, "
            f"learning rate {settings.lr:g} ({settings.schedule}), seed {settings.seed}, on {self.device}"
        )
        return "\n".join(lines)


def prepare(settings: TrainingSettings) -> Preparation:
    """Builds the model, opens the data and checks that they fit together.

    Args:
        settings: The run.

    Returns:
        All that training needs. Nothing has been written.

    Raises:
        FileNotFoundError: There is no data where the settings say.
        ValueError: The settings, the data and the networks do not fit together; sizes that do are named.
    """
    device = choose_device(settings.device)
    data = _resolved(settings.data)
    sources = _open(data, settings.seed)
    channels = {domain: source.channels for domain, source in sources.items()}
    model = settings.model.build(settings.recipe, seed=settings.seed, channels=channels)
    for domain, source in sources.items():
        if model.channels[domain] != source.channels:
            got = f"{source.channels} in {source.name}"
            allowed = f"frames of {counted(model.channels[domain], 'channel')}, as model.channels says"
            raise ValueError(refusal(f"data.{domain}", allowed=allowed, got=got))
    length = data.clip_length if data.clip_length is not None else max(model.clip_length, model.minimum_length)
    if length < model.minimum_length:
        why = "Every loss needs a frame to look at after what the predictors and discriminators read"
        allowed = f"{model.minimum_length} frames or more"
        raise ValueError(refusal("data.clip_length", allowed=allowed, got=length, why=why))
    data = replace(data, clip_length=length)
    # A world is drawn at its size.
    size = None if data.size == "own" or data.world is not None else data.size
    clips = {
        domain: Clips(
            source,
            length=length,
            stride=data.stride,
            every=data.every,
            size=PUBLISHED_SIZE if size == "published" else size,
            crop=data.crop,
            flip=bool(data.flip),
        )
        for domain, source in sources.items()
    }
    if clips["x"].shape[2:] != clips["y"].shape[2:]:
        sizes = [f"{c.shape[2]}x{c.shape[3]} (height x width)" for c in clips.values()]
        fix = "Pass --data.size or --data.crop"
        raise ValueError(refusal("data", allowed="clips of one size", got=f"{sizes[0]} in x, {sizes[1]} in y", fix=fix))
    check_size(model, *clips["x"].shape[2:])
    config = settings.resolved(model, data)
    return Preparation(settings, model.to(device), clips["x"], clips["y"], device, config)


def check_size(model: TranslationModel, height: int, width: int) -> None:
    """Refuses a size of clips that a network of the model cannot take, and names those nearest to it that all take.

    Args:
        model: The model.
        height: Height of the clips in pixels.
        width: Width of the clips in pixels.

    Raises:
        ValueError: A network cannot take clips of that size.
    """
    rules = {
        name: (int(getattr(network, "multiple", 1)), int(getattr(network, "minimum", 1)))
        for name, network in model.networks.items()
    }
    failing = [
        f"{name} (multiples of {multiple} from {nearest_sizes(0, multiple=multiple, minimum=minimum)[0]} up)"
        for name, (multiple, minimum) in rules.items()
        if any(side % multiple or side < minimum for side in (height, width))
    ]
    if not failing:
        return
    multiple = math.lcm(*(rule[0] for rule in rules.values()))
    minimum = max(rule[1] for rule in rules.values())
    works = sorted({s for side in (height, width) for s in nearest_sizes(side, multiple=multiple, minimum=minimum)})
    raise ValueError(
        refusal(
            "data.size and data.crop",
            allowed=f"clips whose height and width every network takes, such as {' or '.join(map(str, works))}",
            got=f"{height}x{width} (height x width), which does not suit {', '.join(failing)}",
            fix="Pass another --data.size (or --data.crop), or a smaller network, such as "
            """--model.predictor '["unet", {"depth": 4}]'""",
        )
    )


def _resolved(data: DataSettings) -> DataSettings:
    if data.world is not None:
        if data.x is not None or data.y is not None:
            raise ValueError(refusal("data", allowed="data.world, or data.x and data.y", got="both"))
        size = PUBLISHED_CROP if data.size in ("published", "own") else data.size
        return replace(data, size=size, flip=bool(data.flip))
    missing = [f"data.{domain}" for domain in ("x", "y") if getattr(data, domain) is None]
    if missing:
        fix = "Pass --data.x and --data.y: video files or folders of frames. Or --data.world shapes, to try"
        raise ValueError(
            refusal("data", allowed="frames of both domains", got=f"no {' and no '.join(missing)}", fix=fix)
        )
    return replace(
        data,
        x=str(Path(str(data.x)).resolve()),
        y=str(Path(str(data.y)).resolve()),
        crop=PUBLISHED_CROP if data.crop is None and data.size == "published" else data.crop,
        flip=True if data.flip is None else data.flip,
    )


def _open(data: DataSettings, seed: int) -> dict[str, FrameSource]:
    if data.world is None:
        return {domain: open_source(str(getattr(data, domain)), layout=data.layout) for domain in ("x", "y")}
    if not isinstance(data.size, int):
        got, allowed = repr(data.size), "one side of a square, for a world"
        raise ValueError(refusal("data.size", allowed=allowed, got=got))
    world = worlds.create(data.world, size=data.size, seed=seed)
    length = max(WORLD_LENGTH, 2 * data.stride * (data.clip_length or 1))
    return {domain: world.train(domain, sequences=WORLD_STREAMS, length=length) for domain in ("x", "y")}


def choose_device(name: str) -> torch.device:
    """The device of that name, or for ``"auto"`` a GPU if there is one; refuses what is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ValueError(refusal("device", allowed="auto, cpu or cuda", got=name))
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(refusal("device", allowed="cpu or auto", got="cuda", why="PyTorch sees no GPU here"))
    return torch.device(name)
