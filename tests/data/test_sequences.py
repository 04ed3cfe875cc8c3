"""Sequences and sources: which frames a read gives, what they say of themselves, what is refused."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vtrans.data import ArraySequence, FrameSource, Skipped
from vtrans.data.sequences import Origin


def ramp(length=6, **options):
    return ArraySequence(np.arange(length, dtype=np.uint8).reshape(length, 1, 1, 1), name="ramp", **options)


@pytest.mark.parametrize(
    ("start", "count", "stride", "positions"),
    [(0, 6, 1, [0, 1, 2, 3, 4, 5]), (2, 3, 1, [2, 3, 4]), (1, 3, 2, [1, 3, 5]), (5, 1, 9, [5]), (0, 2, 5, [0, 5])],
)
def test_a_read_gives_the_frames_asked_for(start, count, stride, positions):
    assert ramp().read(start, count, stride).ravel().tolist() == positions


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((5, 2), ValueError, "start: expected frames 0 to 5 of ramp, got frame 6."),
        ((1, 3, 3), ValueError, "start: expected frames 0 to 5 of ramp, got frame 7."),
        ((-1, 2), ValueError, "start: expected a whole number of at least 0, got -1."),
        ((0, 0), ValueError, "count: expected a whole number of at least 1, got 0."),
        ((0, 1, 0), ValueError, "stride: expected a whole number of at least 1, got 0."),
        ((1.0, 2), TypeError, "start: expected a whole number of at least 0, got 1.0."),
        ((0, True), TypeError, "count: expected a whole number of at least 1, got True."),
    ],
)
def test_reads_that_are_refused(arguments, error, message):
    with pytest.raises(error) as caught:
        ramp().read(*arguments)
    assert str(caught.value) == message


def test_frames_in_memory():
    frames = np.zeros((5, 4, 6, 2), np.uint8)
    sequence = ArraySequence(frames)
    assert (sequence.name, sequence.length) == ("array", 5)
    assert (sequence.height, sequence.width, sequence.channels) == (4, 6, 2)
    assert (sequence.rate, sequence.continuous, sequence.discrete, sequence.in_memory) == (None, False, False, True)
    assert sequence.origin is None
    frames[0] = 9  # they aren't copied, what is read is
    read = sequence.read(0, 1)
    assert read.max() == 9
    read[:] = 7
    assert frames.max() == 9
    assert [(int(frame.max()), at) for frame, at in sequence.timed()] == [(9, None), *[(0, None)] * 4]
    assert ramp(rate=Fraction(25), continuous=True).continuous
    assert repr(ramp(rate=Fraction(25))) == "ArraySequence('ramp', 1x1, 25 frames/s)"
    assert repr(sequence) == "ArraySequence('array', 4x6)"


@pytest.mark.parametrize("shape", [(0, 4, 6, 3), (5, 0, 6, 3), (5, 4, 6, 0)])
def test_no_frames_are_refused(shape):
    with pytest.raises(ValueError, match="frames: expected at least one frame and pixel, got shape"):
        ArraySequence(np.zeros(shape, np.uint8))


def test_an_origin_tells_each_step():
    first = Origin((Path("a"), Path("b")), ("grey",))
    assert first.then("edges") == Origin((Path("a"), Path("b")), ("grey", "edges")) and first.reading == ("grey",)


def test_a_source_of_several_sequences():
    skipped = [Skipped(Path(f"{name}.png"), f"it is {name}") for name in "abc"]
    source = FrameSource(iter([ramp(5), ramp(3)]), name="two", skipped=iter(skipped))
    assert (source.length, source.channels, source.name, len(source.sequences)) == (8, 1, "two", 2)
    assert repr(source) == "FrameSource('two', 2 sequences)"
    assert source.skipped_summary(most=2).splitlines() == [
        "two: skipped 3 files that can't be used.",
        "  a.png: it is a",
        "  b.png: it is b",
        "  and 1 more",
    ]
    assert source.skipped_summary(most=3).splitlines()[-1] == "  c.png: it is c"
    assert len(FrameSource([ramp()], name="one", skipped=skipped * 3).skipped_summary().splitlines()) == 1 + 5 + 1
    changed = source.map(lambda sequence: [sequence] * (sequence.length - 3))
    assert changed.sequences == (source.sequences[0],) * 2
    assert (changed.name, changed.skipped) == ("two", tuple(skipped))
