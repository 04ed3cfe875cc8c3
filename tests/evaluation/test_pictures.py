"""Pictures and videos that set clips side by side."""

import numpy as np
import pytest
from PIL import Image

from vtrans.evaluation.pictures import enlarged, side_by_side, write_strip

GAP = 2


def numbered(length=5, height=16, width=24, channels=3, first=0):
    """A clip whose frame t is of the level 10 (first + t) all over, and whose left upper pixel is black."""
    levels = (10 * (first + np.arange(length))).astype(np.uint8).reshape(-1, 1, 1, 1)
    frames = np.broadcast_to(levels, (length, height, width, channels)).copy()
    frames[:, 0, 0] = 0
    return frames


def is_written(area):
    """Whether there is dark text on white paper."""
    return area.min() < 100 and area.max() == 255


def test_a_strip_has_a_row_for_each_clip_and_a_column_for_each_time(tmp_path):
    clips = {"x": numbered(first=1), "a longer label": numbered(first=11)}
    write_strip(clips, tmp_path / "strip.png", columns=3, side=40)
    with Image.open(tmp_path / "strip.png") as image:
        assert image.mode == "RGB"
        picture = np.asarray(image)
    height, width = 32, 48  # twice their size, the greatest whole factor
    assert picture.shape[0] == 2 * (height + GAP)
    labels = picture.shape[1] - 3 * (width + GAP)
    for row, clip in enumerate(clips.values()):
        top = row * (height + GAP)
        for column, time in enumerate((0, 2, 4)):
            left = labels + column * (width + GAP)
            shown = picture[top : top + height, left : left + width]
            np.testing.assert_array_equal(shown, enlarged(clip, 40)[time])
            assert (picture[top : top + height, left + width : left + width + GAP] == 255).all()
        assert (picture[top + height : top + height + GAP] == 255).all()
        assert is_written(picture[top + 6 : top + height - 6, 4 : labels - 4])
        for margin in (picture[top : top + height, :3], picture[top : top + height, labels - 3 : labels]):
            assert (margin == 255).all()
        assert (picture[top : top + 6, :labels] == 255).all()


def test_a_strip_is_as_wide_as_its_longest_label_and_at_most_eight_frames(tmp_path):
    sizes = {}
    for label in ("x", "a longer label"):
        write_strip({label: numbered(20), "": numbered(20)}, tmp_path / "strip.png")
        with Image.open(tmp_path / "strip.png") as picture:
            sizes[label] = picture.size
            pixels = np.asarray(picture)
    assert sizes["x"][1] == sizes["a longer label"][1] == 2 * (128 + GAP)  # side 128, frames eight times enlarged
    assert 8 * (192 + GAP) < sizes["x"][0] < 8 * (192 + GAP) + 30 < sizes["a longer label"][0]
    text = np.flatnonzero((pixels[:128, : -8 * (192 + GAP)] < 255).any(axis=(0, 2)))
    assert text[0] >= 4 and text[-1] <= pixels.shape[1] - 8 * (192 + GAP) - 4  # a margin on both sides
    write_strip({"x": numbered(3)}, tmp_path / "strip.png", side=16)
    with Image.open(tmp_path / "strip.png") as picture:
        assert picture.height == 18 and 3 * 26 < picture.width < 3 * 26 + 30


def test_a_video_shows_clips_beside_each_other_with_labels_above():
    clips = {"x": numbered(first=1, width=21), "y": numbered(first=11, width=21)}
    frames = list(side_by_side(clips, side=40))
    assert len(frames) == 5 and all(frame.shape == (20 + 32, 2 * 42 + GAP, 3) for frame in frames)
    for time, frame in enumerate(frames):
        np.testing.assert_array_equal(frame[20:, :42], enlarged(clips["x"], 40)[time])
        np.testing.assert_array_equal(frame[20:, 44:], enlarged(clips["y"], 40)[time])
        assert (frame[20:, 42:44] == 255).all() and (frame[:4] == 255).all()
        for left in (0, 44):
            assert is_written(frame[:20, left : left + 20]) and (frame[:20, left : left + 3] == 255).all()
            np.testing.assert_array_equal(frame[:20], frames[0][:20])


@pytest.mark.parametrize(("height", "width", "shape"), [(15, 21, (36, 44)), (16, 21, (36, 44)), (15, 20, (36, 42))])
def test_a_video_has_an_even_height_and_width(height, width, shape):
    clip = numbered(2, height, width)
    for frame in side_by_side({"x": clip, "y": clip}, side=height):
        assert frame.shape == (shape[0], shape[1], 3) and frame.shape[0] % 2 == frame.shape[1] % 2 == 0
        assert (frame[20 + height :] == 255).all() and (frame[20:, 2 * width + GAP :] == 255).all()


def test_a_video_is_192_pixels_high_by_default():
    (frame,) = side_by_side({"x": numbered(1)})
    assert frame.shape == (20 + 192, 12 * 24, 3)


@pytest.mark.parametrize(("side", "factor"), [(8, 1), (16, 1), (31, 1), (32, 2), (48, 3)])
def test_frames_are_enlarged_by_a_whole_factor_and_pixels_stay_squares(side, factor):
    frames = np.random.default_rng(0).integers(0, 256, (2, 16, 4, 1), np.uint8)
    found = enlarged(frames, side)
    assert found.shape == (2, 16 * factor, 4 * factor, 3)
    for row in range(factor):
        for column in range(factor):
            for channel in range(3):
                np.testing.assert_array_equal(found[:, row::factor, column::factor, channel], frames[..., 0])


def test_two_channels_are_no_grey():
    assert enlarged(np.zeros((1, 2, 2, 2), np.uint8), 4).shape == (1, 4, 4, 2)
