"""What a model makes of a clip: brought back, or predicted."""

import pytest
import torch

import vtrans
from vtrans.evaluation import predicted, recycled
from vtrans.networks.modes import evaluating


def model():
    return vtrans.build(
        "recycle_gan",
        generator=("resnet", {"blocks": 1, "width": 4}),
        predictor=("unet", {"depth": 2, "width": 4, "dropout": 0.5}),
        discriminator=("n_layers", {"layers": 1, "width": 4}),
    )


def test_recycled_is_the_losses_expression_in_evaluation_mode():
    made = model()
    clip = torch.rand(4, 3, 16, 16) * 2 - 1
    label, first, frames = recycled(made, clip, "x")
    assert (label, first) == ("G_X(P_Y(G_Y(x)))", 2)
    assert all(network.training for network in made.networks.values())
    made.eval()
    with torch.no_grad():
        there = made.networks["G_Y"](clip)
        for time in (2, 3):
            predicted = made.networks["P_Y"](there[None, time - 2 : time])
            torch.testing.assert_close(frames[time], made.networks["G_X"](predicted)[0])
    assert not frames[:2].any()


def test_recycled_leaves_every_module_in_its_mode_and_keeps_no_graph():
    made = model()
    made.networks["G_X"].stem.eval()
    before = [part.training for part in made.modules()]
    _, _, frames = recycled(made, torch.rand(4, 3, 16, 16) * 2 - 1, "x")
    assert [part.training for part in made.modules()] == before and not all(before)
    assert not frames.requires_grad


@pytest.mark.parametrize("domain", ["x", "y"])
def test_what_comes_back_is_named_for_its_way(domain):
    """With a generator that halves frames and one that negates them, and predictors that repeat the last one."""
    here, there = domain.upper(), "Y" if domain == "x" else "X"
    made = vtrans.build(
        "recurrent_gan",
        generator=("resnet", {"blocks": 1, "width": 4}),
        predictor="last_frame",
        discriminator=("n_layers", {"layers": 1, "width": 4}),
    )
    made.networks.update({f"G_{there}": Scale(0.5), f"G_{here}": Scale(-1.0)})
    clip = torch.rand(4, 3, 16, 16) * 2 - 1
    label, first, frames = recycled(made, clip, domain)
    assert (label, first) == (f"G_{here}(P_{there}(G_{there}({domain})))", 1) and not frames[0].any()
    torch.testing.assert_close(frames[1:], -clip[:-1] / 2)
    first, frames = predicted(made, clip, domain)
    assert first == 1 and not frames[0].any() and torch.equal(frames[1:], clip[:-1])
    for name in ("P_X", "P_Y"):
        del made.networks[name]
    label, first, frames = recycled(made, clip, domain)
    assert (label, first) == (f"G_{here}(G_{there}({domain}))", 0)
    torch.testing.assert_close(frames, -clip / 2)


class Scale(torch.nn.Module):
    """Multiplies frames."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, frames):
        return frames * self.factor


def test_modes_come_back_after_an_error():
    network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout().eval())
    with pytest.raises(ZeroDivisionError), evaluating(network):
        assert not any(part.training for part in network.modules())
        raise ZeroDivisionError
    assert [part.training for part in network.modules()] == [True, True, False]
