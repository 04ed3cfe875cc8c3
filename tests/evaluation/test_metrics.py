"""Each metric on frames whose number is worked out by hand, and what holds for every one of the registry."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from vtrans.data import Motion
from vtrans.data.palettes import Palette
from vtrans.evaluation import Chunk, Features, Given, Metric, PerFrame, PerStep, metrics
from vtrans.evaluation.chunks import STREAMS
from vtrans.evaluation.metrics import against_real
from vtrans.evaluation.metrics.metric import FACTS, created, goodness, with_those_beside

PALETTE = Palette(["dark", "light"], [(0, 0, 0), (255, 255, 255)])
MEANS = Features(nn.Identity(), "mean colours", size=None)
"""The mean of each channel, in [0, 1]."""


def flat(*levels, side=12):
    """A frame of one level for each."""
    return torch.tensor(levels, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, side, side).clone()


def edges(*heights):
    """Frames of 2x2 pixels with an edge of this height: that is their sharpness."""
    return torch.stack([torch.tensor([[0.0, height]] * 2).expand(3, 2, 2) for height in heights])


def measured(name, *chunks):
    metric = created(name)
    for chunk in chunks:
        metric.add(chunk)
    return metric.result()


def ramps(*brighter):
    """A picture that moves one pixel to the right in each step, and how; the last column is then out of sight."""
    columns = torch.arange(12.0)
    frames = [(columns - time) / 20 + more for time, more in enumerate(brighter)]
    flow = np.zeros((len(frames) - 1, 2, 12, 12), np.float32)
    flow[:, 0] = 1
    occluded = np.zeros((len(frames) - 1, 12, 12), bool)
    occluded[..., -1] = True
    return torch.stack([frame.expand(3, 12, 12) for frame in frames]), Motion(flow, occluded)


BY_HAND = {
    # 10 log10(4 / 0.2²) = 20, and 40 for a tenth of that
    "psnr": (lambda: [Chunk({"output": flat(0, 0), "truth": flat(0.2, 0.02)})], 30.0, 2),
    # brightness 0.5 against 0: (2 · 0.5 · 0 + 0.01²) / (0.5² + 0² + 0.01²), and no contrast to compare
    "ssim": (lambda: [Chunk({"output": flat(0, 0.5), "truth": flat(-1, 0.5)})], (1 + 1e-4 / 0.2501) / 2, 2),
    "l1": (lambda: [Chunk({"output": flat(0, 0), "truth": flat(0.25, -0.75)})], 0.5, 2),
    "cycle": (lambda: [Chunk({"source": flat(0, 0), "back": flat(0.25, -0.75)})], 0.5, 2),
    "recycle": (lambda: [Chunk({"source": flat(0, 0), "recycled": flat(math.nan, -0.75)})], 0.75, 1),
    "prediction": (lambda: [Chunk({"source": flat(1, 0, 0), "predicted": flat(math.nan, 0.5, 1)})], 0.75, 2),
    "flicker": (lambda: [Chunk({"output": flat(0, 0.5, 0.25)})], 0.375, 2),
    "flicker_input": (lambda: [Chunk({"source": flat(0, 0.5, 0.25)})], 0.375, 2),
    "flicker_truth": (lambda: [Chunk({"truth": flat(0, 0.5, 0.25)})], 0.375, 2),
    "sharpness": (lambda: [Chunk({"output": edges(1, 0.5)})], 0.75, 2),
    "sharpness_real": (lambda: [Chunk({"real": edges(1, 0.5)})], 0.75, 2),
    "sharpness_ratio": (lambda: [Chunk({"output": edges(0.5, 1)}), Chunk({"real": edges(1, 2, 3)})], 0.375, 2),
    "masked_share": (lambda: [Chunk({"source": ramps(0, 0)[0]}, exact=ramps(0, 0)[1])], 1 / 12, 1),
    # along the motion nothing changes but by what is added; the source stands still
    "warping_error": (
        lambda: [Chunk({"source": flat(0, 0, 0), "output": ramps(0, 0.25, 0)[0]}, exact=ramps(0, 0, 0)[1])],
        0.25,
        2,
    ),
    "warping_error_input": (lambda: [Chunk({"source": ramps(0, 0.5)[0]}, exact=ramps(0, 0)[1])], 0.5, 1),
    "warping_error_truth": (
        lambda: [Chunk({"source": flat(0, 0), "truth": ramps(0, 0.5)[0]}, exact=ramps(0, 0)[1])],
        0.5,
        1,
    ),
    # Features 0 and 1 of mean 1/2, variance 1/2, real ones 0 and 1/2 of mean 1/4, variance 1/8; three equal channels:
    # 3 · ((1/4)² + (√(1/2) - √(1/8))²)
    "fid": (
        lambda: [Chunk({n: flat(*f)}, network=MEANS) for n, f in (("output", (-1, 1)), ("real", (-1, 0)))],
        9 / 16,
        2,
    ),
    # Pairs (0, 1) and (1, 0) against (0, 0) and (0, 1). Means (1/2, 1/2) and (0, 1/2); A = [[1, -1], [-1, 1]] / 2 is
    # its own root, B = [[0, 0], [0, 1]] / 2, and ABA = A / 4: 3 · (1/4 + 1 + 1/2 - 2 · 1/2)
    "vfd": (
        lambda: [Chunk({n: flat(*f)}, network=MEANS) for n, f in (("output", (-1, 1, -1)), ("real", (-1, -1, 1)))],
        9 / 4,
        2,
    ),
    # Features 0, 1, 1 against 0, 0 under (u v + 1)³: pairs within (4 · 1 + 2 · 8) / 6 and 1, across 1
    "kid": (
        lambda: [Chunk({n: flat(*f)}, network=MEANS) for n, f in (("output", (-1, 1, 1)), ("real", (-1, -1)))],
        20 / 6 + 1 - 2,
        2,
    ),
    # Of 4 pixels dark, dark, light, dark in truth all dark, dark, light, light: dark 2 of 3, light 1 of 2
    "mean_iou": (lambda: [labels()], (2 / 3 + 1 / 2) / 2, 1),
    "class_accuracy": (lambda: [labels()], (2 / 2 + 1 / 2) / 2, 1),
    "pixel_accuracy": (lambda: [labels()], 3 / 4, 1),
    # The pixels of both clips that differ from the wrong look: half of the first clip's are right, all of the second's
    "settled": (lambda: [settled(-1, 1), settled(-1, -1)], 0.75, 2),
}


def labels():
    """A frame of four pixels, one of them wrong."""
    rows = torch.tensor([[-1.0, -1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]]).view(2, 1, 1, 2, 2).expand(-1, -1, 3, -1, -1)
    return Chunk({"output": rows[0], "truth": rows[1]}, palette=PALETTE)


def settled(*levels):
    """A clip whose right look is dark, and whose wrong one is light."""
    length = len(levels)
    return Chunk({"output": flat(*levels), "truth": flat(*[-1] * length), "swapped": flat(*[1] * length)})


def test_every_metric_has_an_example_by_hand():
    assert {*BY_HAND, "tof"} == set(metrics)


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name):
    chunks, value, count = BY_HAND[name]
    found = measured(name, *chunks())
    assert found.value == pytest.approx(value, rel=1e-5, abs=1e-7) and found.count == count


def test_tof_is_the_length_of_the_motion_that_is_missed():
    """A picture that moves 3 to the right and 4 down, where the truth stands still."""
    noise = torch.rand(1, 1, 64, 64)
    picture = nn.functional.avg_pool2d(noise, 5, stride=1).mul(2).sub(1).expand(-1, 3, -1, -1)
    output = torch.cat([picture[..., 4:52, 4:52], picture[..., 0:48, 1:49]])
    found = measured("tof", Chunk({"output": output, "truth": output[[0, 0]]}))
    assert found.value == pytest.approx(5, abs=0.5) and found.count == 1
    assert measured("tof", Chunk({"output": output, "truth": output})).value == 0


def test_classes_have_their_own_share_beside_their_mean_alone():
    assert measured("mean_iou", labels()).parts == pytest.approx({"dark": 2 / 3, "light": 1 / 2})
    assert measured("pixel_accuracy", labels()).parts is None and measured("class_accuracy", labels()).parts is None


LENGTHS = {"whole": (7,), "in chunks": (3, 3, 1), "one by one": (1,) * 7}
"""How seven frames of a sequence come by: in each chunk so many new ones, after the last one of the chunk before."""


def random_streams(seed, length=7):
    """All streams of a sequence, of which what predictors give has a frame from the second on."""
    random = torch.Generator().manual_seed(seed)
    streams = {name: torch.rand(length, 3, 12, 12, generator=random) * 2 - 1 for name in STREAMS}
    for name in ("recycled", "predicted"):
        streams[name][0] = math.nan
    flow = (torch.rand(length - 1, 2, 12, 12, generator=random) * 2 - 1).numpy()
    return streams, Motion(flow, torch.rand(length - 1, 12, 12, generator=random).numpy() < 0.2)


def chunks_of(seed, lengths):
    streams, motion = random_streams(seed, sum(lengths))
    real = {"real": streams.pop("real")}
    for shown in (streams, real):
        end = 0
        for length in lengths:
            begin, end = max(0, end - 1), end + length
            exact = Motion(motion.flow[begin : end - 1], motion.occluded[begin : end - 1])
            frames = {name: frames[begin:end] for name, frames in shown.items()}
            yield Chunk(frames, int(end > length), exact, PALETTE, MEANS)


def of_sequences(name, lengths, seeds):
    """The translated frames of all sequences, then the real ones of all."""
    chunks = [chunk for seed in seeds for chunk in chunks_of(seed, lengths)]
    return measured(name, *sorted(chunks, key=lambda chunk: "real" in chunk))


@pytest.mark.parametrize("name", metrics)
def test_numbers_do_not_depend_on_how_frames_stream_by_and_sequences_add_up(name):
    whole, parts, single = (of_sequences(name, lengths, (0, 1)) for lengths in LENGTHS.values())
    for found in (parts, single):
        assert found.value == pytest.approx(whole.value, rel=1e-6) and found.count == whole.count
        assert found.sequences == pytest.approx(whole.sequences, rel=1e-6) and found.parts == whole.parts
    alone = [of_sequences(name, (7,), (seed,)) for seed in (0, 1)]
    if created(name).counted != "pairs of frames" and name not in ("fid", "kid"):
        assert len(whole.sequences) == 2 and whole.sequences[0] != whole.sequences[1]
        assert whole.value == pytest.approx(np.mean(whole.sequences), abs=0.02)
    if name not in ("fid", "kid", "vfd", "sharpness_ratio"):
        assert whole.sequences == pytest.approx([each.value for each in alone])
    assert whole.count == sum(each.count for each in alone)


def test_a_mean_over_frames_counts_each_frame_once_and_sequences_without_one_are_nan():
    chunks = [
        Chunk({"source": flat(0, 0, 0), "predicted": flat(math.nan, 0.25, 0.5)}),
        Chunk({"source": flat(0), "predicted": flat(math.nan)}),
        Chunk({"source": flat(0, 0), "predicted": flat(math.nan, 1)}),
        Chunk({"real": flat(1)}),
    ]
    found = measured("prediction", *chunks)
    assert (found.value, found.count) == ((0.25 + 0.5 + 1) / 3, 3)
    assert found.sequences == pytest.approx((0.375, math.nan, 1), nan_ok=True)
    shares = measured(
        "pixel_accuracy", labels(), replace(labels(), streams={k: v[:0] for k, v in labels().streams.items()})
    )
    assert shares.sequences == pytest.approx((0.75, math.nan), nan_ok=True)


@pytest.mark.parametrize("name", metrics)
def test_without_frames_there_is_no_number(name):
    with pytest.raises(ValueError, match="frames: expected .*, got none"):
        created(name).result()


def test_a_side_without_frames_is_no_set():
    with pytest.raises(ValueError, match="translated and real frames, got none of one kind"):
        measured("fid", Chunk({"output": flat(0, 1)}, network=MEANS))


def test_a_kernel_distance_is_of_a_sample_of_each_side(monkeypatch):
    assert against_real.KEPT == 5000
    monkeypatch.setattr(against_real, "KEPT", 3)
    frames = flat(-1, -0.5, 0, 0.5, 1)
    found = measured("kid", *(Chunk({side: frames}, network=MEANS) for side in ("output", "real")))
    assert found.count == 3 and found.sequences == ()


def test_sharpness_has_no_ratio_to_frames_without_edges():
    chunk = Chunk({"output": edges(1, 0.5)})
    with pytest.raises(ValueError, match="real frames: expected frames with edges, got none"):
        measured("sharpness_ratio", chunk, Chunk({"real": edges(0, 0)}))
    assert measured("sharpness_ratio", chunk, Chunk({"real": edges(0.5)})).sequences == (1.5,)


ALL = Given({}, side=12, length=2)


@pytest.mark.parametrize("name", metrics)
def test_what_cannot_be_measured_says_why(name):
    metric = created(name)
    assert metric.why_not(ALL) == ""
    for need in metric.needs:
        assert metric.why_not(replace(ALL, missing={need: "why"})) == "why"
    others = dict.fromkeys({*STREAMS, *FACTS} - {*metric.needs}, "why")
    assert metric.why_not(replace(ALL, missing=others)) == ""
    small = metric.why_not(replace(ALL, side=metric.least - 1))
    assert small == f"frames are too small, below {metric.least}x{metric.least} pixels"
    assert metric.why_not(replace(ALL, side=metric.least)) == ""
    steps = metric.counted in ("steps", "pairs of frames")
    assert metric.why_not(replace(ALL, length=1)) == ("no sequence has two frames" if steps else "")


FACTS_OF = {
    "settled": ("higher", ("output", "truth", "swapped"), 1),
    "mean_iou": ("higher", ("output", "truth", "palette"), 1),
    "class_accuracy": ("higher", ("output", "truth", "palette"), 1),
    "pixel_accuracy": ("higher", ("output", "truth", "palette"), 1),
    "psnr": ("higher", ("output", "truth"), 1),
    "ssim": ("higher", ("output", "truth"), 11),
    "l1": ("lower", ("output", "truth"), 1),
    "warping_error": ("lower", ("output", "source", "motion"), 1),
    "warping_error_input": ("", ("source", "motion"), 1),
    "warping_error_truth": ("", ("truth", "source", "motion"), 1),
    "masked_share": ("", ("source", "motion"), 1),
    "tof": ("lower", ("output", "truth"), 12),
    "flicker": ("", ("output",), 1),
    "flicker_input": ("", ("source",), 1),
    "flicker_truth": ("", ("truth",), 1),
    "sharpness": ("", ("output",), 2),
    "sharpness_real": ("", ("real",), 2),
    "sharpness_ratio": ("near 1", ("output", "real"), 2),
    "fid": ("lower", ("output", "real", "features"), 1),
    "kid": ("lower", ("output", "real", "features"), 1),
    "vfd": ("lower", ("output", "real", "features"), 1),
    "cycle": ("lower", ("source", "back"), 1),
    "recycle": ("lower", ("source", "recycled"), 1),
    "prediction": ("lower", ("source", "predicted"), 1),
}
"""Which values are better, what is needed, and pixels of the least side."""


@pytest.mark.parametrize("name", metrics)
def test_what_a_metric_says_of_itself(name):
    metric = created(name)
    assert (metric.better, metric.needs, metric.least) == FACTS_OF[name]
    assert metric.digits == (2 if name == "psnr" else 3) and metric.limits == (
        (0.1, 0.9) if name == "settled" else None
    )
    assert metric.ends == ("source" if name in ("cycle", "recycle", "prediction") else "output")


def test_titles_tell_metrics_of_one_kind_apart():
    titles = {name: created(name).title for name in metrics}
    assert len(set(titles.values())) == len(titles) and all(titles.values())
    assert titles["flicker"] == "flicker" and titles["flicker_input"] == "flicker of the source"
    assert titles["warping_error_truth"] == "warping error of the truth"
    assert titles["sharpness_real"] == "sharpness of real frames"
    assert titles["pixel_accuracy"] == "pixel accuracy" and titles["recycle"] == "recycle error"


SHARPNESS = ["sharpness", "sharpness_real", "sharpness_ratio"]


@pytest.mark.parametrize(
    ("asked", "together"),
    [
        (["sharpness", "psnr"], ["psnr", *SHARPNESS]),
        (["flicker"], ["flicker", "flicker_input", "flicker_truth", *SHARPNESS]),
        (["flicker_truth", "sharpness_real"], ["flicker_truth", "sharpness_real"]),
        (
            ["warping_error"],
            ["warping_error", "warping_error_input", "warping_error_truth", "masked_share", *SHARPNESS],
        ),
        (["warping_error_input"], ["warping_error_input"]),
        (["tof"], ["tof", *SHARPNESS]),
        ([], []),
    ],
)
def test_what_would_mislead_alone_brings_what_stands_beside_it(asked, together):
    assert with_those_beside(asked) == together


@pytest.mark.parametrize(
    ("name", "goodness_of_3"),
    [
        *[("held_out/psnr/y", 3), ("mean_iou/x", 3), ("cycle/x", -3), ("held_out/sharpness_ratio/y", -2)],
        *[("loss", -3), ("flicker/y", -3), ("accuracy", 3), ("iou/x", 3), ("held_out/iou", 3)],
    ],
)
def test_greater_goodness_is_better(name, goodness_of_3):
    assert goodness(name, 3.0) == goodness_of_3
    assert goodness("sharpness_ratio/y", 0.5) == goodness("sharpness_ratio/y", 1.5) == -0.5


@pytest.fixture
def own():
    """Registers a metric for this test."""
    added = []

    def add(name, factory):
        metrics.add(name, factory, description="One's own.")
        added.append(name)

    yield add
    for name in added:
        metrics.remove(name)


class Mine(PerFrame):
    """One's own."""

    title, better = "mine", "lower"

    def measure(self, chunk):
        return chunk["output"].mean(dim=(1, 2, 3))


