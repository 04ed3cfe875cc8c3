"""What of a model differs from its recipe, as plain typed data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import vtrans
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
