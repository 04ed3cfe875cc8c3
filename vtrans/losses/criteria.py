"""Adversarial criteria, one class each: the maths of :mod:`vtrans.functional.adversarial`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from vtrans import functional, registry
from vtrans.functional.adversarial import Role


class Criterion(ABC):
    """What a judged frame costs, averaged over the frames and the judged patches.

    ``symbols`` and ``latex`` say how an equation writes each role, with ``#d`` for the judgement.
    """

    symbols: ClassVar[Mapping[Role, str]]
    latex: ClassVar[Mapping[Role, str]]

    @abstractmethod
    def __call__(self, logits: Tensor, role: Role) -> Tensor:
        """The cost, a scalar, of logits ``(batch, …)`` of frames that are real, fake, or a generator's."""


@dataclass(frozen=True)
class LeastSquares(Criterion):
    """(D − 1)² for real frames and the generator, D² for fake ones; the published default.

    Example:
        >>> import torch
        >>> LeastSquares()(torch.zeros(1, 1, 4, 4), "generator").item()
        1.0

    Reference:
        Mao et al., Least squares generative adversarial networks, 2017.
    """

    symbols: ClassVar[Mapping[Role, str]] = {"real": "(#d − 1)²", "fake": "#d²", "generator": "(#d − 1)²"}
    latex: ClassVar[Mapping[Role, str]] = {"real": "(#d - 1)^2", "fake": "#d^2", "generator": "(#d - 1)^2"}

    def __call__(self, logits: Tensor, role: Role) -> Tensor:
        return functional.least_squares(logits, role).mean()


@dataclass(frozen=True)
class NonSaturating(Criterion):
    """−log σ(D) and −log(1 − σ(D)), from logits: the published vanilla form, whose discriminator ends in a sigmoid.

    Example:
        >>> import torch
        >>> round(NonSaturating()(torch.zeros(1, 1, 4, 4), "real").item(), 4)
        0.6931

    Reference:
        Goodfellow et al., Generative adversarial nets, 2014.
    """

    symbols: ClassVar[Mapping[Role, str]] = {
        "real": "−log σ(#d)",
        "fake": "−log(1 − σ(#d))",
        "generator": "−log σ(#d)",
    }
    latex: ClassVar[Mapping[Role, str]] = {
        "real": r"-\log \sigma(#d)",
        "fake": r"-\log(1 - \sigma(#d))",
        "generator": r"-\log \sigma(#d)",
    }

    def __call__(self, logits: Tensor, role: Role) -> Tensor:
        return functional.non_saturating(logits, role).mean()


@dataclass(frozen=True)
class Hinge(Criterion):
    """max(0, 1 − D) for real frames, max(0, 1 + D) for fake ones, −D for the generator.

    Example:
        >>> import torch
        >>> Hinge()(torch.full((1, 1, 4, 4), 2.0), "real").item()
        0.0

    Reference:
        Lim and Ye, Geometric GAN, 2017.
    """

    symbols: ClassVar[Mapping[Role, str]] = {"real": "max(0, 1 − #d)", "fake": "max(0, 1 + #d)", "generator": "−#d"}
    latex: ClassVar[Mapping[Role, str]] = {"real": r"\max(0, 1 - #d)", "fake": r"\max(0, 1 + #d)", "generator": "-#d"}

    def __call__(self, logits: Tensor, role: Role) -> Tensor:
        return functional.hinge(logits, role).mean()


@dataclass(frozen=True)
class Wasserstein(Criterion):
    """−D for real frames and the generator, D for fake ones; needs a penalty that keeps D Lipschitz.

    Example:
        >>> import torch
        >>> Wasserstein()(torch.ones(1, 1, 4, 4), "fake").item()
        1.0

    Reference:
        Arjovsky et al., Wasserstein generative adversarial networks, 2017.
    """

    symbols: ClassVar[Mapping[Role, str]] = {"real": "−#d", "fake": "#d", "generator": "−#d"}
    latex: ClassVar[Mapping[Role, str]] = {"real": "-#d", "fake": "#d", "generator": "-#d"}

    def __call__(self, logits: Tensor, role: Role) -> Tensor:
        return functional.wasserstein(logits, role).mean()


CriterionLike = str | tuple[str, dict[str, Any]] | Callable[[Tensor, Role], Tensor]
"""A registered name, a name with options, or any function of logits and a role that gives their mean cost."""


def as_criterion(value: CriterionLike) -> Callable[[Tensor, Role], Tensor]:
    """The criterion that a name, a name with options, or a function stands for."""
    criterion: Callable[[Tensor, Role], Tensor] = registry.criteria.resolve("criterion", value)
    return criterion
