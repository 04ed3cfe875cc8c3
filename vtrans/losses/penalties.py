"""Penalties on the discriminators."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from vtrans import functional
from vtrans.algebra.domains import Domain
from vtrans.algebra.operators import between
from vtrans.algebra.views import Carried
from vtrans.losses.base import Loss
from vtrans.losses.terms import Term
from vtrans.losses.weights import Weight


@dataclass(kw_only=True, eq=False)
class R1(Loss):
    """The discriminator's gradient at real frames is small: ½ Σ_t ‖∇D_X(x_t)‖².

    Example:
        >>> [term.phase for term in R1().directions()]
        ['penalties', 'penalties']

    Reference:
        Mescheder et al., Which training methods for GANs do actually converge?, 2018.
    """

    def terms(self, x: Domain, y: Domain) -> Iterator[Term]:
        yield self.penalize(
            x.D, x.frames, functional.r1, symbol="½‖∇#d‖²", latex=r"\tfrac{1}{2} \lVert \nabla #d \rVert^2"
        )


@dataclass(kw_only=True, eq=False)
class GradientPenalty(Loss):
    """The discriminator's slope is one between real and translated frames: Σ_t (‖∇D_Y(z_t)‖ − 1)².

    z_t = ε y_t + (1 − ε) G_Y(x_t), with ε drawn uniformly from [0, 1] for each frame. With
    ``adversarial`` at ``criterion="wasserstein"`` that is WGAN-GP.

    Args:
        norm: The norm that the gradient is to have.

    Example:
        >>> [term.phase for term in GradientPenalty().directions()]
        ['penalties', 'penalties']

    Reference:
        Gulrajani et al., Improved training of Wasserstein GANs, 2017.
    """

    weight: Weight = 10.0
    norm: float = 1.0
    frames: str = "past"

    def terms(self, x: Domain, y: Domain) -> Iterator[Term]:
        function = partial(functional.gradient_penalty, norm=self.norm)
        mixed = between(y.frames, Carried(y.G(self.source(x))), "gradient_penalty")
        yield self.penalize(y.D, mixed, function, symbol="(‖∇#d‖ − 1)²", latex=r"(\lVert \nabla #d \rVert - 1)^2")
