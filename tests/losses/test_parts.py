"""Terms as the parts that one kernel adds up: the same numbers as the terms by themselves."""

import pytest
import torch
from helpers.models import randomize
from torch import nn

from vtrans.algebra.domains import Domain
from vtrans.losses import parts
from vtrans.losses.criteria import as_criterion
from vtrans.losses.distances import as_distance
from vtrans.losses.terms import Comparison, Discrimination, Judgement, Penalty

x = Domain("x")
KNOWN = {
    "l1": Comparison(x.past, x.past, as_distance("l1")),
    "l2": Comparison(x.past, x.past, as_distance("l2")),
    "charbonnier": Comparison(x.past, x.past, as_distance(("charbonnier", {"epsilon": 0.3}))),
    "judged": Judgement(
        (
            x.D(x.past),
            x.D(x.frames),
        ),
        as_criterion("least_squares"),
    ),
    "judged by hinge": Judgement(
        (
            x.D(x.past),
            x.D(x.frames),
        ),
        as_criterion("hinge"),
    ),
    "taught": Discrimination(
        x.D(x.frames),
        (
            x.D(x.past),
            x.D(x.past),
        ),
        as_criterion("least_squares"),
    ),
    "taught by hinge": Discrimination(
        x.D(x.frames),
        (
            x.D(x.past),
            x.D(x.past),
        ),
        as_criterion("hinge"),
    ),
}
UNKNOWN = {
    "own distance": Comparison(x.past, x.past, lambda a, b: (a - b).pow(4).mean()),
    "vanilla": Judgement(
        (
            x.D(x.past),
            x.D(x.frames),
        ),
        as_criterion("vanilla"),
    ),
    "own criterion": Discrimination(
        x.D(x.frames),
        (
            x.D(x.past),
            x.D(x.past),
        ),
        lambda logits, role: logits.mean(),
    ),
    "penalty": Penalty(x.D, x.past, lambda network, frames: network(frames).square().mean()),
}
NETWORKS = {"D_X": randomize(nn.Conv2d(2, 1, 1)).double()}


def given(term, dtype=torch.float64):
    """Frames of as many times as none of the others has."""
    count = 1 if isinstance(term, Penalty) else len(term.streams)
    same = isinstance(term, Comparison)
    random = torch.Generator().manual_seed(3)
    return [2 * torch.randn(2 if same else 2 + i, 3, 2, 4, 4, generator=random).to(dtype) for i in range(count)]


def weighed(terms, frames, weights, monkeypatch, backend):
    monkeypatch.setattr(parts, "enabled", lambda: backend)
    asked = []

    def value(place):
        asked.append(place)
        return terms[place].value(frames[place], NETWORKS)

    return parts.weigh(terms, frames, weights, value), asked


@pytest.mark.parametrize(
    "names", [KNOWN, UNKNOWN, {**KNOWN, **UNKNOWN}, dict([*UNKNOWN.items(), *KNOWN.items()])], ids=len
)
def test_terms_are_weighed_as_by_themselves_and_the_kernel_takes_those_it_knows(names, monkeypatch):
    terms = list(names.values())
    frames = [given(term) for term in terms]
    weights = torch.arange(1.0, len(terms) + 1)
    plain, asked = weighed(terms, frames, weights, monkeypatch, "eager")
    assert asked == list(range(len(terms)))
    expected = [(i + 1) * term.value(frames[i], NETWORKS) for i, term in enumerate(terms)]
    torch.testing.assert_close(plain, torch.stack(expected), rtol=1e-12, atol=0)
    fused, asked = weighed(terms, frames, weights, monkeypatch, "triton")
    torch.testing.assert_close(fused, plain, rtol=1e-12, atol=0)
    assert asked == [i for i, name in enumerate(names) if name in UNKNOWN]


def test_sums_over_16_bits_have_32(monkeypatch):
    term = KNOWN["l1"]
    found, _ = weighed(
        [term], [given(term, torch.bfloat16)], torch.ones(1, dtype=torch.bfloat16), monkeypatch, "triton"
    )
    assert found.dtype == torch.float32
    plain, _ = weighed([term], [given(term)], torch.ones(1, dtype=torch.float32), monkeypatch, "eager")
    assert plain.dtype == torch.float64, "as the values are"
    plain, _ = weighed([term], [given(term, torch.float32)], torch.ones(1).double(), monkeypatch, "eager")
    assert plain.dtype == torch.float32


def test_frames_of_two_shapes_are_refused_in_the_term_s_own_words(monkeypatch):
    frames = [torch.zeros(1, 1, 3, 2, 2), torch.zeros(1, 1, 1, 2, 2)]
    with pytest.raises(ValueError, match="compared streams: expected frames of one shape"):
        weighed([KNOWN["l1"]], [frames], torch.ones(1), monkeypatch, "triton")
