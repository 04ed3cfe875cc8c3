"""What a model makes of frames, as streams: with networks whose output is known."""

import numpy as np
import pytest
import torch
from torch import nn

import vtrans
from vtrans.data import FrameSource, Motion, frames_to_tensor, tensor_to_frames
from vtrans.data.palettes import Palette
from vtrans.data.sequences import ArraySequence
from vtrans.evaluation import EvaluationData, Features, streams
from vtrans.evaluation.streams import batch_of, given, real_frames, translated
from vtrans.networks.predictors.base import Predictor

PREDICTED = ("back", "recycled", "predicted")


class Times(nn.Module):
    """Multiplies frames by a number; notes the shapes that it is given."""

    def __init__(self, factor=1.0, multiple=1, minimum=1):
        super().__init__()
        self.factor, self.multiple, self.minimum, self.seen = nn.Parameter(torch.tensor(factor)), multiple, minimum, []

    def forward(self, frames):
        self.seen.append(tuple(frames.shape))
        return frames * self.factor


class Before(Predictor):
    """Predicts that each frame is the one before it."""

    def __init__(self):
        super().__init__(channels=3, context=None)

    def _predict(self, clip):
        return clip


def model_of(there=-1.0, back=-1.0, predictor=("linear", {}), **networks):
    """G_Y and G_X multiply; the predictors are those named, or given."""
    made = vtrans.build(
        "recycle_gan",
        generator=("resnet", {"blocks": 1, "width": 4}),
        discriminator=("n_layers", {"layers": 1, "width": 4}),
        predictor=predictor,
    )
    made.networks.update({"G_Y": Times(there), "G_X": Times(back), **networks})
    return made


def clip(seed, length=11, height=16, width=16):
    return np.random.default_rng(seed).integers(64, 192, (length, height, width, 3), np.uint8)


def source(*clips, name="clips"):
    return FrameSource([ArraySequence(frames, name=f"{name}/{i}") for i, frames in enumerate(clips)], name=name)


def numbered(steps, side=16):
    """A motion whose every step is told by its number."""
    numbers = np.arange(steps).reshape(-1, 1, 1)
    return Motion(
        np.ones((steps, 2, side, side), np.float32) * numbers[:, None], np.ones((steps, side, side)) * numbers > 1
    )


XS, YS, OTHERS = ([clip(3 * i + j, length) for i, length in enumerate((11, 1, 3))] for j in range(3))


def data_of(**options):
    options = {"x": source(*XS), "y": source(*YS), "paired": True, **options}
    return EvaluationData(**options)


def joined(chunks):
    """The frames of each sequence, by stream, after a look at how chunks follow each other."""
    sequences = []
    for chunk in chunks:
        if chunk.fresh:
            assert chunk.fresh == 1
            for name, frames in sequences[-1].items():
                torch.testing.assert_close(chunk[name][:1], frames[-1:], equal_nan=True)
                sequences[-1][name] = torch.cat([frames, chunk[name][1:]])
        else:
            sequences.append(dict(chunk.streams))
    return sequences


@pytest.mark.parametrize(("most", "length"), [(1, 4), (2, 11), (8, 11), (99, 11)])
def test_streams_are_of_the_same_times_however_many_frames_come_at_once(monkeypatch, most, length):
    """One predictor reads a single frame and the other two: both look back beyond the chunk."""
    monkeypatch.setattr(streams, "MOST", most)
    model = model_of(there=-1.0, back=-0.5, predictor={"x": ("last_frame", {}), "y": ("linear", {})})
    chunks = list(translated(model, data_of(length=length), "y", PREDICTED))
    assert all(len(chunk.new) <= most for chunk in chunks)
    for made, *clips in zip(joined(chunks), XS, YS, strict=True):
        x, y = (frames_to_tensor(frames[:length]) for frames in clips)
        assert set(made) == {"source", "output", "truth", *PREDICTED}
        expected = {"source": x, "truth": y, "output": -x, "back": x / 2}
        for name, frames in expected.items():
            torch.testing.assert_close(made[name], frames)
        assert made["predicted"][:1].isnan().all() and made["recycled"][:2].isnan().all()
        torch.testing.assert_close(made["predicted"][1:], x[:-1])
        torch.testing.assert_close(made["recycled"][2:], (2 * x[1:-1] - x[:-2]).clamp(-1, 1) / 2)


