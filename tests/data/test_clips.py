"""Training clips: pure functions of the seed, the epoch and the index."""

import numpy as np
import pytest
import torch
from helpers.media import encode, images, levels, moving, places, ramp, window

from vtrans.data import ArraySequence, Clips, FrameSource, frames_to_tensor, open_source
from vtrans.data.reading.videos import VideoSequence
from vtrans.data.tensors import resize_frames
from vtrans.data.transforms import Jitter


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 1, 2], [1, 2, 3], [2, 3, 4], [100, 101, 102], [101, 102, 103]]),
        ({"length": 1, "every": 3}, [[0], [3], [100], [103]]),
        ({"length": 2, "stride": 3}, [[0, 3], [1, 4], [100, 103]]),
        ({"length": 5}, [[0, 1, 2, 3, 4]]),
        ({"every": 2}, [[0, 1, 2], [2, 3, 4], [100, 101, 102]]),
    ],
)
def test_an_epoch_visits_each_clip_once_and_none_crosses_a_sequence(options, expected):
    clips = Clips(ramp(5, 4), **options)
    assert len(clips) == len(expected)
    for epoch in (0, 1):
        assert sorted(levels(clips.clip(epoch, i)) for i in range(len(clips))) == expected


def test_epochs_differ_and_draws_do_not_depend_on_what_was_drawn_before():
    clips = Clips(ramp(40, side=12), crop=8, flip=True)
    orders = [[levels(clips.clip(epoch, i)) for i in range(len(clips))] for epoch in range(2)]
    assert orders[0] != orders[1]
    fresh = Clips(ramp(40, side=12), crop=8, flip=True)
    torch.testing.assert_close(fresh.clip(1, 7), clips.clip(1, 7), rtol=0, atol=0)
    assert [levels(Clips(ramp(40), seed=1).clip(0, i)) for i in range(38)] != orders[0]
    torch.testing.assert_close(clips[3], clips.clip(0, 3), rtol=0, atol=0)


def test_one_crop_and_flip_for_a_whole_clip_and_all_equally_often():
    source = places(5)
    picture = source.sequences[0].read(0, 1)
    clips = Clips(source, crop=(6, 8), flip=True)
    counts = np.zeros((7, 5, 2))
    for epoch, index in np.ndindex(700, 3):
        clip = clips.clip(epoch, index)
        top, left, mirrored = window(clip)
        counts[top, left, int(mirrored)] += 1
        if epoch < 20:
            assert clip.dtype == torch.float32
            assert clip.shape == clips.shape == (3, 3, 6, 8)
            torch.testing.assert_close(clip, clip[:1].expand_as(clip), rtol=0, atol=0)
            expected = frames_to_tensor(picture[:, top : top + 6, left : left + 8])
            torch.testing.assert_close(clip[:1].flip(-1) if mirrored else clip[:1], expected, rtol=0, atol=0)
    assert ((counts - 30) ** 2 / 30).sum() < 118.7  # chi squared of 69 degrees, 99.99 %


def test_without_a_crop_and_a_flip_nothing_is_drawn():
    clips = Clips(places())
    for epoch in range(9):
        torch.testing.assert_close(clips.clip(epoch, 0), frames_to_tensor(clips.source.sequences[0].read(0, 3)))


@pytest.mark.parametrize("size", [None, 24, (20, 30)])
def test_memory_disk_and_decoding_on_demand_give_the_same_numbers(tmp_path, size):
    source = open_source(encode(tmp_path / "v.mp4", moving(40), options={"g": "8", "crf": "10"}))
    memory, disk, no = (
        Clips(source, stride=2, size=size, crop=16, flip=True, cuts=False, memory=m, cache=c)
        for m, c in ((1 << 20, True), (0, True), (0, False))
    )
    assert (memory.kept, disk.kept, no.kept) == ("memory", "disk", "no")
    for index in range(0, len(memory), 7):
        torch.testing.assert_close(disk.clip(2, index), memory.clip(2, index), rtol=0, atol=0)
        torch.testing.assert_close(no.clip(2, index), memory.clip(2, index), rtol=0, atol=0)


