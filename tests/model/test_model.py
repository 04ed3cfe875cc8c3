"""The model: reports, gradients, phases, steps, and what it refuses."""

import warnings

import pytest
import torch
from helpers.models import build, clip, clips, gradients, randomize, reached
from torch import nn

import vtrans
from vtrans import Phase
from vtrans.losses import Adversarial, Cycle, Loss, Recurrent

PUBLISHED = "recycle_cycle_gan"


@pytest.fixture
def model():
    return randomize(build(PUBLISHED).double())


@pytest.mark.parametrize("recipe", vtrans.recipes)
def test_each_phase_trains_its_networks_and_no_other(recipe):
    model = randomize(build(recipe).double())
    x, y = clips(3)
    frozen = vtrans.recipes.create(recipe).frozen_predictors
    predictors = set() if frozen else {"P_X", "P_Y"} & set(model.networks)
    report = model.generator_loss(x, y)
    report.total.backward()
    assert reached(model) == {"G_X", "G_Y"} | predictors
    model.zero_grad(set_to_none=True)
    model.discriminator_loss(x, y, reuse=report).total.backward()
    assert reached(model) == {"D_X", "D_Y"}
    assert all(p.requires_grad for p in model.parameters()), "nothing was toggled"


def test_a_report_is_its_terms_and_their_sum(model):
    report = model.generator_loss(*clips(3))
    names = {f"{loss}/{domain}" for loss in model.losses for domain in "xy"}
    assert set(report) == names and len(report) == len(names)
    torch.testing.assert_close(report.total, torch.stack(list(report.values())).sum())
    assert repr(report).splitlines()[-1].startswith("total ")
    assert all(not frames.requires_grad for frames in report.carried.values())
    with pytest.raises(KeyError):
        report["nothing/x"]


def test_reuse_is_recomputation_before_an_update_and_not_after_one(model):
    x, y = clips(3)
    report = model.generator_loss(x, y)
    reused = dict(model.discriminator_loss(x, y, reuse=report))
    torch.testing.assert_close(reused, dict(model.discriminator_loss(x, y)), rtol=1e-12, atol=0)
    optimizers = model.optimizers(lr=1e-2)
    report.total.backward()
    optimizers["generators"].step()
    torch.testing.assert_close(reused, dict(model.discriminator_loss(x, y, reuse=report)), rtol=0, atol=0)
    after = model.discriminator_loss(x, y)
    assert all(abs(after[name].item() - value.item()) > 1e-6 for name, value in reused.items())


def test_a_step_is_the_phases_in_order_each_with_its_optimizer(model):
    x, y = clips(3)
    twin = randomize(build(PUBLISHED).double())
    report = model.step(x, y, model.optimizers())
    optimizers = twin.optimizers()
    first = twin.generator_loss(x, y)
    first.total.backward()
    optimizers["generators"].step()
    twin.zero_grad(set_to_none=True)
    second = twin.discriminator_loss(x, y, reuse=first)
    second.total.backward()
    optimizers["discriminators"].step()
    assert list(report.phases) == ["generators", "discriminators"]
    assert {name: value.item() for name, value in report.items()} == {
        name: value.item() for name, value in [*first.items(), *second.items()]
    }
    assert len(report) == len(first) + len(second) and "discriminators\n" in repr(report)
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(KeyError):
        report["nothing/x"]


def test_weights_by_domain_and_over_steps_reach_the_report(model):
    weight = {"x": vtrans.Schedule([(0, 0.0), (10, 20.0)]), "y": 3.0}
    weighted = randomize(build(PUBLISHED, losses={"cycle": weight}).double())
    x, y = clips(3)
    once = model.generator_loss(x, y)
    for step in (0, 5, 10, 99):
        report = weighted.generator_loss(x, y, step=step)
        torch.testing.assert_close(report["cycle/x"], once["cycle/x"] * min(step, 10) * 2 / 10)
        torch.testing.assert_close(report["cycle/y"], once["cycle/y"] * 0.3)


def test_gradient_norms_are_those_of_autograd(model):
    x, y = clips(3)
    report = model.generator_loss(x, y)
    norms = report.gradient_norms()
    assert set(norms) == set(report)
    assert set(norms["recycle/x"]) == {"G_X", "G_Y", "P_Y"} and set(norms["recurrent/x"]) == {"P_X"}
    for name in report:
        for network, norm in norms[name].items():
            model.zero_grad(set_to_none=True)
            model.generator_loss(x, y)[name].backward()
            squares = [p.grad.square().sum() for p in model.networks[network].parameters() if p.grad is not None]
            assert norm == pytest.approx(sum(squares).sqrt().item(), rel=1e-9)
    report.total.backward()


