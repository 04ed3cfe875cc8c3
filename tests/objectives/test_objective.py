"""Phases, reports and carried frames below the model."""

import pytest
import torch
from helpers.models import Frame, Predictor, build, clips

from vtrans.algebra.domains import Domain
from vtrans.algebra.streams import Scope
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Carried, Clip
from vtrans.losses import Adversarial, Cycle, Recurrent
from vtrans.losses.terms import TooShortError
from vtrans.objectives.objective import objectives_of, pools_for, shortest_clip
from vtrans.objectives.phases import Phase
from vtrans.objectives.reports import LossReport, StepReport
from vtrans.objectives.terms import named_terms

x, y = Domain("x"), Domain("y")
PHASES = [Phase("generators", trains=("G", "P")), Phase("discriminators", trains=("D",))]
NETWORKS = {f"{role}_{d}": Predictor(2) if role == "P" else Frame() for role in "GPD" for d in "XY"}


def report(values):
    return LossReport(list(values), torch.tensor(list(values.values())), {}, dict.fromkeys(values, {}), {})


def test_phases_are_active_for_their_span():
    phase = Phase("a", trains=["G_X", "P"], start=2, stop=4)
    assert [phase.active(step) for step in range(6)] == [False, False, True, True, False, False]
    assert Phase("b", trains=("G",)).active(10**9)
    assert phase.terms == "a" and phase.trains == ("G_X", "P")
    assert [phase.trained(name) for name in ("G_X", "G_Y", "P_X", "D_X")] == [True, False, True, False]


def test_terms_are_sorted_into_phases_by_name():
    made = objectives_of(PHASES, named_terms({"adversarial": Adversarial(), "mine": Cycle()}))
    names = {phase: [named.name for named in objective.terms] for phase, objective in made.items()}
    assert names == {
        "generators": ["adversarial/y", "adversarial/x", "mine/x", "mine/y"],
        "discriminators": ["discriminator/y", "discriminator/x"],
    }
    trained = {named.name: sorted(made["generators"].trains(named)) for named in made["generators"].terms}
    assert trained["adversarial/y"] == ["G_Y", "P_Y"] and trained["mine/x"] == ["G_X", "G_Y"]


def test_frames_are_carried_from_the_phase_before():
    made = objectives_of(PHASES, named_terms({"adversarial": Adversarial()}))
    carried = made["discriminators"].requires
    assert carried == list(made["generators"].carries)
    assert carried[:3] == [y.G(x.past), y.P(y.G(x.past)), y.P(y.past)]
    assert made["generators"].clips() == [Clip("x"), Clip("y")]


def test_a_phase_without_terms_is_refused():
    with pytest.raises(
        ValueError, match="phase 'other': expected losses with terms for 'other', got losses cycle. Name"
    ):
        objectives_of([Phase("other", trains=("G",))], named_terms({"cycle": Cycle()}))


@pytest.mark.parametrize(
    ("losses", "length"),
    [([Cycle(frames="all")], 1), ([Cycle()], 2), ([Recurrent()], 3), ([Cycle(), Adversarial()], 3)],
)
def test_the_shortest_clip_that_serves(losses, length):
    phases = PHASES if any(isinstance(loss, Adversarial) for loss in losses) else PHASES[:1]
    made = objectives_of(phases, named_terms({loss.name: loss for loss in losses})).values()
    assert shortest_clip(made, NETWORKS) == length
    reads = {name: Reads.of(network) for name, network in NETWORKS.items()}
    for objective in made:
        if length > 1:
            with pytest.raises(TooShortError):
                for named in objective.terms:
                    named.term.requests(Scope({Clip("x"): length - 1, Clip("y"): length - 1}, reads))
            break


def test_no_clip_serves_a_context_beyond_measure():
    made = objectives_of(PHASES[:1], named_terms({"recurrent": Recurrent()})).values()
    with pytest.raises(ValueError, match="No clip of up to 64 frames is long enough for these losses and networks"):
        shortest_clip(made, {"P_X": Predictor(80), "P_Y": Predictor(80)})


def test_pools_have_seeds_of_their_own():
    X, Y = "adversarial/discriminator/x", "adversarial/discriminator/y"
    made = list(objectives_of(PHASES, named_terms({"adversarial": Adversarial(pool=7)})).values())
    pools, again, other = (pools_for(made, NETWORKS, seed) for seed in (0, 0, 1))
    states = [pool.generator.get_state() for pool in (pools[X], again[X], other[X], pools[Y])]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2]) and not torch.equal(states[0], states[3])
    assert isinstance(made[1].terms[0].term.streams[1].inputs[0], Carried)


def test_reports_of_a_step_join_those_of_the_phases():
    first, second = report({"a/x": 1.0, "b/x": 2.0}), report({"c/x": 4.0})
    step = StepReport({"one": first, "two": second})
    assert dict(step) == {"a/x": 1.0, "b/x": 2.0, "c/x": 4.0} and len(step) == 3
    assert first.total == 3.0
    assert "one\na/x                        1\n" in repr(step)


def test_what_is_not_finite_is_named():
    report({"a/x": 1.0}).raise_if_not_finite()
    broken = report({"a/x": float("nan"), "b/x": 2.0, "c/y": float("-inf")})
    with pytest.raises(FloatingPointError, match=r"A loss is not finite: a/x = nan, c/y = -inf\. .*Check the clips"):
        broken.raise_if_not_finite()


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
