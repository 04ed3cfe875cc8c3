"""What an evaluation says of its numbers, what it was measured on, and what it leaves out or refuses."""

import numpy as np
import pytest
import torch
from torch import nn

import vtrans
from vtrans.data import FrameSource, Motion, open_source
from vtrans.data.palettes import Palette
from vtrans.evaluation import EvaluationData, Features, PerFrame, evaluate, metrics
from vtrans.evaluation.evaluate import choose
from vtrans.evaluation.features import NOTE

PIXELS = Features(nn.AvgPool2d(16), "coarse pixels", size=None)


class Times(nn.Module):
    """Multiplies frames by a number."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, frames):
        return frames * self.factor


@pytest.fixture
def halving():
    """A model that halves frames of X, and leaves those of Y as they are."""
    made = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
    made.networks.update({"G_Y": Times(0.5), "G_X": Times(1.0)})
    return made


def levels(*values, side=16):
    """Frames of one level each, of 0 to 255."""
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1) * np.ones((3, side, side), np.uint8)


def source(*sequences):
    return FrameSource([s for frames in sequences for s in open_source(frames).sequences], name="levels")


def test_all_that_is_said_of_a_number(halving):
    """Frames of X are 1, 1/255 and -1, and halved; the truth is -1, -1 and 1."""
    data = EvaluationData(x=source(levels(255, 128), levels(0)), y=source(levels(0, 0), levels(255)), paired=True)
    found = evaluate(halving, data, to="y", metrics=["l1", "kid", "cycle"], features=PIXELS, rounded=False)
    kid, l1, cycle = sorted(found.values, key=lambda value: ("kid", "l1", "cycle").index(value.metric))
    errors = np.array([1.5, 1 / 510 + 1, 1.5])
    assert [v.metric for v in found.values] == ["l1", "kid", "cycle"]
    assert l1.value == pytest.approx(np.mean(errors)) and l1.sequences == pytest.approx(
        [np.mean(errors[:2]), errors[2]]
    )
    said = {
        name: getattr(l1, name) for name in ("to", "better", "unit", "count", "counted", "features", "parts", "group")
    }
    assert said == {
        **{"to": "y", "better": "lower", "unit": "of range 2", "count": 3, "counted": "frames", "features": None},
        **{"parts": None, "group": "against the truth"},
    }
    assert (kid.features, kid.group, kid.sequences) == ("coarse pixels", "against real frames", [])
    assert (cycle.to, cycle.group) == ("x", "there and back") and cycle.value == pytest.approx(
        (1 / 2 + 1 / 510 + 1 / 2) / 3
    )
    assert type(l1.sequences) is list and all(type(number) is float for number in l1.sequences)


@pytest.mark.parametrize("rounded", [True, False])
def test_what_it_was_measured_on(halving, rounded):
    motion = {"y": [Motion(np.zeros((1, 2, 8, 10), np.float32), np.zeros((1, 8, 10), bool))]}
    x, y = source(levels(255, 0, side=16), levels(1, 2, side=24)), source(levels(0, 0, 0, side=8))
    found = evaluate(halving, EvaluationData(x=x, y=y, motion=motion), metrics=["cycle"], rounded=rounded)
    assert found.settings == {
        "vtrans": vtrans.__version__,
        "to": ["y", "x"],
        "paired": False,
        "x": {"name": "levels", "sequences": 2, "sizes": ["16x16", "24x24"], "motion": "estimated by DIS"},
        "y": {"name": "levels", "sequences": 1, "sizes": ["8x8"], "motion": "exact"},
        "frames_of_a_sequence": "all",
        "levels": "8 bits" if rounded else "as computed",
    }
    few = evaluate(halving, EvaluationData(x=x, size=(9, 7), length=1, paired=False), to="y", metrics=["cycle"])
    assert few.settings["x"]["sizes"] == ["9x7"] and few.settings["frames_of_a_sequence"] == 1
    assert "y" not in few.settings and few.settings["to"] == ["y"] and few.values[0].count == 2


STEADY = "Blurred or static frames lower what is measured over time: compare sharpness_ratio."


@pytest.mark.parametrize(
    ("asked", "notes"),
    [
        (["l1"], ()),
        (["sharpness"], ()),
        (["flicker"], (STEADY,)),
        (["tof"], (STEADY,)),
        (["warping_error"], (STEADY,)),
        (["psnr"], ("psnr/y is infinite: a frame is exactly right.",)),
        (
            ["kid", "vfd", "tof", "psnr"],
            (
                f"Features: coarse pixels. {NOTE}.",
                STEADY,
                "psnr/y is infinite: a frame is exactly right.",
            ),
        ),
    ],
)
def test_what_a_reader_has_to_know(halving, asked, notes):
    halving.networks["G_Y"] = Times(1.0)
    frames = np.random.default_rng(0).integers(0, 256, (3, 3, 16, 16), np.uint8)
    data = EvaluationData(x=source(frames), y=source(frames), paired=True)
    found = evaluate(halving, data, to="y", metrics=asked, features=PIXELS)
    assert found.notes == notes


def test_all_metrics_in_both_directions_are_chosen_by_default(halving):
    data = EvaluationData(x=source(levels(255, 128)), y=source(levels(0, 0)))
    chosen, left_out = choose(halving, data)
    assert list(chosen) == ["y", "x"]
    alone = ["warping_error", "warping_error_input", "masked_share", "flicker", "flicker_input"]
    alone += ["sharpness", "sharpness_real", "sharpness_ratio", "cycle"]
    assert [list(made) for made in chosen.values()] == [alone, alone]
    assert {name for name in left_out if name.endswith("/x")} == {f"{name}/x" for name in metrics if name not in alone}
    assert len(left_out) == 2 * (len(metrics) - len(alone))
    assert (left_out["recycle/x"], left_out["prediction/x"]) == ("the model has no P_Y", "the model has no P_X")
    found = evaluate(halving, data)
    assert set(found.numbers) == {f"{name}/{to}" for name in alone for to in "xy"} - {
        "sharpness_ratio/x",
        "sharpness_ratio/y",
    }
    assert "frames with edges" in found.left_out["sharpness_ratio/x"]  # there are none
    with pytest.raises(ValueError, match="to: expected 'x', 'y' or 'both', got 'z'"):
        choose(halving, data, to="z")


def test_what_can_be_measured_in_one_direction_alone_may_be_asked_for(halving):
    palette = Palette(["dark", "light"], [(0, 0, 0), (255, 255, 255)])
    frames = source(levels(255, 0))
    data = EvaluationData(x=frames, y=frames, paired=True, palettes={"y": palette})
    found = evaluate(halving, data, metrics=["pixel_accuracy"])
    assert set(found.numbers) == {"pixel_accuracy/y"}
    assert found.left_out == {"pixel_accuracy/x": "frames of X have no palette (palette names one)"}
    with pytest.raises(ValueError, match="got pixel_accuracy. Frames of X have no palette"):
        evaluate(halving, data, to="x", metrics=["l1", "pixel_accuracy"])


def test_every_translated_frame_is_told(halving):
    told = []
    data = EvaluationData(x=source(levels(*range(11)), levels(0)), y=source(levels(1)))
    evaluate(halving, data, metrics=["cycle"], watch=told.append)
    assert told == list(range(1, 14))


def test_real_frames_are_read_where_a_metric_needs_them_alone(halving):
    class Unread(type(open_source(levels(0)).sequences[0])):
        def stream(self):
            raise AssertionError("nobody needs it")

    y = FrameSource([Unread(np.zeros((1, 16, 16, 3), np.uint8))], name="unread")
    data = EvaluationData(x=source(levels(255, 128)), y=y)
    assert set(evaluate(halving, data, to="y", metrics=["cycle"]).numbers) == {"cycle/x"}
    with pytest.raises(AssertionError, match="nobody needs it"):
        evaluate(halving, data, to="y", metrics=["sharpness"])


def test_the_metric_that_fails_is_named(halving):
    class Broken(PerFrame):
        """Fails."""

        title, better = "broken", ""

        def measure(self, chunk):
            return 1 / 0

    metrics.add("broken", Broken)
    try:
        with pytest.raises(ZeroDivisionError) as error:
            evaluate(halving, EvaluationData(x=source(levels(0))), to="y", metrics=["broken"])
    finally:
        metrics.remove("broken")
    assert error.value.__notes__ == ["It was raised by the metric broken."]


@pytest.mark.parametrize("grey", ["x", "y"])
def test_other_channels_are_refused_before_anything_is_translated(halving, grey):
    data = EvaluationData(**{"x": source(levels(0)), "y": source(levels(0)), grey: source(levels(0)[:, :1])})
    for to in ("x", "y"):
        with pytest.raises(ValueError, match=f"{grey}: expected frames of 3 channels, as the model has them, got 1 in"):
            evaluate(halving, data, to=to)
