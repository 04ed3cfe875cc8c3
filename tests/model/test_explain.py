"""Models explained: equations as in the papers, LaTeX, and differences."""

import re

import pytest
from helpers.models import build
from torch import nn

import vtrans
from vtrans.algebra.domains import Domain
from vtrans.algebra.operators import noise
from vtrans.losses import Loss

x, y = Domain("x"), Domain("y")
LINES = {
    "gan": {
        "adversarial/y": "Σ_t (D_Y(G_Y(x_t)) − 1)²",
        "discriminator/x": "½ [Σ_t ((D_X(x_t) − 1)² + D_X(G_X(y_t))²)]",
    },
    "cycle_gan": {
        "cycle/x": "10 · Σ_t ‖x_t − G_X(G_Y(x_t))‖₁",
        "identity/y": "5 · Σ_t ‖y_t − G_Y(y_t)‖₁",
    },
    "recurrent_gan": {
        "recurrent/x": "10 · Σ_t ‖x_{t+1} − P_X(x_{1:t})‖₁",
        "adversarial/x": "Σ_t (D_X(G_X(y_t)) − 1)² + Σ_t (D_X(P_X(G_X(y_{1:t}))) − 1)²",
    },
    "recycle_gan": {
        "recycle/x": "10 · Σ_t ‖x_{t+1} − G_X(P_Y(G_Y(x_{1:t})))‖₁",
        "recycle/y": "10 · Σ_t ‖y_{t+1} − G_Y(P_X(G_X(y_{1:t})))‖₁",
        "discriminator/y": "½ [Σ_t ((D_Y(y_t) − 1)² + D_Y(G_Y(x_t))²)"
        " + Σ_t ((D_Y(y_{t+1}) − 1)² + D_Y(P_Y(G_Y(x_{1:t})))²)"
        " + Σ_t ((D_Y(y_{t+1}) − 1)² + D_Y(P_Y(y_{1:t}))²)]",
    },
    "recycle_cycle_gan": {
        "cycle/y": "10 · Σ_t ‖y_t − G_Y(G_X(y_t))‖₁",
        "recycle/x": "10 · Σ_t ‖x_{t+1} − G_X(P_Y(G_Y(x_{1:t})))‖₁",
    },
}
ALL = {
    **{name: {} for name in vtrans.recipes},
    "options": {"losses": {"recycle": {"distance": "l2", "weight": {"x": vtrans.Schedule([(0, 1.0)]), "y": 0.5}}}},
    "criteria": {"losses": {"adversarial": {"criterion": "hinge"}, "adversarial_prediction": {"criterion": "vanilla"}}},
    "windows": {
        "discriminator": ("temporal_patch", {"width": 2, "layers": 1}),
        "losses": {"adversarial": {"joined": True}},
    },
    "recurrent": {"predictor": ("conv_gru", {"width": 2})},
    "penalty": {"losses": {"r1": 10.0}},
    "frozen": {"losses": {"recycle": {"frozen_predictor": True}}, "warm_up": 3},
}


def explained(case):
    return build(case if case in vtrans.recipes else "recycle_gan", **ALL[case]).explain()


def rows(explanation):
    return {row.name: row for section in explanation.sections for row in section.rows}


@pytest.mark.parametrize("recipe", LINES)
def test_equations_read_as_in_the_papers(recipe):
    explanation = build(recipe).explain()
    for name, line in LINES[recipe].items():
        assert rows(explanation)[name].text == line
        assert re.search(rf"^  {name} +{re.escape(line)}$", str(explanation), re.MULTILINE)


def test_what_trains_what_and_the_plan():
    text = str(build("recycle_gan").explain())
    assert "phase generators: trains G, P; minimises the sum of" in text
    assert re.search(r"recycle/x .*\n +trains G_X, G_Y, P_Y\n", text)
    assert re.search(r"recurrent/y .*\n +trains P_Y\n", text)
    assert re.search(r"discriminator/x .*\n +trains D_X\n", text)
    assert "P_X reads its last 2 frames of x_{1:t}" in text
    assert "plan for clips of 3 frames: 7 network calls for" in text
    assert "G_X: ResnetGenerator (" in text
    assert "plan for clips of 9 frames:" in str(build("recycle_gan").explain(length=9))


