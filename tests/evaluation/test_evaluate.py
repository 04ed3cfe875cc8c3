"""What an evaluation measures, against measuring it by hand on whole clips; and that it streams."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import vtrans
from vtrans.data import FrameSource, frames_to_tensor, open_source, tensor_to_frames, worlds
from vtrans.data.palettes import Palette
from vtrans.evaluation import (
    Confusion,
    EvaluationData,
    Features,
    estimate_flow,
    estimate_motion,
    evaluate,
    flicker,
    flow_difference,
    metrics,
    predicted,
    psnr,
    recycled,
    sharpness,
    ssim,
    warping_error,
    world_data,
)
from vtrans.evaluation.fidelity import Moments, frechet_distance

SIDE, LENGTH = 32, 11


def built(**options):
    return vtrans.build(
        "recycle_gan",
        **{
            "generator": ("resnet", {"blocks": 1, "width": 4}),
            "predictor": ("unet", {"depth": 2, "width": 4}),
            "discriminator": ("n_layers", {"layers": 1, "width": 4}),
            **options,
        },
    )


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return built()


@pytest.fixture(scope="module")
def street():
    return world_data("street", worlds.create("street", size=SIDE), clips=2, length=LENGTH)


PIXELS = Features(nn.AvgPool2d(16), "coarse pixels", size=None)


def clips(source):
    return [frames_to_tensor(sequence.read(0, sequence.length)) for sequence in source.sequences]


def rounded(frames):
    return frames_to_tensor(tensor_to_frames(frames))


@pytest.fixture(scope="module")
def found(model, street):
    return evaluate(model, street, features=PIXELS)


def test_everything_is_measured_where_all_is_known(found):
    absent = {"settled/x", "settled/y", "pixel_accuracy/x", "class_accuracy/x", "mean_iou/x"}
    assert set(found.numbers) == {f"{name}/{to}" for name in metrics for to in "xy"} - absent
    assert set(found.left_out) == absent
    assert all(map(math.isfinite, found.numbers.values()))


def test_numbers_are_those_of_whole_clips(model, street, found):
    """Chunks of eight frames and one of three must give what all eleven give at once."""
    xs, ys = clips(street.x), clips(street.y)
    made = [rounded(model.translate(x, to="y")) for x in xs]
    expected = {
        "psnr": np.mean([psnr(m, y) for m, y in zip(made, ys, strict=True)]),
        "ssim": np.mean([ssim(m, y) for m, y in zip(made, ys, strict=True)]),
        "l1": np.mean([(m - y).abs().mean() for m, y in zip(made, ys, strict=True)]),
        "flicker": torch.cat([flicker(m) for m in made]).mean(),
        "flicker_input": torch.cat([flicker(x) for x in xs]).mean(),
        "flicker_truth": torch.cat([flicker(y) for y in ys]).mean(),
        "sharpness": torch.cat([sharpness(m) for m in made]).mean(),
        "sharpness_real": torch.cat([sharpness(y) for y in ys]).mean(),
        "warping_error": torch.cat(
            [warping_error(*pair) for pair in zip(made, street.motion["x"], strict=True)]
        ).mean(),
        "masked_share": np.mean([motion.occluded.mean() for motion in street.motion["x"]]),
        "tof": torch.cat(
            [flow_difference(estimate_flow(m), estimate_flow(y)) for m, y in zip(made, ys, strict=True)]
        ).mean(),
    }
    for name, value in expected.items():
        assert found.numbers[f"{name}/y"] == pytest.approx(float(value), rel=1e-5), name
    ratio = expected["sharpness"] / expected["sharpness_real"]
    assert found.numbers["sharpness_ratio/y"] == pytest.approx(float(ratio))


def test_labels_are_counted_over_all_frames(model, street, found):
    confusion = Confusion(street.palettes["y"])
    for x, y in zip(clips(street.x), clips(street.y), strict=True):
        confusion.add_frames(tensor_to_frames(model.translate(x, to="y")), tensor_to_frames(y))
    assert found.numbers["mean_iou/y"] == pytest.approx(confusion.mean_iou())
    (value,) = [value for value in found.values if value.metric == "mean_iou"]
    assert value.parts == pytest.approx(confusion.iou()) and value.count == 2 * LENGTH


def test_distances_of_features_and_their_pairs(model, street, found):
    def moments(sources, pairs):
        made = None
        for clip in sources:
            features = PIXELS(clip)
            features = torch.cat([features[:-1], features[1:]], 1) if pairs else features
            made = made or Moments(features.shape[1])
            made.add(features)
        return made

    made = [rounded(model.translate(x, to="y")) for x in clips(street.x)]
    for name in ("fid", "vfd"):
        sides = (moments(side, name == "vfd") for side in (made, clips(street.y)))
        assert found.numbers[f"{name}/y"] == pytest.approx(frechet_distance(*sides), rel=1e-4)
    counts = {value.metric: (value.count, value.counted, value.features) for value in found.values if value.to == "y"}
    assert counts["fid"] == (2 * LENGTH, "frames", "coarse pixels")
    assert counts["vfd"] == (2 * (LENGTH - 1), "pairs of frames", "coarse pixels")
    assert any("coarse pixels" in note and "not comparable" in note for note in found.notes)


def test_a_shuffled_video_has_the_same_fid_and_a_greater_vfd(street):
    """The video distance is of frames in their order."""
    (x,) = clips(street.x)[:1]
    order = torch.randperm(LENGTH, generator=torch.Generator().manual_seed(1))

    class Copy(nn.Module):
        multiple = minimum = 1

        def forward(self, frames):
            return frames

    model = built()
    model.networks["G_Y"] = Copy()
    names = ["fid", "vfd"]
    straight, shuffled = (
        evaluate(
            model, EvaluationData(x=open_source(clip), y=open_source(x)), to="y", metrics=names, features=PIXELS
        ).numbers
        for clip in (x, x[order])
    )
    assert straight["fid/y"] == pytest.approx(0, abs=1e-6) and straight["vfd/y"] == pytest.approx(0, abs=1e-9)
    assert shuffled["fid/y"] == pytest.approx(0, abs=1e-6) and shuffled["vfd/y"] > 1e-5


@pytest.mark.parametrize("to", ["x", "y"])
def test_numbers_are_named_for_the_domain_that_they_end_in(model, street, to):
    """As terms are: cycle/x compares with frames of X, which it starts from."""
    start = "y" if to == "x" else "x"
    found = evaluate(model, street, to=to, metrics=["psnr", "cycle", "recycle", "prediction"])
    assert set(found.numbers) == {f"psnr/{to}", f"cycle/{start}", f"recycle/{start}", f"prediction/{start}"}
    errors = [model.translate(model.translate(clip, to=to), to=start) - clip for clip in clips(getattr(street, start))]
    assert found.numbers[f"cycle/{start}"] == pytest.approx(float(torch.cat(errors).abs().mean()), rel=1e-5)


def test_each_sequence_has_its_number(model, street, found):
    """A mean over frames is that of its sequences', which have as many frames here."""
    means = {v.metric: v for v in found.values if v.to == "y"}
    for name in ("psnr", "ssim", "warping_error", "flicker_truth", "sharpness_ratio", "cycle", "recycle", "prediction"):
        assert means[name].value == pytest.approx(np.mean(means[name].sequences)), name
        assert len(means[name].sequences) == 2 and len(set(means[name].sequences)) == 2
    one = EvaluationData(
        x=FrameSource(street.x.sequences[1:], name="x"),
        y=FrameSource(street.y.sequences[1:], name="y"),
        paired=True,
        motion={"x": street.motion["x"][1:]},
        palettes=street.palettes,
    )
    alone = evaluate(model, one, to="y", metrics=["mean_iou", "psnr", "warping_error"]).numbers
    for name in ("mean_iou", "psnr", "warping_error"):
        assert means[name].sequences[1] == pytest.approx(alone[f"{name}/y"]), name


