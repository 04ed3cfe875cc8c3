"""The notation: times, structure, and its plain meaning."""

import pickle

import pytest
import torch
from helpers.models import Frame, Judge, Predictor, Recurrent, clip
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vtrans.algebra.domains import Domain, frozen
from vtrans.algebra.meaning import evaluate
from vtrans.algebra.operators import detach, noise
from vtrans.algebra.streams import Scope
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Carried, Clip, Past, join, reverse, shift, unroll

x, y = Domain("x"), Domain("y")
READS = {
    "G_X": Reads(),
    "P_X": Reads((-2, -1), stacked=True),
    "R_X": Reads((), stacked=True, recurrent=True),
    "D_X": Reads((-2, -1, 0), stacked=True),
}


def scope(length):
    return Scope({x.frames: length, y.frames: length}, READS)


def test_times():
    six = scope(6)
    r, p, d = x.network("R"), x.P, x.D
    expected = {
        x.frames: (0, 1, 2, 3, 4, 5),
        x.past: (0, 1, 2, 3, 4),
        x.G(x.past): (0, 1, 2, 3, 4),
        p(x.past): (2, 3, 4, 5),
        p(x.frames): (2, 3, 4, 5, 6),
        p(p(x.past)): (4, 5, 6),
        r(x.past): (1, 2, 3, 4, 5),
        d(x.frames): (2, 3, 4, 5),
        d(p(x.past)): (4, 5),
        reverse(p(x.past)): (2, 3, 4, 5),
        detach(x.past): (0, 1, 2, 3, 4),
        join(p(x.past), x.past): (0, 1, 2, 3, 4, 5),
        Past(Past(x.frames)): (0, 1, 2, 3),
        shift(x.past, 2): (2, 3, 4, 5, 6),
        shift(x.frames, -2): (-2, -1, 0, 1, 2, 3),
        unroll(x.P, x.past, 3): (0, 1, 2, 3, 4, 5, 6, 7),
        x.G(p(x.past), x.past): (2, 3, 4),
    }
    for stream, times in expected.items():
        assert stream.times(six) == times, stream


@given(st.integers(1, 7))
def test_too_short_clips_have_no_times(length):
    assert (x.P(x.past).times(scope(length)) == ()) == (length < 3)
    assert (x.D(x.frames).times(scope(length)) == ()) == (length < 3)
    assert (x.network("R")(x.past).times(scope(length)) == ()) == (length < 2)


def test_expressions_compare_by_structure_and_travel():
    assert x.G(y.G(x.past)) == x.G(y.G(x.past)) and hash(x.G(x.past)) == hash(x.G(x.past))
    assert x.G(x.past) != frozen(x.G)(x.past) != x.G(x.frames)
    assert noise(x.past, "a") != noise(x.past, "b")
    stream = join(y.P(detach(y.G(x.past))), reverse(y.frames))
    assert pickle.loads(pickle.dumps(stream)) == stream
    assert (y.G(x.past).domain, detach(x.past).domain, Carried(y.G(x.past)).domain) == ("y", "x", "y")


def test_a_network_says_what_it_reads():
    assert Reads.of(Frame()) == Reads()
    assert Reads.of(Predictor(3)) == Reads((-3, -2, -1), stacked=True)
    assert Reads.of(Judge(2)) == Reads((-1, 0), stacked=True)
    assert Reads.of(Judge(1)) == Reads((0,), stacked=True)
    assert Reads.of(Recurrent()) == Reads((), stacked=True, recurrent=True)


@pytest.mark.parametrize("attribute", ["context", "window"])
@pytest.mark.parametrize("value", [0, -1, "a", True, 1.5, nn.Identity()])
def test_a_network_that_declares_no_number_of_frames_is_refused(attribute, value):
    network = nn.Module()
    setattr(network, attribute, value)
    with pytest.raises(ValueError, match=rf"Module\.{attribute}: expected a whole number of frames above 0.*, got "):
        Reads.of(network)


def test_unrolled_predictions_feed_on_themselves():
    class Sum(nn.Module):
        context = 2

        def forward(self, frames):
            return frames.sum(1)

    ones = torch.ones(1, 2, 1, 1, 1)
    found = evaluate(unroll(x.P, x.frames, 4), {x.frames: ones}, {"P_X": Sum()})
    assert [frame.item() for frame in found.values()] == [1, 1, 2, 3, 5, 8]


def test_gradients_of_frozen_detached_and_carried_frames():
    network, frames = Frame(3).double(), clip(2).requires_grad_()
    for stream, to_clip, to_weights in (
        (x.G(x.past), True, True),
        (frozen(x.G)(x.past), True, False),
        (detach(x.G(x.past)), False, False),
        (Carried(x.G(x.past)), False, False),
        (x.G(detach(x.past)), False, True),
    ):
        value = evaluate(stream, {x.frames: frames}, {"G_X": network})[0].sum()
        if not to_clip and not to_weights:
            assert not value.requires_grad
            continue
        found = torch.autograd.grad(value, [frames, *network.parameters()], allow_unused=True)
        assert [grad is not None for grad in found] == [to_clip] + [to_weights] * 2, stream


def test_noise_has_its_scale():
    torch.manual_seed(0)
    still = torch.zeros(1, 1, 1, 200, 200)
    drawn = evaluate(noise(x.frames, "a", scale=0.3), {x.frames: still}, {})[0]
    assert drawn.std().item() == pytest.approx(0.3, rel=0.02) and abs(drawn.mean().item()) < 0.01


def test_missing_clips_and_networks_are_named():
    with pytest.raises(ValueError, match=r"x\['flow'\]: expected the streams that the losses name, got x"):
        evaluate(x.stream("flow"), {x.frames: clip(2)}, {})
    with pytest.raises(ValueError, match="G_X: expected a network of the model, got networks P_X"):
        evaluate(x.G(x.frames), {x.frames: clip(2)}, {"P_X": Predictor(2)})
    with pytest.raises(ValueError, match="expected the streams that the losses name, got none"):
        evaluate(x.past, {}, {})


@pytest.mark.parametrize(
    "make", [detach, reverse, lambda s: shift(s, 1), lambda s: noise(s, "a"), lambda s: join(s, x.past), x.G]
)
@pytest.mark.parametrize("wrong", [5, None, x, x.G])
def test_operators_take_streams(make, wrong):
    with pytest.raises(TypeError, match=r"\(…\): expected streams such as x.frames or x.past, got"):
        make(wrong)


def test_a_foreign_stream_is_refused():
    class Odd(Clip.__mro__[2]):
        def times(self, scope):
            return (0,)

    with pytest.raises(TypeError, match="stream: expected a Leaf, a View or an Operation, got Odd"):
        evaluate(Odd(), {}, {})
