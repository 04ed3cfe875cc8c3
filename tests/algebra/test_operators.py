"""Operators by their plain meaning, worked out by hand."""

import pytest
import torch
from torch import nn

from vtrans.algebra.domains import Domain
from vtrans.algebra.meaning import evaluate
from vtrans.algebra.operators import Draw, between, detach, noise
from vtrans.algebra.streams import Operation
from vtrans.algebra.views import join, reverse, shift, unroll

x, y = Domain("x"), Domain("y")


class Total(nn.Module):
    """Of all frames before."""

    context = None

    def forward(self, frames):
        return frames.cumsum(1)


class Sum(nn.Module):
    context = 2

    def forward(self, frames):
        return frames.sum(1)


def values(stream, networks=None, **clips):
    """The frames of a stream as numbers by time; clips are numbers by time too."""
    given = {Domain(name).frames: torch.tensor(numbers).view(1, -1, 1, 1, 1) for name, numbers in clips.items()}
    return {t: frame.item() for t, frame in evaluate(stream, given, networks or {}).items()}


X, Y = [1.0, 2.0, 4.0], [10.0, 20.0, 40.0]
MEANINGS = {
    "reverse": (lambda: reverse(x.frames), {0: 4.0, 1: 2.0, 2: 1.0}),
    "reverse of the past": (lambda: reverse(x.past), {0: 2.0, 1: 1.0}),
    "reverse of later times": (lambda: reverse(shift(x.frames, 5)), {5: 4.0, 6: 2.0, 7: 1.0}),
    "shift": (lambda: shift(x.frames, 2), {2: 1.0, 3: 2.0, 4: 4.0}),
    "shift to earlier": (lambda: shift(x.frames, -1), {-1: 1.0, 0: 2.0, 1: 4.0}),
    "detach": (lambda: detach(x.past), {0: 1.0, 1: 2.0}),
    "join": (lambda: join(x.past, y.frames), {0: 1.0, 1: 2.0, 2: 40.0}),
    "join with later": (lambda: join(shift(x.past, 2), y.past), {0: 10.0, 1: 20.0, 2: 1.0, 3: 2.0}),
    "unroll": (lambda: unroll(x.P, x.past, 3), {0: 1.0, 1: 2.0, 2: 3.0, 3: 5.0, 4: 8.0}),
    "the whole past": (lambda: x.network("R")(x.frames), {1: 1.0, 2: 3.0, 3: 7.0}),
    "unroll by nothing": (lambda: unroll(x.P, x.past, 0), {0: 1.0, 1: 2.0}),
}


@pytest.mark.parametrize("case", MEANINGS)
def test_meanings(case):
    stream, expected = MEANINGS[case]
    assert values(stream(), {"P_X": Sum(), "R_X": Total()}, x=X, y=Y) == expected


def test_noise_has_its_scale_and_is_drawn_for_each_frame():
    still = torch.zeros(1, 2, 1, 200, 200)
    for options, scale in (({}, 0.1), ({"scale": 0.3}, 0.3), ({"scale": 2}, 2.0)):
        first, second = evaluate(noise(x.frames, "a", **options), {x.frames: still}, {}).values()
        assert first.std().item() == pytest.approx(scale, rel=0.02) and abs(first.mean().item()) < 0.05 * scale
        assert not torch.equal(first, second)
    draws = {}
    shifted = evaluate(noise(x.frames, "a", scale=2), {x.frames: still + 0.5}, {}, draws)
    for (_, t), drawn in draws.items():
        assert torch.equal(shifted[t], 0.5 + 2 * drawn)


def test_a_point_between_two_frames_is_drawn_uniformly_for_each_of_the_batch():
    a, b = torch.full((2000, 1, 1, 2, 2), -2.0), torch.full((2000, 1, 1, 2, 2), 6.0)
    points = evaluate(between(x.frames, y.frames, "a"), {x.frames: a, y.frames: b}, {})[0]
    assert (points == points[:, :1, :1, :1]).all(), "one point for all of a frame"
    share = (points[:, 0, 0, 0] + 2) / 8
    assert (share >= 0).all() and (share <= 1).all()
    quarters = share.mul(4).long().bincount(minlength=4)
    assert all(abs(count - 500) < 80 for count in quarters.tolist()), "as often in each quarter"