def test_what_frames_on_disk_may_take(tmp_path):
    source = open_source(encode(tmp_path / "v.mp4", moving(12)))
    with pytest.warns(UserWarning, match="the cache in .* may take 0.0 MB"):
        Clips(source, memory=0, cache_bytes=1000).prepare()


def test_clips_of_a_real_video_are_its_frames(real_clips):
    source = open_source(real_clips["carphone_pristine"])
    frames = np.stack(list(source.sequences[0].stream()))
    clips = Clips(source, size=64, memory=0)
    wanted = frames_to_tensor(resize_frames(frames, (64, 64)))
    order = np.random.default_rng([1, 0, 0, 0, 0]).permutation(len(clips))
    for index in (0, 50, 117):
        start = order[index]
        torch.testing.assert_close(clips.clip(0, index), wanted[start : start + 3], rtol=0, atol=0)


def test_short_sequences_are_passed_over_and_sizes_may_differ_when_loaded_alike(tmp_path):
    images(tmp_path / "a", moving(5, 16, 16))
    images(tmp_path / "b", moving(2, 20, 24))
    source = open_source(tmp_path)
    assert len(Clips(source, size=16)) == 3
    assert Clips(source, length=1, crop=16).clip(0, 6).shape == (1, 3, 16, 16)
    with pytest.raises(
        ValueError,
        match=r"source: expected frames of one size \(height x width\), got a of 16x16, b of 20x24. Pass size=",
    ):
        Clips(source)


def scenes(*lengths):
    """A sequence of scenes, plain but for a step from frame to frame: 0, 1, …, then 100, 101, …"""
    return FrameSource([ArraySequence(np.concatenate([s._frames for s in ramp(*lengths).sequences]))], name="film")


def test_a_clip_never_crosses_a_scene_cut():
    film = scenes(5, 3, 4)
    clips = Clips(film, length=4)
    assert [sequence.length for sequence in clips.source.sequences] == [5, 3, 4]
    drawn = sorted(levels(clips.clip(0, i)) for i in range(len(clips)))
    assert drawn == [[0, 1, 2, 3], [1, 2, 3, 4], [200, 201, 202, 203]]
    assert sorted(levels(clip) for clip in Clips(scenes(3, 2), length=2)) == [[0, 1], [1, 2], [100, 101]]
    assert len(Clips(film, length=4, cuts=False)) == 9
    # Single frames need no search.
    assert len(Clips(film, length=1).source.sequences) == 1
    with pytest.raises(ValueError, match="got 5 in the longest shot, .* add frames, or pass cuts=False."):
        Clips(film, length=6)


def test_shots_of_a_real_video_share_one_decoding(real_clips, monkeypatch):
    clips = Clips(open_source(real_clips["bikes"]), size=32)
    assert [sequence.start for sequence in clips.source.sequences] == [0, 30, 76, 137, 187, 242]
    passes = []
    stream = VideoSequence.stream
    monkeypatch.setattr(VideoSequence, "stream", lambda self: passes.append(self) or stream(self))
    for index in range(len(clips)):
        clips.clip(0, index)
    assert len(passes) == 1


def test_colours_change_after_the_crop_and_the_flip_were_drawn():
    jitter = Jitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)
    source = FrameSource([ArraySequence(moving(9), name="moving")], name="moving")
    options = {"crop": 16, "flip": True, "cuts": False}
    plain, jittered, again = (Clips(source, jitter=j, **options) for j in (None, jitter, jitter))
    seen = set()
    for index in range(len(plain)):
        random = np.random.default_rng([2, 0, 0, 0, 1, index])
        random.integers(17), random.integers(33), random.random()
        colouring = jitter.draw(random)
        seen.add(colouring)
        expected = jitter.apply(plain.clip(1, index), colouring)
        torch.testing.assert_close(jittered.clip(1, index), expected, rtol=0, atol=0)
        torch.testing.assert_close(again.clip(1, index), expected, rtol=0, atol=0)
    assert len(seen) == len(plain)