# Phases.


def test_a_warm_up_trains_predictors_alone_on_real_streams():
    model = randomize(build(PUBLISHED, warm_up=2).double())
    x, y = clips(3)
    optimizers = model.optimizers()
    before = {name: p.clone() for name, p in model.networks.named_parameters()}
    assert [phase.name for phase in model.phases] == ["warm_up", "generators", "discriminators"]
    for step in range(2):
        report = model.step(x, y, optimizers, step=step)
        assert list(report.phases) == ["warm_up"] and set(report) == {"recurrent/x", "recurrent/y"}
    moved = {n.split(".")[0] for n, p in model.networks.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {"P_X", "P_Y"}
    report = model.step(x, y, optimizers, step=2)
    assert list(report.phases) == ["generators", "discriminators"] and "recycle/x" in report


def test_frozen_predictors_get_no_gradient_after_the_warm_up():
    model = randomize(build(PUBLISHED, warm_up=1, frozen_predictors=True).double())
    x, y = clips(3)
    report = model.generator_loss(x, y)
    assert "recurrent/x" not in report and "recycle/x" in report
    report.total.backward()
    assert reached(model) == {"G_X", "G_Y"}
    assert model.config["phases"][1]["trains"] == ["G"]


def test_a_phase_for_each_discriminator_gives_the_same_numbers(model):
    phases = [
        Phase("generators", trains=("G", "P")),
        Phase("D_Y", trains=("D_Y",), terms="discriminators"),
        Phase("D_X", trains=("D_X",), terms="discriminators"),
    ]
    separate = randomize(build(PUBLISHED, phases=phases).double())
    x, y = clips(3)
    for step in range(2):
        together = model.step(x, y, model_optimizers(model), step=step)
        apart = separate.step(x, y, model_optimizers(separate), step=step)
        torch.testing.assert_close(apart["discriminator/y"], together["discriminator/y"])
    report = separate.generator_loss(x, y)
    separate.zero_grad(set_to_none=True)
    separate.loss("D_X", x, y, reuse=report).total.backward()
    assert reached(separate) == {"D_X"}


def model_optimizers(model):
    if not hasattr(model, "made_optimizers"):
        model.made_optimizers = model.optimizers()
    return model.made_optimizers


def test_frames_carried_come_from_the_last_phase_before():
    phases = [
        Phase("generators", trains=("G",)),
        Phase("discriminators", trains=("D",)),
        Phase("again", trains=("G",), terms="generators"),
        Phase("discriminators_again", trains=("D",), terms="discriminators"),
    ]
    model = randomize(build("gan", phases=phases).double())
    x, y = clips(2)
    optimizers = model.optimizers(lr=1e-2)
    report = model.step(x, y, optimizers)
    assert (
        report.phases["discriminators_again"]["discriminator/y"] != report.phases["discriminators"]["discriminator/y"]
    )


# Growing: further roles, operators, streams, penalties.


class Style(Loss):
    def terms(self, x, y):
        encode = x.network("E")
        yield self.compare(encode(x.G(y.G(x.past))), vtrans.detach(encode(x.past)))


def test_a_role_of_ones_own():
    nets = {name: randomize(nn.Conv2d(3, 2, 3), seed=i).double() for i, name in enumerate(("E_X", "E_Y"))}
    model = randomize(build("gan", losses={"adversarial": 1.0, "style": Style(weight=2.0)}, networks=nets).double())
    x, y = clips(3)
    report = model.generator_loss(x, y)
    e, gx, gy = nets["E_X"], model.networks["G_X"], model.networks["G_Y"]
    expected = sum(2 * (e(gx(gy(x[:, t]))) - e(x[:, t])).abs().mean() for t in range(2))
    torch.testing.assert_close(report["style/x"], expected, rtol=1e-12, atol=0)
    report.total.backward()
    assert reached(model) == {"G_X", "G_Y", "E_X", "E_Y"}
    with pytest.raises(ValueError, match="of parts that are not registered"):
        _ = model.config


class Warped(Loss):
    def terms(self, x, y):
        yield self.compare(Shifted(by=1, inputs=(x.G(x.past), x.stream("flow"))), x.past)


from dataclasses import dataclass  # noqa: E402

from vtrans.algebra.streams import Operation  # noqa: E402


@dataclass(frozen=True)
class Shifted(Operation):
    by: int = 0

    def run(self, networks, *frames):
        return frames[0].roll(self.by, -1) + frames[1]


def test_an_operator_and_a_stream_of_ones_own():
    model = randomize(build("gan", losses={"adversarial": None, "warped": Warped()}).double())
    x, y = clips(3)
    flow = {"x": clip(2, seed=5), "y": clip(2, seed=6)}
    report = model.generator_loss({"frames": x, "flow": flow["x"]}, {"frames": y, "flow": flow["y"]})
    made = [model.networks["G_X"](x[:, t]).roll(1, -1) + flow["x"][:, t] for t in (0, 1)]
    expected = sum((f - x[:, t]).abs().mean() for t, f in enumerate(made))
    torch.testing.assert_close(report["warped/x"], expected, rtol=1e-12, atol=0)
    assert "flow^x_t" in str(model.explain()), "models with further streams explain themselves"
    assert model.plan().network_calls
    with pytest.raises(ValueError, match=r"x\['flow'\]: expected the streams that the losses name, got x\['frames'\]"):
        model.generator_loss(x, y)
    for wrong in (5, flow["x"][:1], torch.zeros(2)):
        with pytest.raises(ValueError, match=r"x\['flow'\]: expected a tensor \(batch 2, time, …\), got"):
            model.generator_loss({"frames": x, "flow": wrong}, {"frames": y, "flow": flow["y"]})


def test_a_network_shared_by_both_domains_is_trained_once():
    shared = nn.Conv2d(3, 3, 1)
    model = build("gan", networks={"G_X": shared, "G_Y": shared})
    assert len(model.parameters_of("generators")) == 2
    model.step(*clips(2, dtype=torch.float32), model.optimizers())


def test_a_penalty_is_a_phase_of_its_own():
    model = randomize(build("gan", losses={"r1": 5.0}).double())
    assert [phase.name for phase in model.phases] == ["generators", "discriminators", "penalties"]
    report = model.step(*clips(2), model.optimizers())
    assert set(report.phases["penalties"]) == {"r1/x", "r1/y"} and report["r1/x"] > 0
    assert set(report.phases["discriminators"]) == {"discriminator/x", "discriminator/y"}


def test_a_penalty_on_a_network_that_its_phase_does_not_train_leaves_it_alone():
    class Smooth(Loss):
        def terms(self, x, y):
            yield self.penalize(x.D, x.G(y.frames), vtrans.functional.r1, phase="generators")

    model = randomize(build("gan", losses=[Adversarial(frames="all", predicted=False), Smooth()]).double())
    report = model.generator_loss(*clips(2))
    assert report["smooth/x"] > 0
    report.total.backward()
    assert all(parameter.grad is None for parameter in model.networks["D_X"].parameters())


def test_a_loss_that_the_recipe_lacks_can_be_dropped_from_it():
    model = build("recycle_gan", losses={"cycle": 10.0, "identity": None})
    assert list(model.losses) == ["adversarial", "recurrent", "recycle", "cycle"]


def test_predictors_frozen_as_they_were_made_are_spoken_of():
    with pytest.warns(UserWarning, match="frozen from the start"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="recurrent: its terms")
        model = build("recycle_gan", frozen_predictors=True)
    assert any("frozen from the start" in note for note in model.notes)


def test_roles_of_several_words():
    class Styled(Loss):
        def terms(self, x, y):
            yield self.compare(x.network("style_a")(x.frames), x.network("style_b")(x.frames))

    names = [f"style_{letter}_{domain}" for letter in "ab" for domain in "XY"]
    networks = {name: torch.nn.Conv2d(3, 2, 1) for name in names}
    model = build("gan", losses=[Styled()], networks=networks, phases=[Phase("generators", trains=("style_a",))])
    assert model.phase("generators").trained("style_a_X") and not model.phase("generators").trained("style_b_X")
    report = model.generator_loss(*clips(2, dtype=torch.float32))
    report.total.backward()
    assert networks["style_a_X"].weight.grad is not None and networks["style_b_X"].weight.grad is None


def test_a_step_in_one_graph():
    torch.compiler.reset()
    model = build("recycle_gan")
    x, y = clips(3, dtype=torch.float32)
    objective = model.objectives["generators"]
    from vtrans.algebra.views import Clip

    leaves = {Clip("x"): x.transpose(0, 1).contiguous(), Clip("y"): y.transpose(0, 1).contiguous()}
    scope, sequential, key = model.execution.situation({Clip("x"): 3, Clip("y"): 3})
    weights = torch.tensor([named.weight(0) for named in objective.terms])
    objective.plan(scope, sequential, key)
    nets = model.networks_by_name

    def total(x, y, weights):
        given = dict(zip(leaves, (x, y), strict=True))
        return objective.run(given, nets, scope, sequential, weights, key).total

    compiled = torch.compile(total, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*leaves.values(), weights), model.generator_loss(x, y).total)


