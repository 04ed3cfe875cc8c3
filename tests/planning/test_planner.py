"""Plans against plain evaluation, on random expressions and on the recipes."""

import os
import subprocess
import sys

import pytest
import torch
from helpers.models import (
    Blend,
    Change,
    Frame,
    Judge,
    Pair,
    Predictor,
    Recurrent,
    build,
    clips,
    naive,
    randomize,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import vtrans
from vtrans.algebra.domains import Domain, frozen, networks_in
from vtrans.algebra.meaning import evaluate
from vtrans.algebra.operators import detach, noise
from vtrans.algebra.streams import Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.views import join, reverse, shift
from vtrans.planning.planner import Demand, plan

DOMAINS = {"x": Domain("x"), "y": Domain("y")}
UNARY = [
    "G",
    "P",
    "R",
    "D",
    "frozen G",
    "frozen P",
    "frozen R",
    "detach",
    "reverse",
    "past",
    "change",
    "later",
    "earlier",
]
BINARY = ["join", "blend", "pair", "frozen pair"]
DEPTH = 4


def applied(operator, domain, a, b):
    """One more expression."""
    simple = {"detach": detach, "reverse": reverse, "past": past, "change": lambda s: Change(inputs=(s,))}
    simple |= {"later": lambda s: shift(s, 1), "earlier": lambda s: shift(s, -2)}
    if operator in simple:
        return simple[operator](a)
    if operator == "join":
        return join(a, b)
    if operator == "blend":
        return Blend(0.25, inputs=(a, b))
    role = operator.rpartition(" ")[2]
    network = (DOMAINS[a.domain] if role == "P" else domain).network("M" if role == "pair" else role)
    network = frozen(network) if operator.startswith("frozen") else network
    return network(a, b) if role == "pair" else network(a)


def past(stream):
    from vtrans.algebra.views import Past

    return Past(stream)


def depth(stream):
    return max((depth(part) + 1 for part in stream.parts), default=0)


def cost(stream):
    """About how many times plain evaluation visits a frame."""
    fan = {"P": 3, "R": 4, "D": 3}.get(stream.network.role, 1) if hasattr(stream, "network") else 1
    return 1 + fan * sum(cost(part) for part in stream.parts)


@st.composite
def expressions(draw, operators=tuple(UNARY + BINARY)):
    """A handful of expressions that share parts."""
    made: list[Stream] = [DOMAINS["x"].frames, DOMAINS["y"].frames, DOMAINS["x"].past]
    for _ in range(draw(st.integers(1, 8))):
        operator = draw(st.sampled_from(operators))
        domain = DOMAINS[draw(st.sampled_from("xy"))]
        a, b = (made[-1 - draw(st.integers(0, len(made) - 1).map(lambda i: i // 2))] for _ in range(2))
        grown = applied(operator, domain, a, b)
        if depth(grown) <= 2 * DEPTH and cost(grown) <= 150:
            made.append(grown)
    return made


def networks(contexts, windows):
    made = {}
    for i, letter in enumerate("XY"):
        parts = {
            "G": Frame(),
            "P": Predictor(contexts[i]),
            "R": Recurrent(),
            "D": Judge(windows[i]),
            "M": Pair(),
        }
        for role, network in parts.items():
            made[f"{role}_{letter}"] = randomize(network.double(), seed=len(made), scale=0.7)
    return made


def demanded(data, made, scope):
    """Some times of some of the expressions."""
    possible = [stream for stream in reversed(made) if stream.times(scope)]
    assume(possible)
    chosen = data.draw(st.lists(st.sampled_from(possible), min_size=1, max_size=5))
    demands = []
    for stream in chosen:
        times = data.draw(st.lists(st.sampled_from(stream.times(scope)), min_size=1, max_size=4, unique=True))
        demands.append(Demand(stream, tuple(times)))
    return demands


def value_and_gradients(frames, given, nets):
    total = sum((torch.linspace(0.5, 1.5, f.numel(), dtype=f.dtype) * f.flatten()).sum() for f in frames)
    inputs = [*given.values(), *(p for net in nets.values() for p in net.parameters())]
    if not total.requires_grad:
        return total.detach(), [torch.zeros_like(i) for i in inputs]
    found = torch.autograd.grad(total, inputs, allow_unused=True)
    return total.detach(), [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, found, strict=True)]


@settings(max_examples=200)
@given(
    st.data(),
    expressions(),
    st.integers(1, 7),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_planned_equals_plain_evaluation(data, made, length, contexts, windows):
    nets = networks(contexts, windows)
    given_clips = {
        domain.frames: frames.requires_grad_()
        for domain, frames in zip(DOMAINS.values(), clips(length, batch=1, channels=2, size=2), strict=True)
    }
    scope = Scope(dict.fromkeys(given_clips, length), {name: Reads.of(net) for name, net in nets.items()})
    demands = demanded(data, made, scope)
    leaves = {stream: frames.transpose(0, 1) for stream, frames in given_clips.items()}
    planned = plan(demands, scope).run(leaves, nets)
    by_library = [evaluate(demand.stream, given_clips, nets) for demand in demands]
    by_hand = [naive(demand.stream, given_clips, nets) for demand in demands]
    for demand, theirs, ours in zip(demands, by_library, by_hand, strict=True):
        assert tuple(theirs) == tuple(sorted(ours)) == demand.stream.times(scope)
    value, found = value_and_gradients(planned, given_clips, nets)
    for frames in (by_library, by_hand):
        stacked = [torch.stack([f[t] for t in d.times]) for f, d in zip(frames, demands, strict=True)]
        for a, b in zip(planned, stacked, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
        expected_value, expected = value_and_gradients(stacked, given_clips, nets)
        torch.testing.assert_close(value, expected_value, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


class Counting(nn.Module):
    """Counts the calls, the rows, and the different rows that a network sees."""

    def __init__(self, network):
        super().__init__()
        self.network, self.calls, self.rows, self.seen = network, 0, 0, set()
        for attribute in ("context", "window"):
            if hasattr(network, attribute):
                setattr(self, attribute, getattr(network, attribute))

    def forward(self, *inputs):
        self.calls += 1
        self.rows += len(inputs[0])
        for row in zip(*inputs, strict=True):
            self.seen.add(tuple(part.detach().numpy().tobytes() for part in row))
        return self.network(*inputs)


@settings(max_examples=60)
@given(st.data(), expressions(("G", "P", "D", "reverse", "past", "change", "join", "pair")), st.integers(1, 6))
def test_each_frame_is_computed_once(data, made, length):
    nets = {name: Counting(net) for name, net in networks((1, 2), (2, 1)).items()}
    given_clips = dict(
        zip((d.frames for d in DOMAINS.values()), clips(length, batch=1, channels=2, size=2), strict=True)
    )
    scope = Scope(dict.fromkeys(given_clips, length), {name: Reads.of(net) for name, net in nets.items()})
    demands = demanded(data, made, scope)
    made_plan = plan(demands, scope)
    made_plan.run({stream: frames.transpose(0, 1) for stream, frames in given_clips.items()}, nets)
    for name, network in nets.items():
        calls = [call for call in made_plan.network_calls if call.label == name]
        assert network.calls == len(calls)
        assert network.rows == sum(call.rows for call in calls) == len(network.seen), name
    asked = 0
    for demand in demands:
        before = sum(net.rows for net in nets.values())
        frames = evaluate(demand.stream, given_clips, nets)
        spent = sum(net.rows for net in nets.values()) - before
        asked += spent if set(demand.times) == set(frames) else 0
    if all(set(demand.times) == set(demand.stream.times(scope)) for demand in demands):
        assert made_plan.saved == asked - sum(call.rows for call in made_plan.network_calls)


def greedy_calls(stream, found):
    """Adds the (network, depth) pairs of an expression; a plan by depth makes one call for each."""
    level = max((greedy_calls(part, found) for part in stream.parts), default=0)
    if hasattr(stream, "network"):
        level += 1
        found.add((stream.network, level))
    return level


@settings(max_examples=60)
@given(st.data(), expressions(("G", "P", "D", "frozen G", "reverse", "past", "pair")), st.integers(2, 6))
def test_never_more_calls_than_one_for_each_network_at_each_depth(data, made, length):
    nets = networks((1, 1), (1, 2))
    scope = Scope(
        {d.frames: length for d in DOMAINS.values()}, {name: Reads.of(network) for name, network in nets.items()}
    )
    demands = demanded(data, made, scope)
    found: set[object] = set()
    for demand in demands:
        greedy_calls(demand.stream, found)
    assert len(plan(demands, scope).network_calls) <= len(found)


PRINT_PLANS = """
import sys
import vtrans
from helpers.models import build
for recipe in ("recycle_cycle_gan", "recurrent_gan"):
    for predictor in (("unet", {"depth": 2, "width": 2}), ("conv_gru", {"width": 2})):
        model = build(recipe, predictor=predictor)
        for phase in model.phases:
            made = model.plan(phase.name, length=5)
            print(repr(made))
            print(made)
"""


def test_a_plan_is_the_same_in_every_process():
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = os.pathsep.join([os.path.dirname(here), here])
    printed = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        run = subprocess.run(
            [sys.executable, "-c", PRINT_PLANS], env=environment, capture_output=True, text=True, check=True
        )
        printed.append(run.stdout)
    assert printed[0] == printed[1]
    assert printed[0].count("network calls for") == 8
    made = build("recycle_cycle_gan").plan("generators", length=5)
    assert printed[0].startswith(f"{made!r}\n{made}\n")


@pytest.mark.parametrize("length", [3, 5, 8])
def test_the_published_objective_takes_nine_calls(length):
    model = build("recycle_cycle_gan")
    assert len(model.plan("generators", length=length).network_calls) == 7
    assert len(model.plan("discriminators", length=length).network_calls) == 2


@pytest.mark.parametrize("recipe", vtrans.recipes)
@pytest.mark.parametrize("predictor", [("unet", {"depth": 2, "width": 2}), ("conv_gru", {"width": 2})])
def test_the_number_of_calls_does_not_grow_with_the_clip(recipe, predictor):
    model = build(recipe, predictor=predictor)
    for phase in model.phases:
        calls = {len(model.plan(phase.name, length=length).network_calls) for length in (3, 4, 7, 16)}
        assert len(calls) == 1


def test_a_recurrent_predictor_runs_once_over_a_stream():
    x = DOMAINS["x"]
    scope = Scope({x.frames: 6}, {"R_X": Reads((), stacked=True, recurrent=True)})
    made = plan([Demand(x.network("R")(x.past), (1, 2, 3, 4, 5))], scope)
    assert [(call.label, call.rows) for call in made.network_calls] == [("R_X", 5)]


def test_two_recurrent_networks_of_several_streams_use_the_times_of_all():
    x, y = DOMAINS.values()

    class Two(nn.Module):
        context = None

        def forward(self, a, b):
            return (a + b).cumsum(1)

    given_clips = {x.frames: clips(4)[0], y.frames: clips(2)[1]}
    stream = x.network("R")(x.frames, y.frames)
    found = evaluate(stream, given_clips, {"R_X": Two()})
    assert tuple(found) == (1, 2)
    torch.testing.assert_close(found[2], (given_clips[x.frames][:, :2] + given_clips[y.frames]).sum(1))


def test_value_only_demands_take_any_application_of_the_same_value():
    x, y = DOMAINS.values()
    scope = Scope({x.frames: 3}, {"G_Y": Reads(), "D_Y": Reads()})
    demands = [
        Demand(frozen(y.G)(x.past), (0, 1)),
        Demand(detach(y.G(x.past)), (0, 1), value_only=True),
        Demand(y.D(detach(frozen(y.G)(x.past))), (0,)),
    ]
    assert [call.label for call in plan(demands, scope).network_calls] == ["frozen(G_Y)", "D_Y"]


def test_what_a_phase_does_not_train_runs_frozen():
    x, y = DOMAINS.values()
    scope = Scope({x.frames: 1}, {"G_Y": Reads(), "D_Y": Reads()})
    made = plan([Demand(y.D(y.G(x.frames)), (0,))], scope, trains=["G_Y"])
    assert [call.label for call in made.network_calls] == ["G_Y", "frozen(D_Y)"]
    assert networks_in(frozen(y.D)(y.G(x.frames))) == {"D_Y": False, "G_Y": True}
    assert networks_in(detach(y.G(x.frames))) == {"G_Y": False}


def test_two_names_are_two_draws_and_one_name_is_one():
    x = DOMAINS["x"]
    scope, leaves = Scope({x.frames: 2}, {}), {x.frames: torch.zeros(2, 1, 1, 4, 4)}
    streams = [noise(x.frames, "a"), noise(x.frames, "a"), noise(x.frames, "b")]
    a, again, b = plan([Demand(stream, (0, 1)) for stream in streams], scope).run(leaves, {})
    assert torch.equal(a, again) and not torch.equal(a, b) and not torch.equal(a[0], a[1])


def test_a_plan_runs_in_one_graph():
    torch.compiler.reset()
    model = build("recycle_cycle_gan")
    x, y = (clip.float().transpose(0, 1).contiguous() for clip in clips(3))
    nets = model.networks_by_name
    made = model.plan("generators", length=3)
    given = {DOMAINS["x"].frames: x, DOMAINS["y"].frames: y}
    leaves = [given[leaf] for leaf in made.leaves]

    def objective(*leaves):
        frames = made.run_on(leaves, nets)
        return sum(f.square().mean() for f in frames)

    compiled = torch.compile(objective, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*leaves), objective(*leaves))


class Mixed(nn.Module):
    """A recurrent network of two streams, or a frame-wise one of one or two."""

    def __init__(self, recurrent):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))
        if recurrent:
            self.context = None
        self.recurrent = recurrent

    def forward(self, first, second=None):
        mixed = first if second is None else first + self.weight * second
        return mixed.cumsum(1) if self.recurrent else self.weight * mixed


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_network_of_several_streams_gets_those_of_each_application(recurrent):
    x, a, b = DOMAINS["x"].frames, DOMAINS["x"].stream("a"), DOMAINS["x"].stream("b")
    network = DOMAINS["x"].network("E")
    applied = [network(x, a), network(x, b)] + ([] if recurrent else [network(x), network(a, x)])
    clips = {clip: torch.rand(2, 4, 1, 2, 2, dtype=torch.float64) for clip in (x, a, b)}
    networks = {"E_X": Mixed(recurrent)}
    scope = Scope(dict.fromkeys(clips, 4), {"E_X": Reads.of(networks["E_X"])})
    demands = [Demand(stream, scope.times(stream)) for stream in applied]
    leaves = {clip: frames.transpose(0, 1) for clip, frames in clips.items()}
    for stream, frames in zip(applied, plan(demands, scope).run(leaves, networks), strict=True):
        plain = evaluate(stream, clips, networks)
        torch.testing.assert_close(frames, torch.stack(list(plain.values())))


def test_operators_of_frames_of_other_shapes_run_apart():
    x, y = DOMAINS["x"].frames, DOMAINS["y"].frames
    clips = {x: torch.rand(2, 3, 3, 4, 4), y: torch.rand(2, 3, 1, 4, 4)}
    streams = [vtrans.detach(x), vtrans.detach(y)]
    scope = Scope(dict.fromkeys(clips, 3), {})
    leaves = {clip: frames.transpose(0, 1) for clip, frames in clips.items()}
    found = plan([Demand(stream, (0, 1, 2)) for stream in streams], scope).run(leaves, {})
    assert [frames.shape[2] for frames in found] == [3, 1]


def test_a_long_unrolling_is_planned_in_a_moment():
    x = DOMAINS["x"]
    longer = vtrans.unroll(x.P, x.frames, 30)
    scope = Scope({x.frames: 3}, {"P_X": Reads((-2, -1), stacked=True)})
    assert scope.times(longer) == tuple(range(33))
    made = plan([Demand(longer, scope.times(longer))], scope)
    assert len(made.network_calls) == 30


def test_a_draw_is_one_however_gradients_reach_it():
    x, y = DOMAINS["x"], DOMAINS["y"]
    first = vtrans.noise(y.G(x.frames), "a")
    second = vtrans.noise(vtrans.frozen(y.G)(x.frames), "a")
    other = vtrans.noise(y.G(x.frames), "b")
    networks = {"G_Y": nn.Conv2d(3, 3, 1)}
    scope = Scope({x.frames: 2}, {"G_Y": Reads()})
    leaves = {x.frames: torch.rand(2, 1, 3, 4, 4)}
    one, two, three = plan([Demand(s, (0, 1)) for s in (first, second, other)], scope).run(leaves, networks)
    assert torch.equal(one, two) and not torch.equal(one, three)


def test_an_operator_that_runs_a_method_of_a_network_is_one_of_its_runs():
    from dataclasses import dataclass

    from vtrans.algebra.domains import networks_in
    from vtrans.algebra.streams import Network, Operation

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(2.0))

        def features(self, frames):
            return self.weight * frames

    @dataclass(frozen=True)
    class Featured(Operation):
        network: Network

        def run(self, networks, *frames):
            return self.network.run(networks, *frames, method="features")

    x = DOMAINS["x"]
    stream = Featured(x.network("E"), inputs=(x.frames,))
    assert networks_in(stream) == {"E_X": True}
    networks = {"E_X": Encoder()}
    scope, leaves = Scope({x.frames: 2}, {"E_X": Reads()}), {x.frames: torch.ones(2, 1, 1, 2, 2)}
    made = plan([Demand(stream, (0, 1))], scope, trains=("E_X",))
    assert len(made.network_calls) == 1 and "featured[E_X]" in str(made)
    made.run(leaves, networks)[0].sum().backward()
    assert networks["E_X"].weight.grad == 8.0
    still = plan([Demand(stream, (0, 1))], scope, trains=()).run(leaves, networks)[0]
    assert torch.equal(still, torch.full_like(still, 2.0)) and not still.requires_grad
    alone = plan([Demand(stream, (0, 1))], scope, sequential={"E_X": ("declared sequential",)})
    assert [call.rows for call in alone.network_calls] == [1, 1]
