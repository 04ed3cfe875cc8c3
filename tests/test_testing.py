"""The checks for users' own parts: what they pass and what they find."""

import dataclasses

import pytest
import torch
from helpers.models import Frame, Judge, Predictor, Recurrent
from torch import nn

import vtrans
from vtrans.algebra.domains import frozen
from vtrans.losses import Loss
from vtrans.testing import check

KINDS = {
    "generators": {"resnet": {"blocks": 1, "width": 2}, "unet": {"depth": 2, "width": 2}},
    "discriminators": {"n_layers": {"layers": 1, "width": 2}, "temporal_patch": {"layers": 1, "width": 2}},
    "predictors": {"unet": {"depth": 2, "width": 2}, "conv_gru": {"width": 2}, "last_frame": {}},
}
PARTS = [(kind, name, options) for kind, parts in KINDS.items() for name, options in parts.items()]


@pytest.mark.parametrize(
    "name", [n for n in vtrans.losses if vtrans.losses[n].factory.__module__.startswith("vtrans.")]
)
def test_built_in_losses_pass(name):
    check(vtrans.losses.create(name))


@pytest.mark.parametrize(("kind", "name", "options"), PARTS)
def test_built_in_networks_pass(kind, name, options):
    ends = {"in_channels": 3, "out_channels": 3} if kind == "generators" else {"channels": 3}
    check(getattr(vtrans, kind).create(name, **ends, **options))


@pytest.mark.parametrize("network", [Frame(3), Predictor(3, 3), Judge(2, 3), Recurrent(3)])
def test_own_networks_pass(network):
    check(network)


class Noisy(Loss):
    def terms(self, x, y):
        yield self.compare(x.G(vtrans.noise(y.G(x.past), "a")), x.past)


class TwoOfAName(Loss):
    def terms(self, x, y):
        yield self.compare(x.G(x.past), x.past)
        yield dataclasses.replace(self.compare(x.G(y.G(x.past)), x.past), name="other", weight=2.0)
        yield self.compare(x.G(y.G(x.past)), x.past)


class Encoded(Loss):
    def terms(self, x, y):
        encode = frozen(x.network("E"))
        yield self.compare(encode(x.G(y.G(x.past))), encode(x.past))


def test_own_losses_pass():
    check(Noisy())
    check(TwoOfAName(weight=0.5))
    check(Encoded(), networks={"E_X": nn.Conv2d(3, 2, 3), "E_Y": nn.Conv2d(3, 2, 3)})


class Stuck(Loss):
    """Gradients reach nothing, though the equation says so."""

    def terms(self, x, y):
        yield self.compare(x.G(y.G(x.past)), x.past, distance=lambda a, b: (a.detach() - b).abs().mean() + 0 * a.mean())


class Infinite(Loss):
    def terms(self, x, y):
        yield self.compare(x.G(x.past), x.past, distance=lambda a, b: (a - b).mean() / 0)


class ByBatch(Loss):
    """Its operator looks across the frames it is given, which a plan batches, and it draws."""

    def terms(self, x, y):
        yield self.compare(vtrans.noise(centred(x.G(x.past)), "a"), x.past)


@vtrans.operator("centred(#1)")
def centred(frames):
    return frames - frames.mean(0, keepdim=True)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Stuck(), "Stuck, phase generators: the equations train G_[XY], yet no gradient reaches it."),
        (Infinite(), "Infinite, phase generators: infinite/[xy] is -?inf."),
        (ByBatch(), "ByBatch, phase generators: the planned total and the plain one differ: by .*, against values up "),
    ],
)
def test_losses_that_are_wrong_are_told(loss, message):
    with pytest.raises(AssertionError, match=message):
        check(loss)


class Summed(nn.Module):
    def forward(self, frames):
        return frames - frames.mean(0, keepdim=True)


class Lost(nn.Module):
    def forward(self, frames):
        return frames.mean(0)


class Pairs(nn.Module):
    def forward(self, frames):
        return frames, frames.mean(0)


class Idle(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 3, 1)
        self.unused = nn.Parameter(torch.zeros(2))


class Foresees(nn.Module):
    context = None

    def forward(self, clip):
        return clip + clip.mean(1, keepdim=True)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Summed(), "Summed: a frame in a batch gets another result than alone; declare it with the attribute sequenti"),
        (Lost(), r"Lost: a frame in a batch gets another result .*: shape \(3, 16, 16\) against \(9, 16, 16\)"),
        (Pairs(), r"Pairs: turns a batch of 3 into shape \(3, 16, 16\)|Pairs: a frame in a batch gets another result"),
        (Idle(), "Idle: no gradient reaches unused"),
        (Foresees(), "Foresees: a later frame changes an earlier prediction"),
    ],
)
def test_networks_that_are_wrong_are_told(network, message):
    with pytest.raises(AssertionError, match=message):
        check(network)


def test_what_declares_itself_sequential_may_look_across_the_batch():
    network = Summed()
    network.sequential = True
    check(network)


@pytest.mark.parametrize("part", [5, None, Noisy])
def test_only_losses_and_networks_can_be_checked(part):
    with pytest.raises(TypeError, match="part: expected a Loss, a network or a recipe's name, got"):
        check(part)


def test_the_networks_that_are_given_stay_as_they_were():
    class Shared(Loss):
        def terms(self, x, y):
            yield self.compare(y.network("E")(y.G(x.frames)), x.network("E")(x.frames))

    encoders = {f"E_{domain}": nn.Conv2d(3, 4, 3) for domain in "XY"}
    before = {name: encoder.weight.clone() for name, encoder in encoders.items()}
    check(Shared(), networks=encoders)
    for name, encoder in encoders.items():
        assert encoder.weight.dtype == torch.float32 and torch.equal(encoder.weight, before[name])


def test_a_registered_generator_keeps_size_and_range():
    @vtrans.generators.register("shrinking")
    class Shrinking(nn.Conv2d):
        def __init__(self, *, in_channels, out_channels):
            super().__init__(in_channels, out_channels, 3)

    @vtrans.generators.register("unbounded")
    class Unbounded(nn.Conv2d):
        def __init__(self, *, in_channels, out_channels):
            super().__init__(in_channels, out_channels, 1)

        def forward(self, frames):
            return 50 * super().forward(frames)

    with pytest.raises(AssertionError, match="turns frames of 16x16 into shape"):
        check(Shrinking(in_channels=3, out_channels=3))
    with pytest.raises(AssertionError, match=r"outside \[-1, 1\]"):
        check(Unbounded(in_channels=3, out_channels=3))


def test_a_loss_without_networks_is_refused():
    class Cross(Loss):
        def terms(self, x, y):
            yield self.compare(x.frames, y.frames)

    with pytest.raises(AssertionError, match="hold no network"):
        check(Cross())
