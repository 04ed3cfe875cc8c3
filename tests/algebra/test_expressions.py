"""The notation: times, structure, and its plain meaning."""

import pickle
from dataclasses import dataclass

import pytest
import torch
from helpers.models import Frame, Judge, Predictor, Recurrent, clip
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vtrans.algebra.domains import Domain, frozen, networks_in, role_of
from vtrans.algebra.meaning import evaluate
from vtrans.algebra.operators import detach, noise
from vtrans.algebra.streams import Network, Operation, Scope
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


@dataclass(frozen=True)
class Guided(Operation):
    """Two networks beside its inputs."""

    first: Network
    second: Network
    strength: float = 1.0

    def run(self, networks, *frames):
        return frames[0]


def test_an_operation_runs_the_networks_among_its_fields():
    made = Guided(x.G, frozen(y.G), inputs=(x.frames, x.past))
    assert made.uses == (x.G, frozen(y.G)) and x.P(x.past).uses == (x.P,) and detach(x.past).uses == ()


@pytest.mark.parametrize(
    ("trains", "first"), [(None, x.G), (("G_X", "G_Y"), x.G), (("G_Y",), frozen(x.G)), ((), frozen(x.G))]
)
def test_what_is_run_is_without_inputs_and_frozen_but_for_what_is_trained(trains, first):
    made = Guided(x.G, frozen(y.G), 2.0, inputs=(x.frames,))
    assert made.kernel(trains) == Guided(first, frozen(y.G), 2.0, inputs=())


def test_which_networks_an_expression_runs_and_which_of_them_gradients_reach():
    assert networks_in(x.frames) == {}
    assert networks_in(x.G(y.G(x.past))) == {"G_X": True, "G_Y": True}
    assert networks_in(frozen(x.G)(y.G(x.past))) == {"G_X": False, "G_Y": True}
    assert networks_in(x.G(detach(y.G(x.past)))) == {"G_X": True, "G_Y": False}
    assert networks_in(x.G(Carried(y.P(y.past)))) == {"G_X": True, "P_Y": False}
    assert networks_in(noise(y.G(x.past), "a")) == {"G_Y": True}
    both = y.G(x.past)
    for stream in (join(both, detach(both)), join(detach(both), both), join(frozen(y.G)(x.past), both)):
        assert networks_in(stream) == {"G_Y": True}, "by one of its runs"
    assert networks_in(Guided(x.G, frozen(y.G), inputs=(x.frames,))) == {"G_X": True, "G_Y": False}


def test_a_long_expression_is_walked_through_once():
    """Each part is met twice by the next, so that walking every way through would take 2⁶⁰ steps."""
    stream = x.frames
    for _ in range(60):
        stream = join(x.G(stream), stream)
    assert networks_in(stream) == {"G_X": True}
    assert Scope({x.frames: 2}, {"G_X": Reads()}).times(stream) == (0, 1)


def test_names_of_networks_and_parts_of_a_domain():
    assert x.network("style_a").name == "style_a_X" and role_of("style_a_X") == "style_a" and role_of("G_Y") == "G"
    assert [network.name for network in (x.G, y.P, x.D)] == ["G_X", "P_Y", "D_X"]
    assert x.stream("flow") == Clip("x", "flow") and x.frames == Clip("x", "frames") and x.past == Past(x.frames)
    with pytest.raises(AttributeError) as refused:
        _ = x.franes
    assert str(refused.value) == (
        "Unknown part of domain x: 'franes'. Did you mean 'frames'? Known: frames, past, G, P, D, network, stream, "
        "draw."
    )
    with pytest.raises(AttributeError, match="^_private$"):
        _ = x._private
    with pytest.raises(TypeError, match=r"^frozen\(…\): expected a network such as y.P, got Past\.$"):
        frozen(x.past)
    with pytest.raises(TypeError, match=r"^G_X\(…\): expected a stream such as x.frames or x.past, got none\.$"):
        x.G()


def test_which_frames_make_one():
    four = scope(4)
    assert x.P(x.past).sources(3, four) == (1, 2) and x.D(x.frames).sources(3, four) == (1, 2, 3)
    recurrent = x.network("R")
    assert recurrent(x.past).sources(2, four) == (0, 1)
    assert recurrent(x.frames, shift(y.frames, 1)).sources(4, four) == (1, 2, 3), "those that all inputs have"
    assert recurrent(x.frames, shift(y.frames, 1)).times(four) == (2, 3, 4)


def test_times_are_worked_out_once_for_a_stream():
    class Counted(Clip):
        asked = 0

        def times(self, scope):
            Counted.asked += 1
            return (0,)

    stream, made = Counted("x"), scope(1)
    assert made.times(stream) == made.times(stream) == (0,) and Counted.asked == 1


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


def test_missing_clips_and_networks_are_named():
    with pytest.raises(ValueError, match=r"x\['flow'\]: .* got x\['frames'\], y\['frames'\]\. Pass the"):
        evaluate(x.stream("flow"), {x.frames: clip(2), y.frames: clip(2)}, {})
    with pytest.raises(ValueError, match="G_X: expected a network of the model, got networks P_X"):
        evaluate(x.G(x.frames), {x.frames: clip(2)}, {"P_X": Predictor(2)})
    with pytest.raises(ValueError, match="expected the streams that the losses name, got none"):
        evaluate(x.past, {}, {})


def test_a_foreign_stream_is_refused():
    class Odd(Clip.__mro__[2]):
        def times(self, scope):
            return (0,)

    with pytest.raises(TypeError, match="stream: expected a Leaf, a View or an Operation, got Odd"):
        evaluate(Odd(), {}, {})
