"""One step on one device, in parts or in other precisions: against the model's own step, and plain formulas."""

from dataclasses import replace

import pytest
import torch
from helpers.runs import SETTINGS

import vtrans
from vtrans.objectives.guard import NonFiniteError
from vtrans.training import Devices, Stepper, TrainingSettings, prepare

PARTS = {
    "generator": ("resnet", {"blocks": 1, "width": 4}),
    "predictor": ("unet", {"depth": 3, "width": 4}),
    "discriminator": ("patch", {"width": 4}),
}
BATCH = 4


def model(seed=0, **options):
    return vtrans.build("recycle_cycle_gan", seed=seed, **{**PARTS, **options}).double()


def with_penalty():
    """R1 on real frames: its gradient is one of second order."""
    return model(losses={"r1": {"weight": 5.0}})


def clips(seed=0, batch=BATCH):
    random = torch.Generator().manual_seed(seed)
    return (torch.rand((2, batch, 3, 3, 32, 32), generator=random, dtype=torch.float64) * 2 - 1).unbind()


def weights(trained):
    return torch.cat([parameter.detach().flatten() for parameter in trained.parameters()])


def stepped(trained, parts, steps=3, optimizers=None):
    made = trained.optimizers() if optimizers is None else optimizers(trained)
    stepper = Stepper(trained, made, Devices(device="cpu"))
    for step in range(steps):
        x, y = clips(step)
        report = stepper(list(zip(x.chunk(parts), y.chunk(parts), strict=True)), step)
    return report


@pytest.mark.parametrize("make", [model, with_penalty])
def test_in_one_part_it_is_the_model_s_own_step(make):
    ours, theirs = make(), make()
    report = stepped(ours, 1)
    optimizers = theirs.optimizers()
    for step in range(3):
        expected = theirs.step(*clips(step), optimizers, step=step)
    assert torch.equal(weights(ours), weights(theirs))
    assert dict(report) == dict(expected)


def descent(trained):
    """Plain gradient descent: Adam hides the size of gradients."""
    return {phase.name: torch.optim.SGD(trained.parameters_of(phase.name), lr=1e-3) for phase in trained.phases}


@pytest.mark.parametrize("make", [model, with_penalty])
@pytest.mark.parametrize("parts", [2, 4])
def test_parts_add_up_to_the_whole(make, parts):
    whole, divided = make(), make()
    first, second = stepped(whole, 1, optimizers=descent), stepped(divided, parts, optimizers=descent)
    for name in first:
        torch.testing.assert_close(second[name], first[name], rtol=0, atol=1e-9)
    assert set(second.phases) == {phase.name for phase in whole.phases}
    torch.testing.assert_close(weights(divided), weights(whole), rtol=0, atol=1e-9)
    assert (weights(whole) - weights(make())).abs().max() > 1e-4, "it was trained at all"


class Told(Devices):
    """Writes down what it is asked, in order."""

    def __init__(self, **options):
        super().__init__(**options)
        self.asked = []

    def backward(self, loss):
        self.asked.append("backward")
        super().backward(loss)

    def average_gradients(self, parameters):
        self.asked.append(("average", [id(parameter) for parameter in parameters]))

    def unscale(self, optimizer):
        self.asked.append(("unscale", optimizer))

    def update(self, optimizer):
        self.asked.append(("update", optimizer))

    def finish_step(self):
        self.asked.append("finish")


def test_each_phase_in_turn_averages_unscales_and_updates_its_own():
    trained = model()
    optimizers, devices = trained.optimizers(), Told(device="cpu")
    x, y = clips()
    Stepper(trained, optimizers, devices)(list(zip(x.chunk(2), y.chunk(2), strict=True)), 0)
    expected = []
    for phase in trained.phases:
        own = [id(parameter) for parameter in trained.parameters_of(phase.name)]
        optimizer = optimizers[phase.name]
        expected += ["backward"] * 2 + [("average", own), ("unscale", optimizer), ("update", optimizer)]
    assert devices.asked == [*expected, "finish"]