@pytest.mark.parametrize("like", [{"dtype": torch.bfloat16}, {"dtype": torch.float64}, {"device": "meta"}], ids=str)
def test_draws_are_of_the_type_and_on_the_device_of_the_frames(like):
    frames = torch.zeros(1, 1, 1, 2, 2, **like)
    for stream in (between(x.frames, y.frames, "a"), noise(x.frames, "a")):
        (found,) = evaluate(stream, {x.frames: frames, y.frames: frames}, {}).values()
        assert (found.dtype, found.device) == (frames.dtype, frames.device)


def test_a_draw_is_one_by_its_name_and_anew_by_another():
    still, draws = {x.frames: torch.zeros(1, 2, 1, 2, 2)}, {}
    streams = [noise(x.frames, name) for name in ("a", "a", "b")]
    first, again, other = (evaluate(stream, still, {}, draws) for stream in streams)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0]) and not torch.equal(first[0], first[1])
    assert {(draw.name, t) for draw, t in draws} == {(name, t) for name in "ab" for t in (0, 1)}
    fresh = evaluate(streams[0], still, {})
    assert not torch.equal(first[0], fresh[0]), "without draws from before it draws anew"
    assert all(isinstance(draw, Draw) for draw, _ in draws)


TAKING_STREAMS = {
    "detach(…)": detach,
    "reverse(…)": reverse,
    "shift(…)": lambda s: shift(s, 1),
    "noise(…)": lambda s: noise(s, "a"),
    "join(…)": lambda s: join(s, x.past),
    "join(…) second": lambda s: join(x.past, s),
    "between(…)": lambda s: between(s, x.past, "a"),
    "between(…) second": lambda s: between(x.past, s, "a"),
    "unroll(…)": lambda s: unroll(x.P, s, 1),
    "G_X(…)": x.G,
}
NO_STREAMS = {
    "int.": 5,
    "NoneType.": None,
    "Domain.": x,
    "the network G_X. Apply it to a stream: G_X(…).": x.G,
}


@pytest.mark.parametrize("operator", TAKING_STREAMS)
@pytest.mark.parametrize("got", NO_STREAMS)
def test_operators_take_streams(operator, got):
    with pytest.raises(TypeError) as refused:
        TAKING_STREAMS[operator](NO_STREAMS[got])
    name = operator.removesuffix(" second")
    assert str(refused.value) == f"{name}: expected streams such as x.frames or x.past, got {got}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: noise(x.past, "a", scale=True), "scale: expected a number, got True."),
        (lambda: noise(x.past, "a", scale="1"), "scale: expected a number, got '1'."),
        (lambda: shift(x.past, 1.0), "by: expected a whole number of times, got 1.0."),
        (lambda: shift(x.past, False), "by: expected a whole number of times, got False."),
        (lambda: unroll(x.past, x.past, 1), "predictor: expected a network such as y.P, got Past."),
        (lambda: unroll(x.P, x.past, -1), "steps: expected a whole number of frames, 0 for none, got -1."),
        (lambda: unroll(x.P, x.past, True), "steps: expected a whole number of frames, 0 for none, got True."),
        (lambda: unroll(x.P, x.past, 1.0), "steps: expected a whole number of frames, 0 for none, got 1.0."),
        (lambda: Draw("a", inputs=[x.past]), "inputs: expected a tuple of streams, such as (x.frames,), got list."),
    ],
)
def test_wrong_options_are_refused(make, message):
    with pytest.raises((TypeError, ValueError)) as refused:
        make()
    assert str(refused.value) == message


def test_operators_are_data():
    assert unroll(x.P, x.past, 2).predictor == x.P and between(x.past, y.past, "a").name == "a"
    assert unroll(x.P, x.past, 2) == unroll(x.P, x.past, 2) != unroll(x.P, x.past, 3)
    assert shift(x.past, 1) != shift(x.past, 2) and noise(x.past, "a") != noise(x.past, "a", 0.2)
    assert isinstance(between(x.past, y.past, "a"), Operation) and between(y.past, x.past, "a").domain == "y"
    assert repr(unroll(x.P, x.past, 2)).count("Past") == 1, "however long, it is printed once"
