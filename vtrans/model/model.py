"""The model that users hold: built from a recipe's name, stepped, explained, saved, and used to translate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from vtrans.errors import refusal, unknown
from vtrans.model import pretrained
from vtrans.model.assembly import LossOverrides, assemble
from vtrans.model.explanation import Explanation
from vtrans.model.trainable import TrainableModel
from vtrans.model.translation import translate
from vtrans.objectives.phases import Phase
from vtrans.recipes.base import PartPerDomain


class TranslationModel(TrainableModel):
    """A model of any recipe, as :func:`vtrans.build` makes it; for its arguments see :class:`TrainableModel`.

    Example:
        >>> import vtrans
        >>> small = {"generator": ("resnet", {"blocks": 1, "width": 4}), "discriminator": ("patch", {"width": 4})}
        >>> model = vtrans.build("cycle_gan", **small)
        >>> x, y = torch.zeros(2, 1, 1, 3, 32, 32).unbind()
        >>> sorted(model.generator_loss(x, y))
        ['adversarial/x', 'adversarial/y', 'cycle/x', 'cycle/y', 'identity/x', 'identity/y']
    """

    @torch.no_grad()
    def translate(self, frames: Tensor, *, to: str, batch: int = 8) -> Tensor:
        """Translates frames of any size into a domain.

        Args:
            frames: Frames of the other domain in [-1, 1]: ``(…, channel, height, width)`` with any axes before, such
                as a clip. A size that the generator cannot take is padded by reflection and the result cropped back.
            to: ``"x"`` or ``"y"``.
            batch: Frames translated at a time.

        Returns:
            The frames in the other domain, of the same axes and size.

        Raises:
            ValueError: Another domain than x or y, or frames of the wrong channels.

        Example:
            >>> import vtrans
            >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
            >>> model.translate(torch.zeros(5, 3, 30, 41), to="y").shape
            torch.Size([5, 3, 30, 41])
        """
        if to not in ("x", "y"):
            raise ValueError(refusal("to", allowed="'x' or 'y'", got=repr(to)))
        channels = self.channels["y" if to == "x" else "x"]
        return translate(self.networks[f"G_{to.upper()}"], frames, channels, batch)

    def explain(self, against: TranslationModel | None = None, *, length: int | None = None) -> Explanation:
        """The objective as equations, what trains what, and the plan; printable, and rendered in notebooks.

        Args:
            against: Another model: the explanation then shows what differs.
            length: Clip length of the plan; by default the model's own.
        """
        if against is not None and not isinstance(against, TranslationModel):
            raise TypeError(refusal("against", allowed="another model", got=type(against).__name__))
        return Explanation.of(self, against, length)

    def save_pretrained(self, folder: str, *, overwrite: bool = False) -> None:
        """Writes config.json and model.safetensors into a folder; see :func:`vtrans.model.pretrained.save`."""
        pretrained.save(self, folder, overwrite=overwrite)

    @classmethod
    def from_pretrained(cls, folder: str, *, revision: str | None = None) -> TranslationModel:
        """Loads what :meth:`save_pretrained` wrote, or a model of the hub; see :func:`vtrans.model.pretrained.load`."""
        return pretrained.load(build, folder, revision=revision)

    def push_to_hub(self, repository: str, *, private: bool = False) -> str:
        """Shares the model on the hub and returns its address; see :func:`vtrans.model.pretrained.push`."""
        return pretrained.push(self, repository, private=private)


def build(
    recipe: str,
    *,
    generator: PartPerDomain | None = None,
    predictor: PartPerDomain | None = None,
    discriminator: PartPerDomain | None = None,
    losses: LossOverrides | None = None,
    channels: int | Mapping[str, int] = 3,
    clip_length: int | None = None,
    warm_up: int | None = None,
    frozen_predictors: bool | None = None,
    phases: Sequence[Phase | Mapping[str, Any]] | None = None,
    networks: Mapping[str, nn.Module] | None = None,
    seed: int = 0,
    **misspelt: object,
) -> TranslationModel:
    """Builds a model from a recipe's name, and what is to differ from it.

    A part is named, or named with options: ``"resnet_6blocks"``, ``("resnet", {"blocks": 4, "width": 32})``; a mapping
    ``{"x": …, "y": …}`` gives the domains different ones. Only networks that a loss uses are made. The initial weights
    of each depend on (seed, name) alone, so that recipes compare from equal starts.

    Args:
        recipe: A registered recipe; ``vtrans.recipes`` lists them.
        generator: Both generators; by domain it is the domain they produce.
        predictor: Both predictors.
        discriminator: Both discriminators.
        losses: A mapping changes the recipe's list: a number is a weight (of a loss there or added), ``None`` drops a
            loss, a mapping gives options (``{"loss": "cycle", …}`` adds one under a name of its own). A sequence
            replaces the list: losses, names or (name, options) pairs.
        channels: Channels of the frames, one number or ``{"x": …, "y": …}``.
        clip_length: Frames in a training clip; by default the recipe's, or as many as the losses need.
        warm_up: Steps for which the predictors alone learn, on real streams, before the generators start; by default
            the recipe's, which is 0 for most.
        frozen_predictors: Whether the predictors stand frozen while the generators train; by default as in the recipe.
        phases: The phases, replacing the recipe's (not with ``warm_up`` or ``frozen_predictors``).
        networks: Networks by name, such as ``{"E_X": encoder}``, used as they are.
        seed: Seed of the initial weights.
        misspelt: Nothing else is taken; a further argument is refused with the nearest that exists.

    Returns:
        The model.

    Raises:
        ValueError: An unknown recipe, part, loss or option; the nearest match is named. Or parts that do not fit.

    Example:
        >>> import vtrans
        >>> model = vtrans.build(
        ...     "recycle_gan",
        ...     losses={"cycle": 5.0, "recycle": {"distance": "l2"}},
        ...     generator=("resnet", {"blocks": 1, "width": 4}),
        ...     predictor=("unet", {"depth": 3, "width": 4}),
        ... )
        >>> list(model.losses)
        ['adversarial', 'recurrent', 'recycle', 'cycle']
        >>> vtrans.build(**model.config).config == model.config
        True
    """
    for argument in misspelt:
        raise ValueError(unknown("argument of build", argument, [n for n in signature(build).parameters][:-1]))
    return TranslationModel(
        **assemble(
            recipe,
            generator=generator,
            predictor=predictor,
            discriminator=discriminator,
            losses=losses,
            channels=channels,
            clip_length=clip_length,
            warm_up=warm_up,
            frozen_predictors=frozen_predictors,
            phases=phases,
            networks=networks,
            seed=seed,
        )
    )