def test_weights_spans_and_stars():
    text = str(explained("options"))
    assert "λ(0: 1) · Σ_t ‖x_{t+1} − G_X(P_Y(G_Y(x_{1:t})))‖₂²" in text and "0.5 · Σ_t ‖y_{t+1}" in text
    text = str(explained("frozen"))
    assert "phase warm_up: trains P, steps 0 to 2; minimises" in text
    assert "phase generators: trains G, P, steps 3 on; minimises" in text
    assert "G_X(P_Y*(G_Y(x_{1:t})))" in text and "* marks a network that stands frozen" in text
    text = str(explained("recurrent"))
    assert "P_Y reads the whole past of y_{1:t}" in text
    text = str(explained("windows"))
    assert "D_X judges windows of 3 frames" in text and "(G_Y(x_{t−1:t+1}) ∪ P_Y(G_Y(x_{1:t})))" in text
    assert "10 · Σ_t ½‖∇D_X(x_t)‖²" in str(explained("penalty"))
    assert "−D_Y(G_Y(x_t))" in str(explained("criteria"))


def balanced(latex):
    depth = 0
    for token in re.findall(r"\\[{}]|[{}]", latex):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0
    return depth == 0


@pytest.mark.parametrize("case", ALL)
def test_latex_is_well_formed(case):
    explanation = explained(case)
    latex = explanation.latex()
    assert balanced(latex)
    assert latex.count(r"\begin{aligned}") == latex.count(r"\end{aligned}") == len(explanation.sections)
    assert latex.count("\\\\\n") == len([row for section in explanation.sections for row in section.rows])
    assert not re.search("[Σ‖₁²−½λσ∪ε·…]", latex), "signs of plain text"
    assert not re.search(r"_\w+_|[_^][^{\w\\]", re.sub(r"\\_|\{[^{}]*\}", "Z", latex)), "a subscript of a subscript"
    shown = explanation._repr_latex_()
    assert shown.startswith("$$\n\\begin{aligned}") and shown.endswith("\\end{aligned}\n$$")
    assert shown.count("$$") == 2 * len(explanation.sections)


def test_latex_of_the_recycle_loss():
    latex = rows(build("recycle_gan").explain())["recycle/x"].latex
    assert latex == r"10 \, \sum_t \lVert x_{t+1} - G_X(P_Y(G_Y(x_{1:t}))) \rVert_1"


def test_names_with_underscores_do_not_become_subscripts():
    class Odd(Loss):
        def terms(self, x, y):
            def my_own_distance(a, b):
                return (a - b).abs().mean()

            yield self.compare(x.G(noise(x.past, "first_draw")), x.stream("optical_flow"), distance=my_own_distance)

    explanation = build("gan", losses=[Odd()]).explain()
    latex = rows(explanation)["odd/x"].latex
    assert r"\operatorname{my\_own\_distance}" in latex and r"\operatorname{optical\_flow}^x_{t}" in latex
    assert r"\varepsilon_{\operatorname{first\_draw}}" in latex
    assert rows(explanation)["odd/x"].text == ("Σ_t my_own_distance(optical_flow^x_t, G_X((x_t + 0.1 ε_{first_draw})))")


def test_a_difference_between_models():
    one, other = build("recycle_gan"), build("recycle_gan", losses={"cycle": 5.0})
    text = str(other.explain(against=one))
    assert text.startswith("What differs (- the other model, + this one):\n")
    assert re.search(r"^\+   cycle/x +5 · Σ_t ‖x_t − G_X\(G_Y\(x_t\)\)‖₁$", text, re.MULTILINE)
    assert "- Objective of adversarial, recurrent, recycle\n" in text and "recycle/x" not in text
    same = "The two models have the same objective and plan."
    assert str(one.explain(against=build("recycle_gan", seed=3))) == same


def test_parts_of_ones_own_are_described():
    model = build("gan", networks={"G_X": nn.Conv2d(3, 3, 1)})
    assert "G_X: Conv2d (12 parameters)" in str(model.explain())
