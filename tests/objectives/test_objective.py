"""Phases, reports and carried frames below the model."""

import pytest
import torch
from helpers.models import Frame, Judge, Predictor, build, clips

from vtrans.algebra.domains import Domain, frozen
from vtrans.algebra.streams import Scope
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Carried, Clip, join
from vtrans.losses import R1, Adversarial, Cycle, Loss, Recurrent, parts
from vtrans.losses.terms import TooShortError
from vtrans.objectives.objective import objectives_of, pools_for, shortest_clip
from vtrans.objectives.phases import Phase
from vtrans.planning import compilation

x, y = Domain("x"), Domain("y")
PHASES = [Phase("generators", trains=("G", "P")), Phase("discriminators", trains=("D",))]
NETWORKS = {f"{role}_{d}": Predictor(2) if role == "P" else Frame() for role in "GPD" for d in "XY"}


def test_terms_are_sorted_into_phases_by_name():
    made = objectives_of(PHASES, {"adversarial": Adversarial(), "mine": Cycle()})
    names = {phase: [named.name for named in objective.terms] for phase, objective in made.items()}
    assert names == {
        "generators": ["adversarial/y", "adversarial/x", "mine/x", "mine/y"],
        "discriminators": ["discriminator/y", "discriminator/x"],
    }
    trained = {named.name: sorted(made["generators"].trains(named)) for named in made["generators"].terms}
    assert trained["adversarial/y"] == ["G_Y", "P_Y"] and trained["mine/x"] == ["G_X", "G_Y"]


def test_frames_are_carried_from_the_phase_before():
    made = objectives_of(PHASES, {"adversarial": Adversarial()})
    carried = made["discriminators"].requires
    assert carried == list(made["generators"].carries)
    assert carried[:3] == [y.G(x.past), y.P(y.G(x.past)), y.P(y.past)]
    assert made["generators"].clips() == [Clip("x"), Clip("y")]


def test_a_phase_without_terms_is_refused():
    with pytest.raises(
        ValueError, match="phase 'other': expected losses with terms for 'other', got losses cycle. Name"
    ):
        objectives_of([Phase("other", trains=("G",))], {"cycle": Cycle()})


@pytest.mark.parametrize(
    ("losses", "length"),
    [([Cycle(frames="all")], 1), ([Cycle()], 2), ([Recurrent()], 3), ([Cycle(), Adversarial()], 3)],
)
def test_the_shortest_clip_that_serves(losses, length):
    phases = PHASES if any(isinstance(loss, Adversarial) for loss in losses) else PHASES[:1]
    made = objectives_of(phases, {loss.name: loss for loss in losses}).values()
    assert shortest_clip(made, NETWORKS) == length
    reads = {name: Reads.of(network) for name, network in NETWORKS.items()}
    for objective in made:
        if length > 1:
            with pytest.raises(TooShortError):
                for named in objective.terms:
                    named.term.requests(Scope({Clip("x"): length - 1, Clip("y"): length - 1}, reads))
            break


def test_no_clip_serves_a_context_beyond_measure():
    made = objectives_of(PHASES[:1], {"recurrent": Recurrent()}).values()
    with pytest.raises(ValueError, match="No clip of up to 64 frames is long enough for these losses and networks"):
        shortest_clip(made, {"P_X": Predictor(80), "P_Y": Predictor(80)})


def test_pools_have_seeds_of_their_own():
    made = list(objectives_of(PHASES, {"adversarial": Adversarial(pool=7)}).values())
    pools, again, other = (pools_for(made, NETWORKS, seed) for seed in (0, 0, 1))
    chosen = (pools["x"], again["x"], other["x"], pools["y"])
    states = [pool.generator.get_state() for pool in chosen]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2]) and not torch.equal(states[0], states[3])
    assert isinstance(made[1].terms[0].term.streams[1].inputs[0], Carried)


def test_a_plan_is_made_once_for_each_situation(monkeypatch):
    from vtrans.objectives import objective

    made = []
    plan = objective.plan
    monkeypatch.setattr(objective, "plan", lambda *a, **k: made.append(1) or plan(*a, **k))
    model = build("gan").double()
    for length in (2, 3, 2, 3):
        model.generator_loss(*clips(length))
    assert len(made) == 2
    model.networks["G_X"].sequential = True
    model.generator_loss(*clips(2))
    assert len(made) == 3


# What is run, and what it is compiled for.


def run(objective, networks, *, key=None, length=2, size=2, channels=2, dtype=torch.float32, sequential=None):
    frames = clips(length, channels=channels, size=size, dtype=dtype)
    given = dict(zip((Clip("x"), Clip("y")), frames, strict=True))
    scope = Scope(dict.fromkeys(given, length), {name: Reads.of(network) for name, network in networks.items()})
    leaves = {clip: frames.transpose(0, 1) for clip, frames in given.items()}
    weights = torch.ones(len(objective.terms))
    return objective.run(leaves, networks, scope, sequential or {}, weights, key, given), given


