"""Every loss against a formula written here; distances, criteria, weights."""

import inspect
import math
from dataclasses import dataclass

import pytest
import torch
from helpers.models import Frame, Judge, Predictor, build, clips, randomize, reached
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss, relu, smooth_l1_loss

import vtrans
from vtrans.algebra.domains import Domain
from vtrans.losses import Adversarial, AdversarialPrediction, Charbonnier, Cycle, Identity, Loss, Recurrent, Recycle
from vtrans.losses.criteria import as_criterion
from vtrans.losses.distances import as_distance

T, K = 4, 2


def networks():
    made = {}
    for letter in "XY":
        made |= {f"G_{letter}": Frame(3), f"P_{letter}": Predictor(K, 3), f"D_{letter}": Judge(1, 3)}
    # A discriminator of single frames has no window.
    made |= {"D_X": Frame(3), "D_Y": Frame(3)}
    return {name: randomize(net.double(), seed=i) for i, (name, net) in enumerate(made.items())}


def real(logits):
    return mse_loss(logits, torch.ones_like(logits))


def fake(logits):
    return mse_loss(logits, torch.zeros_like(logits))


def predictions(network, frames):
    """P on the K frames before, by time."""
    return {t: network(torch.stack([frames[s] for s in range(t - K, t)], 1)) for t in range(K, T) if t - 1 in frames}


def reference_adversarial(n, x, y, target):
    source, other = (x, y) if target == "Y" else (y, x)
    g, p, d = n[f"G_{target}"], n[f"P_{target}"], n[f"D_{target}"]
    translated = {t: g(source[:, t]) for t in range(T - 1)}
    predicted = predictions(p, translated)
    convincing = sum(real(d(f)) for f in [*translated.values(), *predicted.values()])
    of_real = predictions(p, {t: other[:, t] for t in range(T - 1)})
    teaching = sum(
        0.5 * (real(d(other[:, t])) + fake(d(f.detach())))
        for fakes in (translated, predicted, of_real)
        for t, f in fakes.items()
    )
    return {f"adversarial/{target.lower()}": convincing, f"discriminator/{target.lower()}": teaching}


def reference_rebuilt(name, n, x, y, target):
    """The terms that rebuild frames of one domain."""
    clip, other = (x, "Y") if target == "X" else (y, "X")
    back, there = n[f"G_{target}"], n[f"G_{other}"]
    translated = {t: there(clip[:, t]) for t in range(T - 1)}
    if name == "cycle":
        made = {t: back(f) for t, f in translated.items()}
    elif name == "identity":
        made = {t: back(clip[:, t]) for t in range(T - 1)}
    elif name == "recurrent":
        made = predictions(n[f"P_{target}"], {t: clip[:, t] for t in range(T - 1)})
    else:
        made = {t: back(f) for t, f in predictions(n[f"P_{other}"], translated).items()}
    return {f"{name}/{target.lower()}": sum(l1_loss(f, clip[:, t]) for t, f in made.items())}


def reference_gradient_penalty(n, x, y):
    """Y first, as the loss writes it; the draws are those of the global random state."""
    values = {}
    for target, clip, other in (("Y", y, x), ("X", x, y)):
        cost = 0.0
        for t in range(T - 1):
            share = torch.rand(len(clip), 1, 1, 1, dtype=clip.dtype)
            with torch.no_grad():
                mixed = share * clip[:, t] + (1 - share) * n[f"G_{target}"](other[:, t])
            mixed.requires_grad_()
            (slope,) = torch.autograd.grad(n[f"D_{target}"](mixed).sum(), mixed)
            cost = cost + (torch.linalg.vector_norm(slope, dim=(1, 2, 3)) - 1).square().mean()
        values[f"gradient_penalty/{target.lower()}"] = cost
    return values


