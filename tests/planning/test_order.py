"""What cannot be batched runs as the sequential schedule would: frame by frame, in the order of plain evaluation."""

import copy
from dataclasses import replace

import pytest
import torch
from helpers.models import build, clips
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vtrans.algebra.domains import Domain
from vtrans.algebra.operators import between, noise
from vtrans.algebra.streams import Scope, View
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Clip, reverse
from vtrans.losses import Adversarial, Cycle
from vtrans.planning.planner import Demand, plan

x, y = Domain("x"), Domain("y")


class Drawing(nn.Module):
    """Adds a draw to its frames, and notes in a journal that all share what it was shown."""

    def __init__(self, name, journal):
        super().__init__()
        self.name, self.journal = name, journal

    def forward(self, frames):
        self.journal.append((self.name, frames.flatten().tolist()))
        return frames + torch.randn_like(frames)


class Halving(nn.Module):
    """Can be batched, without rounding."""

    def forward(self, frames):
        return frames / 2


def networks(journal):
    drawing = {f"{role}_{letter}": Drawing(f"{role}_{letter}", journal) for role in "GF" for letter in "XY"}
    return {**drawing, "H_X": Halving(), "H_Y": Halving()}


def one_by_one(streams, frames, nets, scope):
    """Every frame when it is first met, each once: the order of plain evaluation."""
    made = {}

    def frame(stream, t):
        if isinstance(stream, Clip):
            return (stream, t), frames[stream][:, t]
        if isinstance(stream, View):
            return frame(*stream.at(t, scope))
        parts = [frame(part, t) for part in stream.inputs]
        key = (replace(stream, inputs=()), *(key for key, _ in parts))
        if key not in made:
            made[key] = stream.run(nets, *(value for _, value in parts))
        return key, made[key]

    return [torch.stack([frame(stream, t)[1] for t in scope.times(stream)]) for stream in streams]


def assert_in_order(streams, length=2):
    frames = dict(zip((x.frames, y.frames), clips(length, batch=1, channels=1, size=1), strict=True))
    journal, expected_journal = [], []
    scope = Scope(dict.fromkeys(frames, length), dict.fromkeys(networks([]), Reads()))
    torch.manual_seed(7)
    expected = one_by_one(streams, frames, networks(expected_journal), scope)
    sequential = {name: ("it draws",) for name in scope.reads if not name.startswith("H")}
    made = plan([Demand(stream, scope.times(stream)) for stream in streams], scope, sequential=sequential)
    torch.manual_seed(7)
    found = made.run({clip: given.transpose(0, 1) for clip, given in frames.items()}, networks(journal))
    assert journal == expected_journal
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)
    return made


APPLIED = {
    **{f"{role}_{d.name}": d.network(role) for role in "GFH" for d in (x, y)},
    "noise a": lambda s: noise(s, "a"),
    "noise b": lambda s: noise(s, "b"),
    "between": lambda s: between(s, x.frames, "c"),
    "reverse": reverse,
}


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(sorted(APPLIED)), st.integers(0, 3)), min_size=1, max_size=8))
def test_networks_and_draws_that_cannot_be_batched_keep_the_order_of_plain_evaluation(steps):
    streams = [x.frames, y.frames]
    for name, back in steps:
        streams.append(APPLIED[name](streams[-1 - back % len(streams)]))
    assert_in_order(streams[2:])
    assert_in_order(streams[:1:-1])


def test_a_draw_waits_for_the_network_that_draws_before_it():
    """An operator costs no call and would run at once; but then the numbers were drawn in another order."""
    made = assert_in_order([x.G(x.network("H")(x.frames)), noise(y.frames, "a")])
    assert [call.label for call in made.calls] == ["H_X", "G_X", "G_X", "draw", "noise", "draw", "noise"]


class Unsteady(nn.Module):
    """Everything that makes a call depend on the one before, or on its batch."""

    def __init__(self, norm="spectral"):
        super().__init__()
        first = nn.Conv2d(3, 3, 3, padding=1)
        spectral = {"spectral": nn.utils.parametrizations.spectral_norm, "old": nn.utils.spectral_norm}
        self.layers = nn.Sequential(
            spectral[norm](first) if norm in spectral else first, nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Conv2d(3, 3, 1)
        )

    def forward(self, frames):
        return self.layers(frames).tanh()


