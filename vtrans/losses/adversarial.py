"""The adversarial losses: translated and predicted frames before the discriminators."""

from collections.abc import Iterator
from dataclasses import dataclass

from vtrans.algebra.domains import Domain
from vtrans.algebra.streams import Stream
from vtrans.algebra.views import join
from vtrans.errors import refusal
from vtrans.losses.base import Loss
from vtrans.losses.criteria import CriterionLike
from vtrans.losses.terms import Term


@dataclass(kw_only=True, eq=False)
class Adversarial(Loss):
    """Frames translated into Y, and those predicted from them, are to pass as real before D_Y.

    Generators: Σ_t c(D_Y(G_Y(x_t))) + Σ_t c(D_Y(P_Y(G_Y(x_{1:t}))))

    Discriminators: ½ Σ_f [real(D_Y(y_f)) + fake(D_Y(f))] over the translated frames, those predicted from them, and
    those predicted from real frames, each beside the real frame of its time.

    Args:
        weight: Weight of the generators' term; the discriminators' has weight 1.
        predicted: Whether predicted frames are judged too.
        joined: Whether the translated frames and the predicted ones after them are judged as one stream, for a
            discriminator that looks at windows; frames predicted from real ones, of which there may be less than a
            window, are then left out.
        pool: Images in the history from which half of the fakes come; 0 for none.

    Example:
        >>> loss = Adversarial(criterion="hinge", pool=50)
        >>> [term.domain for term in loss.directions()]
        ['y', 'y', 'x', 'x']

    Reference:
        Goodfellow et al., 2014; Bansal et al., Recycle-GAN, 2018.
    """

    criterion: CriterionLike = "least_squares"
    frames: str = "past"
    predicted: bool = True
    joined: bool = False
    pool: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.pool, bool) or not isinstance(self.pool, int) or self.pool < 0:
            raise ValueError(refusal("pool", allowed="a whole number of images, 0 for none", got=repr(self.pool)))
        if self.joined and not self.predicted:
            raise ValueError(
                refusal("joined", allowed="False where predicted=False", got=True, why="Nothing is there to join")
            )

    def terms(self, x: Domain, y: Domain) -> Iterator[Term]:
        translated = y.G(self.source(x))
        fakes: list[Stream] = [translated]
        if self.predicted:
            predicted = y.P(y.G(x.past))
            fakes = [join(translated, predicted)] if self.joined else [translated, predicted]
        yield self.judge(y.D, *fakes)
        if self.predicted and not self.joined:
            fakes = [*fakes, y.P(y.past)]
        yield self.discriminate(y.D, real=y.frames, fakes=fakes, pool=self.pool)


@dataclass(kw_only=True, eq=False)
class AdversarialPrediction(Loss):
    """Frames predicted from real ones are to pass as real: Σ_t c(D_X(P_X(x_{1:t}))).

    D_X learns to tell them from real ones by :class:`Adversarial` with ``predicted=True``.

    Example:
        >>> AdversarialPrediction().name
        'adversarial_prediction'

    Reference:
        Bansal et al., Recycle-GAN, 2018 (an option of the published code).
    """

    criterion: CriterionLike = "least_squares"

    def terms(self, x: Domain, y: Domain) -> Iterator[Term]:
        yield self.judge(x.D, x.P(x.past))