def reference(name, n, x, y):
    if name == "gradient_penalty":
        return reference_gradient_penalty(n, x, y)
    values = {}
    for target in "XY":
        clip = x if target == "X" else y
        if name == "adversarial":
            values |= reference_adversarial(n, x, y, target)
        elif name == "adversarial_prediction":
            made = predictions(n[f"P_{target}"], {t: clip[:, t] for t in range(T - 1)})
            values[f"{name}/{target.lower()}"] = sum(real(n[f"D_{target}"](f)) for f in made.values())
        elif name == "r1":
            cost = 0.0
            for t in range(T):
                frame = clip[:, t].clone().requires_grad_()
                (gradient,) = torch.autograd.grad(n[f"D_{target}"](frame).sum(), frame)
                cost = cost + 0.5 * gradient.square().sum((1, 2, 3)).mean()
            values[f"{name}/{target.lower()}"] = cost
        else:
            values |= reference_rebuilt(name, n, x, y, target)
    return values


BUILT_IN = [name for name in vtrans.losses if vtrans.losses[name].factory.__module__.startswith("vtrans.")]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_loss_equals_its_formula_alone_and_in_a_model(name):
    nets, (x, y) = networks(), clips(T)
    torch.manual_seed(1)
    expected = reference(name, nets, x, y)
    loss = vtrans.losses.create(name, weight=1.0)
    torch.manual_seed(1)
    alone = loss(x, y, nets)
    used = {net for term in loss.directions() for stream in term.streams for net in _networks(stream)}
    model = build("gan", losses=[loss], networks={key: nets[key] for key in used}, phases=_phases(loss)).double()
    torch.manual_seed(1)
    planned = {key: value for phase in model.phases for key, value in model.loss(phase.name, x, y).items()}
    assert set(alone) == set(planned) == set(expected)
    for key, value in expected.items():
        assert value.item() > 0
        torch.testing.assert_close(alone[key], value, rtol=1e-12, atol=0)
        torch.testing.assert_close(planned[key], value, rtol=1e-12, atol=0)


def _networks(stream):
    from vtrans.algebra.domains import networks_in

    return networks_in(stream)


def _phases(loss):
    """A phase for each kind of term, which trains every network there is but, with the generators, their judges."""
    terms = list(loss.directions())
    roles = sorted({name[0] for term in terms for stream in term.streams for name in _networks(stream)})
    phases = sorted({term.phase for term in terms})
    return [{"name": p, "trains": [r for r in roles if p != "generators" or r != "D"]} for p in phases]


