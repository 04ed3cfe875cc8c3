"""What a recipe is: losses, the networks they are usually trained with, and a clip length."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vtrans.algebra.domains import Domain, Translation
from vtrans.algebra.streams import Stream
from vtrans.errors import refusal
from vtrans.losses import Loss
from vtrans.losses.base import BOTH
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
        networks: Networks of further roles, by role (``"E"``) or by name (``"E_X"``).
        directions: What is translated into what: pairs of domains; or single domains, of a recipe that generates. The
            default is X into Y and Y into X; ``list(permutations("xyz", 2))`` is three domains.
        translation: The equation that ``y.G(s)`` stands for, of the domain translated from, that translated into and
            the stream: ``lambda x, y, s: y.Dec(x.C(s), y.draw("s", 8, once=True))``. None for the generators. Of a
            recipe that generates it is an equation of the domain alone.
        guides: By the name of a draw, what a guide of the domain translated into puts in its place:
            ``{"s": lambda y, guide: y.S(guide)}``.
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
    networks: Mapping[str, PartPerDomain] = field(default_factory=dict)
    directions: Sequence[tuple[str, ...]] = BOTH
    translation: Translation | None = None
    guides: Mapping[str, Callable[[Domain, Stream], Stream]] = field(default_factory=dict)
    phases: Sequence[Phase] | None = None
    warm_up: int = 0
    frozen_predictors: bool = False

    def __post_init__(self) -> None:
        _ = self.named_losses
        allowed = "pairs of domains such as ('x', 'y'), or single ones such as ('x',)"
        for pair in self.directions:
            if not isinstance(pair, tuple) or len(pair) not in (1, 2) or len({*pair}) < len(pair):
                raise ValueError(refusal("directions", allowed=allowed, got=repr(pair)))
            if not all(isinstance(name, str) and name.isidentifier() and name.islower() for name in pair):
                raise ValueError(refusal("directions", allowed="domains in lower case, such as 'x'", got=repr(pair)))
        if not self.directions:
            raise ValueError(refusal("directions", allowed=allowed, got="none"))

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains, in the order in which the directions name them."""
        return tuple(dict.fromkeys(name for pair in self.directions for name in pair))

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
