"""Pictures and videos that set clips side by side."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from vtrans.evaluation.pictures import enlarged, side_by_side, write_strip

GAP = 2


def numbered(length=5, height=16, width=24, channels=3, first=0):
    """A clip whose frame t is of the level 10 (first + t) all over, and whose left upper pixel is black."""
    levels = (10 * (first + np.arange(length))).astype(np.uint8).reshape(-1, 1, 1, 1)
    frames = np.broadcast_to(levels, (length, height, width, channels)).copy()
    frames[:, 0, 0] = 0
    return frames


def label(text, width, height, place):
    """Paper with a text in dark grey, 12 pixels high."""
    paper = Image.new("RGB", (width, height), (255, 255, 255))
    ImageDraw.Draw(paper).text(place, text, fill=(20, 20, 20), font=ImageFont.load_default(size=12))
    return np.asarray(paper)


def test_a_strip_has_a_row_for_each_clip_and_a_column_for_each_time(tmp_path):
    clips = {"x": numbered(first=1), "a longer label": numbered(first=11)}
    write_strip(clips, tmp_path / "strip.png", columns=3, side=40)
    with Image.open(tmp_path / "strip.png") as image:
        assert image.mode == "RGB"
        picture = np.asarray(image)
    height, width = 32, 48  # twice their size, the greatest whole factor
    assert picture.shape[0] == 2 * (height + GAP)
    labels = picture.shape[1] - 3 * (width + GAP)
    for row, (text, clip) in enumerate(clips.items()):
        top = row * (height + GAP)
        for column, time in enumerate((0, 2, 4)):
            left = labels + column * (width + GAP)
            shown = picture[top : top + height, left : left + width]
            np.testing.assert_array_equal(shown, enlarged(clip, 40)[time])
            assert (picture[top : top + height, left + width : left + width + GAP] == 255).all()
        assert (picture[top + height : top + height + GAP] == 255).all()
        middle = (4, height // 2 - 6)
        np.testing.assert_array_equal(picture[top : top + height, :labels], label(text, labels, height, middle))
    assert labels == round(ImageFont.load_default(size=12).getlength("a longer label")) + 2 * 4


def test_a_strip_is_as_wide_as_its_longest_label_and_at_most_eight_frames(tmp_path):
    sizes = {}
    for text in ("x", "a longer label"):
        write_strip({text: numbered(20), "": numbered(20)}, tmp_path / "strip.png")
        with Image.open(tmp_path / "strip.png") as picture:
            sizes[text] = picture.size
    assert sizes["x"][1] == sizes["a longer label"][1] == 2 * (128 + GAP)  # side 128, frames eight times enlarged
    assert 8 * (192 + GAP) < sizes["x"][0] < 8 * (192 + GAP) + 30 < sizes["a longer label"][0]
    write_strip({"x": numbered(1, height=1)}, tmp_path / "strip.png")
    with Image.open(tmp_path / "strip.png") as picture:
        assert picture.height == 128 + GAP
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
            text = label("x" if left == 0 else "y", 42, 20, (4, 4))
            np.testing.assert_array_equal(frame[:20, left : left + 42], text)


@pytest.mark.parametrize(("height", "width", "shape"), [(15, 21, (36, 22)), (16, 21, (36, 22)), (15, 20, (36, 20))])
def test_a_video_has_an_even_height_and_width(height, width, shape):
    clip = numbered(2, height, width)
    for frame, shown in zip(side_by_side({"x": clip}, side=height), clip, strict=True):
        assert frame.shape == (*shape, 3)
        np.testing.assert_array_equal(frame[20 : 20 + height, :width], shown)
        assert (frame[20 + height :] == 255).all() and (frame[20:, width:] == 255).all()


def test_a_video_is_192_pixels_high_by_default():
    for height in (1, 16):
        (frame,) = side_by_side({"x": numbered(1, height)})
        assert frame.shape[0] == 20 + 192


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