def unsteady_model(norm="spectral"):
    names = ("G_X", "G_Y", "D_X", "D_Y")
    torch.manual_seed(5)
    nets = {name: Unsteady(norm) for name in names}
    losses = [Adversarial(predicted=False), Cycle(weight=2.0)]
    return build("gan", losses=losses, networks=nets).double()


def by_hand(nets, x, y):
    """The generators' phase in the order of plain evaluation, one call a frame."""
    values, made = {}, {}
    for target, clip in (("Y", x), ("X", y)):
        logits = []
        for t in (0, 1):
            made[target, t] = nets[f"G_{target}"](clip[:, t])
            logits.append(nets[f"D_{target}"](made[target, t]))
        values[f"adversarial/{target.lower()}"] = (torch.cat(logits) - 1).square().mean() * 2
    for source, target, clip in (("X", "Y", x), ("Y", "X", y)):
        rebuilt = [nets[f"G_{source}"](made[target, t]) for t in (0, 1)]
        target_frames = torch.cat([clip[:, 0], clip[:, 1]])
        values[f"cycle/{source.lower()}"] = 2.0 * ((torch.cat(rebuilt) - target_frames).abs().mean() * 2)
    return values


@pytest.mark.parametrize("norm", ["none", "spectral", "old"])
def test_networks_that_cannot_be_batched_run_as_the_sequential_schedule_would(norm):
    model = unsteady_model(norm)
    nets = {name: network for name, network in copy.deepcopy(model.networks).items()}
    x, y = clips(3)
    torch.manual_seed(11)
    expected = by_hand(nets, x, y)
    torch.manual_seed(11)
    report = model.generator_loss(x, y)
    assert {name: value.item() for name, value in report.items()} == {k: v.item() for k, v in expected.items()}
    for name, network in model.networks.items():
        for (key, mine), other in zip(network.named_buffers(), nets[name].buffers(), strict=True):
            assert torch.equal(mine, other), f"{name}.{key}"
    report.total.backward()
    sum(expected.values()).backward()
    for name in ("G_X", "G_Y"):
        for mine, other in zip(model.networks[name].parameters(), nets[name].parameters(), strict=True):
            torch.testing.assert_close(mine.grad, other.grad, rtol=1e-10, atol=1e-12)
    assert all(p.grad is None for name in ("D_X", "D_Y") for p in model.networks[name].parameters())


def test_the_plan_says_what_is_sequential_and_evaluation_mode_batches_again():
    model = unsteady_model()
    made = model.plan("generators", length=3)
    reasons = "spectral norm in training, batch norm in training, dropout in training"
    assert f"G_X is called frame by frame, as the sequential schedule would: {reasons}" in str(made)
    assert all(call.rows == 1 for call in made.network_calls) and len(made.network_calls) == 12
    model.eval()
    made = model.plan("generators", length=3)
    assert not made.sequential and len(made.network_calls) == 5
    model.networks["G_X"].train()
    assert set(model.plan("generators", length=3).sequential) == {"G_X"}


def test_a_network_says_itself_whether_it_is_sequential():
    model = build("gan")
    calls = len(model.plan("generators", length=3).network_calls)
    model.networks["G_X"].sequential = True
    made = model.plan("generators", length=3)
    assert made.sequential == {"G_X": ("declared sequential",)}
    assert len(made.network_calls) == calls + 2
    model.networks["G_X"].sequential = False
    assert len(model.plan("generators", length=3).network_calls) == calls
    model = unsteady_model()
    for network in model.networks.values():
        network.sequential = False
    assert not model.plan("generators", length=3).sequential


def test_batch_norm_without_running_statistics_is_sequential_in_every_mode():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False))
    model = build("gan", networks={"G_X": network})
    for mode in (True, False):
        model.train(mode)
        assert model.plan("generators", length=3).sequential == {"G_X": ("batch norm without running statistics",)}
