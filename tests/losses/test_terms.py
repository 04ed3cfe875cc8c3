"""Terms worked out by hand: which frames each asks for, and what they cost."""

import pytest
import torch
from torch import nn

from vtrans.algebra.domains import Domain
from vtrans.algebra.streams import Scope
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Carried, reverse, shift
from vtrans.losses import Loss
from vtrans.losses.criteria import as_criterion
from vtrans.losses.distances import as_distance
from vtrans.losses.terms import Comparison, Discrimination, Judgement, Penalty, TooShortError

x, y = Domain("x"), Domain("y")
READS = {"G_X": Reads(), "D_X": Reads(), "P_X": Reads((-2, -1), stacked=True), "W_X": Reads((-1, 0), stacked=True)}
WINDOWED = x.network("W")


def scope(length):
    return Scope({x.frames: length, y.frames: length}, READS)


def frames(*values, batch=1, channels=1):
    """Frames of two pixels side by side, time-major, the same number everywhere."""
    return torch.tensor(values).view(-1, 1, 1, 1, 1).expand(-1, batch, channels, 1, 2)


# Which frames.


def test_two_streams_are_compared_at_the_times_that_both_have():
    term = Comparison(x.P(x.past), shift(x.frames, 1), as_distance("l1"))
    assert term.requests(scope(4)) == ((x.P(x.past), (2, 3)), (shift(x.frames, 1), (2, 3)))
    assert Comparison(x.frames, x.past, as_distance("l1")).requests(scope(3)) == ((x.frames, (0, 1)), (x.past, (0, 1)))
    with pytest.raises(TooShortError, match="^The two streams compared have no time in common.$"):
        term.requests(scope(2))


def test_each_fake_stands_beside_the_real_frame_of_its_time():
    translated, predicted = x.G(y.past), x.P(x.past)
    term = Discrimination(
        x.D(x.frames),
        (
            x.D(translated),
            x.D(predicted),
            x.D(shift(x.frames, 2)),
        ),
        as_criterion("hinge"),
        pool=3,
    )
    real, *fakes = term.requests(scope(4))
    assert real == (x.D(x.frames), (0, 1, 2, 2, 3, 2, 3)), "a real frame once for each fake that has one"
    assert [(judged.inputs[0], times) for judged, times in fakes] == [
        (Carried(translated, 3), (0, 1, 2)),
        (Carried(predicted, 3), (2, 3)),
        (Carried(shift(x.frames, 2), 3), (2, 3)),
    ]
    with pytest.raises(TooShortError, match="^D_X finds no frame, or no whole window of frames, to judge.$"):
        Discrimination(x.D(x.frames), (x.D(shift(x.frames, 9)),), as_criterion("hinge")).requests(scope(4))


def test_windows_are_judged_where_they_are_whole():
    term = Judgement(
        (
            WINDOWED(x.frames),
            WINDOWED(x.P(x.past)),
        ),
        as_criterion("hinge"),
    )
    assert term.requests(scope(4)) == ((WINDOWED(x.frames), (1, 2, 3)), (WINDOWED(x.P(x.past)), (3,)))
    with pytest.raises(TooShortError, match="^W_X finds no frame, or no whole window of frames, to judge.$"):
        term.requests(scope(3))


def test_a_penalty_asks_for_the_frames_of_each_place_in_a_window():
    assert Penalty(x.D, x.frames, len).requests(scope(3)) == ((x.frames, (0, 1, 2)),)
    assert Penalty(WINDOWED, x.frames, len).requests(scope(3)) == ((x.frames, (0, 1)), (x.frames, (1, 2)))


# What they cost.


def test_a_distance_is_averaged_over_a_frame_and_the_batch_and_summed_over_times():
    term = Comparison(x.frames, y.frames, as_distance("l1"))
    assert term.value([frames(1.0, 2.0, 3.0, batch=4), frames(0.0, 0.0, 7.0, batch=4)], {}) == 1 + 2 + 4
    with pytest.raises(ValueError, match=r"compared streams: .*got \(1, 1, 1, 2\) against \(1, 3, 1, 2\)"):
        term.value([frames(1.0), frames(1.0, channels=3)], {})


def record(logits, role):
    """A criterion of the test's own: it says what it is shown."""
    seen.append((role, tuple(logits.shape), logits.flatten(1).mean(1).tolist()))
    return logits.mean()


seen: list[object] = []


@pytest.fixture(autouse=True)
def nothing_seen():
    seen.clear()


def test_a_judgement_is_summed_over_frames_and_streams():
    term = Judgement(
        (
            x.D(x.frames),
            x.D(x.past),
        ),
        record,
    )
    assert term.value([frames(1.0, 2.0, 4.0, batch=2), frames(10.0)], {}) == 7 + 10
    assert seen == [
        ("generator", (6, 1, 1, 2), [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]),
        ("generator", (1, 1, 1, 2), [10.0]),
    ]