def test_a_metric_that_says_of_itself_what_cannot_be_is_refused(own):
    own("mine", Mine)
    assert isinstance(created("mine"), Metric)
    own("smaller", type("Smaller", (Mine,), {"better": "smaller"}))
    with pytest.raises(ValueError, match="better of the metric smaller: expected 'higher', 'lower', 'near 1', '', got"):
        created("smaller")
    own("needy", type("Needy", (Mine,), {"needs": ("output", "trth")}))
    with pytest.raises(ValueError, match="need of the metric needy: 'trth'. Did you mean 'truth'"):
        created("needy")
    with pytest.raises(ValueError, match="Unknown metric 'psrn'. Did you mean 'psnr'?"):
        created("psrn")


@pytest.mark.parametrize(("kind", "count"), [(PerFrame, 2), (PerStep, 1)])
def test_a_metric_gives_a_number_of_each_frame_or_step(kind, count):
    class Wrong(kind):
        title, better = "wrong", ""

        def measure(self, chunk):
            return torch.zeros(5)

    if kind is PerStep:
        Wrong().add(Chunk({"output": flat(0)}))  # no step, no number
    expected = rf"Wrong.measure: expected a number of each of the {Wrong.counted}, {count} of them, got shape \(5,\)"
    with pytest.raises(ValueError, match=expected):
        Wrong().add(Chunk({"output": flat(0, 0)}))
