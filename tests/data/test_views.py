"""Parts of a source by time: what is trained on, what is held out, and what is left out between them."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.media import images

from vtrans.data import ArraySequence, FrameSource, Part, grey, open_source, split, time_range
from vtrans.data.sequences import Origin
from vtrans.data.views import Changed, unchanged


def ramp(length, name="ramp", rate=None):
    return ArraySequence(np.arange(length, dtype=np.uint8).reshape(-1, 1, 1, 1), name=name, rate=rate)


def shown(source):
    return [int(frame.flat[0]) for sequence in source.sequences for frame in sequence.stream()]


@pytest.mark.parametrize(
    ("length", "rate", "gap"),
    [
        (40, None, 2),
        (200, Fraction(30), 10),
        (200, Fraction(5), 5),
        (240, Fraction(10_800, 1001), 11),
        (240, None, 12),
        (255, None, 12),
        (19, None, 0),
    ],
    ids=["a twentieth", "of 200", "a second", "of 10.8 frames", "of 240", "of 255", "none of a few frames"],
)
def test_a_gap_lies_between_the_parts(length, rate, gap):
    train, held_out = split(FrameSource([ramp(length, rate=rate)], name="one"), 0.25)
    border = length - round(0.25 * length)
    assert shown(train) == list(range(border - gap))
    assert shown(held_out) == list(range(border, length))


def test_sequences_of_their_own_need_no_gap():
    train, held_out = split(FrameSource([ramp(30, "a"), ramp(10, "b")], name="two"), 0.25)
    assert [s.name for s in train.sequences] == ["a"] and [s.name for s in held_out.sequences] == ["b"]


@pytest.mark.parametrize(
    "view",
    [
        lambda source: source,
        grey,
        lambda source: source.map(lambda triplet: [Part(triplet, 0, 2), Part(triplet, 2, 3)]),
    ],
    ids=["triplets", "grey triplets", "parts of triplets"],
)
def test_published_triplets_are_neighbours_in_time(tmp_path, view):
    wide = np.stack([np.full((8, 24, 3), position, np.uint8) for position in range(40)])
    source = view(open_source(images(tmp_path / "trainA", wide)))
    train, held_out = split(source, 0.25)
    assert (max(shown(train)), min(shown(held_out))) == (27, 30)  # 6 frames between: a twentieth of 120


def test_a_second_is_25_frames_where_nothing_says_how_many():
    source = FrameSource([ArraySequence(np.zeros((1000, 1, 1, 1), np.uint8))], name="long")
    train, held_out = split(source, 0.5)
    assert (train.length, held_out.length) == (475, 500)


@pytest.mark.parametrize(("gap", "train"), [(0, 30), (7, 23), (29, 1)])
def test_a_gap_of_ones_own(gap, train):
    parts = split(FrameSource([ramp(40)], name="one"), 0.25, gap=gap)
    assert [shown(part) for part in parts] == [list(range(train)), list(range(30, 40))]


@pytest.mark.parametrize(("share", "held_out"), [(0.001, 1), (0.25, 4), (0.29, 4), (0.31, 5)])
def test_the_share_is_rounded_to_frames_and_at_least_one(share, held_out):
    train, test = split(FrameSource([ramp(15)], name="one"), share, gap=0)
    assert (train.length, test.length) == (15 - held_out, held_out)


@pytest.mark.parametrize(("share", "gap"), [(0.25, 30), (0.999, 0)])
def test_a_part_for_training_has_a_frame(share, gap):
    message = "source: expected enough frames for two parts, got 40 in one. Lower held_out or gap, or add frames."
    with pytest.raises(ValueError, match=message):
        split(FrameSource([ramp(40)], name="one"), share, gap=gap)
    with pytest.raises(ValueError, match="gap: expected a whole number of at least 0, got -1"):
        split(FrameSource([ramp(40)], name="one"), 0.25, gap=-1)


class Told(ArraySequence):
    """A ramp of frames that tells which are read, and everything that a view of it hands on."""

    in_memory = False
    discrete = True

    def __init__(self, length):
        super().__init__(ramp(length)._frames, name="told", rate=Fraction(12), continuous=True)
        self.origin = Origin((Path("told.mp4"),), ("first step",))
        self.reads = []

    def _read(self, positions):
        self.reads.append(len(positions))
        return super()._read(positions)

    def stream(self):
        self.reads.append("stream")
        yield from self._frames

    def timed(self):
        for position, frame in enumerate(self._frames):
            yield frame, Fraction(position, 3)


def test_a_part_is_the_same_frames_of_its_whole():
    told = Told(100)
    part = Part(Part(told, 10, 90), 5, 20)
    assert (part.whole, part.start, part.length, part.name) == (told, 15, 15, "told[15:30]")
    assert [int(frame.flat[0]) for frame in part.read(2, 3, stride=4)] == [17, 21, 25]
    assert (part.height, part.width, part.channels) == (1, 1, 1)
    assert (part.rate, part.continuous, part.discrete, part.in_memory) == (Fraction(12), True, True, False)
    assert part.origin == Origin((Path("told.mp4"),), ("first step", "frames 15 to 30"))
    assert Part(ramp(9), 0, 9).origin is None and Part(ramp(9), 0, 9).in_memory


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 3), (4, 3), (0, 10), (9, 10)])
def test_parts_that_are_not_there(start, stop):
    message = "start and stop: expected start before stop, from 0 to 9, the frames of ramp, got"
    with pytest.raises(ValueError, match=f"{message} {start} and {stop}."):
        Part(ramp(9), start, stop)


@pytest.mark.parametrize(
    ("start", "at_once", "reads"),
    [(10, 1 << 26, [64, 64, 62]), (10, 50, [50, 50, 50, 40]), (197, 0, [1, 1, 1]), (0, 50, ["stream"])],
)
def test_streaming_a_part_reads_many_frames_at_a_time(monkeypatch, start, at_once, reads):
    """Each read of a video begins at the key frame before, which takes time, and many frames take memory."""
    told = Told(200)
    monkeypatch.setattr("vtrans.data.views._AT_ONCE", at_once)
    assert [int(frame.flat[0]) for frame in Part(told, start, 200).stream()] == list(range(start, 200))
    assert told.reads == reads


def test_a_view_changes_each_frame_and_nothing_else():
    told = Told(5)
    view = Changed(told, lambda frames: np.repeat(200 - frames, 2, axis=-1), reading="turned round", channels=2)
    assert view.read(1, 2, stride=3).tolist() == [[[[199, 199]]], [[[196, 196]]]]
    assert [(frame.tolist(), at) for frame, at in view.timed()][3] == ([[[197, 197]]], 1)
    assert [int(frame.flat[0]) for frame in view.stream()] == [200, 199, 198, 197, 196]
    assert (view.seen, view.name, view.length, view.rate) == (told, "told", 5, Fraction(12))
    assert (view.height, view.width, view.channels, view.continuous, view.discrete) == (1, 1, 2, True, False)
    assert view.origin == Origin((Path("told.mp4"),), ("first step", "turned round"))
    assert Changed(ramp(5), np.copy, reading="none", channels=1, discrete=True).discrete
    assert Changed(ramp(5), np.copy, reading="none", channels=1).origin is None
    assert unchanged(Changed(view, np.copy, reading="again", channels=2)) is told and unchanged(told) is told


def test_a_range_of_time_over_several_sequences():
    source = FrameSource([ramp(10, "a"), ramp(10, "b")], name="two")
    assert shown(time_range(source, 0.25, 0.75)) == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]
    assert time_range(source, 0.0, 1.0).sequences == source.sequences
    assert shown(time_range(source, 0.48, 0.53)) == [0]  # between frames 9.6 and 10.6
    assert time_range(source, 0.5, 1.0).sequences == source.sequences[1:]
    with pytest.raises(ValueError, match="sequences: expected at least one sequence, got none in two"):
        time_range(source, 0.5, 0.51)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_shares_that_are_refused(share):
    with pytest.raises(ValueError, match="held_out: expected a share above 0 and below 1"):
        split(FrameSource([ramp(9)], name="one"), share)
    with pytest.raises(ValueError, match="expected 0 <= start < stop <= 1"):
        time_range(FrameSource([ramp(9)], name="one"), 0.5, share - 0.5)
    for start, stop in ((-0.1, 0.5), (0.5, 1.1), (0.5, 0.5)):
        with pytest.raises(ValueError, match=f"expected 0 <= start < stop <= 1, got {start} and {stop}."):
            time_range(FrameSource([ramp(9)], name="one"), start, stop)