def test_a_report_says_what_each_term_trains_and_on_which_clips():
    class Two(Loss):
        def terms(self, x, y):
            yield self.compare(x.G(x.past), x.past)
            yield self.compare(x.P(x.past), x.frames)

    objective = objectives_of(PHASES[:1], {"two": Two()})["generators"]
    found, given = run(objective, NETWORKS, length=3)
    assert found.clips == given and list(found) == ["two/x", "two/y"]
    assert {name: set(norms) for name, norms in found.gradient_norms().items()} == {
        "two/x": {"G_X", "P_X"},
        "two/y": {"G_Y", "P_Y"},
    }


def test_sums_are_taken_over_at_least_32_bits():
    seen = []

    class Watching(Loss):
        def terms(self, x, y):
            yield self.compare(x.past, x.past, distance=lambda a, b: seen.append(a.dtype) or (a - b).abs().sum())

    objective = objectives_of(PHASES[:1], {"watching": Watching()})["generators"]
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        run(objective, {}, dtype=dtype)
    assert seen == [torch.float32] * 6 + [torch.float64] * 2


@pytest.mark.parametrize("backend", ["eager", "triton"])
def test_terms_are_what_they_are_by_themselves_whatever_adds_them_up(backend, monkeypatch):
    monkeypatch.setattr(parts, "enabled", lambda: backend)
    losses = {"cycle": Cycle(weight=1.0), "smooth": Cycle(weight=1.0, distance="charbonnier"), "r1": R1()}
    phases = [Phase("generators", trains=("G",)), Phase("penalties", trains=("D",))]
    for objective in objectives_of(phases, losses).values():
        found, given = run(objective, NETWORKS)
        for named in objective.terms:
            alone = named.loss(*given.values(), NETWORKS)
            torch.testing.assert_close(found[named.name], alone[f"{named.loss.name}/{named.term.domain}"])


def test_a_network_that_one_run_trains_is_trained_though_another_run_is_frozen():
    class Both(Loss):
        def terms(self, x, y):
            yield self.compare(x.G(x.past), frozen(x.G)(y.past))

    (named, _) = objectives_of(PHASES[:1], {"both": Both()})["generators"].terms
    assert objectives_of(PHASES[:1], {"both": Both()})["generators"].trains(named) == ["G_X"]


def test_without_a_key_a_plan_is_made_for_what_is_sequential_now():
    objective, rows = objectives_of(PHASES[:1], {"cycle": Cycle(frames="all")})["generators"], []
    networks = {"G_X": Frame(), "G_Y": Frame()}
    networks["G_X"].register_forward_hook(lambda _, given, __: rows.append(given[0].shape[0]))
    run(objective, networks, sequential={"G_X": ("declared sequential",)})
    run(objective, networks)
    assert rows == [2] * 4 + [8]


def test_an_objective_is_walked_through_once_however_often_it_meets_its_parts():
    class Long(Loss):
        def terms(self, x, y):
            stream = x.frames
            for _ in range(60):
                stream = join(x.G(stream), stream)
            yield self.compare(stream, x.frames)

    objective = objectives_of(PHASES[:1], {"long": Long()})["generators"]
    assert objective.clips() == [Clip("x"), Clip("y")] and objective.requires == []


def test_the_term_that_refuses_is_named():
    class Odd(Loss):
        def terms(self, x, y):
            yield self.compare(x.D(x.past), x.past)

    objective = objectives_of(PHASES[:1], {"odd": Odd()})["generators"]
    with pytest.raises(ValueError, match="^odd/x: compared streams: expected frames of one shape"):
        run(objective, {f"D_{d}": torch.nn.MaxPool2d(2) for d in "XY"})


def test_each_situation_has_a_program_of_its_own(monkeypatch):
    made = []
    monkeypatch.setattr(compilation, "compile_whole", lambda function, **how: made.append(how) or function)
    objective = objectives_of(PHASES[:1], {"cycle": Cycle()})["generators"]
    run(objective, NETWORKS, key="a")
    assert made == [], "uncompiled until it is asked for"
    objective.compiled = "eager"
    run(objective, NETWORKS)
    assert made == [], "without a key it would not be found again"

    def compiled(**options):
        before = len(made)
        run(objective, options.pop("networks", NETWORKS), **{"key": "a", **options})
        return len(made) - before

    assert compiled() == 1 and compiled() == 0 and made == [{"name": "generators", "backend": "eager"}]
    assert compiled(key="b") == 1
    assert compiled(size=4) == 1, "another size"
    still = {"G_X": torch.nn.Identity(), "G_Y": torch.nn.Identity()}
    assert compiled(networks=still) == 1 and compiled(networks=still, channels=3) == 1, "other channels"
    other = {**NETWORKS, "G_X": Frame()}
    assert compiled(networks=other) == 1 and compiled(networks=other) == 0, "an exchanged network"
    with torch.no_grad():
        assert compiled() == 1
    with torch.autocast("cpu", torch.bfloat16):
        assert compiled() == 1
    with torch.autocast("cpu", torch.float16):
        assert compiled() == 1
    objective.compiled = "aot_eager"
    assert compiled() == 1 and compiled() == 0


