"""What a training run is made of, as plain typed data: the command line and YAML files are read into these."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import vtrans
from vtrans.data.settings import DataSettings
from vtrans.errors import refusal
from vtrans.model import TranslationModel


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What differs from the recipe; see :func:`vtrans.build`.

    Args:
        generator: Both generators: a name, [name, {option: value}], or {x: …, y: …}. Default: the recipe's.
        predictor: Both predictors, likewise.
        discriminator: Both discriminators, likewise.
        losses: Changes of the recipe's losses: {name: weight, or null to drop it, or {option: value}}; a list replaces
            them.
        channels: Channels of the frames, a number or {x: …, y: …}. Default: those of the data.
        clip_length: Frames of the clips that the model is made for and its plans are shown for; data.clip_length sets
            those of training. Default: the recipe's.
        warm_up: Steps for which the predictors alone learn, before the generators start. Default: the recipe's.
        frozen_predictors: Whether the predictors stand frozen while the generators train. Default: as in the recipe.
        phases: The phases of a step, replacing the recipe's: a list of {name, trains, terms, losses, start, stop}.
        seed: Seed of the initial weights. Default: the run's seed.
    """

    generator: list[Any] | dict[str, Any] | str | None = None
    predictor: list[Any] | dict[str, Any] | str | None = None
    discriminator: list[Any] | dict[str, Any] | str | None = None
    losses: dict[str, Any] | list[Any] | None = None
    channels: int | dict[str, int] | None = None
    clip_length: int | None = None
    warm_up: int | None = None
    frozen_predictors: bool | None = None
    phases: list[dict[str, Any]] | None = None
    seed: int | None = None

    def build(self, recipe: str, *, seed: int = 0, channels: int | dict[str, int] = 3) -> TranslationModel:
        """The model of a recipe with these changes.

        Args:
            recipe: The recipe's name.
            seed: Seed of the initial weights where the settings name none.
            channels: Channels of the frames where the settings name none.

        Raises:
            ValueError: An unknown recipe, part, loss or option, or parts that do not fit.

        Example:
            >>> settings = ModelSettings(generator=["resnet", {"blocks": 1, "width": 4}])
            >>> settings.build("gan").config["generator"][0]
            'resnet'
        """
        options = {name: value for name, value in vars(self).items() if value is not None}
        return vtrans.build(recipe, **{"seed": seed, "channels": channels, **options})


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """A training run: everything but where it is kept.

    Args:
        recipe: The recipe's name.
        model: What differs from the recipe.
        data: The data.
        steps: Training steps in all, those before a resume included.
        batch: Clips of each domain in a step, over all processes; their number times accumulate must divide it.
        accumulate: Parts in which each process computes its share of a step: less memory, the same numbers.
        lr: Learning rate of every optimizer; or of each phase, as {generators: 0.0002, discriminators: 0.0004}.
        schedule: How the rates go on: constant; published, constant for half of the steps and then linearly to zero;
            or cosine, down to zero.
        rate_warm_up: Steps over which the rates rise to their full height.
        ema: Decay of averages of the generators' weights over the steps, such as 0.999; 0 for none. With it the saved
            model, and so translate and from_pretrained, has the averages; training goes on with the weights themselves.
        seed: Seed of the weights and of the order, crops and flips of the clips.
        device: Where to train: auto (a GPU if there is one), cpu or cuda.
        threads: CPU threads. Default: as many as PyTorch chooses.
        precision: Number format of convolutions: fp32; tf32 (GPUs); bf16; or fp16 (GPUs), mixed, with weights in
            float32.
        compile: Whether torch.compile makes one program of each phase: minutes at the start, then faster steps.
        recompute: Networks, such as [G, P] or [G_X], that run once more in the backward pass instead of keeping what
            they computed: less memory for about a third more time (gradient checkpointing).
        channels_last: Whether weights and frames are laid out with channels last, which convolutions on GPUs prefer.
        optimizer: Implementation of Adam: default (PyTorch's choice), foreach (few kernels) or fused (one kernel).
        guard: What becomes of a step whose losses or gradients are not finite: stop ends the run; skip leaves out its
            update; roll_back goes on from the last checkpoint without it. Its clips are saved for replay either way.
        check_every: Steps between looks at whether they were finite; on a CPU, and with skip, every step is looked at.
        checkpoint_every: Steps between checkpoints.
        keep_last: Newest checkpoints that are kept.
        milestone_every: Steps between checkpoints that are kept for ever; 0 for none.
        best: A number of metrics.jsonl, such as held_out/cycle/x, whose best checkpoint is kept too.
        validate_every: Steps between looks at held-out clips; 0 for none. Needs data.held_out, or a world.
        validate_metrics: Metrics that are measured there. Default: cycle, recycle, psnr and ssim, where they can be.
            That of best is always among them.
        preview_every: Steps between pictures of the translations so far; 0 for none.
        video_every: Steps between short videos of clips beside their translations; 0 for none.
        log_every: Steps between lines of metrics.jsonl and of trackers.
        trackers: Where numbers go besides metrics.jsonl: tensorboard, or others that Accelerate knows, such as wandb.
        callbacks: Hooks of one's own, by name or [name, {option: value}]; see vtrans.training.callbacks.

    Raises:
        ValueError: A number is out of range.
    """

    recipe: str
    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    steps: int = 10_000
    batch: int = 1
    accumulate: int = 1
    lr: float | dict[str, float] = 2e-4
    schedule: Literal["constant", "published", "cosine"] = "constant"
    rate_warm_up: int = 0
    ema: float = 0.0
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32"
    compile: bool = False
    recompute: list[str] = field(default_factory=list)
    channels_last: bool = False
    optimizer: Literal["default", "foreach", "fused"] = "default"
    guard: Literal["stop", "skip", "roll_back"] = "stop"
    check_every: int = 25
    checkpoint_every: int = 500
    keep_last: int = 2
    milestone_every: int = 0
    best: str | None = None
    validate_every: int = 0
    validate_metrics: list[str] = field(default_factory=list)
    preview_every: int = 500
    video_every: int = 0
    log_every: int = 20
    trackers: list[str] = field(default_factory=lambda: ["tensorboard"])
    callbacks: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                allowed = f"a whole number of at least {least}"
                raise ValueError(refusal(name, allowed=allowed, got=getattr(self, name)))
        if self.threads is not None and self.threads < 1:
            raise ValueError(refusal("threads", allowed="a whole number of at least 1", got=self.threads))
        for rate in self.lr.values() if isinstance(self.lr, dict) else [self.lr]:
            if not 0 < rate < math.inf:
                raise ValueError(refusal("lr", allowed="a rate above 0", got=rate))
        if not 0 <= self.ema < 1:
            raise ValueError(refusal("ema", allowed="a decay from 0 (none) up to below 1", got=self.ema))
        if self.best is not None and self.best.startswith("held_out/") and not self.validate_every:
            fix = "Pass --validate_every, with --data.held_out or a world"
            raise ValueError(refusal("best", allowed="a number that is measured", got=self.best, fix=fix))

    def resolved(self, model: TranslationModel, data: DataSettings) -> dict[str, Any]:
        """The run as plain data with everything resolved; as a config file it gives the same run.

        Args:
            model: The model that was built.
            data: The data settings with the defaults resolved.
        """
        parts = {name: value for name, value in model.config.items() if name != "recipe"}
        mine = {**asdict(self), "model": parts, "data": asdict(data)}
        plain: dict[str, Any] = json.loads(json.dumps({"version": vtrans.__version__, **mine}))
        return plain


def check_version(written: str | None) -> None:
    """Refuses the config of a version whose options or numbers may be others.

    Raises:
        ValueError: It is of another version than this one, its last number apart.
    """
    ours = vtrans.__version__.split(".")[:2]
    if written is not None and written.split(".")[:2] != ours:
        raise ValueError(
            refusal(
                "version",
                allowed=f"a config of vtrans {'.'.join(ours)}",
                got=f"one that vtrans {written} wrote",
                fix=f"Install vtrans {written}, or check its options (vtrans train --help) and delete the line",
            )
        )


_LEAST = {
    "steps": 1,
    "batch": 1,
    "accumulate": 1,
    "rate_warm_up": 0,
    "seed": 0,
    "check_every": 1,
    "checkpoint_every": 1,
    "keep_last": 1,
    "milestone_every": 0,
    "validate_every": 0,
    "preview_every": 0,
    "video_every": 0,
    "log_every": 1,
}