@pytest.mark.parametrize("predictor", [("unet", {"depth": 2, "width": 4, "context": 3}), ("conv_gru", {"width": 4})])
def test_what_comes_back_is_measured_at_every_frame_that_has_a_past(predictor, street):
    model = built(predictor=predictor)
    found = evaluate(model, street, to="y", metrics=["cycle", "recycle", "prediction"])
    (bounded,) = {getattr(model.networks[name], "context", None) for name in ("P_X", "P_Y")}
    length = LENGTH if bounded else max(model.clip_length, model.minimum_length)
    errors = {"cycle": [], "recycle": [], "prediction": []}
    for x in clips(street.x):
        back = model.translate(model.translate(x, to="y"), to="x")
        errors["cycle"] += (back - x).abs().mean(dim=(1, 2, 3)).tolist()
        for clip in x.split(length):
            if len(clip) > (bounded or 1):
                for name, (first, frames) in (
                    ("recycle", recycled(model, clip, "x")[1:]),
                    ("prediction", predicted(model, clip, "x")),
                ):
                    errors[name] += (frames[first:] - clip[first:]).abs().mean(dim=(1, 2, 3)).tolist()
    for value in found.values:
        assert value.count == len(errors[value.metric])
        assert value.value == pytest.approx(np.mean(errors[value.metric]), rel=1e-4), value.metric
    assert len(found.values) == 3


