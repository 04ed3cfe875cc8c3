"""How streams are written in equations, as text and in LaTeX."""

from dataclasses import dataclass

import pytest
from helpers.models import Blend, Change

from vtrans.algebra.domains import Domain, frozen
from vtrans.algebra.notation import Notation, When, text
from vtrans.algebra.operators import between, detach, noise
from vtrans.algebra.streams import Operation, Scope, View
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Carried, Past, join, reverse, shift, unroll

x, y = Domain("x"), Domain("y")
READS = {
    **{name: Reads() for name in ("G_X", "G_Y", "style_a_X")},
    "P_X": Reads((-2, -1), stacked=True),
    "R_X": Reads((), stacked=True, recurrent=True),
    "D_X": Reads((-2, -1, 0), stacked=True),
}


@dataclass(frozen=True)
class TwoTone(Operation):
    """Written by its class's name; it reads the frame and the next."""

    def reads(self, scope):
        return Reads((0, 1), stacked=True)

    def run(self, networks, *frames):
        return frames[0][:, 0]


@dataclass(frozen=True)
class Product(Operation):
    symbol = "#1 · #2 / #1"
    latex = r"\frac{#1 #2}{#1}"

    def run(self, networks, *frames):
        return frames[0] * frames[1]


@dataclass(frozen=True)
class EveryOther(View):
    stream: object

    def times(self, scope):
        return scope.times(self.stream)[::2]

    def at(self, t, scope):
        return self.stream, t


WRITTEN = [
    (x.frames, When(), "x_t", "x_{t}"),
    (y.frames, When(2), "y_{t+2}", "y_{t+2}"),
    (x.frames, When(-1), "x_{t−1}", "x_{t-1}"),
    (x.frames, When(0, past=True), "x_{1:t}", "x_{1:t}"),
    (x.frames, When(-1, past=True), "x_{1:t−1}", "x_{1:t-1}"),
    (x.frames, When(1, window=3), "x_{t−1:t+1}", "x_{t-1:t+1}"),
    (x.stream("flow"), When(), "flow^x_t", r"\operatorname{flow}^x_{t}"),
    (Past(x.frames), When(1), "x_{t+1}", "x_{t+1}"),
    (Carried(x.G(y.past), pool=3), When(), "G_X(y_t)", "G_X(y_{t})"),
    (shift(x.frames, 2), When(1), "x_{t−1}", "x_{t-1}"),
    (shift(x.frames, 1), When(0, window=2), "x_{t−2:t−1}", "x_{t-2:t-1}"),
    (shift(x.frames, 1), When(0, past=True), "x_{1:t−1}", "x_{1:t-1}"),
    (join(x.past, y.frames), When(), "(x_t ∪ y_t)", r"(x_{t} \cup y_{t})"),
    (x.G(y.frames, x.stream("flow")), When(), "G_X(y_t, flow^x_t)", r"G_X(y_{t}, \operatorname{flow}^x_{t})"),
    (x.P(x.past), When(1), "P_X(x_{1:t})", "P_X(x_{1:t})"),
    (x.network("R")(x.past), When(), "R_X(x_{1:t−1})", "R_X(x_{1:t-1})"),
    (x.P(x.P(x.past)), When(1), "P_X(P_X(x_{1:t}))", "P_X(P_X(x_{1:t}))"),
    (x.G(x.P(x.past)), When(1), "G_X(P_X(x_{1:t}))", "G_X(P_X(x_{1:t}))"),
    (x.D(x.frames), When(), "D_X(x_{t−2:t})", "D_X(x_{t-2:t})"),
    (x.D(x.frames), When(1), "D_X(x_{t−1:t+1})", "D_X(x_{t-1:t+1})"),
    (x.D(x.D(x.frames)), When(), "D_X(D_X(x_{t−4:t}))", "D_X(D_X(x_{t-4:t}))"),
    (TwoTone(inputs=(x.frames,)), When(1), "two_tone(x_{t+1:t+2})", r"\operatorname{two\_tone}(x_{t+1:t+2})"),
    (Change(inputs=(x.D(x.frames),)), When(), "change(D_X(x_{t−3:t}))", r"\operatorname{change}(D_X(x_{t-3:t}))"),
    (Blend(inputs=(x.past, y.past)), When(), "blend(x_t, y_t)", r"\operatorname{blend}(x_{t}, y_{t})"),
    (Product(inputs=(x.past, y.past)), When(), "x_t · y_t / x_t", r"\frac{x_{t} y_{t}}{x_{t}}"),
    (EveryOther(x.frames), When(1), "every_other(x_{t+1})", r"\operatorname{every\_other}(x_{t+1})"),
    (frozen(x.P)(x.past), When(1), "P_X*(x_{1:t})", r"\bar{P}_{X}(x_{1:t})"),
    (x.network("style_a")(x.past), When(), "style_a_X(x_t)", r"\operatorname{style\_a}_X(x_{t})"),
    (frozen(x.network("style_a"))(x.past), When(), "style_a_X*(x_t)", r"\bar{\operatorname{style\_a}}_{X}(x_{t})"),
    (detach(x.G(x.past)), When(), "sg(G_X(x_t))", r"\operatorname{sg}(G_X(x_{t}))"),
    (noise(x.past, "a_b", 0.5), When(), "(x_t + 0.5 ε_{a_b})", r"(x_{t} + 0.5 \varepsilon_{\operatorname{a\_b}})"),
    (between(x.past, y.past, "a"), When(), "[x_t … y_t]", r"[x_{t} \ldots y_{t}]"),
    (reverse(x.frames), When(1), "reverse(x_{t+1})", r"\operatorname{reverse}(x_{t+1})"),
    (unroll(x.P, x.past, 3), When(), "unroll(P_X, x_t, 3)", r"\operatorname{unroll}(P_X, x_{t}, 3)"),
    (unroll(frozen(x.P), x.past, 3), When(), "unroll(P_X*, x_t, 3)", r"\operatorname{unroll}(\bar{P}_{X}, x_{t}, 3)"),
]


@pytest.mark.parametrize(("stream", "when", "plain", "latex"), WRITTEN)
def test_every_stream_is_written(stream, when, plain, latex):
    assert Notation(Scope({}, READS)).write(stream, when) == plain
    assert Notation(Scope({}, READS), latex=True).write(stream, when) == latex


@pytest.mark.parametrize(
    ("streams", "offset"),
    [
        ((x.frames,), 0),
        ((x.G(x.past), x.past), 0),
        ((x.D(x.frames),), 0),
        ((TwoTone(inputs=(x.frames,)),), 0),
        ((x.P(x.past),), 1),
        ((x.network("R")(x.past),), 1),
        ((x.past, x.G(join(x.past, x.P(x.past)))), 1),
    ],
)
def test_an_equation_with_a_prediction_starts_where_its_past_ends_at_t(streams, offset):
    assert Notation(Scope({}, READS)).starts_at(*streams) == When(offset)


def test_words_in_latex_have_no_subscripts():
    assert text("a_long_word") == r"\operatorname{a\_long\_word}"