INTENDED = {
    "adversarial": {"generators": {"G_X", "G_Y", "P_X", "P_Y"}, "discriminators": {"D_X", "D_Y"}},
    "adversarial_prediction": {"generators": {"P_X", "P_Y"}},
    "cycle": {"generators": {"G_X", "G_Y"}},
    "identity": {"generators": {"G_X", "G_Y"}},
    "recurrent": {"generators": {"P_X", "P_Y"}},
    "recycle": {"generators": {"G_X", "G_Y", "P_X", "P_Y"}},
    "r1": {"penalties": {"D_X", "D_Y"}},
    "gradient_penalty": {"penalties": {"D_X", "D_Y"}},
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_gradients_reach_the_intended_networks_and_no_other(name):
    trains = {"generators": ["G", "P"], "discriminators": ["D"], "penalties": ["D"]}
    loss = vtrans.losses.create(name)
    roles = {n[0] for term in loss.directions() for s in term.streams for n in _networks(s)}
    phases = [{"name": p, "trains": [r for r in trains[p] if r in roles]} for p in INTENDED[name]]
    model = build("gan", losses=[loss], phases=phases).double()
    randomize(model)
    for phase, intended in INTENDED[name].items():
        model.zero_grad(set_to_none=True)
        model.loss(phase, *clips(T)).total.backward()
        assert reached(model) == intended


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_loss_is_linear_in_its_weight_by_domain_and_over_steps(name):
    nets, (x, y) = networks(), clips(T)
    torch.manual_seed(1)
    once = vtrans.losses.create(name, weight=1.0)(x, y, nets)
    weights = {"x": 3.0, "y": {"points": [[0, 0.0], [10, 5.0]]}}
    torch.manual_seed(1)
    weighted = vtrans.losses.create(name, weight=weights)(x, y, nets, step=4)
    for key, value in weighted.items():
        factor = 1.0 if key.startswith("discriminator") else {"x": 3.0, "y": 2.0}[key[-1]]
        torch.testing.assert_close(value, factor * once[key], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["cycle", "identity", "recurrent", "recycle"])
@pytest.mark.parametrize("distance", vtrans.distances)
def test_networks_that_change_nothing_cost_nothing(name, distance):
    still = clips(1)[0].expand(-1, T, -1, -1, -1)
    last = vtrans.predictors.create("last_frame", channels=3)
    nets = {f"{role}_{d}": last if role == "P" else torch.nn.Identity() for role in "GP" for d in "XY"}
    values = vtrans.losses.create(name, distance=distance)(still, still, nets)
    assert {value.item() for value in values.values()} == {0.0}


@pytest.mark.parametrize("name", ["cycle", "identity"])
def test_all_frames_instead_of_the_past(name):
    nets, (x, y) = networks(), clips(T)
    loss = vtrans.losses.create(name, frames="all", weight=1.0)
    made = {t: nets["G_X"](x[:, t] if name == "identity" else nets["G_Y"](x[:, t])) for t in range(T)}
    expected = sum(l1_loss(f, x[:, t]) for t, f in made.items())
    torch.testing.assert_close(loss(x, y, nets)[f"{name}/x"], expected)


def test_adversarial_of_all_frames_without_predictions():
    nets, (x, y) = networks(), clips(T)
    values = Adversarial(frames="all", predicted=False)(x, y, nets)
    judged = [nets["D_Y"](nets["G_Y"](x[:, t])) for t in range(T)]
    torch.testing.assert_close(values["adversarial/y"], sum(map(real, judged)))
    pairs = sum(0.5 * (real(nets["D_Y"](y[:, t])) + fake(judged[t])) for t in range(T))
    torch.testing.assert_close(values["discriminator/y"], pairs)


def test_joined_streams_are_judged_in_windows():
    nets, (x, y) = networks(), clips(T)
    nets["D_Y"], nets["D_X"] = (randomize(Judge(2, 3).double(), seed=9) for _ in range(2))
    values = Adversarial(joined=True)(x, y, nets)
    translated = {t: nets["G_Y"](x[:, t]) for t in range(T - 1)}
    frames = {**predictions(nets["P_Y"], translated), **translated}
    windows = [torch.stack([frames[t - 1], frames[t]], 1) for t in range(1, T)]
    torch.testing.assert_close(values["adversarial/y"], sum(real(nets["D_Y"](w)) for w in windows))


def test_a_frozen_predictor_is_not_trained_by_recycle():
    model = build("gan", losses=[Recycle(frozen_predictor=True)]).double()
    randomize(model)
    report = model.generator_loss(*clips(T))
    assert set(report.gradient_norms()["recycle/x"]) == {"G_X", "G_Y"}
    report.total.backward()
    assert reached(model) == {"G_X", "G_Y"}


@given(st.integers(0, 1000))
def test_distances_equal_those_of_torch(seed):
    a, b = torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).unbind()
    torch.testing.assert_close(as_distance("l1")(a, b), l1_loss(a, b))
    torch.testing.assert_close(as_distance("l2")(a, b), mse_loss(a, b))
    charbonnier = as_distance(("charbonnier", {"epsilon": 0.5}))(a, b)
    torch.testing.assert_close(charbonnier, torch.hypot(a - b, torch.tensor(0.5).double()).mean() - 0.5)
    assert charbonnier < l1_loss(a, b)
    near = as_distance(("charbonnier", {"epsilon": 1e-9}))(a, b)
    torch.testing.assert_close(near, smooth_l1_loss(a, b, beta=1e-12), rtol=1e-7, atol=1e-7)