# What is refused.


def test_a_loss_that_is_not_finite_is_named_and_changes_no_weights(model):
    x, y = clips(3)
    with torch.no_grad():
        next(model.networks["P_Y"].parameters()).fill_(float("nan"))
    before = {name: p.clone() for name, p in model.networks.named_parameters()}
    optimizers = model.optimizers()
    with pytest.raises(FloatingPointError) as refused:
        model.step(x, y, optimizers, step=7)
    message = str(refused.value)
    assert "A loss is not finite at step 7: " in message and "recycle/x = nan" in message
    assert "recurrent/y = nan" in message and "cycle/x" not in message.replace("recycle/x", "")
    for name, p in model.networks.named_parameters():
        torch.testing.assert_close(p, before[name], rtol=0, atol=0, equal_nan=True)
    assert not optimizers["generators"].state
    assert not [name for name, gradient in gradients(model).items() if gradient is not None]


X, Y = clips(3)
BAD_CLIPS = {
    "rank": (X[0], Y, "x: expected a clip (batch, time, channel, height, width), got shape (3, 3, 8, 8). Add the axis"),
    "uint8": (X.byte(), Y, "x: expected floating point in [-1, 1], got torch.uint8. Pass x.float() / 127.5 - 1."),
    "complex": (X.to(torch.complex64), Y, "x: expected floating point in [-1, 1], got torch.complex64."),
    "range": (X, (Y + 1) * 127, "y: expected values in [-1, 1], got values from 0."),
    "fix of the range": (X, (Y + 1) * 127, "Pass y / 127.5 - 1."),
    "nan": (X * torch.nan, Y, "x: expected values in [-1, 1], got values from nan to nan."),
    "channels": (X[:, :, :2], Y, "x: expected 3 channels on axis 2, got shape (2, 3, 2, 8, 8)."),
    "time": (X[:, :2], Y, "(channels may differ), got time 2 in x and 3 in y."),
    "batch": (X, Y[:1], "(channels may differ), got batch 2 in x and 1 in y."),
    "width": (X[..., :4], Y, "(channels may differ), got width 4 in x and 8 in y."),
    "short": (X[:, :2], Y[:, :2], "x and y: expected clips of 3 frames or more, got 2."),
    "empty": (X[:0], Y[:0], "x: expected at least one element on every axis, got shape (0, 3, 3, 8, 8)."),
    "single": (X.float(), Y.float(), "x: expected torch.float64, as the networks are, got torch.float32."),
    "one of them single": (X, Y.float(), "y: expected torch.float64, as the networks are, got torch.float32."),
    "none": (None, Y, "x: expected a tensor, got NoneType."),
    "array": (X.numpy(), Y, "x: expected a tensor, got ndarray."),
    "list": ([X], Y, "x: expected a tensor, got list."),
    "mapping": ({"clip": X}, Y, "x: expected a mapping that has 'frames', got keys clip."),
    "mapping of nothing": ({"frames": None}, Y, "x: expected a tensor, got NoneType."),
    "odd size": (X[..., :7], Y[..., :7], "Nearest that work: height 8, width 8."),
}


