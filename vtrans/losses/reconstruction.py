"""The losses that rebuild a frame: cycle and identity in space, recurrent and recycle over time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from vtrans.algebra.domains import Domain, frozen
from vtrans.losses.base import Loss
from vtrans.losses.distances import DistanceLike
from vtrans.losses.terms import Term
from vtrans.losses.weights import Weight


@dataclass(kw_only=True, eq=False)
class Cycle(Loss):
    """A frame translated and translated back is the frame: Σ_t ‖x_t − G_X(G_Y(x_t))‖.

    Example:
        >>> import torch
        >>> clip = torch.zeros(1, 3, 3, 8, 8)
        >>> Cycle()(clip, clip, {"G_X": torch.nn.Identity(), "G_Y": torch.nn.Identity()})["cycle/x"].item()
        0.0

    Reference:
        Zhu et al., Unpaired image-to-image translation using cycle-consistent adversarial networks, 2017.
    """

    weight: Weight = 10.0
    distance: DistanceLike = "l1"
    frames: str = "past"

    def terms(self, x: Domain, y: Domain) -> Iterator[Term]:
        source = self.source(x)
        yield self.compare(x.G(y.G(source)), source)


@dataclass(kw_only=True, eq=False)
class Identity(Loss):
    """A generator leaves frames of its own domain alone: Σ_t ‖x_t − G_X(x_t)‖.

    Example:
        >>> import torch
        >>> clip = torch.zeros(1, 3, 3, 8, 8)
        >>> sorted(Identity()(clip, clip, {"G_X": torch.nn.Identity(), "G_Y": torch.nn.Identity()}))
        ['identity/x', 'identity/y']

    Reference:
        Taigman et al., 2017; Zhu et al., 2017, section 5.2.
    """

    weight: Weight = 5.0
    distance: DistanceLike = "l1"
    frames: str = "past"
    needs_equal_channels: ClassVar[bool] = True

    def terms(self, x: Domain, y: Domain) -> Iterator[Term]:
        source = self.source(x)
        yield self.compare(x.G(source), source)


@dataclass(kw_only=True, eq=False)
class Recurrent(Loss):
    """A predictor foresees its domain's next frame: Σ_t ‖x_{t+1} − P_X(x_{1:t})‖.

    Example:
        >>> Recurrent(distance="l2").options
        {'weight': 10.0, 'distance': 'l2'}

    Reference:
        Bansal et al., Recycle-GAN, 2018, equation 3.
    """

    weight: Weight = 10.0
    distance: DistanceLike = "l1"

    def terms(self, x: Domain, y: Domain) -> Iterator[Term]:
        yield self.compare(x.P(x.past), x.frames)


@dataclass(kw_only=True, eq=False)
class Recycle(Loss):
    """A clip translated, continued and brought back goes on as it did: Σ_t ‖x_{t+1} − G_X(P_Y(G_Y(x_{1:t})))‖.

    Args:
        frozen_predictor: Whether the predictor stands frozen here, so that it learns from real streams alone.

    Example:
        >>> loss = Recycle(weight={"x": 7.0, "y": 3.0})
        >>> [loss.weight_of(term, step=0) for term in loss.directions()]
        [7.0, 3.0]

    Reference:
        Bansal et al., Recycle-GAN, 2018, equation 4.
    """

    weight: Weight = 10.0
    distance: DistanceLike = "l1"
    frozen_predictor: bool = False

    def terms(self, x: Domain, y: Domain) -> Iterator[Term]:
        predictor = frozen(y.P) if self.frozen_predictor else y.P
        yield self.compare(x.G(predictor(y.G(x.past))), x.frames)