@given(st.integers(0, 1000))
def test_criteria_equal_those_of_torch(seed):
    logits = 3 * torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    ones, zeros = torch.ones_like(logits), torch.zeros_like(logits)
    expected = {
        "least_squares": (mse_loss(logits, ones), mse_loss(logits, zeros), mse_loss(logits, ones)),
        "non_saturating": (
            binary_cross_entropy_with_logits(logits, ones),
            binary_cross_entropy_with_logits(logits, zeros),
            torch.nn.functional.binary_cross_entropy(logits.sigmoid(), ones),
        ),
        "hinge": (relu(1 - logits).mean(), relu(1 + logits).mean(), -logits.mean()),
        "wasserstein": (-logits.mean(), logits.mean(), -logits.mean()),
    }
    expected["vanilla"] = expected["non_saturating"]
    assert set(expected) == {n for n in vtrans.criteria if vtrans.criteria[n].factory.__module__.startswith("vtrans.")}
    for name, values in expected.items():
        for role, value in zip(("real", "fake", "generator"), values, strict=True):
            torch.testing.assert_close(as_criterion(name)(logits, role), value)


def test_the_vanilla_form_is_finite_where_a_sigmoid_saturates():
    logits = torch.tensor([[200.0, -200.0]])
    assert as_criterion("vanilla")(logits, "fake").item() == pytest.approx(100.0)


def test_functions_serve_as_distance_and_criterion():
    nets, (x, y) = networks(), clips(T)
    mine = Cycle(weight=1.0, distance=lambda a, b: (a - b).pow(4).mean())
    assert mine(x, y, nets)["cycle/x"] < Cycle(weight=1.0, distance="l2")(x, y, nets)["cycle/x"]
    signed = AdversarialPrediction(criterion=lambda logits, role: {"generator": -1.0}[role] * logits.mean())
    torch.testing.assert_close(
        signed(x, y, nets), AdversarialPrediction(criterion="wasserstein")(x, y, nets), rtol=1e-12, atol=0
    )


# Mistakes in losses.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cycle(distance="l3"), "Unknown distance 'l3'. Did you mean 'l"),
        (lambda: Cycle(distance=5), "distance: expected the name of a distance, or a (name, options) pair, got 5."),
        (lambda: Cycle(distance=Charbonnier), "distance: expected a distance, got the class Charbonnier."),
        (lambda: Cycle(distance=("charbonnier", {"epsilon": 0})), "epsilon: expected a number above 0, got 0."),
        (
            lambda: Cycle(distance=("charbonnier", {"epsilon": math.inf})),
            "epsilon: expected a number above 0, got inf.",
        ),
        (lambda: Cycle(distance=("charbonnier", {"epsilon": True})), "epsilon: expected a number above 0, got True."),
        (lambda: Cycle(distance=("charbonnier", {"epsilon": "a"})), "epsilon: expected a number above 0, got 'a'."),
        (lambda: Cycle(distance=("l1", {"epsilon": 1})), "Unknown option of distance 'l1': 'epsilon'."),
        (lambda: Cycle(distance=("l1", {3: 1})), "options of distance: expected names (strings), got 3."),
        (lambda: Cycle(frames="future"), "frames: expected 'past' (all but the last frame, which is never translated)"),
        (lambda: Adversarial(criterion="lsgan"), "Unknown criterion 'lsgan'."),
        (lambda: Adversarial(criterion=None), "criterion: expected the name of a criterion"),
        (lambda: Adversarial(pool=-1), "pool: expected a whole number of images, 0 for none, got -1."),
        (lambda: Adversarial(pool=True), "pool: expected a whole number of images, 0 for none, got True."),
        (lambda: Adversarial(predicted="no"), "predicted: expected True or False, got 'no'."),
        (lambda: Adversarial(joined=True, predicted=False), "joined: expected False where predicted=False, got True."),
        (lambda: Recycle(frozen_predictor=1), "frozen_predictor: expected True or False, got 1."),
    ],
)
def test_wrong_options_are_refused_at_once(make, message):
    with pytest.raises((ValueError, TypeError)) as refused:
        make()
    assert message in str(refused.value)


