"""Phases: what each trains, on which losses, and when; the published ones, a warm-up, and those of one's own."""

import pytest
from torch import nn

import vtrans
from vtrans.losses import R1, Adversarial, AdversarialPrediction, Cycle, Loss, Recurrent, Recycle
from vtrans.objectives.objective import objectives_of
from vtrans.objectives.phases import Phase, phases_for, unheld_terms
from vtrans.objectives.terms import named_terms

LOSSES = {"adversarial": Adversarial(), "mine": Cycle(), "recurrent": Recurrent(), "recycle": Recycle()}
NETWORKS = {f"{role}_{letter}": nn.Identity() for role in "GPD" for letter in "XY"}


class Constant(Loss):
    """It runs no network at all."""

    def terms(self, x, y):
        yield self.compare(x.past, x.past)


class TwoPhases(Loss):
    """What it asks of the generators is about predictors alone."""

    def terms(self, x, y):
        yield self.compare(x.P(x.past), x.frames)
        yield self.penalize(x.D, x.frames, len)


def test_phases_are_active_for_their_span():
    phase = Phase("a", trains=["G_X", "P"], start=2, stop=4)
    assert [phase.active(step) for step in range(6)] == [False, False, True, True, False, False]
    assert Phase("b", trains=("G",)).active(0) and Phase("b", trains=("G",)).active(10**9)
    assert Phase("b", trains=("G",), stop=1).active(0) and not Phase("b", trains=("G",), stop=1).active(1)


def test_a_phase_names_roles_or_networks_and_holds_the_terms_of_its_name():
    phase = Phase("a", trains=["G_X", "P", "style_a"], losses=["cycle"])
    assert phase.terms == "a" and phase.trains == ("G_X", "P", "style_a") and phase.losses == ("cycle",)
    trained = {"G_X": True, "G_Y": False, "P_X": True, "D_X": False, "style_a_X": True, "style_b_X": False}
    assert {name: phase.trained(name) for name in trained} == trained
    assert Phase("a", trains=("G",), terms="generators").terms == "generators"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "g", "trains": "G_X"}, "trains of a phase: expected a list of names, got 'G_X'. Pass ['G_X']."),
        ({"name": "g", "trains": 5}, "trains of a phase: expected a list of names, got 5."),
        (
            {"name": "g", "trains": ("G",), "losses": "cycle"},
            "losses of a phase: expected a list of names, got 'cycle'.",
        ),
        ({"name": "g", "trains": ["G", 5]}, "trains of a phase: expected a list of names, got ['G', 5]."),
        ({"name": 5, "trains": ("G",)}, "name of a phase: expected a name, got 5."),
        ({"name": "", "trains": ("G",)}, "name of a phase: expected a name, got ''."),
        ({"name": "g", "trains": ("G",), "terms": 5}, "terms of a phase: expected a name, got 5."),
        (
            {"name": "g", "trains": ("G",), "stop": True},
            "stop of phase 'g': expected a whole number of steps, got True.",
        ),
        ({"name": "g", "trains": ("G",), "stop": 0}, "phase 'g': expected 0 ≤ start < stop, got start=0, stop=0."),
        (
            {"name": "g", "trains": ("G",), "start": "a"},
            "start of phase 'g': expected a whole number of steps, got 'a'.",
        ),
        (
            {"name": "g", "trains": ("G",), "start": -1},
            "phase 'g': expected 0 ≤ start < stop, got start=-1, stop=None.",
        ),
        ({"name": "g", "trains": ("G",), "start": 5, "stop": 5}, "phase 'g': expected 0 ≤ start < stop, got start=5"),
    ],
)
def test_malformed_phases_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError)) as refused:
        Phase(**arguments)
    assert message in str(refused.value)


def published(losses, *, networks=NETWORKS, given=None, warm_up=0, frozen_predictors=False):
    return phases_for(given, named_terms(losses), networks, warm_up, frozen_predictors)


def test_the_published_phases():
    assert published(LOSSES) == [Phase("generators", ("G", "P")), Phase("discriminators", ("D",))]
    assert published({"cycle": Cycle()}) == [Phase("generators", ("G",))], "no discriminator is taught, no predictor"
    assert published({**LOSSES, "r1": R1()}) == [
        Phase("generators", ("G", "P")),
        Phase("discriminators", ("D",)),
        Phase("penalties", ("D",)),
    ]
    assert published({"encoded": Encoded()}) == [Phase("generators", ("E",)), Phase("discriminators", ("D2",))]


class Encoded(Loss):
    """Has a discriminator of its own, and a network that stands frozen wherever it is."""

    def terms(self, x, y):
        code = x.E(vtrans.frozen(x.Phi)(x.frames))
        yield self.judge(x.D2, code)
        yield self.discriminate(x.D2, real=y.frames, fakes=[code])


