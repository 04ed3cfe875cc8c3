"""Objectives run: clips made ready, weights of a step, what is carried, and what a plan depends on."""

import pytest
import torch
from helpers.models import Frame, Judge, Predictor, clips, randomize
from torch import nn

from vtrans import Schedule
from vtrans.algebra.domains import Domain, frozen
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Clip
from vtrans.losses import Adversarial, Cycle, Loss
from vtrans.objectives import execution as module
from vtrans.objectives.execution import Execution
from vtrans.objectives.objective import objectives_of, pools_for
from vtrans.objectives.phases import Phase

x, y = Domain("x"), Domain("y")
X, Y = Clip("x"), Clip("y")
PHASES = [Phase("generators", trains=("G", "P")), Phase("discriminators", trains=("D",))]


def make(losses=None, phases=PHASES, **networks):
    losses = losses or {"adversarial": Adversarial(predicted=False), "cycle": Cycle(weight=2.0)}
    parts = {f"{role}_{letter}": Predictor(2) if role == "P" else Frame() for role in "GPD" for letter in "XY"}
    nets = nn.ModuleDict({name: randomize(part.double(), seed=i) for i, (name, part) in enumerate(parts.items())})
    nets.update(networks)
    objectives = objectives_of(phases, losses)
    return Execution(objectives, nets, pools_for(objectives.values(), nets, seed=0))


def given(length=3, **options):
    return dict(zip((X, Y), clips(length, channels=2, **{"size": 2, **options}), strict=True))


def test_clips_are_made_ready_time_first():
    clips = given()
    prepared = make().prepare(clips)
    for clip, frames in clips.items():
        assert prepared.clips[clip] is frames
        assert torch.equal(prepared.leaves[clip], frames.transpose(0, 1)) and prepared.leaves[clip].is_contiguous()
    assert prepared.situation.scope.lengths == {X: 3, Y: 3}
    assert prepared.situation.scope.reads["P_X"] == Reads((-2, -1), stacked=True)
    assert prepared.situation.scope.reads["G_X"] == Reads()


def test_terms_are_weighed_for_the_step_and_reported_by_name():
    schedule = Schedule([(0, 1.0), (2, 5.0)])
    made = make({"cycle": Cycle(weight={"x": schedule, "y": 3.0}), "again": Cycle(weight=1.0)}, PHASES[:1])
    prepared = made.prepare(given())
    g_x, g_y = made.networks["G_X"], made.networks["G_Y"]
    clip = prepared.clips[X]
    once = sum((g_x(g_y(clip[:, t])) - clip[:, t]).abs().mean() for t in (0, 1))
    for step, factor in ((0, 1.0), (1, 3.0), (2, 5.0), (0, 1.0)):
        report = made.run("generators", prepared, step, None)
        assert list(report) == ["cycle/x", "cycle/y", "again/x", "again/y"]
        torch.testing.assert_close(report["cycle/x"], factor * once)
        torch.testing.assert_close(report["again/x"], once)
        torch.testing.assert_close(report["cycle/y"], 3 * report["again/y"])
        torch.testing.assert_close(report.total, sum(report.values()))


def test_weights_are_sent_to_the_device_once_and_follow_the_clips():
    made, seen = make({"cycle": Cycle(weight=Schedule([(0, 1.0), (1, 2.0)]))}, PHASES[:1]), []
    run = made.objectives["generators"].run
    made.objectives["generators"].run = lambda *given: seen.append(given[4]) or run(*given)
    prepared = made.prepare(given())
    for step in (0, 0, 1, 9):
        made.run("generators", prepared, step, None)
    assert seen[0] is seen[1] and seen[2] is seen[3] and [w.tolist() for w in seen[1:3]] == [[1.0, 1.0], [2.0, 2.0]]
    made.networks.float()
    made.run("generators", made.prepare({clip: frames.float() for clip, frames in given().items()}), 9, None)
    made.networks.to("meta")
    made.run("generators", made.prepare({clip: frames.float().to("meta") for clip, frames in given().items()}), 9, None)
    assert [(weights.dtype, weights.device.type) for weights in seen[3:]] == [
        (torch.float64, "cpu"),
        (torch.float32, "cpu"),
        (torch.float32, "meta"),
    ]


# What is carried.


def teach(made, prepared, reuse=None):
    return made.run("discriminators", prepared, 0, reuse)


def test_frames_are_carried_as_they_were_or_else_computed_anew():
    made = make()
    prepared = made.prepare(given())
    first = made.run("generators", prepared, 0, None)
    assert list(first.carried) == [y.G(x.past), x.G(y.past)]
    for stream, frames in first.carried.items():
        source = prepared.clips[X if stream.domain == "y" else Y]
        translated = made.networks[f"G_{stream.domain.upper()}"]
        assert not frames.requires_grad
        torch.testing.assert_close(frames, torch.stack([translated(source[:, t]) for t in (0, 1)]))
    reused = dict(teach(made, prepared, first))
    torch.testing.assert_close(dict(teach(made, prepared)), reused)
    randomize(made.networks["G_Y"], seed=99)
    assert torch.equal(teach(made, prepared, first)["discriminator/y"], reused["discriminator/y"])
    assert not torch.allclose(teach(made, prepared)["discriminator/y"], reused["discriminator/y"])
    assert torch.allclose(teach(made, prepared)["discriminator/x"], reused["discriminator/x"])
    assert teach(made, prepared).carried == {}