def test_weights_of_losses_are_those_of_the_step():
    """A weight of 2 at step 0 that is 6 at step 4."""
    schedule = {"points": [[0, 2.0], [4, 6.0]]}
    first, fifth = (
        Stepper(trained, descent(trained), Devices(device="cpu"))([clips()], step)["cycle/x"]
        for trained, step in ((model(losses={"cycle": {"weight": schedule}}), step) for step in (0, 4))
    )
    assert fifth == pytest.approx(3 * first)


@pytest.mark.parametrize("frozen", [["D_X"], ["D_X", "D_Y"]])
def test_what_is_frozen_meanwhile_keeps_its_weights(frozen):
    """One network of a phase, or all of them: then it has nothing to learn, but its terms are told all the same."""
    trained = model()
    stepper = Stepper(trained, trained.optimizers(), Devices(device="cpu"))
    stepper([clips(0)], 0)
    before = {name: weights(network).clone() for name, network in trained.networks.items()}
    for name in frozen:
        trained.networks[name].requires_grad_(False)
    report = stepper([clips(1)], 1)
    for name, network in trained.networks.items():
        assert torch.equal(before[name], weights(network)) == (name in frozen), name
    assert {"discriminator/x", "discriminator/y"} <= report.keys()


def test_a_gradient_of_a_step_that_was_left_out_does_not_spoil_the_next():
    trained = model()
    stepper = Stepper(trained, trained.optimizers(), Devices(device="cpu"))
    handle = next(trained.networks["D_X"].parameters()).register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(NonFiniteError, match="gradient of D_X"):
        stepper([clips(0)], 0)
    handle.remove()
    stepper([clips(1)], 1)


def test_a_seldom_look_comes_after_so_many_steps():
    """As on a GPU: NaN in the second step is told after the fourth, with its number, and the weights have changed."""
    trained = model()
    stepper = Stepper(trained, trained.optimizers(), Devices(device="cpu"))
    stepper.check_every = 4
    stepper([clips(0)], 0)
    hook = next(trained.networks["G_X"].parameters()).register_hook(lambda gradient: gradient * torch.nan)
    for step in (1, 2):
        stepper([clips(step)], step)
    hook.remove()
    with pytest.raises(NonFiniteError, match="not finite at step 1: gradient of G_X. The weights were") as caught:
        stepper([clips(3)], 3)
    assert caught.value.updated is True
    stepper.check()  # what was told is forgotten


def test_a_look_may_be_asked_for_at_any_time():
    trained = model()
    stepper = Stepper(trained, trained.optimizers(), Devices(device="cpu"))
    stepper.check_every = 100
    next(trained.networks["G_X"].parameters()).register_hook(lambda gradient: gradient * torch.nan)
    stepper([clips(0)], 0)
    with pytest.raises(NonFiniteError, match="gradient of G_X"):
        stepper.check()


def test_a_gpu_is_looked_at_seldom_and_a_cpu_always():
    trained, devices = model(), Devices(device="cpu")
    assert Stepper(trained, {}, devices, check_every=7).check_every == 1
    devices.device = torch.device("cuda")
    assert Stepper(trained, {}, devices, check_every=7).check_every == 7
    assert Stepper(trained, {}, devices).check_every == TrainingSettings(recipe="gan").check_every


@pytest.mark.parametrize("bad", ["x", "y"])
def test_clips_that_are_not_finite_are_named_before_anything_changes(bad):
    trained = model()
    before = weights(trained).clone()
    x, y = clips()
    (x if bad == "x" else y)[1, 2, 0, 3, 4] = torch.nan
    with pytest.raises(NonFiniteError, match=f"at step 7: the clip of {bad}.") as caught:
        Stepper(trained, trained.optimizers(), Devices(device="cpu"))([(x, y)], 7)
    assert caught.value.updated is False and torch.equal(weights(trained), before)


def test_clips_of_another_range_are_still_a_mistake():
    x, y = clips()
    with pytest.raises(ValueError, match="x: expected values in"):
        trained = model()
        Stepper(trained, trained.optimizers(), Devices(device="cpu"))([(x * 3, y)], 0)


