"""Averages of the generators' weights: by hand, and what is left alone."""

import pytest
import torch

import vtrans
from vtrans.training import GeneratorAverage


def build():
    return vtrans.build(
        "gan", generator=("resnet", {"blocks": 1, "width": 4, "norm": "batch"}), discriminator=("patch", {"width": 4})
    )


def fill(model, value):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)


@pytest.fixture
def averaged():
    """A model whose weights were 1, then 2, 4 and 8 after three steps, and its average of decay 3/4."""
    model = build()
    fill(model, 1.0)
    average = GeneratorAverage(model, decay=0.75)
    for step, value in enumerate((2.0, 4.0, 8.0), 1):
        fill(model, value)
        model.networks["G_Y"].get_buffer("stem.1.num_batches_tracked").fill_(step)
        average.update()
    return model, average


def test_the_average_after_three_steps_by_hand(averaged):
    """¾ · 1 + ¼ · 2 = 1.25; ¾ · 1.25 + ¼ · 4 = 1.9375; ¾ · 1.9375 + ¼ · 8 = 3.453125."""
    model, average = averaged
    for name, _ in model.networks["G_X"].named_parameters():
        assert torch.all(average.tensors()[f"G_X.{name}"] == 3.453125)


def test_what_counts_is_not_averaged(averaged):
    assert averaged[1].tensors()["G_Y.stem.1.num_batches_tracked"] == 3


def test_it_stands_in_for_the_weights_within_the_block_alone(averaged):
    model, average = averaged
    with pytest.raises(KeyError), average.in_place():
        assert {w.max().item() for name in ("G_X", "G_Y") for w in model.networks[name].parameters()} == {3.453125}
        assert {w.max().item() for w in model.networks["D_X"].parameters()} == {8.0}
        raise KeyError
    assert {w.max().item() for w in model.parameters()} == {8.0}
    assert torch.all(next(iter(average.tensors().values())) == 3.453125)


def test_no_average_without_a_decay_below_one():
    with pytest.raises(ValueError, match=r"^ema: expected a decay from 0 up to below 1, got 1\.0"):
        GeneratorAverage(build(), decay=1.0)
