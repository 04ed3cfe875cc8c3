"""What a recipe is: losses, the networks they are usually trained with, and a clip length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vtrans.errors import refusal
from vtrans.losses import Loss
from vtrans.objectives.phases import Phase

Part = str | Sequence[Any]
"""A registered name, or a (name, options) pair."""

PartPerDomain = Part | Mapping[str, Part]
"""One part for both domains, or ``{"x": part, "y": part}``."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A method: its losses, and what it uses where the user does not say otherwise.

    Args:
        losses: The losses, each reported by its name; a mapping gives other names.
        generator: Generator of both directions.
        predictor: Temporal predictor of both domains; built only if a loss uses it.
        discriminator: Discriminator of both domains.
        clip_length: Frames in a training clip.
        phases: Phases of a step; ``None`` for the two published ones.
        warm_up: Steps for which the predictors alone learn, before the generators start.
        frozen_predictors: Whether the predictors stand frozen while the generators train.

    Raises:
        ValueError: Two losses have the same name.

    Example:
        >>> from vtrans.losses import Adversarial, Cycle
        >>> list(Recipe(losses=(Adversarial(predicted=False), Cycle())).named_losses)
        ['adversarial', 'cycle']
    """

    losses: Sequence[Loss] | Mapping[str, Loss]
    generator: PartPerDomain = "resnet_6blocks"
    predictor: PartPerDomain = "unet_256"
    discriminator: PartPerDomain = "patch"
    clip_length: int = 3
    phases: Sequence[Phase] | None = None
    warm_up: int = 0
    frozen_predictors: bool = False

    def __post_init__(self) -> None:
        _ = self.named_losses

    @property
    def named_losses(self) -> dict[str, Loss]:
        """The losses by name."""
        given: object = self.losses
        listed = list(given.values()) if isinstance(given, Mapping) else given
        if not isinstance(listed, list | tuple) or not all(isinstance(loss, Loss) for loss in listed):
            raise TypeError(refusal("losses", allowed="losses such as Cycle(), or a mapping of them", got=repr(given)))
        if isinstance(self.losses, Mapping):
            return dict(self.losses)
        named: dict[str, Loss] = {}
        for loss in self.losses:
            if loss.name in named:
                raise ValueError(
                    refusal(
                        "losses",
                        allowed="one loss of each name",
                        got=f"{loss.name!r} twice",
                        fix="Pass a mapping of names to losses to tell them apart",
                    )
                )
            named[loss.name] = loss
        return named
