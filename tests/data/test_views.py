"""Parts of a source by time: what is trained on, what is held out, and what is left out between them."""

from fractions import Fraction

import numpy as np
import pytest
from helpers.media import encode, images, moving

from vtrans.data import ArraySequence, FrameSource, Part, grey, open_source, split, time_range
from vtrans.data.reading.videos import VideoSequence


def ramp(length, name="ramp", rate=None):
    return ArraySequence(np.arange(length, dtype=np.uint8).reshape(-1, 1, 1, 1), name=name, rate=rate)


def shown(source):
    return [int(frame.flat[0]) for sequence in source.sequences for frame in sequence.stream()]


@pytest.mark.parametrize(
    ("length", "rate", "gap"),
    [(40, None, 2), (200, Fraction(5), 5), (200, Fraction(30), 10), (19, None, 0)],
    ids=["a twentieth", "a second", "a twentieth of a second's worth", "none of a few frames"],
)
def test_a_gap_lies_between_the_parts(length, rate, gap):
    train, held_out = split(FrameSource([ramp(length, rate=rate)], name="one"), 0.25)
    border = length - round(0.25 * length)
    assert shown(train) == list(range(border - gap))
    assert shown(held_out) == list(range(border, length))


def test_sequences_of_their_own_need_no_gap():
    train, held_out = split(FrameSource([ramp(30, "a"), ramp(10, "b")], name="two"), 0.25)
    assert [s.name for s in train.sequences] == ["a"] and [s.name for s in held_out.sequences] == ["b"]


@pytest.mark.parametrize("view", [lambda source: source, grey], ids=["triplets", "grey triplets"])
def test_published_triplets_are_neighbours_in_time(tmp_path, view):
    wide = np.stack([np.full((8, 24, 3), position, np.uint8) for position in range(40)])
    source = view(open_source(images(tmp_path / "trainA", wide)))
    train, held_out = split(source, 0.25)
    assert (max(shown(train)), min(shown(held_out))) == (27, 30)  # 6 frames between: a twentieth of 120


@pytest.mark.parametrize(("bytes_at_once", "reads"), [(1 << 26, 2), (10 * 32 * 48 * 3, 9)])
def test_streaming_a_part_reads_many_frames_at_a_time(tmp_path, monkeypatch, bytes_at_once, reads):
    video = VideoSequence(encode(tmp_path / "v.mp4", moving(100)))
    part, expected = Part(video, 10, 100), list(video.stream())[10:]
    counted, decode = [], VideoSequence._decode
    monkeypatch.setattr(VideoSequence, "_decode", lambda *a: counted.append(1) or decode(*a))
    monkeypatch.setattr("vtrans.data.views._AT_ONCE", bytes_at_once)
    np.testing.assert_array_equal(np.stack(list(part.stream())), np.stack(expected))
    assert len(counted) == reads


def test_a_range_of_time_over_several_sequences():
    source = FrameSource([ramp(10, "a"), ramp(10, "b")], name="two")
    assert shown(time_range(source, 0.25, 0.75)) == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]
    assert time_range(source, 0.0, 1.0).sequences == source.sequences


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_shares_that_are_refused(share):
    with pytest.raises(ValueError, match="held_out: expected a share above 0 and below 1"):
        split(FrameSource([ramp(9)], name="one"), share)
    with pytest.raises(ValueError, match="expected 0 <= start < stop <= 1"):
        time_range(FrameSource([ramp(9)], name="one"), 0.5, share - 0.5)