def test_a_phase_does_not_train_its_judge():
    with pytest.raises(
        ValueError, match=r"phase 'generators': expected networks besides D2_X, which judges there, got"
    ):
        objectives_of([Phase("generators", ("E", "D2"))], {"encoded": Encoded()})


def test_a_warm_up_is_for_predictors_on_real_streams():
    losses = {**LOSSES, "judged": AdversarialPrediction(), "constant": Constant(), "r1": R1(), "two": TwoPhases()}
    assert published(losses, warm_up=5) == [
        Phase("warm_up", ("P",), terms="generators", losses=("recurrent", "two"), stop=5),
        Phase("generators", ("G", "P"), start=5),
        Phase("discriminators", ("D",), start=5),
        Phase("penalties", ("D",), start=5),
    ]
    refusal = "^warm_up: expected a recipe whose predictors learn from real streams, got adversarial, mine"
    with pytest.raises(ValueError, match=refusal):
        published({"adversarial": Adversarial(), "mine": Cycle()}, warm_up=1)


def test_frozen_predictors_leave_out_what_would_train_nothing():
    assert published(LOSSES, frozen_predictors=True, warm_up=2) == [
        Phase("warm_up", ("P",), terms="generators", losses=("recurrent",), stop=2),
        Phase("generators", ("G",), losses=("adversarial", "mine", "recycle"), start=2),
        Phase("discriminators", ("D",), start=2),
    ]


def test_phases_of_one_s_own_are_taken_as_they_are():
    phase = Phase("a", trains=("G_X", "E"), terms="generators")
    mapping = {"name": "b", "trains": ["P", "D"], "stop": 3}
    networks = {"G_X": nn.Identity(), "E_X": nn.Identity()}
    expected = [phase, Phase("b", trains=("P", "D"), stop=3)]
    assert published(LOSSES, networks=networks, given=[phase, mapping]) == expected, "P and D may be named without any"
    assert published(LOSSES, given=({"name": "a", "trains": ("G",)},)) == [Phase("a", trains=("G",))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"warm_up": True}, "warm_up: expected a whole number of steps, 0 for none, got True."),
        ({"warm_up": 1.0}, "warm_up: expected a whole number of steps, 0 for none, got 1.0."),
        ({"warm_up": -1}, "warm_up: expected a whole number of steps, 0 for none, got -1."),
        ({"frozen_predictors": 1}, "frozen_predictors: expected True or False, got 1."),
        (
            {"warm_up": 1, "networks": {"G_X": nn.Identity()}},
            "recipe with predictors and its own phases, got networks G_",
        ),
        (
            {"warm_up": 1, "given": [Phase("a", ("G",))]},
            "and its own phases, got phases=. Write the phases out with phas",
        ),
        (
            {"frozen_predictors": True, "given": [Phase("a", ("G",))]},
            "and its own phases, got phases=. Write the phases",
        ),
        ({"given": [Phase("a", ("E",))]}, "Unknown network of phase 'a': 'E'. Known: G, P, D, G_X, G_Y"),
        ({"given": [Phase("a", ("G_Z",))]}, "Unknown network of phase 'a': 'G_Z'. Did you mean 'G_Y'"),
        ({"given": []}, "phases: expected a list of phases, got []."),
        ({"given": "generators"}, "phases: expected a list of phases, got 'generators'."),
        ({"given": {"name": "a"}}, "phases: expected a list of phases, got {'name': 'a'}."),
        ({"given": ["a"]}, "phases: expected vtrans.Phase(…) or mappings of its arguments, got 'a'."),
        ({"given": [{"name": "a", "train": ["G"]}]}, "Unknown argument of a phase: 'train'. Did you mean 'trains'?"),
        ({"given": [{"name": "a"}]}, "phases: expected 'name' and 'trains' in each, got no 'trains'."),
        ({"given": [{"trains": ["G"]}]}, "phases: expected 'name' and 'trains' in each, got no 'name'."),
    ],
)
def test_phases_that_cannot_be_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError)) as refused:
        published(LOSSES, **arguments)
    assert message in str(refused.value)


def test_terms_that_no_phase_holds_are_told():
    phases = [Phase("generators", ("G",), losses=("mine", "adversarial")), Phase("other", ("D",), terms="penalties")]
    assert unheld_terms(named_terms({**LOSSES, "r1": R1()}), phases) == [
        "adversarial: its terms for the phase 'discriminators' take no part, since no phase holds them.",
        "recurrent: its terms for the phase 'generators' take no part, since no phase holds them.",
        "recycle: its terms for the phase 'generators' take no part, since no phase holds them.",
    ]
    assert unheld_terms(named_terms(LOSSES), published(LOSSES)) == []