def test_colours_that_may_not_change():
    labels = ArraySequence(np.zeros((5, 8, 8, 3), np.uint8), name="labels")
    labels.discrete = True
    message = "jitter: expected None for film, got a Jitter. The colours of its frames stand for classes."
    with pytest.raises(ValueError, match=message):
        Clips(FrameSource([labels], name="film"), jitter=Jitter(hue=0.1))
    with pytest.raises(TypeError, match="jitter: expected None or a Jitter, got float"):
        Clips(ramp(5), jitter=0.1)
    grey = FrameSource([ArraySequence(np.zeros((5, 8, 8, 1), np.uint8), name="grey")], name="grey")
    with pytest.raises(ValueError, match="saturation: expected no change"):
        Clips(grey, jitter=Jitter(saturation=0.1))
    assert Clips(grey, jitter=Jitter(brightness=0.1)).clip(0, 0).shape == (3, 1, 8, 8)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"length": 0}, ValueError, "length: expected a whole number of at least 1, got 0"),
        ({"length": 2.5}, TypeError, "length: expected a whole number of at least 1, got 2.5"),
        ({"length": True}, TypeError, "length: expected a whole number"),
        ({"stride": 0}, ValueError, "stride: expected"),
        ({"every": -1}, ValueError, "every: expected"),
        ({"seed": -1}, ValueError, "seed: expected a whole number of at least 0"),
        ({"memory": -1}, ValueError, "memory: expected"),
        ({"size": 0}, ValueError, "size: expected"),
        ({"size": "256"}, TypeError, r"size: expected None, one side of a square, or \(height, width\), got '256'"),
        ({"size": (1, 2, 3)}, TypeError, "size: expected None"),
        (
            {"crop": 9},
            ValueError,
            r"crop: expected at most the 8x8 pixels \(height x width\) that frames of s0 are loaded at, got 9x9",
        ),
        ({"crop": (4, 7), "size": 6}, ValueError, "crop: expected at most the 6x6"),
        ({"crop": (7, 4), "size": 6}, ValueError, "crop: expected at most the 6x6 .* got 7x4"),
        ({"crop": 0}, ValueError, "crop: expected a whole number of at least 1, got 0"),
        ({"flip": 1}, TypeError, "flip: expected True or False, got 1"),
        ({"cuts": 1}, TypeError, "cuts: expected True or False, got 1"),
        ({"cache": "no"}, TypeError, "cache: expected True or False, got 'no'"),
        ({"cache_bytes": -1}, ValueError, "cache_bytes: expected a whole number of at least 0, got -1"),
        (
            {"length": 4, "stride": 2},
            ValueError,
            "source: expected a sequence of at least 7 frames, got 5 in the longest, s0 of ramp. "
            "A clip of length 4 and stride 2 spans 7 frames. Lower length or stride, or add frames.",
        ),
    ],
)
def test_options_that_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        Clips(ramp(5, 4), **options)


def test_other_refusals():
    clips = Clips(ramp(5))
    with pytest.raises(TypeError, match="source: expected a FrameSource, got ndarray. Open it with"):
        Clips(np.zeros(3))
    with pytest.raises(ValueError, match="index: expected 0 to 2, got 3"):
        clips.clip(0, 3)
    with pytest.raises(ValueError, match="index: expected a whole number of at least 0, got -1"):
        clips.clip(0, -1)
    with pytest.raises(ValueError, match="epoch: expected a whole number of at least 0"):
        clips.clip(-1, 0)
    with pytest.raises(IndexError):
        clips[3]