def test_motion_is_estimated_on_the_source_where_it_is_not_known(model, street):
    data = EvaluationData(x=street.x, y=street.y, paired=True)
    found = evaluate(model, data, to="y", metrics=["warping_error"])
    errors, masked = [], []
    for x in clips(street.x):
        motion = estimate_motion(x)
        errors.append(warping_error(rounded(model.translate(x, to="y")), motion))
        masked.append(motion.occluded.mean())
    assert found.numbers["warping_error/y"] == pytest.approx(float(torch.cat(errors).mean()), rel=1e-5)
    assert found.numbers["masked_share/y"] == pytest.approx(np.mean(masked))
    assert found.settings["x"]["motion"] == "estimated by DIS" and "sharpness_ratio/y" in found.numbers


def test_a_perfect_translation_scores_best():
    frames = np.random.default_rng(0).integers(0, 256, (3, 3, 16, 16), np.uint8)

    class Copy(nn.Module):
        def forward(self, frames):
            return frames

    model = built()
    model.networks["G_Y"] = Copy()
    palette = Palette(["a", "b"], [(0, 0, 0), (255, 255, 255)])
    data = EvaluationData(x=open_source(frames), y=open_source(frames), paired=True, palettes={"y": palette})
    found = evaluate(model, data, to="y")
    best = {"psnr": math.inf, "ssim": 1, "l1": 0, "mean_iou": 1, "tof": 0, "sharpness_ratio": 1, "pixel_accuracy": 1}
    assert {name: found.numbers[f"{name}/y"] for name in best} == pytest.approx(best)
    content = json.dumps(found.as_dict(), allow_nan=False)
    (written,) = (value for value in json.loads(content)["values"] if value["metric"] == "psnr")
    assert written["value"] is None and written["sequences"] == [None]
    assert "psnr/y is infinite: a frame is exactly right." in found.notes


def test_only_a_few_frames_are_in_memory_at_a_time(model):
    """Frames are drawn as they are needed: never many ahead of the translations."""
    drawn, most = [0], [0]

    class Long(type(open_source(np.zeros((1, 3, 16, 16), np.uint8)).sequences[0])):
        def stream(self):
            for _ in range(100):
                drawn[0] += 1
                yield np.zeros((16, 16, 3), np.uint8)

    source = vtrans.data.FrameSource([Long(np.zeros((100, 16, 16, 3), np.uint8))], name="long")

    def watch(done):
        most[0] = max(most[0], drawn[0] - done)

    found = evaluate(model, EvaluationData(x=source), to="y", metrics=["flicker"], watch=watch)
    assert found.values[0].count == 99 and drawn[0] == 100 and most[0] <= 8


