"""How equations are written: streams as symbols, in plain text or LaTeX."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vtrans.algebra.expressions import Apply, Network, Operation
from vtrans.algebra.operators import Detach, Draw, Noise, Reverse, Shift, Unroll
from vtrans.algebra.streams import Carried, Clip, Join, Past, Scope, Stream
from vtrans.algebra.times import Reads


@dataclass(frozen=True)
class When:
    """A time in an equation: the frame at ``t + offset``, the ``window`` frames ending there, or all up to it."""

    offset: int = 0
    past: bool = False
    window: int = 1

    def __str__(self) -> str:
        if self.past:
            return f"1:{self._moment(self.offset)}"
        first = f"{self._moment(self.offset - self.window + 1)}:" if self.window > 1 else ""
        return first + self._moment(self.offset)

    @staticmethod
    def _moment(offset: int) -> str:
        return "t" if offset == 0 else f"t{offset:+d}".replace("-", "−")


@dataclass(frozen=True)
class Notation:
    """Writes streams, given what each network reads.

    Args:
        scope: What the networks read; lengths do not matter.
        latex: LaTeX instead of plain text.

    Example:
        >>> from vtrans.algebra.expressions import Domain
        >>> x, y = Domain("x"), Domain("y")
        >>> reads = {"G_X": Reads(), "G_Y": Reads(), "P_Y": Reads((-2, -1), stacked=True)}
        >>> print(Notation(Scope({}, reads)).write(x.G(y.P(y.G(x.past))), When(1)))
        G_X(P_Y(G_Y(x_{1:t})))
    """

    scope: Scope
    latex: bool = False

    def write(self, stream: Stream, when: When) -> str:
        """The frame (or the past) of a stream at a time."""
        if isinstance(stream, Clip):
            symbol = stream.domain
            if stream.name != "frames":
                symbol = f"{self._word(stream.name)}^{symbol}" if self.latex else f"{stream.name}^{symbol}"
            if self.latex:
                return f"{symbol}_{{{when}}}".replace("−", "-")
            return f"{symbol}_{{{when}}}" if len(str(when)) > 1 else f"{symbol}_{when}"
        if isinstance(stream, Past | Carried):
            return self.write(stream.stream, when)
        if isinstance(stream, Shift):
            return self.write(stream.stream, When(when.offset - stream.by, when.past, when.window))
        if isinstance(stream, Join):
            cup = r" \cup " if self.latex else " ∪ "
            return f"({self.write(stream.first, when)}{cup}{self.write(stream.second, when)})"
        if isinstance(stream, Apply):
            inner = self._read_by(stream, when)
            return f"{self._name(stream.network)}({', '.join(self.write(part, inner) for part in stream.inputs)})"
        if isinstance(stream, Detach):
            return f"{self._word('sg')}({self.write(stream.inputs[0], when)})"
        if isinstance(stream, Noise):
            return f"({self.write(stream.inputs[0], when)} + {stream.scale:g} {self.write(stream.inputs[1], when)})"
        if isinstance(stream, Draw):
            return rf"\varepsilon_{{{text(stream.name)}}}" if self.latex else f"ε_{{{stream.name}}}"
        if isinstance(stream, Unroll):
            name = text("unroll") if self.latex else "unroll"
            return f"{name}({self._name(stream.predictor)}, {self.write(stream.source, when)}, {stream.steps})"
        if isinstance(stream, Reverse):
            return f"{self._word('reverse')}({self.write(stream.stream, when)})"
        inner = self._read_by(stream, when) if isinstance(stream, Operation) else when
        written = [self.write(part, inner) for part in stream.parts]
        symbol = getattr(stream, "latex" if self.latex else "symbol", "")
        if symbol:
            for place, part in enumerate(written, start=1):
                symbol = symbol.replace(f"#{place}", part)
            return symbol
        return f"{self._word(_snake(type(stream).__name__))}({', '.join(written)})"

    def starts_at(self, *streams: Stream) -> When:
        """The time at which to write an equation, such that the past it needs is x_{1:t}, as in the paper."""
        return When(1) if any(self._foresees(stream) for stream in streams) else When(0)

    def _foresees(self, stream: Stream) -> bool:
        if isinstance(stream, Operation):
            reads = stream.reads(self.scope)
            if reads.recurrent or max(reads.offsets, default=0) < 0:
                return True
        return any(self._foresees(part) for part in stream.parts)

    def _read_by(self, stream: Operation, when: When) -> When:
        reads = stream.reads(self.scope)
        if reads == Reads() or when.past:
            return when
        if reads.recurrent or max(reads.offsets) < 0:
            return When(when.offset - 1, past=True)
        span = max(reads.offsets) - min(reads.offsets) + 1
        return When(when.offset + max(reads.offsets), window=when.window + span - 1)

    def _name(self, network: Network) -> str:
        if not self.latex:
            return f"{network.name}*" if network.frozen else network.name
        role, _, domain = network.name.rpartition("_")
        role = text(role) if "_" in role else role
        return rf"\bar{{{role}}}_{{{domain}}}" if network.frozen else f"{role}_{domain}"

    def _word(self, word: str) -> str:
        return text(word) if self.latex else word


def text(word: str) -> str:
    """A word in LaTeX's maths, where an underscore would otherwise begin a subscript."""
    return r"\operatorname{" + word.replace("_", r"\_") + "}"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
