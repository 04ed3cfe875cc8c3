"""Frames of any size into the other domain."""

import pytest
import torch
from helpers.models import build, clip, randomize
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vtrans.model.translation import padding


@pytest.fixture(scope="module")
def model():
    return randomize(build("gan", generator=("unet", {"depth": 2, "width": 2}))).float()


def test_it_is_the_generator_frame_by_frame(model):
    frames = clip(5, size=8, dtype=torch.float32)
    expected = torch.stack([model.networks["G_Y"](frames[:, t]) for t in range(5)], 1)
    for batch in (1, 3, 64):
        torch.testing.assert_close(model.translate(frames, to="y", batch=batch), expected)
    assert not torch.allclose(model.translate(frames, to="x"), expected)
    torch.testing.assert_close(model.translate(frames[0, 0], to="y"), expected[0, 0])
    assert not model.translate(frames, to="y").requires_grad


@settings(max_examples=25)
@given(st.integers(1, 19), st.integers(1, 19), st.lists(st.integers(1, 2), max_size=3))
def test_any_size_and_any_axes_before(height, width, axes):
    model = build("gan", generator=("unet", {"depth": 2, "width": 2}))
    frames = torch.zeros(*axes, 3, height, width)
    assert model.translate(frames, to="y").shape == frames.shape


@given(st.integers(1, 300), st.sampled_from([1, 4, 32]), st.integers(1, 64))
def test_padding_reaches_the_nearest_size(size, multiple, minimum):
    before, after = padding(size, multiple, minimum)
    total = size + before + after
    assert total % multiple == 0 and total >= minimum and 0 <= after - before <= 1
    assert total - multiple < max(size, minimum)


def test_padding_mirrors_and_is_cropped_away():
    class Echo(nn.Module):
        multiple, minimum = 4, 4

        def forward(self, frames):
            assert frames.shape[-2:] == (4, 8)
            self.seen = frames
            return frames

    echo = Echo()
    model = build("gan", networks={"G_Y": echo})
    frames = torch.linspace(-1, 1, 6).view(1, 1, 6).repeat(3, 2, 1)
    assert torch.equal(model.translate(frames, to="y"), frames)
    row = echo.seen[0, 0, 0]
    assert torch.equal(row[0], row[2]) and torch.equal(row[7], row[5])


def test_modes_are_restored_module_by_module():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout(0.5))
    model = build("gan", networks={"G_Y": network})
    network[1].eval()
    frames = clip(1, dtype=torch.float32)
    assert torch.equal(model.translate(frames, to="y"), model.translate(frames, to="y")), "dropout is off"
    assert [module.training for module in network] == [True, False, True]
    with pytest.raises(RuntimeError, match="broken"):
        network.register_forward_hook(_break)
        model.translate(frames, to="y")
    assert network.training and not network[1].training


def _break(*_):
    raise RuntimeError("broken")


def test_nothing_to_translate(model):
    assert model.translate(torch.zeros(0, 3, 8, 8), to="y").shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        (torch.zeros(3, 8, 8), {"to": "z"}, "to: expected 'x' or 'y', got 'z'."),
        (torch.zeros(2, 8, 8), {}, "frames: expected a tensor (…, 3, height, width), got shape (2, 8, 8). Channels"),
        (torch.zeros(8, 8), {}, "frames: expected a tensor (…, 3, height, width), got shape (8, 8)."),
        (None, {}, "frames: expected a tensor (…, 3, height, width), got NoneType."),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), {}, "frames: expected floating point in [-1, 1], got torch.uint8."),
        (torch.full((3, 8, 8), 255.0), {}, "frames: expected values in [-1, 1], got values from 255 to 255."),
        (torch.full((3, 8, 8), torch.nan), {}, "frames: expected values in [-1, 1], got values from nan to nan."),
        (torch.zeros(3, 8, 8).double(), {}, "frames: expected torch.float32, as the networks are, got torch.float64."),
        (torch.zeros(3, 0, 8), {}, "frames: expected at least one pixel, got shape (3, 0, 8)."),
        (torch.zeros(3, 8, 8), {"batch": 0}, "batch: expected a whole number of frames, 1 or more, got 0."),
        (torch.zeros(3, 8, 8), {"batch": "8"}, "batch: expected a whole number of frames, 1 or more, got '8'."),
    ],
)
def test_wrong_frames_are_refused(model, frames, options, message):
    with pytest.raises((ValueError, TypeError)) as refused:
        model.translate(frames, **{"to": "y", **options})
    assert message in str(refused.value)


def test_domains_with_other_channels():
    model = build("gan", channels={"x": 1, "y": 3})
    assert model.translate(torch.zeros(2, 1, 8, 8), to="y").shape == (2, 3, 8, 8)
    assert model.translate(torch.zeros(2, 3, 8, 8), to="x").shape == (2, 1, 8, 8)