def test_a_penalty_on_a_network_that_its_phase_does_not_train_is_frozen():
    losses = {"r1": R1()}
    (held, _), (trained, _) = (
        objectives_of([Phase("penalties", trains=trains)], losses)["penalties"].terms for trains in (("G",), ("D",))
    )
    assert held.term.network.frozen and not trained.term.network.frozen
    assert (held.name, held.loss) == ("r1/x", losses["r1"]) and trained.term == next(iter(R1().directions()))


# What phases carry.


def carrying(*phases):
    made = objectives_of([Phase(*phase) for phase in phases], {"adversarial": Adversarial(predicted=False)})
    return {name: len(objective.carries) for name, objective in made.items()}


def test_frames_come_from_the_last_phase_before_that_needs_none():
    first, taught = ("a", ("G",), "generators"), ("b", ("D",), "discriminators")
    again, taught_again = ("c", ("G",), "generators"), ("d", ("D",), "discriminators")
    assert carrying(first, taught) == {"a": 2, "b": 0}
    assert carrying(first, again, taught) == {"a": 0, "c": 2, "b": 0}
    assert carrying(first, taught, again, taught_again) == {"a": 2, "b": 0, "c": 2, "d": 0}
    assert carrying(first, taught, taught_again) == {"a": 2, "b": 0, "d": 0}
    assert carrying(taught, first) == {"b": 0, "a": 0}


def test_what_several_later_phases_need_is_carried_once():
    losses = {"one": Adversarial(predicted=False), "two": Adversarial()}
    phases = [
        Phase("generators", ("G",)),
        Phase("D_Y", ("D_Y",), "discriminators", ("one",)),
        Phase("D_X", ("D_X",), "discriminators", ("two",)),
    ]
    made = objectives_of(phases, losses)
    assert len(made["generators"].carries) == 6, "translated, predicted, and predicted from real frames, of each domain"
    assert {*made["generators"].carries} == {*made["D_Y"].requires, *made["D_X"].requires}


def test_phases_and_their_losses_are_known_by_name():
    losses = {"cycle": Cycle(), "adversarial": Adversarial()}
    with pytest.raises(ValueError, match="^phases: expected one phase of each name, got 'generators' twice.$"):
        objectives_of([PHASES[0], PHASES[0]], losses)
    with pytest.raises(ValueError, match="^Unknown loss of phase 'a': 'cycel'. Did you mean 'cycle'"):
        objectives_of([Phase("a", ("G",), terms="generators", losses=("cycle", "cycel"))], losses)
    with pytest.raises(ValueError, match="expected losses with terms for 'a', got losses cycle. Name other losses"):
        objectives_of([Phase("a", ("G",), losses=("cycle",))], losses)
    made = objectives_of([Phase("a", ("G",), terms="generators", losses=("cycle",)), PHASES[1]], losses)
    assert list(made) == ["a", "discriminators"], "in the order of the step"
    assert [named.name for named in made["a"].terms] == ["cycle/x", "cycle/y"]


def test_a_history_for_each_term():
    losses = {"one": Adversarial(pool=3), "two": Adversarial(pool=4)}
    pools = pools_for(objectives_of(PHASES, losses).values(), NETWORKS, 0)
    assert {name: pool.size for name, pool in pools.items()} == {
        "one/discriminator/y": 3,
        "one/discriminator/x": 3,
        "two/discriminator/y": 4,
        "two/discriminator/x": 4,
    }
    losses["two"].pool = 0
    assert len(pools_for(objectives_of(PHASES, losses).values(), NETWORKS, 0)) == 2
    assert pools_for(objectives_of(PHASES, {"two": losses["two"]}).values(), NETWORKS, 0) == {}
    with pytest.raises(ValueError, match="^pool: expected 0 where D_Y looks at windows of frames, got 3"):
        pools_for(objectives_of(PHASES, losses).values(), {**NETWORKS, "D_Y": Judge(2)}, 0)
    pools_for(objectives_of(PHASES, losses).values(), {**NETWORKS, "D_Y": Judge(1)}, 0)