def test_metrics_that_the_data_do_not_allow_are_named(model, street):
    data = EvaluationData(x=street.x, y=street.y)
    found = evaluate(model, data, to="y", metrics=None)
    assert {name.removesuffix("/y") for name in found.left_out} == {
        *("settled", "psnr", "ssim", "l1", "pixel_accuracy", "class_accuracy", "mean_iou", "fid", "kid", "vfd"),
        *("tof", "warping_error_truth", "flicker_truth"),
    }
    with pytest.raises(ValueError, match="metrics that can be measured on these data, got psnr. The true translation"):
        evaluate(model, data, metrics=["psnr"])
    with pytest.raises(ValueError, match=r"got mean_iou. Frames of Y have no palette \(palette names one\)"):
        evaluate(model, EvaluationData(x=street.x, y=street.y, paired=True), to="y", metrics=["mean_iou"])
    with pytest.raises(ValueError, match="got fid. There is no feature network"):
        evaluate(model, data, metrics=["fid"])
    with pytest.raises(ValueError, match="Unknown metric 'psrn'. Did you mean 'psnr'?"):
        evaluate(model, data, metrics=["psrn"])
    with pytest.raises(ValueError, match="got recycle. The model has no P_Y"):
        gan = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
        evaluate(gan, data, to="y", metrics=["recycle"])
    with pytest.raises(ValueError, match="to: expected .*: X is translated from Y, got 'x'"):
        evaluate(model, EvaluationData(x=street.x), to="x")
    with pytest.raises(ValueError, match="metrics: expected at least one metric, got none"):
        evaluate(model, data, metrics=[])


def test_small_frames_leave_out_what_needs_larger_ones(model):
    frames = open_source(np.zeros((4, 3, 8, 8), np.uint8))
    found = evaluate(model, EvaluationData(x=frames, y=frames, paired=True), to="y")
    assert "below 11x11" in found.left_out["ssim/y"] and "too small" in found.left_out["tof/y"]
    assert "psnr/y" in found.numbers


def test_one_frame_has_no_steps(model):
    frame = open_source(np.zeros((1, 3, 16, 16), np.uint8))
    found = evaluate(model, EvaluationData(x=frame, y=frame, paired=True), to="y", features=PIXELS)
    assert {"flicker/y", "tof/y", "warping_error/y", "vfd/y", "recycle/x", "prediction/x"} <= set(found.left_out)
    assert {"psnr/y", "sharpness/y", "cycle/x"} <= set(found.numbers)
    for name in ("flicker", "warping_error", "prediction", "recycle"):
        with pytest.raises(ValueError, match=f"can be measured on these data, got {name}. No sequence has"):
            evaluate(model, EvaluationData(x=frame), to="y", metrics=["sharpness", name])


def test_a_metric_that_fails_for_too_few_frames_is_an_error_if_it_was_asked_for(model):
    frame = open_source(np.zeros((1, 3, 16, 16), np.uint8))
    data = EvaluationData(x=frame, y=frame, paired=True)
    assert "fid/y" in evaluate(model, data, to="y", features=PIXELS).left_out
    with pytest.raises(ValueError, match="can be measured on these data, got fid"):
        evaluate(model, data, to="y", metrics=["fid"], features=PIXELS)


def test_the_table_fits_into_80_columns_and_has_every_number(found):
    table = found.table()
    assert max(map(len, table.splitlines())) <= 80
    for name in {value.metric for value in found.values}:
        assert any(line.split()[:1] == [name] for line in table.splitlines())
