"""The model that users hold: built from a recipe's name, stepped, explained, saved, and used to translate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, cast

import torch
from torch import Tensor, nn

from vtrans.algebra.domains import Domain, networks_in
from vtrans.algebra.meaning import evaluate
from vtrans.algebra.streams import Apply, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.values import Value, map_tensors
from vtrans.algebra.views import Clip
from vtrans.errors import refusal, unknown
from vtrans.model import pretrained
from vtrans.model.assembly import LossOverrides, assemble
from vtrans.model.explanation import Explanation
from vtrans.model.ongoing import OngoingTranslation, translation_of
from vtrans.model.trainable import TrainableModel
from vtrans.model.translation import check_translatable, pad_for, translate
from vtrans.networks.modes import evaluating
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

    def translating(self, to: str) -> list[str]:
        """The names of the networks by which frames are translated into a domain."""
        return list(networks_in(self._translation(to)[0]))

    @property
    def targets(self) -> list[str]:
        """The domains that frames are translated into, or generated in."""
        return list(dict.fromkeys(pair[-1] for pair in self.directions))

    def source_of(self, to: str) -> str | None:
        """The domain from which frames are translated into another; None where they are generated."""
        return self._translation(to)[1]

    def _translation(self, to: str) -> tuple[Stream, str | None]:
        return translation_of(self.directions, self.translation, self.networks_by_name, to)

    @torch.no_grad()
    def translate(
        self,
        frames: Tensor | None = None,
        *,
        to: str,
        batch: int = 8,
        guide: Tensor | None = None,
        draws: Mapping[str, Value] | None = None,
        seed: int | None = None,
        length: int | None = None,
    ) -> Tensor:
        """Translates frames of any size into a domain, by the recipe's equation.

        Args:
            frames: Frames of the other domain in [-1, 1]: ``(…, channel, height, width)`` with any axes before, such
                as a clip, whose last one is time. A size that the networks cannot take is padded by reflection and the
                result cropped back. None for a recipe that generates.
            to: The domain, such as ``"y"``.
            batch: Frames translated at a time; what is drawn once a clip, and recursions, go on from one to the next.
            guide: Frames of the domain translated into, ``(time, channel, height, width)``, whose style is taken.
            draws: What stands in the place of draws, by name, such as ``{"s": code}``, ``(clips, …)``.
            seed: Seed of what is drawn; by default PyTorch's own state goes on.
            length: Frames to generate, of a recipe that generates.

        Returns:
            The frames in the other domain, of the same axes and size.

        Raises:
            ValueError: A domain that nothing translates into, frames of the wrong channels, an unknown draw, or a guide
                where the recipe takes none.

        Example:
            >>> import vtrans
            >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
            >>> model.translate(torch.zeros(5, 3, 30, 41), to="y").shape
            torch.Size([5, 3, 30, 41])
        """
        stream, source = self._translation(to)
        if (
            source is not None
            and isinstance(stream, Apply)
            and stream.inputs == (Clip(source),)
            and guide is None
            and not draws
        ):
            network = self.networks[stream.network.name]
            if Reads.of(network) == Reads():
                return translate(network, cast(Tensor, frames), self.channels[source], batch)
        if source is not None:
            check_translatable(frames, self.channels[source], batch)
            given = cast(Tensor, frames)
            clips = given.reshape(-1, *given.shape[-4:]) if given.ndim > 3 else given[None, None]
        else:
            if length is None or isinstance(length, bool) or not isinstance(length, int) or length < 1:
                raise ValueError(refusal("length", allowed="a whole number of frames above 0", got=repr(length)))
            like = next(self.parameters())
            clips = like.new_empty(1, length, 0, 1, 1)
        with torch.random.fork_rng(enabled=seed is not None), evaluating(*self.networks.values()):
            if seed is not None:
                torch.manual_seed(seed)
            ongoing = self.ongoing(to, clips.shape[0], guide=guide, draws=draws)
            made = torch.cat([ongoing(chunk) for chunk in clips.split(batch, dim=1)], dim=1)
        if source is None:
            return made[0]
        return made.reshape(*given.shape[:-3], *made.shape[-3:])

    def ongoing(
        self, to: str, clips: int = 1, *, guide: Tensor | None = None, draws: Mapping[str, Value] | None = None
    ) -> OngoingTranslation:
        """A translation that takes a long clip chunk by chunk; see :meth:`translate` for the arguments.

        Args:
            to: The domain translated into.
            clips: How many clips are translated side by side.
            guide: Frames whose style is taken.
            draws: What stands in the place of draws.
        """
        stream, source = self._translation(to)
        chosen = dict(draws or {})
        if guide is not None:
            chosen = {**self._guided(to, clips, guide), **chosen}
        return OngoingTranslation(stream, source, self.networks_by_name, chosen)

    def _guided(self, to: str, clips: int, guide: Tensor) -> dict[str, Value]:
        """What a guide puts in the place of draws: the mean over its frames."""
        if not self.guides:
            got = "a guide for a recipe whose translation draws nothing that a guide could give"
            raise ValueError(refusal("guide", allowed="none", got=got))
        check_translatable(guide, self.channels[to], 1)
        frames = (guide if guide.ndim > 3 else guide[None])[None]
        found: dict[str, Value] = {}
        for name, equation in self.guides.items():
            stream = equation(Domain(to, self.translation), Clip(to))
            networks = [self.networks[used] for used in networks_in(stream)]
            padded, _ = pad_for(networks, frames)
            values = list(evaluate(stream, {Clip(to): padded}, self.networks_by_name).values())
            found[name] = map_tensors(
                lambda *parts: torch.stack(parts).mean(0).expand(clips, *parts[0].shape[1:]), *values
            )
        return found

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
    networks: Mapping[str, nn.Module | PartPerDomain] | None = None,
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
