"""Penalties on the discriminators."""

from collections.abc import Iterator
from dataclasses import dataclass

from vtrans import functional
from vtrans.expressions import Domain
from vtrans.losses.base import Loss
from vtrans.losses.terms import Term


@dataclass(kw_only=True, eq=False)
class R1(Loss):
    """The discriminator's gradient at real frames is small: ½ Σ_t ‖∇D_X(x_t)‖².

    Args:
        weight: Weight of the term.

    Raises:
        ValueError: The weight is no weight.

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