@pytest.mark.parametrize(
    ("network", "expected"), [("G_X", "cycle/x"), ("P_Y", "recurrent/y"), ("D_X", "adversarial/x")]
)
def test_the_terms_of_a_broken_network_are_named(network, expected):
    trained = model()
    with torch.no_grad():
        next(trained.networks[network].parameters()).fill_(torch.nan)
    before = weights(trained)
    with pytest.raises(NonFiniteError) as caught:
        Stepper(trained, trained.optimizers(), Devices(device="cpu"))([clips()], 5)
    assert caught.value.step == 5 and expected in caught.value.names and caught.value.updated is False
    assert torch.equal(before.nan_to_num(9), weights(trained).nan_to_num(9))


def test_a_gradient_that_is_not_finite_is_named_by_its_network():
    """The loss is finite: only a look at the gradients sees it."""
    trained = model()
    optimizers = trained.optimizers()
    broken = next(trained.networks["P_X"].parameters())
    broken.register_hook(lambda gradient: gradient * torch.inf)
    before = weights(trained).clone()
    with pytest.raises(NonFiniteError) as caught:
        Stepper(trained, optimizers, Devices(device="cpu"))([clips()], 0)
    assert caught.value.names == ("gradient of P_X",) and torch.equal(weights(trained), before)


def scaled(trained):
    """Devices that scale losses as with fp16; the scaler of PyTorch works on a CPU as well."""
    devices = Devices(device="cpu")
    devices.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
    devices.precision = "fp16"
    return Stepper(trained, trained.optimizers(), devices)


def test_scaled_losses_give_the_same_step():
    ours, theirs = model(), model()
    stepper = scaled(ours)
    for step in range(3):
        stepper([clips(step)], step)
    stepped(theirs, 1)
    torch.testing.assert_close(weights(ours), weights(theirs), rtol=0, atol=1e-9)
    assert stepper.devices.scaler_state()["scale"] == 2048.0


def test_an_overflow_leaves_out_an_update_and_lowers_the_scale():
    trained = model()
    stepper = scaled(trained)
    broken = next(trained.networks["G_X"].parameters())
    handle = broken.register_hook(lambda gradient: gradient * torch.inf)
    before = [p.detach().clone() for p in trained.networks["G_X"].parameters()]
    stepper([clips()], 0)
    handle.remove()
    assert all(torch.equal(p, q) for p, q in zip(before, trained.networks["G_X"].parameters(), strict=True))
    assert stepper.devices.scaler_state()["scale"] == 512.0
    stepper([clips()], 1)
    assert torch.isfinite(weights(trained)).all()


def test_a_step_left_out_leaves_the_scaler_ready_for_the_next():
    trained = model()
    stepper = scaled(trained)
    first = next(trained.networks["G_X"].parameters())
    kept = first.detach().clone()
    with torch.no_grad():
        first.fill_(torch.nan)
    with pytest.raises(NonFiniteError):
        stepper([clips()], 0)
    with torch.no_grad():
        first.copy_(kept)
    stepper([clips()], 1)
    assert torch.isfinite(weights(trained)).all()


def test_a_scaler_is_resumed():
    devices = scaled(model()).devices
    devices.load_scaler_state({**devices.scaler_state(), "scale": 64.0, "_growth_tracker": 1})
    assert devices.scaler_state()["scale"] == 64.0


def test_bf16_computes_in_bf16_and_keeps_weights_in_float32():
    prepared = prepare(replace(SETTINGS, precision="bf16"))
    seen = []
    layer = next(m for m in prepared.model.networks["G_X"].modules() if isinstance(m, torch.nn.Conv2d))
    layer.register_forward_hook(lambda module, args, output: seen.append(output.dtype))
    x, y = prepared.clips_x[0][None], prepared.clips_y[0][None]
    optimizers = prepared.model.optimizers()
    Stepper(prepared.model, optimizers, prepared.devices)([(x, y)], 0)
    assert set(seen) == {torch.bfloat16}
    assert {p.dtype for p in prepared.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("batch", [1, 3, 6])
def test_a_batch_that_cannot_be_divided(batch):
    why = r"1 processes share the clips of a step, each in 4 parts"
    with pytest.raises(ValueError, match=rf"^batch: expected a multiple of 4, got {batch}. {why}.$"):
        prepare(replace(SETTINGS, batch=batch, accumulate=4))