class Written(Loss):
    def __init__(self, terms):
        super().__init__()
        self.write = terms

    def terms(self, x, y):
        return self.write(self, x, y)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (
            lambda s, x, y: s.compare(x.G(x.past), x.past),
            "expected a generator of terms, such as: yield self.compare(…)",
        ),
        (lambda s, x, y: None, "such as: yield self.compare(…), got NoneType."),
        (lambda s, x, y: [torch.zeros(())], "such as: yield self.compare(…), got Tensor."),
        (
            lambda s, x, y: [s.compare(x.G, x.past)],
            "compare(…): expected streams such as x.frames or x.past, got",
        ),
        (lambda s, x, y: [s.compare(x.past, 5)], "compare(…): expected streams such as x.frames or x.past, got int."),
        (
            lambda s, x, y: [s.compare(x.G(x), x.past)],
            "G_X(…): expected streams such as x.frames or x.past, got Dom",
        ),
        (lambda s, x, y: [s.compare(x.G(), x.past)], "G_X(…): expected a stream such as x.frames or x.past, got none."),
        (lambda s, x, y: [s.compare(vtrans.join(x.G, x.past), x.past)], "join(…): expected streams such as"),
        (lambda s, x, y: [s.judge(y.D)], "judge(…): expected streams to judge, got none."),
        (lambda s, x, y: [s.judge(y.D, y.G)], "D_Y(…): expected streams such as x.frames or x.past, got the network"),
        (
            lambda s, x, y: [s.compare(vtrans.frozen(x.past), x.past)],
            "frozen(…): expected a network such as y.P, got",
        ),
        (lambda s, x, y: [s.compare(vtrans.detach(x.G), x.past)], "Apply it to a stream: G_X(…)."),
        (lambda s, x, y: [s.compare(vtrans.unroll(x.P, x.past, -1), x.past)], "steps: expected a whole number of fra"),
        (
            lambda s, x, y: [s.compare(x.network("E")(x.past), x.past)],
            "network E_X: expected described by networks=",
        ),
    ],
)
def test_mistakes_in_equations_are_named(terms, message):
    with pytest.raises((TypeError, ValueError)) as refused:
        build("gan", losses=[Written(terms)])
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            lambda x, y, n: (x[0], y, n),
            "x: expected a clip (batch, time, channel, height, width), got shape (4,",
        ),
        (lambda x, y, n: (x, 5, n), "y: expected a clip (batch, time, channel, height, width), got int."),
        (lambda x, y, n: (x, y, 5), "networks: expected a mapping such as {'G_X': …, 'G_Y': …}, got int."),
        (lambda x, y, n: (x, y, {"G_X": n["G_X"]}), "G_Y: expected a network of the model, got networks G_X."),
        (lambda x, y, n: (x[:, :1], y[:, :1], n), "The two streams compared have no time in common."),
    ],
)
def test_a_loss_alone_refuses_what_it_cannot_use(arguments, message):
    x, y = clips(T)
    with pytest.raises((TypeError, ValueError)) as refused:
        Cycle()(*arguments(x, y, networks()))
    assert message in str(refused.value)


def test_options_are_recorded_and_must_be_stored():
    assert Recurrent(weight=vtrans.Schedule([(0, 1.0)])).options == {
        "weight": {"points": [[0, 1.0]]},
        "distance": "l1",
    }
    assert Cycle(distance=("charbonnier", {"epsilon": 0.1})).options["distance"] == ["charbonnier", {"epsilon": 0.1}]
    nested = Cycle(distance=["charbonnier", {"epsilon": 0.1}])
    nested.distance = {"several": ((1, 2), [3])}
    assert nested.options["distance"] == {"several": [[1, 2], [3]]}, "tuples become lists at any depth"

    class Forgets(Loss):
        def __init__(self, strength=1.0):
            super().__init__()

        def terms(self, x, y):
            yield self.compare(x.past, x.past)

    with pytest.raises(ValueError, match="option 'strength' of Forgets: expected stored as self.strength, got no such"):
        _ = Forgets().options


def test_a_slope_of_another_norm():
    nets, (x, y) = networks(), clips(T)
    values = []
    for norm in (1.0, 3.0):
        torch.manual_seed(1)
        values.append(vtrans.losses.create("gradient_penalty", weight=1.0, norm=norm)(x, y, nets))
    torch.manual_seed(1)
    slopes = []
    own = Written(lambda s, x, y: [s.penalize(d.D, mixed(d, o), recorded(slopes)) for d, o in ((y, x),)])
    own(x, y, nets)
    for norm, found in zip((1.0, 3.0), values, strict=True):
        expected = sum((slope - norm).square().mean() for slope in slopes[0].view(T - 1, -1))
        torch.testing.assert_close(found["gradient_penalty/y"], expected)


