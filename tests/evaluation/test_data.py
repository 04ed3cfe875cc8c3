"""The frames that a model is measured on: of a world, of one's own, how many, and at which size."""

from fractions import Fraction

import numpy as np
import pytest

from vtrans.data import FrameSource, open_source, worlds
from vtrans.data.sequences import ArraySequence
from vtrans.data.tensors import resize_frames
from vtrans.data.worlds.street.street import Street
from vtrans.evaluation import EvaluationData, world_data
from vtrans.evaluation.data import clips_source, stretches


def source(length, height=16, width=16):
    return open_source(np.zeros((length, 3, height, width), np.uint8))


def test_a_world_s_held_out_pairs_with_their_exact_motion():
    world = worlds.create("street", size=16, x="day", y="labels", seed=3)
    data, truth = world_data("town", world, clips=2, length=3), world.truth(2, 3)
    assert data.paired and data.size is None and data.length is None
    assert data.palettes == {"y": Street.palette} and data.swapped == {} and set(data.motion) == {"x", "y"}
    for domain, clips, motion in (("x", truth.x, truth.motion_x), ("y", truth.y, truth.motion_y)):
        found = data.of(domain)
        assert found.name == f"town/held_out/{domain}"
        assert [s.name for s in found.sequences] == [f"town/held_out/{domain}/{number}" for number in (0, 1)]
        assert len(data.motion[domain]) == 2
        for number, sequence in enumerate(data.sequences(domain)):
            assert sequence.rate == world.rate and sequence.continuous
            np.testing.assert_array_equal(sequence.read(0, 3), clips[number])
            np.testing.assert_array_equal(data.motion[domain][number].flow, motion.flow[number])
            np.testing.assert_array_equal(data.motion[domain][number].occluded, motion.occluded[number])


def test_a_world_of_two_kinds_has_clips_with_their_looks_exchanged():
    world = worlds.create("motion_keyed", size=16)
    data = world_data("keyed", world, clips=2, length=3)
    assert data.palettes == {} and set(data.swapped) == {"x", "y"}
    for domain, clips in zip("xy", world.swapped.pairs(2, 3), strict=True):
        assert data.swapped[domain].name == "keyed"
        for number, sequence in enumerate(data.swapped[domain].sequences):
            np.testing.assert_array_equal(sequence.read(0, 3), clips[number])


def test_a_world_gives_eight_clips_of_eight_frames_by_default():
    data = world_data("shapes", worlds.create("shapes", size=16))
    assert [sequence.length for sequence in data.sequences("x")] == [8] * 8


def test_clips_in_memory_have_no_rate_unless_it_is_known():
    clips = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1)
    made = clips_source("clips", clips, rate=Fraction(25))
    assert made.name == "clips" and [s.name for s in made.sequences] == ["clips/0", "clips/1"]
    assert [s.rate for s in made.sequences] == [25, 25] and made.sequences[1].read(0, 3).ravel().tolist() == [3, 4, 5]
    assert clips_source("clips", clips).sequences[0].rate is None


def test_a_domain_may_have_no_frames():
    x = source(2)
    data = EvaluationData(x=x)
    assert (data.of("x"), data.of("y")) == (x, None)
    assert (data.sequences("x"), data.sequences("y")) == (x.sequences, ())
    assert EvaluationData(y=x).of("y") is x
    with pytest.raises(ValueError, match="at least one domain, got none"):
        EvaluationData()


@pytest.mark.parametrize(("length", "count"), [(None, 4), (3, 3), (4, 4), (9, 4)])
def test_so_many_frames_of_each_sequence_are_used(length, count):
    x = open_source(np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1))
    data = EvaluationData(x=x, length=length)
    assert data.count(x.sequences[0]) == count
    assert [int(frame[0, 0, 0]) for frame in data.frames(x.sequences[0])] == list(range(count))


@pytest.mark.parametrize("discrete", [False, True])
def test_frames_are_resized_and_colours_of_classes_never_mixed(discrete):
    frames = np.random.default_rng(0).choice([0, 255], (2, 8, 12, 3)).astype(np.uint8)
    sequence = ArraySequence(frames)
    sequence.discrete = discrete
    data = EvaluationData(x=FrameSource([sequence], name="x"), size=(5, 6))
    assert data.size_of(sequence) == (5, 6) and EvaluationData(x=data.x).size_of(sequence) == (8, 12)
    found = np.stack(list(data.frames(sequence)))
    np.testing.assert_array_equal(found, resize_frames(frames, (5, 6), nearest=discrete))
    assert (set(np.unique(found)) == {0, 255}) == discrete


def test_pairs_have_to_fit():
    short = source(10, 32, 32)
    two = FrameSource([*source(11).sequences, *source(11).sequences], name="two")
    with pytest.raises(ValueError, match="as many sequences of X as of Y, got 2 in two, 1 in"):
        EvaluationData(x=two, y=short, paired=True)
    with pytest.raises(ValueError, match=r"one length, got 11 frames in .*, 10 frames in .* Use as many"):
        EvaluationData(x=source(11, 32, 32), y=short, paired=True)
    assert EvaluationData(x=source(11, 32, 32), y=short, paired=True, length=10).paired
    with pytest.raises(ValueError, match=r"size \(height x width\), got 32x32 in .*, 16x16 in .* Pass --data.size"):
        EvaluationData(x=short, y=source(10), paired=True)
    assert EvaluationData(x=short, y=source(10), paired=True, size=(16, 16)).paired
    with pytest.raises(ValueError, match=r"one shape \(height to width\), got 32x32 in array, 16x32 in"):
        EvaluationData(x=short, y=source(10, 16, 32), paired=True, size=(16, 16))
    for domain in ("x", "y"):
        with pytest.raises(ValueError, match=f"paired: expected frames of X and of Y, got those of {domain} alone"):
            EvaluationData(**{domain: short}, paired=True)
    assert not EvaluationData(x=two, y=short).paired


@pytest.mark.parametrize(
    ("length", "overlap", "expected"),
    [
        (2, 1, [("ab", 0), ("bcd", 1), ("de", 1)]),
        (2, 0, [("ab", 0), ("cd", 0), ("e", 0)]),
        (1, 2, [("a", 0), ("ab", 1), ("abc", 2), ("bcd", 2), ("cde", 2)]),
        (5, 1, [("abcde", 0)]),
    ],
)
def test_stretches_begin_with_the_last_items_of_those_before(length, overlap, expected):
    assert [("".join(items), start) for items, start in stretches("abcde", length, overlap)] == expected