def test_what_is_carried_anew_is_planned_once_for_a_situation_and_runs_without_gradients(monkeypatch):
    planned, plan = [], module.plan
    monkeypatch.setattr(module, "plan", lambda *a, **k: planned.append(k) or plan(*a, **k))
    modes = []
    made = make()
    made.networks["G_Y"].register_forward_hook(lambda *_: modes.append(torch.is_grad_enabled()))
    for length in (3, 3, 4, 3):
        teach(made, made.prepare(given(length)))
    assert len(planned) == 2 and modes == [False] * 4
    made.networks["G_Y"].sequential = True
    teach(made, made.prepare(given()))
    assert len(planned) == 3 and modes == [False] * 6, "frame by frame, as the phase before would call it"
    assert planned[2]["sequential"] == {"G_Y": ("declared sequential",)}


def test_phases_carry_apart():
    phases = [
        Phase("D_Y", ("D_Y",), terms="discriminators", losses=("one",)),
        Phase("D_X", ("D_X",), terms="discriminators"),
    ]
    one, two = Adversarial(predicted=False), Adversarial(predicted=False, frames="all")
    made = make({"one": one, "two": two}, phases)
    prepared = made.prepare(given())
    alone, both = made.run("D_Y", prepared, 0, None), made.run("D_X", prepared, 0, None)
    assert both["discriminator/x"] > alone["discriminator/x"] > 0


def test_only_the_report_of_the_same_clips_is_reused():
    made = make()
    clips = given()
    prepared, first = made.prepare(clips), None
    first = made.run("generators", prepared, 0, None)
    teach(made, made.prepare({clip: frames.clone() for clip, frames in clips.items()}), first)
    for other in (
        {X: clips[X], Y: clips[X]},
        {clip: frames[:1] for clip, frames in clips.items()},
        {clip: frames[..., :1] for clip, frames in clips.items()},
    ):
        with pytest.raises(ValueError, match="^reuse: expected a report on the same clips, got one on another [xy].$"):
            teach(made, made.prepare(other), first)
    with pytest.raises(
        ValueError, match=r"^reuse: expected the report of model.generator_loss\(x, y\), got one without"
    ):
        teach(made, prepared, teach(made, prepared))
    with pytest.raises(TypeError, match=r"^reuse: expected the report of model.generator_loss\(x, y\), got int.$"):
        teach(made, prepared, 5)


def test_on_a_device_clips_are_told_apart_without_reading_them():
    made = make()
    made.networks.to("meta")
    clips = {clip: frames.to("meta") for clip, frames in given().items()}
    first = made.run("generators", made.prepare(clips), 0, None)
    teach(made, made.prepare({clip: frames.clone() for clip, frames in clips.items()}), first)
    with pytest.raises(ValueError, match="one on another x"):
        teach(made, made.prepare({clip: frames[:1] for clip, frames in clips.items()}), first)
    with pytest.raises(ValueError, match="one on another x"):
        teach(make(), make().prepare(given()), first)


def test_what_has_one_value_is_carried_anew_by_one_call():
    class Both(Loss):
        def terms(self, x, y):
            translated = y.G(x.past)
            yield self.compare(translated, y.past)
            yield self.discriminate(y.D, real=y.frames, fakes=[translated, frozen(y.G)(x.past)])

    made, shapes = make({"both": Both()}), []
    made.networks["G_Y"].register_forward_hook(lambda _, given, __: shapes.append(given[0].shape[0]))
    prepared = made.prepare(given())
    teach(made, prepared)
    assert shapes == [2 * 2], "two frames of two clips"
    first = made.run("generators", prepared, 0, None)
    assert shapes == [4, 4] and len(first.carried) == 4


def test_a_phase_that_needs_nothing_carried_takes_no_notice_of_a_report():
    made = make()
    other = made.run("generators", made.prepare(given()), 0, None)
    prepared = made.prepare({clip: frames / 2 for clip, frames in given().items()})
    found = made.run("generators", prepared, 0, other)
    torch.testing.assert_close(dict(found), dict(made.run("generators", prepared, 0, None)))


@pytest.mark.parametrize("phase", ["generators", "discriminators"])
def test_networks_that_say_so_are_called_frame_by_frame(phase):
    made, rows = make(), []
    made.networks["D_Y"].sequential = True
    made.networks["D_Y"].register_forward_hook(lambda _, given, __: rows.append(given[0].shape[0]))
    made.run(phase, made.prepare(given()), 0, None)
    assert rows == [2] * {"generators": 2, "discriminators": 4}[phase]