@pytest.mark.parametrize(("to", "sign"), [("y", -1.0), ("x", 0.5)])
def test_only_what_is_needed_is_made_in_the_direction_asked_for(to, sign):
    model = model_of(there=-1.0, back=0.5)
    (made, *_) = joined(translated(model, data_of(paired=False), to, ()))
    start = frames_to_tensor((XS if to == "y" else YS)[0])
    assert set(made) == {"source", "output"} and torch.equal(made["source"], start)
    torch.testing.assert_close(made["output"], frames_to_tensor(tensor_to_frames(sign * start)))
    assert not (model.networks["G_X"] if to == "y" else model.networks["G_Y"]).seen
    data = data_of(swapped={to: source(*OTHERS)})
    (made, *_) = joined(translated(model, data, to, ("swapped", "back")))
    assert torch.equal(made["truth"], frames_to_tensor((YS if to == "y" else XS)[0]))
    assert torch.equal(made["swapped"], frames_to_tensor(OTHERS[0]))
    torch.testing.assert_close(made["back"], -start / 2)


def test_translations_are_rounded_to_eight_bits_as_they_are_stored():
    x = frames_to_tensor(XS[0])
    model = model_of(there=0.3, back=1.0)
    for rounded in (True, False):
        (made, *_) = joined(translated(model, data_of(), "y", ("back",), rounded=rounded))
        exact = torch.tensor(0.3) * x
        expected = frames_to_tensor(tensor_to_frames(exact)) if rounded else exact
        torch.testing.assert_close(made["output"], expected)
        torch.testing.assert_close(made["back"], exact)  # what goes back is what was computed
    (made, *_) = joined(translated(model, data_of(), "y", ()))
    assert torch.equal(made["output"], frames_to_tensor(tensor_to_frames(exact)))


def test_chunks_know_the_motion_of_their_own_steps_the_palette_and_the_network(monkeypatch):
    monkeypatch.setattr(streams, "MOST", 4)
    motion = {"x": [numbered(10), numbered(0), numbered(2)]}
    palette, features = (
        Palette(["dark", "light"], [(0, 0, 0), (255, 255, 255)]),
        Features(nn.Identity(), "f", size=None),
    )
    data = data_of(motion=motion, palettes={"y": palette})
    chunks = list(translated(model_of(), data, "y", (), features=features))
    assert [len(chunk) for chunk in chunks] == [4, 5, 4, 1, 3]
    steps = [chunk.exact.flow[:, 0, 0, 0].tolist() for chunk in chunks]
    assert steps == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9], [], [0, 1]]
    assert [chunk.exact.occluded[:, 0, 0].tolist() for chunk in chunks[:2]] == [[False, False, True], [True] * 4]
    assert all(chunk.palette is palette and chunk.network is features for chunk in chunks)
    other = list(translated(model_of(), data, "x", ()))
    assert all(chunk.exact is None and chunk.palette is None and chunk.network is None for chunk in other)


@pytest.mark.parametrize(("length", "at_a_time"), [(1, 3), (3, 3), (5, 5)])
def test_a_predictor_of_the_whole_past_looks_back_on_clips_as_long_as_in_training(monkeypatch, length, at_a_time):
    monkeypatch.setattr(streams, "CPU_PIXELS", 2 * 16 * 16)
    there = Times(-1.0)
    model = model_of(P_X=Before(), G_Y=there)
    model.clip_length = length
    chunks = list(translated(model, data_of(), "y", ("predicted", "recycled")))
    assert [len(chunk.new) for chunk in chunks][:2] == [at_a_time] * 2
    for made, x in zip(joined(chunks), map(frames_to_tensor, XS), strict=True):
        first = torch.arange(len(x)) % at_a_time == 0
        assert made["predicted"][first].isnan().all()
        torch.testing.assert_close(made["predicted"][~first], x.roll(1, 0)[~first])
        # the other predictor, of two frames, looks back across those clips
        torch.testing.assert_close(made["recycled"][2:], (2 * x[1:-1] - x[:-2]).clamp(-1, 1))
    there.seen.clear()
    alone = list(translated(model, data_of(), "y", ("predicted",)))
    assert [len(chunk.new) for chunk in alone][:2] == [at_a_time] * 2
    assert max(shape[0] for shape in there.seen) == 2  # that many frames are translated at once
    assert [len(chunk.new) for chunk in translated(model, data_of(), "y", ("back",))][:2] == [2, 2]


def test_frames_of_a_size_that_networks_do_not_take_are_padded_and_cropped_back():
    """Reflected at each side to 12 rows, the least multiple of 4 and 6, and 24 columns, the least from 14 up."""
    there, back = Times(-1.0, multiple=4), Times(-1.0, multiple=6, minimum=14)
    model = model_of(predictor=("last_frame", {}), G_Y=there, G_X=back)
    model.networks["D_X"].minimum = 100  # it does not see these frames
    x = clip(5, length=3, height=11, width=13)
    (made,) = joined(translated(model, EvaluationData(x=source(x)), "y", ("recycled", "predicted")))
    assert made["recycled"].shape == (3, 3, 11, 13)
    for name in ("recycled", "predicted"):
        torch.testing.assert_close(made[name][1:], frames_to_tensor(x)[:-1])
    assert {shape[-2:] for shape in back.seen} == {(24, 24)}
    padded, top, left = streams._padded(model, x)
    assert (top, left) == (6, 5) and np.array_equal(padded, np.pad(x, ((0, 0), (6, 7), (5, 6), (0, 0)), mode="reflect"))