def mixed(domain, other):
    from vtrans.algebra.views import Carried

    return vtrans.between(domain.frames, Carried(domain.G(other.past)), "gradient_penalty")


def recorded(slopes):
    """The norm of the gradient at each frame, noted down."""

    def function(network, frames):
        frames = frames.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(network(frames).sum(), frames)
        slopes.append(torch.linalg.vector_norm(gradient, dim=(1, 2, 3)))
        return frames.sum() * 0

    return function


def test_penalties_say_how_they_are_written():
    written = {
        "r1": ("½‖∇#d‖²", r"\tfrac{1}{2} \lVert \nabla #d \rVert^2"),
        "gradient_penalty": ("(‖∇#d‖ − 1)²", r"(\lVert \nabla #d \rVert - 1)^2"),
    }
    for name, expected in written.items():
        for term in vtrans.losses.create(name).directions():
            assert (term.symbol, term.latex) == expected


class MyOwnLoss(Loss):
    def terms(self, x, y):
        yield self.compare(x.past, x.past)


def test_a_loss_alone_draws_once_and_adds_up_what_has_one_name():
    def terms(loss, x, y):
        drawn = vtrans.noise(x.frames, "a")
        yield loss.compare(drawn, x.frames)
        yield loss.compare(drawn, x.frames)  # an equal term counts once
        yield loss.compare(x.frames, drawn)
        yield loss.compare(x.frames, vtrans.noise(x.frames, "a"), name="again")

    x, y = clips(T)
    values = Written(terms)(x, y, {})
    assert set(values) == {"written/x", "written/y", "again/x", "again/y"}
    assert values["written/x"] == 2 * values["again/x"] > 0, "one draw by its name, in all terms"


@dataclass(kw_only=True, eq=False)
class Postponed(Loss):
    """As a module writes it that postpones its annotations."""

    strict: "bool" = True

    def terms(self, x, y):
        yield self.compare(x.past, x.past)


def test_options_that_are_true_or_false_are_checked_however_they_are_annotated():
    assert Postponed(strict=False).options == {"weight": 1.0, "strict": False}
    with pytest.raises(TypeError, match="^strict: expected True or False, got 1.$"):
        Postponed(strict=1)


@pytest.mark.parametrize("pool", [0, 5])
def test_fakes_pass_through_a_history_of_the_size_that_was_asked_for(pool):
    for _, taught in (tuple(Adversarial(pool=pool).directions())[:2], tuple(Adversarial(pool=pool).directions())[2:]):
        assert [judged.inputs[0].pool for judged in taught.streams[1:]] == [pool] * 3


def test_what_a_loss_is_called_and_whether_plain_data_describe_it():
    assert MyOwnLoss().name == "my_own_loss" and Cycle().name == "cycle"
    assert Cycle().is_plain and Cycle(distance=["charbonnier", {"epsilon": 0.1}]).is_plain
    assert not MyOwnLoss().is_plain, "not registered"
    vtrans.losses.add("my_own_loss", Cycle, description="Another.")
    assert not MyOwnLoss().is_plain, "registered is another"
    vtrans.losses.add("mine", MyOwnLoss, description="Mine.")
    assert MyOwnLoss().name == "mine" and MyOwnLoss().is_plain
    assert not Cycle(distance=lambda a, b: (a - b).abs().mean()).is_plain
    assert not Cycle(weight=lambda step: 1.0).is_plain


def test_every_loss_has_a_documented_formula_and_keyword_arguments_only():
    for name in BUILT_IN:
        factory = vtrans.losses[name].factory
        assert all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(factory).parameters.values())
        assert "Σ_t" in factory.__doc__
    assert Identity.needs_equal_channels and Domain("x").G.name == "G_X"