def test_gradients_reach_what_the_phase_trains_and_no_other():
    made = make()
    prepared = made.prepare(given())
    for phase, trained in (("generators", {"G_X", "G_Y"}), ("discriminators", {"D_X", "D_Y"})):
        made.networks.zero_grad()
        made.run(phase, prepared, 0, None).total.backward()
        assert {name.split(".")[0] for name, p in made.networks.named_parameters() if p.grad is not None} == trained


def test_each_domain_s_fakes_pass_through_its_history():
    made = make({"adversarial": Adversarial(predicted=False, pool=9)})
    prepared, shown = made.prepare(given()), []
    for domain, pool in made.pools.items():
        pool.query = lambda frames, domain=domain: shown.append((domain, frames)) or frames + 1
    first = made.run("generators", prepared, 0, None)
    taught = teach(made, prepared, first)
    fakes = {stream.domain: frames for stream, frames in first.carried.items()}
    assert [domain for domain, _ in shown] == ["y", "x"] and all(frames is fakes[domain] for domain, frames in shown)
    judge, clip = made.networks["D_Y"], prepared.clips[Y]
    expected = sum(
        0.5 * ((judge(clip[:, t]) - 1).square().mean() + judge(fakes["y"][t] + 1).square().mean()) for t in (0, 1)
    )
    torch.testing.assert_close(taught["discriminator/y"], expected)


# What a plan depends on.


def test_a_situation_is_known_by_lengths_reads_and_what_is_sequential():
    made = make()
    first, again, longer = (made.situation({X: n, Y: n}).key for n in (3, 3, 4))
    assert first == again != longer and hash(first) == hash(again)
    made.networks["P_X"] = Predictor(1)
    other = made.situation({X: 3, Y: 3})
    assert other.key != first and other.scope.reads["P_X"] == Reads((-1,), stacked=True)
    made.networks["D_X"] = Judge(1)
    assert made.situation({X: 3, Y: 3}).key != other.key, "a window of one is stacked"
    assert other.sequential == {}
    made.networks["G_X"].sequential = True
    assert made.situation({X: 3, Y: 3}).sequential == {"G_X": ("declared sequential",)}
    assert made.situation({X: 3, Y: 3}).key not in (first, other.key)


class Dropping(Frame):
    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)


DROPS = {"G_X": ("dropout in training",)}


def test_networks_are_looked_at_anew_when_something_changed(monkeypatch):
    looked, reasons = [], module.sequential_reasons
    monkeypatch.setattr(module, "sequential_reasons", lambda network: looked.append(network) or reasons(network))
    made = make(G_X=Dropping())

    def sequential():
        looked.clear()
        return made.situation({X: 3, Y: 3}).sequential, [name for name, n in made.networks.items() if n in looked]

    assert sequential() == (DROPS, list(made.networks))
    assert sequential() == (DROPS, []), "nothing changed"
    made.networks["G_X"].dropout.eval()
    assert sequential() == ({}, ["G_X"])
    made.networks["G_X"].dropout.train()
    assert sequential() == (DROPS, ["G_X"])
    made.networks["G_X"].sequential = False
    assert sequential() == ({}, ["G_X"])
    del made.networks["G_X"].sequential
    assert sequential() == (DROPS, ["G_X"])
    made.networks["G_X"] = nn.Sequential(nn.BatchNorm2d(2))
    assert sequential() == ({"G_X": ("batch norm in training",)}, ["G_X"])
    made.networks["G_X"] = Dropping()
    assert sequential() == (DROPS, ["G_X"])
    made.networks["G_X"].dropout.eval()
    assert sequential() == ({}, ["G_X"]), "the parts of the one before count no more"
    made.networks["G_X"] = Frame()
    assert sequential() == ({}, ["G_X"])
    made.networks["G_X"].layer = nn.Sequential(made.networks["G_X"].layer, nn.Dropout(0.5))
    assert sequential() == ({}, []), "a layer that was exchanged is not seen"
    made.forget_modes()
    assert sequential() == (DROPS, list(made.networks))


def test_an_expression_of_another_stream_of_the_clip():
    class Flowing(Loss):
        def terms(self, x, y):
            yield self.compare(x.G(x.past), x.stream("flow"))

    made = make({"flowing": Flowing()}, PHASES[:1])
    clips = {**given(), Clip("x", "flow"): torch.zeros(2, 2, 2, 2, 2).double(), Clip("y", "flow"): given()[Y]}
    report = made.run("generators", made.prepare(clips), 0, None)
    frames = clips[X]
    torch.testing.assert_close(
        report["flowing/x"], sum(made.networks["G_X"](frames[:, t]).abs().mean() for t in (0, 1))
    )
    assert report.clips == clips