def test_real_frames_stream_by_on_their_own(monkeypatch):
    monkeypatch.setattr(streams, "MOST", 4)
    features = Features(nn.Identity(), "f", size=None)
    chunks = list(real_frames(data_of(), "y", torch.device("cpu"), features))
    assert [(len(chunk), chunk.fresh) for chunk in chunks] == [(4, 0), (5, 1), (4, 1), (1, 0), (3, 0)]
    assert all(set(chunk.streams) == {"real"} and chunk.network is features for chunk in chunks)
    for made, y in zip(joined(chunks), YS, strict=True):
        assert torch.equal(made["real"], frames_to_tensor(y))
    assert next(iter(real_frames(data_of(), "x", torch.device("cpu")))).network is None


def test_frames_are_streamed_at_the_size_and_length_of_the_data():
    data = data_of(size=(8, 12), length=2)
    for chunks in (translated(model_of(), data, "y", ()), real_frames(data, "y", torch.device("cpu"))):
        shapes = [tuple(next(iter(chunk.streams.values())).shape) for chunk in chunks]
        assert shapes == [(2, 3, 8, 12), (1, 3, 8, 12), (2, 3, 8, 12)]


@pytest.mark.parametrize(
    ("device", "height", "width", "frames"),
    [
        *[("cpu", 256, 256, 4), ("cpu", 512, 256, 2), ("cpu", 256, 513, 1), ("cpu", 2048, 2048, 1), ("cpu", 16, 16, 8)],
        *[("cuda", 16, 16, 8), ("cuda", 2048, 2048, 8)],
    ],
)
def test_frames_at_a_time(device, height, width, frames):
    assert batch_of(torch.device(device), height, width) == frames


def test_all_that_is_missing_says_why():
    data = EvaluationData(x=source(clip(0, 2, 11, 16), clip(0, 1, 12, 9)))
    model = model_of(predictor={"x": ("last_frame", {}), "y": ("linear", {})})
    found = given(model, data, "y", None)
    assert (found.side, found.length) == (9, 2)
    assert found.missing == {
        "truth": "the true translation is not known (paired says that frames are pairs)",
        "palette": "frames of Y have no palette (palette names one)",
        "swapped": "its world has no two kinds that could be exchanged",
        "real": "there are no real frames of Y",
        "features": "there is no feature network (features names one)",
        "motion": "frames are too small to estimate flow, below 12x12 pixels",
        "recycled": "no sequence has more than the 2 frames that P_Y reads",
    }


def test_what_is_there_is_not_missing():
    palette, features = (
        Palette(["dark", "light"], [(0, 0, 0), (255, 255, 255)]),
        Features(nn.Identity(), "f", size=None),
    )
    for to, start in (("y", "x"), ("x", "y")):
        data = data_of(palettes={to: palette}, swapped={to: source(*OTHERS)}, size=(11, 12), motion={start: []})
        assert given(model_of(), data, to, features).missing == {}
        assert {*given(model_of(), data, start, features).missing} == {"palette", "swapped", "motion"}
    found = given(model_of(), data_of(size=(12, 40)), "y", features)
    assert "motion" not in found.missing and (found.side, found.length) == (12, 11)
    assert given(model_of(), data_of(length=2), "y", features).length == 2


@pytest.mark.parametrize(
    ("predictor", "frames", "missing"),
    [
        *[("linear", 2, {"recycled": "P_Y", "predicted": "P_X"}), ("linear", 3, {})],
        *[("last_frame", 1, {"recycled": "P_Y", "predicted": "P_X"}), ("last_frame", 2, {})],
        *[("conv_gru", 1, {"recycled": "P_Y", "predicted": "P_X"}), ("conv_gru", 2, {})],
    ],
)
def test_a_predictor_needs_more_frames_than_it_reads(predictor, frames, missing):
    model = model_of(predictor=(predictor, {"width": 4} if predictor == "conv_gru" else {}))
    found = given(model, data_of(length=frames), "y", None).missing
    reads = {"linear": 2}.get(predictor, 1)
    for stream in ("recycled", "predicted"):
        expected = f"no sequence has more than the {reads} frames that {missing.get(stream)} reads"
        assert found.get(stream) == (expected if stream in missing else None)


def test_a_model_without_predictors_says_so():
    gan = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
    for to, missing in (("y", {"recycled": "P_Y", "predicted": "P_X"}), ("x", {"recycled": "P_X", "predicted": "P_Y"})):
        found = given(gan, data_of(), to, None).missing
        assert {stream: found[stream] for stream in missing} == {s: f"the model has no {p}" for s, p in missing.items()}
    one = given(gan, data_of(length=1), "y", None).missing
    assert one["recycled"] == "the model has no P_Y"
