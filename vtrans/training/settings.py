"""What a training run is made of, as plain typed data: the command line and YAML files are read into these."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import vtrans
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
        warm_up: Steps for which the predictors alone learn, before the generators start.
        frozen_predictors: Whether the predictors stand frozen while the generators train.
        phases: The phases of a step, replacing the recipe's: a list of {name, trains, terms, losses, start, stop}.
        seed: Seed of the initial weights. Default: the run's seed.
    """

    generator: list[Any] | dict[str, Any] | str | None = None
    predictor: list[Any] | dict[str, Any] | str | None = None
    discriminator: list[Any] | dict[str, Any] | str | None = None
    losses: dict[str, Any] | list[Any] | None = None
    channels: int | dict[str, int] | None = None
    clip_length: int | None = None
    warm_up: int = 0
    frozen_predictors: bool = False
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
class DataSettings:
    """Where the frames come from, and how clips are cut from them.

    Args:
        x: Frames of X: a video file, a folder of frames, or a folder of either, one sequence each.
        y: Frames of Y, likewise.
        world: Name of a synthetic world, in place of x and y.
        layout: How a folder's images are understood: frames, triplets (three side by side), or auto, by the folder's
            name.
        size: Size that frames are loaded at, in pixels: a side of a square, to which they are stretched; '[height,
            width]', which can keep their aspect; own (as they are); or published (286, of which 256 are cropped). A
            world is drawn at this size, by default at 256.
        crop: Size of a random crop, in pixels: a side or [height, width]. Default: 256 for the published size, else
            none.
        flip: Whether clips are mirrored left to right half of the time. Default: true for files, false for worlds.
        stride: Frames from one frame of a clip to the next.
        every: Frames from one clip's start to the next one's.
        clip_length: Frames of the clips that are cut from the data for training. Default: model.clip_length, or as many
            as the losses need.
    """

    x: str | None = None
    y: str | None = None
    world: str | None = None
    layout: Literal["auto", "frames", "triplets"] = "auto"
    size: int | tuple[int, int] | Literal["published", "own"] = "published"
    crop: int | tuple[int, int] | None = None
    flip: bool | None = None
    stride: int = 1
    every: int = 1
    clip_length: int | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """A training run: everything but where it is kept.

    Args:
        recipe: The recipe's name.
        model: What differs from the recipe.
        data: The data.
        steps: Training steps in all, those before a resume included.
        batch: Clips of each domain in a step.
        lr: Learning rate of every optimizer.
        schedule: How the rate goes on: constant; or published, constant for half of the steps and then linearly to
            zero.
        seed: Seed of the weights and of the order, crops and flips of the clips.
        device: Where to train: auto (a GPU if there is one), cpu or cuda.
        threads: CPU threads. Default: as many as PyTorch chooses.
        checkpoint_every: Steps between checkpoints.
        preview_every: Steps between pictures of the translations so far; 0 for none.
        log_every: Steps between lines of metrics.jsonl.

    Raises:
        ValueError: A number is out of range.
    """

    recipe: str
    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    steps: int = 10_000
    batch: int = 1
    lr: float = 2e-4
    schedule: Literal["constant", "published"] = "constant"
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    checkpoint_every: int = 500
    preview_every: int = 500
    log_every: int = 20

    def __post_init__(self) -> None:
        least = {"steps": 1, "batch": 1, "seed": 0, "checkpoint_every": 1, "preview_every": 0, "log_every": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(refusal(name, allowed=f"a whole number of at least {bound}", got=getattr(self, name)))
        if self.threads is not None and self.threads < 1:
            raise ValueError(refusal("threads", allowed="a whole number of at least 1", got=self.threads))
        if not 0 < self.lr < float("inf"):
            raise ValueError(refusal("lr", allowed="a rate above 0", got=self.lr))

    def resolved(self, model: TranslationModel, data: DataSettings) -> dict[str, Any]:
        """The run as plain data with everything resolved; as a config file it gives the same run.

        Args:
            model: The model that was built.
            data: The data settings with the defaults resolved.
        """
        parts = {name: value for name, value in model.config.items() if name != "recipe"}
        plain: dict[str, Any] = json.loads(json.dumps({**asdict(self), "model": parts, "data": asdict(data)}))
        return plain
