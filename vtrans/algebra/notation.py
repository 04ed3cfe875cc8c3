"""How equations are written: streams as symbols, in plain text or LaTeX."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from vtrans.algebra.operators import Detach, Draw, Noise
from vtrans.algebra.streams import Apply, Item, Network, Operation, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.views import (
    Before,
    Carried,
    Clip,
    Hold,
    Join,
    Past,
    Placeholder,
    Recursion,
    Reverse,
    Shift,
    Unroll,
)


@dataclass(frozen=True)
class When:
    """A time in an equation: the frame at t + offset, the ``window`` frames up to it, all up to it, or the first."""

    offset: int = 0
    past: bool = False
    window: int = 1
    first: bool = False

    def __str__(self) -> str:
        if self.first:
            return "1"
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
        >>> from vtrans.algebra.domains import Domain
        >>> x, y = Domain("x"), Domain("y")
        >>> reads = {"G_X": Reads(), "G_Y": Reads(), "P_Y": Reads((-2, -1), stacked=True)}
        >>> print(Notation(Scope({}, reads)).write(x.G(y.P(y.G(x.past))), When(1)))
        G_X(P_Y(G_Y(x_{1:t})))
    """

    scope: Scope
    latex: bool = False
    _met: dict[Recursion, None] = field(default_factory=dict, compare=False, repr=False)

    def write(self, stream: Stream, when: When) -> str:
        """The frame (or the past) of a stream at a time."""
        if isinstance(stream, Clip):
            symbol = stream.domain
            if stream.name != "frames":
                symbol = f"{self._word(stream.name)}^{symbol}" if self.latex else f"{stream.name}^{symbol}"
            return self._at(symbol, when)
        if isinstance(stream, Recursion | Placeholder | Before):
            return self._recurred(stream, when)
        if isinstance(stream, Past | Carried):
            return self.write(stream.stream, when)
        if isinstance(stream, Hold):
            return self._held(stream, when)
        if isinstance(stream, Shift):
            return self.write(stream.stream, replace(when, offset=when.offset - stream.by))
        if isinstance(stream, Join):
            cup = r" \cup " if self.latex else " ∪ "
            return f"({self.write(stream.first, when)}{cup}{self.write(stream.second, when)})"
        if isinstance(stream, Apply):
            inner = self._read_by(stream, when)
            return f"{self._name(stream.network)}({', '.join(self.write(part, inner) for part in stream.inputs)})"
        if isinstance(stream, Item):
            return f"{self.write(stream.inputs[0], when)}[{self._word(str(stream.key))}]"
        if isinstance(stream, Detach):
            return f"{self._word('sg')}({self.write(stream.inputs[0], when)})"
        if isinstance(stream, Noise):
            return f"({self.write(stream.inputs[0], when)} + {stream.scale:g} {self.write(stream.inputs[1], when)})"
        if isinstance(stream, Draw):
            return self._drawn(stream, when)
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
        return f"{self._word(stream.word)}({', '.join(written)})"

    def definitions(self) -> list[str]:
        """The equations of the recursions met so far, each once."""
        lines: list[str] = []
        done: set[Recursion] = set()
        while todo := [met for met in self._met if met not in done]:  # a body may hold further ones
            for met in todo:
                done.add(met)
                now = When(0)
                start = self.write(met.start, now)
                equals = self.write(met.template, now)
                lines.append(
                    f"{self._recurred(met, now)} = {equals}, {'from' if not self.latex else text('from')} {start}"
                )
        return lines

    def _recurred(self, stream: Recursion | Placeholder | Before, when: When) -> str:
        if isinstance(stream, Recursion):
            self._met.setdefault(stream)
            return self._at(stream.name, when)
        name = stream.name if isinstance(stream, Placeholder) else stream.recursion.name
        return self._at(name, replace(when, offset=when.offset - 1))

    def _held(self, stream: Hold, when: When) -> str:
        if isinstance(stream.stream, Draw):
            return self._drawn(stream.stream, None)
        return self.write(stream.stream, When(first=True))

    def _drawn(self, draw: Draw, when: When | None) -> str:
        """ε_s in the shape of frames; of a shape of its own s^y_t, or s^y where it is one for all times."""
        if draw.shape is None:
            return rf"\varepsilon_{{{text(draw.name)}}}" if self.latex else f"ε_{{{draw.name}}}"
        return self._at(f"{self._word(draw.name) if len(draw.name) > 1 else draw.name}^{draw.domain}", when)

    def _at(self, symbol: str, when: When | None) -> str:
        if when is None:
            return symbol
        if self.latex:
            return f"{symbol}_{{{when}}}".replace("−", "-")
        return f"{symbol}_{{{when}}}" if len(str(when)) > 1 else f"{symbol}_{when}"

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
        method = "" if network.called == "forward" else f".{self._word(network.called)}"
        if not self.latex:
            return f"{network.name}{'*' if network.frozen else ''}{method}"
        role = text(network.role) if "_" in network.role else network.role
        domain = f"_{{{network.domain.upper()}}}" if network.frozen else f"_{network.domain.upper()}"
        return (rf"\bar{{{role}}}" if network.frozen else role) + (domain if network.domain else "") + method

    def _word(self, word: str) -> str:
        return text(word) if self.latex else word


def text(word: str) -> str:
    """A word in LaTeX's maths, where an underscore would otherwise begin a subscript."""
    return r"\operatorname{" + word.replace("_", r"\_") + "}"