def test_a_discriminator_s_term_is_of_real_and_fake_and_weighs_half():
    term = Discrimination(
        x.D(x.frames),
        (
            x.D(x.past),
            x.D(x.past),
        ),
        record,
    )
    assert term.value([frames(1.0, 2.0, 2.0, batch=2), frames(10.0, 20.0, batch=2), frames(40.0, batch=2)], {}) == 75
    assert seen == [
        ("real", (6, 1, 1, 2), [1.0, 1.0, 2.0, 2.0, 2.0, 2.0]),
        ("fake", (4, 1, 1, 2), [10.0, 10.0, 20.0, 20.0]),
        ("fake", (2, 1, 1, 2), [40.0, 40.0]),
    ]


class Watched(nn.Module):
    def __init__(self, window=None):
        super().__init__()
        self.shapes = []
        if window:
            self.window = window

    def forward(self, frames):
        self.shapes.append(tuple(frames.shape))
        return frames


def squared(network, frames):
    """Averaged over the batch, as a penalty is to be."""
    return network(frames).square().flatten(1).sum(1).mean()


def test_a_penalty_runs_once_over_all_frames():
    network = Watched()
    assert Penalty(x.D, x.frames, squared).value([frames(1.0, 3.0, batch=2)], {"D_X": network}) == 2 * (1 + 9)
    assert network.shapes == [(4, 1, 1, 2)]


def test_a_penalty_on_windows_stacks_their_frames_in_time():
    network = Watched(window=2)
    given = [frames(1.0, 2.0, batch=3), frames(2.0, 5.0, batch=3)]
    assert Penalty(WINDOWED, x.frames, squared).value(given, {"W_X": network}) == 2 * (1 + 4) + 2 * (4 + 25)
    assert network.shapes == [(6, 2, 1, 1, 2)], "(times · batch, window, channel, height, width)"


def test_a_penalty_on_a_network_that_cannot_be_batched_runs_frame_by_frame():
    network = Watched()
    network.sequential = True
    assert Penalty(x.D, x.frames, squared).value([frames(1.0, 3.0, batch=2)], {"D_X": network}) == 2 * (1 + 9)
    assert network.shapes == [(2, 1, 1, 2)] * 2


# How a loss writes them.


class Mine(Loss):
    def terms(self, x, y):
        yield self.compare(x.past, x.past)


class Judging(Mine):
    criterion = "hinge"
    distance = "l2"


def test_a_comparison_as_a_loss_writes_it():
    loss, stream, target = Mine(), x.G(y.frames), y.frames
    plain = loss.compare(stream, target)
    assert plain == Comparison(stream, target, as_distance("l1")) and (plain.phase, plain.name) == ("generators", None)
    assert plain.domain == "y" and plain.weight == 1 and plain.streams == (stream, target)
    assert Judging().compare(stream, target).distance == as_distance("l2")
    full = Judging().compare(stream, target, distance=("charbonnier", {"epsilon": 0.5}), phase="mine", name="own")
    assert full == Comparison(stream, target, as_distance(("charbonnier", {"epsilon": 0.5})), phase="mine", name="own")


def test_judgements_as_a_loss_writes_them():
    streams = (x.past, reverse(x.past))
    assert Mine().judge(x.D, *streams) == Judgement(tuple(map(x.D, streams)), as_criterion("least_squares"))
    assert Judging().judge(x.D, *streams, name="own") == Judgement(
        tuple(map(x.D, streams)), as_criterion("hinge"), name="own"
    )
    assert Mine().judge(x.D, *streams).streams == (x.D(x.past), x.D(reverse(x.past)))
    taught = Mine().discriminate(x.D, real=x.frames, fakes=list(streams))
    assert taught == Discrimination(x.D(x.frames), tuple(map(x.D, streams)), as_criterion("least_squares"), pool=0)
    assert (taught.phase, taught.name, taught.weight, taught.domain) == ("discriminators", "discriminator", 0.5, "x")
    pooled = Judging().discriminate(x.D, real=x.frames, fakes=list(streams), pool=7)
    assert pooled == Discrimination(x.D(x.frames), tuple(map(x.D, streams)), as_criterion("hinge"), pool=7)


def test_a_penalty_as_a_loss_writes_it():
    assert Mine().penalize(x.D, x.frames, squared) == Penalty(x.D, x.frames, squared, phase="penalties")
    options = {"phase": "generators", "symbol": "|#d|", "latex": r"\lvert #d \rvert"}
    full = Mine().penalize(x.D, x.frames, squared, **options)
    assert (
        full == Penalty(x.D, x.frames, squared, **options) and full.domain == "x" and full.streams == (x.D(x.frames),)
    )
    assert (Penalty(x.D, x.frames, squared).symbol, Penalty(x.D, x.frames, squared).latex) == ("", "")
