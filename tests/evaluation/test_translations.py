"""What is shown of a model."""

import pytest
import torch
from PIL import Image

import vtrans
from vtrans.data import tensor_to_frames
from vtrans.evaluation import recycled
from vtrans.evaluation.pictures import side_by_side, write_strip
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


def test_modes_come_back_after_an_error():
    network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout().eval())
    with pytest.raises(ZeroDivisionError), evaluating(network):
        assert not any(part.training for part in network.modules())
        raise ZeroDivisionError
    assert [part.training for part in network.modules()] == [True, True, False]


def test_strips_and_videos_have_the_size_announced(tmp_path):
    clip = tensor_to_frames(torch.rand(5, 3, 16, 24) * 2 - 1)
    write_strip({"x": clip, "G_Y(x)": clip[..., :1]}, tmp_path / "strip.png", columns=3, side=32)
    with Image.open(tmp_path / "strip.png") as picture:
        assert picture.height == 2 * (32 + 2) and picture.width > 3 * 48
    frames = list(side_by_side({"x": clip, "y": clip}, side=32))
    assert len(frames) == 5
    assert frames[0].shape == (52, 98, 3)
