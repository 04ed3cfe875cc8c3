"""Plans as plain data: what they print, and the loop that runs them."""

import pytest
import torch
from helpers.models import Blend, build
from torch import nn

from vtrans.algebra.domains import Domain
from vtrans.algebra.operators import Noise
from vtrans.algebra.streams import Apply, Network, Scope
from vtrans.algebra.times import Reads
from vtrans.planning.planner import Demand, plan
from vtrans.planning.plans import Call, Plan, Rows, label

x, y = Domain("x"), Domain("y")
FRAMEWISE, STACKED, RECURRENT = Reads(), Reads((-1, 0), stacked=True), Reads((), stacked=True, recurrent=True)


def numbers(*values):
    """Frames of one pixel, time-major, of a batch of two that differ by 100."""
    return torch.tensor([[value, value + 100.0] for value in values]).view(len(values), 2, 1, 1, 1)


def read(frames):
    return frames[:, 0].flatten().tolist()


class Weigh(nn.Module):
    """Tens and units of the two frames that it gets, or of a clip's two."""

    def forward(self, a, b=None):
        return 10 * a + b if b is not None else 10 * a[:, 0] + a[:, 1]


class Cumulate(nn.Module):
    def forward(self, clip):
        return clip.cumsum(1)


def run(call, leaves, network, results):
    made = Plan((x.frames, y.frames), (call,), results, saved=0, sequential={})
    return made.run(dict(zip((x.frames, y.frames), leaves, strict=True)), {"E_X": network})


def test_a_call_of_two_inputs_reads_its_rows_in_order():
    """Rows of one buffer, or gathered from several, for each input; each frame of the batch meets its own."""
    inputs = (((Rows(0, 1, 3),),), ((Rows(1, 2, 3), Rows(0, 0, 1)),))
    call = Call(Apply(x.network("E"), inputs=()), inputs, 2, FRAMEWISE)
    (found,) = run(call, (numbers(1, 2, 3), numbers(4, 5, 6)), Weigh(), ((Rows(2, 0, 2),),))
    assert read(found) == [26.0, 31.0] and found[:, 1].flatten().tolist() == [1126.0, 1131.0]
    assert call.rows == 2 and call.is_network and call.label == "E_X"


def test_windows_are_stacked_in_time():
    inputs = (((Rows(0, 0, 2),), (Rows(0, 1, 3),)),)
    call = Call(Apply(x.network("E"), inputs=()), inputs, 2, STACKED)
    (found,) = run(call, (numbers(1, 2, 3), numbers(0)), Weigh(), ((Rows(2, 1, 2), Rows(2, 0, 1)),))
    assert read(found) == [23.0, 12.0], "the result as it was demanded: the second window first"


def test_a_recurrent_run_gives_a_row_for_each_position_of_each_sequence():
    inputs = (((Rows(0, 0, 1), Rows(1, 0, 1)), (Rows(0, 1, 2), Rows(1, 1, 2)), (Rows(0, 2, 3), Rows(1, 2, 3))),)
    call = Call(Apply(x.network("E"), inputs=()), inputs, 2, RECURRENT)
    assert call.rows == 6
    (found,) = run(call, (numbers(1, 2, 3), numbers(10, 20, 30)), Cumulate(), ((Rows(2, 0, 6),),))
    assert read(found) == [1.0, 3.0, 6.0, 10.0, 30.0, 60.0]


def test_frames_in_one_place_are_not_copied():
    leaf = numbers(1, 2, 3)
    made = plan([Demand(x.frames, (0, 1, 2)), Demand(x.frames, (2, 0))], Scope({x.frames: 3}, {}))
    whole, picked = made.run({x.frames: leaf}, {})
    assert whole.data_ptr() == leaf.data_ptr() and read(picked) == [3.0, 1.0]
    assert made.results == ((Rows(0, 0, 3),), (Rows(0, 2, 3), Rows(0, 0, 1)))


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        (Apply(y.G, inputs=()), "G_Y"),
        (Apply(Network("G", "y", frozen=True), inputs=()), "frozen(G_Y)"),
        (Blend(inputs=()), "blend"),
        (Noise(0.1, inputs=()), "noise"),
    ],
)
def test_a_plan_names_what_it_runs(kernel, name):
    assert label(kernel) == name


def test_a_plan_prints_its_calls_and_what_sharing_saved():
    """G_X translates, leaves alone and brings back in one call; G_Y, which that call waits for, needs two."""
    assert str(build("cycle_gan").plan("generators", length=1)).splitlines() == [
        "5 network calls for 8 frames; sharing saved 4 evaluations of 12",
        "   1. G_Y          2 frames",
        "   2. frozen(D_Y)  1 frame",
        "   3. G_X          3 frames",
        "   4. G_Y          1 frame",
        "   5. frozen(D_X)  1 frame",
    ]


def test_a_plan_says_what_is_called_frame_by_frame_and_why():
    made = Plan((), (), (), saved=3, sequential={"G_X": ("dropout in training", "declared sequential")})
    assert str(made) == (
        "0 network calls for 0 frames; sharing saved 3 evaluations of 3\n"
        "  G_X is called frame by frame, as the sequential schedule would: dropout in training, declared sequential"
    )


class Lost(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, frames):
        return self.change(frames)


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda f: f.mean(0), r"shape \(1, 1, 1\)"),
        (lambda f: f.sum(), r"shape \(\)"),
        (lambda f: [f, f[0]], r"shape \(1, 1, 1\)"),
    ],
)
def test_a_network_that_loses_the_batch_is_named(change, got):
    made = plan([Demand(x.network("E")(x.frames), (0, 1, 2))], Scope({x.frames: 3}, {"E_X": Reads()}))
    message = rf"output of E_X: expected a tensor of batch 6, one result for each input, got {got}\. Frames of several"
    with pytest.raises(ValueError, match=message):
        made.run({x.frames: numbers(1, 2, 3)}, {"E_X": Lost(change)})


def test_frames_of_two_shapes_in_one_call_are_refused():
    made = plan(
        [Demand(x.G(x.frames), (0,)), Demand(x.G(y.frames), (0,))], Scope({x.frames: 1, y.frames: 1}, {"G_X": Reads()})
    )
    with pytest.raises(ValueError, match=r"frames that share a call: .*got \(2, 1, 1, 1\) and \(2, 3, 1, 1\)"):
        made.run({x.frames: numbers(1), y.frames: torch.zeros(1, 2, 3, 1, 1)}, {"G_X": nn.Identity()})
