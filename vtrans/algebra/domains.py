"""What losses write equations with: domains, with their clips, networks and draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from vtrans.algebra.operators import LAWS, Draw
from vtrans.algebra.streams import Apply, Network, Operation, Stream
from vtrans.algebra.views import Clip, Hold, Past, Ticks, rebuilt
from vtrans.errors import refusal, unknown

Translation = Callable[..., Stream]
"""The equation of a translation: of the domain translated from, that translated into, and the stream translated."""


@dataclass(frozen=True)
class Domain:
    """One domain as a loss sees it: its clip, and the networks into, of and on it.

    An attribute that begins with a capital letter is a network by its role: ``x.E`` is E_X. ``y.G(s)`` translates s
    into Y, which is the network G_Y where the recipe says nothing else.

    Args:
        name: Such as ``"x"``.
        translation: The recipe's equation of a translation; None for the network G.

    Example:
        >>> x, y = Domain("x"), Domain("y")
        >>> y.P(y.G(x.past)).domain
        'y'
    """

    name: str
    translation: Translation | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("_"):
            raise AttributeError(name)
        if name[0].isupper():
            return self.network(name)
        known = ["frames", "past", "G", "P", "D", "network", "stream", "draw"]
        raise AttributeError(unknown(f"part of domain {self.name}:", name, known))

    @property
    def frames(self) -> Stream:
        """The clip."""
        return Clip(self.name)

    @property
    def past(self) -> Stream:
        """All frames of the clip but the last."""
        return Past(self.frames)

    @property
    def G(self) -> Network | Translator:
        """What translates into this domain: the recipe's translation, or the generator."""
        return self.network("G") if self.translation is None else Translator(self)

    @property
    def P(self) -> Network:
        """The predictor of this domain's next frame."""
        return self.network("P")

    @property
    def D(self) -> Network:
        """The discriminator of this domain."""
        return self.network("D")

    def network(self, role: str) -> Network:
        """The network of any role, such as ``x.network("E")`` for E_X."""
        return Network(role, self.name)

    def stream(self, name: str) -> Stream:
        """Another stream of the clip, such as ``x.stream("flow")``."""
        return Clip(self.name, name)

    def draw(self, name: str, *shape: int, law: str = "normal", once: bool = False) -> Stream:
        """Random numbers of a shape, drawn anew for each frame and each clip of the batch.

        Args:
            name: Two draws of one name and domain are one.
            shape: What is drawn for a frame.
            law: ``"normal"``, N(0, 1); or ``"uniform"``, from 0 up to 1.
            once: Whether a clip has one draw for all its frames.

        Returns:
            A stream that has a frame at every time.

        Raises:
            ValueError: There is no shape, or no such law.
        """
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        if not sizes or not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes):
            allowed = f"the sizes of what is drawn, such as {self.name}.draw({name!r}, 8)"
            raise ValueError(
                refusal(f"shape of the draw {name!r}", allowed=allowed, got=repr(shape) if shape else "none")
            )
        if law not in LAWS:
            raise ValueError(unknown("law", law, LAWS))
        drawn = Draw(name, tuple(sizes), law, self.name, inputs=(Ticks(),))
        return Hold(drawn, Ticks()) if once else drawn


@dataclass(frozen=True)
class Translator:
    """The recipe's translation into a domain, used as if it were a network."""

    domain: Domain
    frozen: bool = False

    def __call__(self, *streams: Stream) -> Stream:
        """The expression of the streams translated."""
        translation = self.domain.translation
        assert translation is not None
        if not streams:
            return self._stand(translation(self.domain))
        made = translation(Domain(streams[0].domain, translation), self.domain, *streams)
        return self._stand(made)

    def method(self, name: str) -> Network:
        """Another method of the network G of this domain."""
        return Network("G", self.domain.name, self.frozen).method(name)

    def _stand(self, stream: Stream) -> Stream:
        """The expression, its networks frozen if the translator is."""
        if not self.frozen:
            return stream

        def still(part: Stream) -> Stream | None:
            if not isinstance(part, Apply) or part.network.frozen:
                return None
            return rebuilt(replace(part, network=replace(part.network, frozen=True)), still)

        return rebuilt(stream, still)


def network(role: str) -> Network:
    """One network for all domains, such as ``vtrans.network("Phi")``: what it makes belongs to its input's domain."""
    if not isinstance(role, str) or not role.isidentifier() or "_" in role:
        raise ValueError(refusal("role of a network", allowed="a word without underscores, as 'Phi'", got=repr(role)))
    return Network(role)


def role_of(name: str) -> str:
    """The role in a network's name: ``"G"`` of ``"G_Y"``."""
    return name.rpartition("_")[0] or name


def domain_of(name: str) -> str:
    """The domain in a network's name: ``"y"`` of ``"G_Y"``; empty for a network of all domains."""
    return name.rpartition("_")[2].lower() if "_" in name else ""


def frozen(network: Network) -> Network:
    """The network with its parameters detached: gradients flow through it, none to it."""
    if not isinstance(network, Network | Translator):
        raise TypeError(refusal("frozen(…)", allowed="a network such as y.P", got=type(network).__name__))
    return replace(network, frozen=True)


def networks_in(stream: Stream) -> dict[str, bool]:
    """The networks an expression runs, by name, and whether gradients reach the parameters of any run."""
    found: dict[str, bool] = {}
    waiting, seen = [(stream, True)], {(stream, True)}
    while waiting:
        part, trainable = waiting.pop()
        for used in part.uses if isinstance(part, Operation) else ():
            found[used.name] = found.get(used.name, False) or (trainable and not used.frozen)
        further = [(source, trainable and not part.cuts_gradient) for source in reversed(part.parts)]
        waiting += [item for item in further if item not in seen]
        seen.update(further)
    return found
