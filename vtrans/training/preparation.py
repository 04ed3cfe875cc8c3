"""From settings to a model and clips that fit together, checked before any work is done."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from vtrans.data import Clips, FrameSource
from vtrans.data.checks import counted
from vtrans.data.opening import PUBLISHED, jitter_of, open_sources, resolved
from vtrans.data.settings import DataSettings
from vtrans.data.tensors import Frames
from vtrans.errors import refusal
from vtrans.model import TranslationModel
from vtrans.networks.sizes import nearest_sizes
from vtrans.planning.compilation import lay_out_channels_last
from vtrans.training.devices import Devices
from vtrans.training.settings import TrainingSettings


@dataclass(frozen=True)
class Preparation:
    """A model, the clips that it will be trained on, and those that it will be measured on.

    Attributes:
        settings: The run.
        model: The model, on the device.
        clips_x: Clips of X to train on.
        clips_y: Clips of Y to train on.
        devices: What the run computes on.
        config: The settings with everything resolved, as plain data.
        held_out: Clips of each domain that are kept from training, if any.
        pairs: Held-out clips of X and of Y that show the same scenes, where the exact translation is known.
        skipped: What was passed over when the data were opened, in words.
    """

    settings: TrainingSettings
    model: TranslationModel
    clips_x: Clips
    clips_y: Clips
    devices: Devices
    config: dict[str, Any]
    held_out: dict[str, Clips]
    pairs: tuple[Frames, Frames] | None
    skipped: str

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
            f"learning rate {_rates(settings.lr)} ({settings.schedule}), seed {settings.seed}, on {self.devices.device}"
            f" in {settings.precision}{f', {self.devices.ranks} processes' * (self.devices.ranks > 1)}"
        )
        used = {name for to in self.model.targets for name in self.model.translating(to)}
        starts = [phase.start for phase in self.model.phases if any(map(phase.trained, used))]
        if min(starts, default=0) >= settings.steps:
            lines.append(f"The generators do not learn in them: they start at step {min(starts)}.")
        if self.skipped:
            lines.append(self.skipped)
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
    devices = Devices(device=settings.device, precision=settings.precision)
    devices.share_of(settings.batch, settings.accumulate)
    data = resolved(settings.data)
    sources = open_sources(data, settings.seed)
    channels = {domain: source.channels for domain, source in sources.train.items()}
    model = settings.model.build(settings.recipe, seed=settings.seed, channels=channels)
    for domain, source in sources.train.items():
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
    clips = {domain: _clips(source, domain, data, random=True) for domain, source in sources.train.items()}
    held_out = {domain: _clips(source, domain, data, random=False) for domain, source in sources.held_out.items()}
    if clips["x"].shape[2:] != clips["y"].shape[2:]:
        sizes = [f"{c.shape[2]}x{c.shape[3]} (height x width)" for c in clips.values()]
        fix = "Pass --data.size or --data.crop"
        raise ValueError(refusal("data", allowed="clips of one size", got=f"{sizes[0]} in x, {sizes[1]} in y", fix=fix))
    check_size(model, *clips["x"].shape[2:])
    model.recompute(settings.recompute)
    if settings.compile:
        model.compile_phases()
    model.to(devices.device)
    if settings.channels_last:
        lay_out_channels_last(model)
    return Preparation(
        settings=settings,
        model=model,
        clips_x=clips["x"],
        clips_y=clips["y"],
        devices=devices,
        config=settings.resolved(model, data),
        held_out=held_out,
        pairs=sources.pairs,
        skipped=sources.skipped(),
    )


def check_size(model: TranslationModel, height: int, width: int) -> None:
    """Refuses a size of clips that a network of the model cannot take, and names those nearest to it that all take.

    Args:
        model: The model.
        height: Height of the clips in pixels.
        width: Width of the clips in pixels.

    Raises:
        ValueError: A network cannot take clips of that size.
    """
    rules = {name: _sizes(network) for name, network in model.networks.items()}
    failing = [
        f"{name} (multiples of {multiple} from {nearest_sizes(0, multiple=multiple, minimum=minimum)[0]} up)"
        for name, (multiple, minimum) in rules.items()
        if any(side % multiple or side < minimum for side in (height, width))
    ]
    if not failing:
        return
    multiple, minimum = sizes_for_all(model)
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


def sizes_for_all(model: TranslationModel) -> tuple[int, int]:
    """What both sides of a frame are multiples of, and the least they are, so that every network takes it."""
    multiples, minima = zip(*map(_sizes, model.networks.values()), strict=True)
    return math.lcm(*multiples), max(minima)


def _sizes(network: nn.Module) -> tuple[int, int]:
    return int(getattr(network, "multiple", 1)), int(getattr(network, "minimum", 1))


def _clips(source: FrameSource, domain: str, data: DataSettings, *, random: bool) -> Clips:
    """Clips of a domain; without crops at random, flips and changes of colour for measuring."""
    # A world is drawn at its size.
    size = None if data.size == "own" or data.world is not None else data.size
    return Clips(
        source,
        length=data.clip_length or 1,
        stride=data.stride,
        every=data.every,
        size=PUBLISHED["size"] if size == "published" else size,
        crop=data.crop,
        flip=data.flip and random,
        jitter=jitter_of(data, domain) if random else None,
        cuts=data.cuts,
        memory=round(data.memory * 2**30),
        cache=data.cache,
    )


def _rates(lr: float | dict[str, float]) -> str:
    if isinstance(lr, dict):
        return ", ".join(f"{rate:g} for {phase}" for phase, rate in lr.items())
    return f"{lr:g}"