@pytest.mark.parametrize("case", BAD_CLIPS)
def test_wrong_clips_are_refused(model, case):
    x, y, message = BAD_CLIPS[case]
    with pytest.raises((ValueError, TypeError)) as refused:
        model.generator_loss(x, y)
    assert message in str(refused.value)


def test_longer_windows_need_longer_clips():
    judge = ("temporal_patch", {"window": 4, "width": 2, "layers": 1})
    model = build("gan", discriminator=judge).double()
    assert model.minimum_length == 4
    with pytest.raises(ValueError, match="x and y: expected clips of 4 frames or more, got 3"):
        model.generator_loss(X, Y)
    assert model.generator_loss(*clips(4))["adversarial/x"] > 0


WRONG_CALLS = {
    "phase": (lambda m, o: m.loss("generator", X, Y), "Unknown phase 'generator'. Did you mean 'generators'?"),
    "phase number": (lambda m, o: m.loss(5, X, Y), "Unknown phase 5. Known: generators, discriminators."),
    "plan": (lambda m, o: m.plan("generator"), "Unknown phase 'generator'."),
    "parameters": (lambda m, o: m.parameters_of("gen"), "Unknown phase 'gen'."),
    "reuse": (lambda m, o: m.discriminator_loss(X, Y, reuse=5), "reuse: expected the report of model.generator_loss"),
    "reuse of a total": (lambda m, o: m.discriminator_loss(X, Y, reuse=X.sum()), "(x, y), got Tensor."),
    "reuse of another time": (
        lambda m, o: m.discriminator_loss(*clips(4), reuse=m.generator_loss(X, Y)),
        "reuse: expected a report on the same clips, got one on another x.",
    ),
    "reuse of another batch": (
        lambda m, o: m.discriminator_loss(*clips(3, batch=1), reuse=m.generator_loss(X, Y)),
        "reuse: expected a report on the same clips, got one on another x.",
    ),
    "reuse of another size": (
        lambda m, o: m.discriminator_loss(*clips(3, size=16), reuse=m.generator_loss(X, Y)),
        "reuse: expected a report on the same clips, got one on another x.",
    ),
    "reuse of other clips": (
        lambda m, o: m.discriminator_loss(Y, X, reuse=m.generator_loss(X, Y)),
        "reuse: expected a report on the same clips, got one on another x.",
    ),
    "reuse of the discriminators' report": (
        lambda m, o: m.discriminator_loss(X, Y, reuse=m.discriminator_loss(X, Y)),
        "got one without translated frames.",
    ),
    "no optimizers": (
        lambda m, o: m.step(X, Y, {}),
        "expected one for each phase: generators, discriminators, got none",
    ),
    "one optimizer": (lambda m, o: m.step(X, Y, o["generators"]), "optimizers: expected a mapping of phase names"),
    "no mapping": (lambda m, o: m.step(X, Y, None), "to optimizers, got NoneType. Make them with model.optimizers()."),
    "missing": (lambda m, o: m.step(X, Y, {"generators": o["generators"]}), "got none for discriminators. Make them"),
    "step": (lambda m, o: m.step(X, Y, o, step="1"), "step: expected a whole number, counted from 0, got '1'."),
    "step before the first": (lambda m, o: m.step(X, Y, o, step=-1), "counted from 0, got -1."),
    "looks": (lambda m, o: m.step(X, Y, o, check_every=0), "check_every: expected a whole number above 0, got 0."),
    "no gradients": (lambda m, o: torch.no_grad()(m.step)(X, Y, o), "Nothing would be learnt"),
    "an optimizer": (lambda m, o: m.step(X, Y, {**o, "generators": 1}), "expected an optimizer, got int."),
    "against": (lambda m, o: m.explain(against=5), "against: expected another model, got int."),
    "length": (lambda m, o: m.explain(length=1), "length: expected a whole number of frames from 3 up, got 1."),
    "length 0": (lambda m, o: m.plan(length=0), "length: expected a whole number of frames from 3 up, got 0."),
    "length in words": (lambda m, o: m.explain(length="a"), "length: expected a whole number of frames from 3 up, got"),
}


@pytest.mark.parametrize("case", WRONG_CALLS)
def test_wrong_calls_are_refused(model, case):
    call, message = WRONG_CALLS[case]
    with pytest.raises((ValueError, TypeError)) as refused:
        call(model, model.optimizers())
    assert message in str(refused.value)


def test_frames_of_another_size_than_the_target_are_named():
    networks = {"G_X": nn.MaxPool2d(2), "G_Y": nn.Identity()}
    model = build("gan", losses=[Cycle()], networks=networks)
    with pytest.raises(
        ValueError, match=r"cycle/x: compared streams: expected frames of one shape .*against \(2, 3, 8"
    ):
        model.generator_loss(*clips(2, dtype=torch.float32))


def test_a_phase_without_parameters_is_refused():
    model = build("gan", losses=[Recurrent()], predictor="last_frame")
    with pytest.raises(ValueError, match="The phase 'generators' trains P, which have no parameters. Remove the phase"):
        model.optimizers()


def test_half_precision_frames_are_taken_under_autocast():
    model = build("gan", losses=[Adversarial(predicted=False, frames="all")])
    x, y = clips(1, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert model.generator_loss(x.bfloat16(), y.bfloat16()).total.isfinite()
