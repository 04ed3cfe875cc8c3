"""What open_source accepts, and what it says of what it doesn't."""

import shutil
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from helpers.media import encode, images, moving
from PIL import Image

from vtrans.data import Clips, FrameSource, Sequence, open_source
from vtrans.data.palettes import Palette


def only(path, **options):
    (sequence,) = open_source(path, **options).sequences
    return sequence


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".PNG"])
def test_a_folder_of_images_in_natural_order(tmp_path, suffix):
    frames = moving(12)
    images(tmp_path / "walk", frames, suffix=suffix)
    (tmp_path / "walk" / "labels.txt").write_text("passed over")
    (tmp_path / "walk" / ".hidden.png").write_text("passed over")
    walk = only(tmp_path / "walk")
    assert (walk.name, walk.length, walk.height, walk.width, walk.channels) == ("walk", 12, 32, 48, 3)
    assert walk.rate is None
    read = walk.read(1, 5, stride=2)
    assert np.abs(read.astype(int) - frames[1:10:2]).mean() < 4
    np.testing.assert_array_equal(np.stack(list(walk.stream()))[1:10:2], read)


def test_folders_of_videos_and_of_folders(tmp_path):
    for i, name in enumerate(["a10", "a9"]):
        encode(tmp_path / "videos" / f"{name}.mp4" if images(tmp_path / "videos", []) else None, moving(3 + i))
        images(tmp_path / "folders" / name, moving(3 + i))
    videos, folders = open_source(tmp_path / "videos"), open_source(str(tmp_path / "folders"))
    assert [(s.name, s.length) for s in videos.sequences] == [("a9.mp4", 4), ("a10.mp4", 3)]
    assert [(s.name, s.length) for s in folders.sequences] == [("a9", 4), ("a10", 3)]
    assert (videos.length, folders.length, folders.channels) == (7, 7, 3)


def test_one_image_is_a_sequence_of_one_frame(tmp_path):
    images(tmp_path, moving(1))
    assert only(tmp_path / "frame0.png").read(0, 1).shape == (1, 32, 48, 3)


@pytest.mark.parametrize(("folder", "layout"), [("trainA", "auto"), ("testB", "auto"), ("anything", "triplets")])
def test_published_triplets(tmp_path, folder, layout):
    frames = moving(6, 16, 16)
    wide = np.stack([np.concatenate(list(frames[i : i + 3]), axis=1) for i in (0, 3)])
    images(tmp_path / folder, wide)
    source = open_source(tmp_path / folder, layout=layout)
    assert [(s.length, s.height, s.width) for s in source.sequences] == [(3, 16, 16)] * 2
    np.testing.assert_array_equal(source.sequences[1].read(0, 3), frames[3:])
    np.testing.assert_array_equal(source.sequences[1].read(0, 2, stride=2), frames[[3, 5]])


def test_layout_frames_and_folders_of_that_name_without_triplets(tmp_path):
    images(tmp_path / "trainA", moving(2, 16, 48))
    images(tmp_path / "trainB", moving(2, 16, 16))
    assert only(tmp_path / "trainA", layout="frames").width == 48
    assert only(tmp_path / "trainB").length == 2


def test_images_of_other_kinds_become_rgb(tmp_path):
    grey = np.tile(np.arange(48, dtype=np.uint8) * 5, (32, 1))
    colour = moving(1)[0]
    alpha = np.dstack([colour, np.full((32, 48), 7, np.uint8)])
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "grey16.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "grey16.tif")
    Image.fromarray(alpha).save(tmp_path / "alpha.png")
    (tmp_path / "colour16.png").write_bytes(png_of_16_bits(colour.astype(np.uint16) * 257))
    Image.fromarray(colour).quantize(256).save(tmp_path / "palette.png")
    for path in tmp_path.iterdir():
        expected = np.dstack([grey] * 3) if path.name.startswith("grey") else colour
        difference = np.abs(only(path).read(0, 1)[0].astype(int) - expected)
        assert difference.mean() < (12 if path.stem == "palette" else 1e-9), path.name


def png_of_16_bits(image):
    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width = image.shape[:2]
    encoder.pix_fmt, encoder.time_base = "rgb48be", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(image, format="rgb48le").reformat(format="rgb48be")
    return bytes(encoder.encode(frame)[0])


def test_a_camera_s_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    Image.fromarray(moving(1)[0]).save(tmp_path / "a.png", exif=exif)
    photo = only(tmp_path / "a.png")
    assert (photo.height, photo.width) == (48, 32)
    np.testing.assert_array_equal(photo.read(0, 1)[0], np.rot90(moving(1)[0], -1))


def test_an_orientation_that_follows_the_pixels(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(moving(1)[0]).save(tmp_path / "a.png", exif=exif)
    content = (tmp_path / "a.png").read_bytes()
    start, end = content.index(b"eXIf") - 4, content.index(b"IEND") - 4
    stop = start + 12 + int.from_bytes(content[start : start + 4], "big")
    (tmp_path / "a.png").write_bytes(content[:start] + content[stop:end] + content[start:stop] + content[end:])
    np.testing.assert_array_equal(only(tmp_path / "a.png").read(0, 1)[0], np.rot90(moving(1)[0]))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_a_folder_is_opened_without_decoding_its_images(tmp_path, suffix, monkeypatch):
    images(tmp_path, moving(3), suffix=suffix)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("it decodes"))
    assert only(tmp_path).length == 3


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_arrays(make):
    frames = moving(5)
    array = make(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
    np.testing.assert_array_equal(only(array).read(0, 5), frames)
    floating = array / 127.5 - 1
    np.testing.assert_array_equal(only(floating).read(1, 2, stride=3), frames[1:5:3])
    assert only(array[:, :1]).channels == 1


def test_a_source_is_returned_as_it_is():
    source = open_source(np.zeros((1, 3, 2, 2), np.uint8))
    assert open_source(source) is source
    assert repr(source) == "FrameSource('array', 1 sequence)"


def videos_beside_images(folder):
    images(folder, moving(2))
    encode(folder / "v.mp4", moving(2))


def folders_beside_images(folder):
    images(folder, moving(2))
    images(folder / "inner", moving(2))


def two_sizes(folder):
    images(folder, moving(3))
    images(folder, moving(1, 16, 16), name="small{}")


def mixed_triplets(folder):
    images(folder, moving(2, 16, 48))
    images(folder, moving(1, 16, 16), name="square{}")


def data_set(folder):
    for name in ("trainA", "trainB"):
        images(folder / name, moving(1, 16, 48))


def empty_inner(folder):
    images(folder / "one", moving(1))
    (folder / "two").mkdir()


def inner_videos(folder):
    encode(images(folder / "one", []) / "v.mp4", moving(1))


def broken_video(folder):
    encode(folder / "a.mp4", moving(2))
    (folder / "b.mp4").write_bytes(b"")


def broken_image(folder):
    images(folder, moving(2))
    (folder / "frame2.png").write_bytes(b"no image")


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (lambda folder: None, "f", r"f: expected images, videos or folders of images, got an empty folder\."),
        (lambda folder: (folder / "a.txt").write_text(""), "f", r"got nothing usable among a\.txt"),
        (videos_beside_images, "f", r"got 2 images \(frame0\.png, …\) beside 1 video \(v\.mp4\)\. Separate them"),
        (folders_beside_images, "f", r"got 2 images \(frame0\.png, …\) beside 1 folder \(inner\)"),
        (two_sizes, "f", r"expected images of one size, got 2 sizes .*frame0\.png of 32x48, small0\.png of 16x16"),
        (mixed_triplets, "trainA", r"got 2 of 3 images three times as wide as high\. Say which they are"),
        (data_set, "f", r"got a data set with trainA, trainB\. Pass one of them, such as .*trainA"),
        (empty_inner, "f", "expected folders that hold images alone, got two with nothing usable"),
        (inner_videos, "f", r"got one with 1 video\."),
        (broken_video, "f", r"b\.mp4: expected a video that FFmpeg can read, got an empty file of 0 bytes"),
        (broken_image, "f", r"frame2\.png: expected an image that Pillow can read, got a file it can't"),
    ],
)
def test_folders_that_are_refused(tmp_path, make, name, message):
    folder = tmp_path / name
    folder.mkdir()
    make(folder)
    with pytest.raises(ValueError, match=message):
        open_source(folder)


def test_triplets_asked_for_where_there_are_none(tmp_path):
    images(tmp_path / "square", moving(1, 16, 16))
    images(tmp_path / "folders" / "one", moving(1, 16, 16))
    with pytest.raises(ValueError, match=r"frame0\.png: expected an image three times as wide as high, got 16x16"):
        open_source(tmp_path / "square", layout="triplets")
    with pytest.raises(ValueError, match="expected images, for layout='triplets', got folders"):
        open_source(tmp_path / "folders", layout="triplets")
    with pytest.raises(ValueError, match="expected a folder, for layout='triplets'"):
        open_source(tmp_path / "square" / "frame0.png", layout="triplets")


def test_images_that_break_only_when_they_are_read(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    images(tmp_path, noise)
    whole = (tmp_path / "frame1.png").read_bytes()
    (tmp_path / "frame1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"frame1\.png: expected an image that Pillow can read"):
        only(tmp_path).read(0, 2)


def test_images_of_32_bits_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a\.tif: expected 8 or 16 bits a channel, got 32 bits"):
        only(tmp_path).read(0, 1)


@pytest.mark.parametrize(
    ("path", "options", "error", "message"),
    [
        ("no/such/file.mp4", {}, FileNotFoundError, r"no/such/file\.mp4: expected a file or folder that exists"),
        ("", {}, TypeError, "path: expected a path"),
        (7, {}, TypeError, "path: expected a path, as text or pathlib.Path, got 7"),
        (".", {"layout": "pairs"}, ValueError, "layout: expected one of auto, frames, triplets, got 'pairs'"),
        (np.zeros((3, 4, 4), np.uint8), {}, ValueError, r"expected an array \(time, channel, height, width\)"),
        (np.zeros((5, 32, 48, 3), np.uint8), {}, ValueError, r"Pass array.transpose\(0, 3, 1, 2\)"),
        (np.zeros((0, 3, 4, 4), np.uint8), {}, ValueError, "expected at least one frame"),
        (np.zeros((1, 3, 4, 4), np.int64), {}, TypeError, "expected uint8, or floating values"),
        (np.full((1, 3, 4, 4), 200.0), {}, ValueError, r"expected floating values in \[-1, 1\], got values outside"),
        (torch.full((1, 3, 4, 4), torch.nan), {}, ValueError, r"expected floating values in \[-1, 1\]"),
    ],
)
def test_arguments_that_are_refused(path, options, error, message):
    with pytest.raises(error, match=message):
        open_source(path, **options)


def test_sources_of_nothing_or_of_different_channels():
    with pytest.raises(ValueError, match="sequences: expected at least one sequence, got none in x"):
        FrameSource([], name="x")
    grey, colour = only(np.zeros((1, 1, 2, 2), np.uint8)), only(np.zeros((1, 3, 2, 2), np.uint8))
    with pytest.raises(ValueError, match="the same number of channels in each"):
        FrameSource([grey, colour], name="x")


def test_a_folder_renamed_by_a_link_keeps_its_meaning(tmp_path):
    images(tmp_path / "trainA", moving(1, 16, 48))
    shutil.copytree(tmp_path / "trainA", tmp_path / "copy")
    assert only(tmp_path / "copy").length == 1
    assert only(tmp_path / "trainA").length == 3


def test_channels(tmp_path):
    frames = moving(3)
    images(tmp_path / "walk", frames)
    grey = only(tmp_path / "walk", channels="grey")
    assert (grey.channels, grey.discrete) == (1, False)
    np.testing.assert_array_equal(grey.read(2, 1)[0, ..., 0], np.asarray(Image.fromarray(frames[2]).convert("L")))
    palette = Palette(names=("dark", "bright"), colours=np.uint8([[0, 0, 0], [255, 255, 255]]))
    palette.save(tmp_path / "palette.json")
    expected = np.where(frames.astype(int).sum(-1, keepdims=True) > 382, 255, 0)
    for given in (palette, tmp_path / "palette.json", str(tmp_path / "palette.json")):
        labels = only(tmp_path / "walk", channels="labels", palette=given)
        assert labels.discrete
        np.testing.assert_array_equal(labels.read(0, 3), np.broadcast_to(expected, frames.shape))
    broken = tmp_path / "walk" / "frame9.png"
    broken.write_bytes(b"")
    assert open_source(tmp_path / "walk", channels="grey", on_error="skip").skipped[0].path == broken
    already_open = open_source(tmp_path / "walk", on_error="skip")
    assert open_source(already_open, channels="grey").channels == 1


def test_samples_by_name(tmp_path, monkeypatch, real_clips):
    assert only("sample:carphone_pristine").length == 120
    with pytest.raises(ValueError, match="carphone"):
        open_source("sample:carphone")
    monkeypatch.chdir(tmp_path)
    images(tmp_path / "sample:bikes", moving(2))
    assert only("sample:bikes").length == 2, "what lies there comes first"


class Ramp(Sequence):
    """A sequence of a user's own: each frame is its position."""

    name, height, width, length = "ramp", 4, 6, 9

    def _read(self, positions):
        return np.stack([np.full((4, 6, 3), position, np.uint8) for position in positions])


def test_a_sequence_of_ones_own():
    assert Ramp().read(1, 3, stride=2)[:, 0, 0, 0].tolist() == [1, 3, 5]
    assert [int(frame[0, 0, 0]) for frame in Ramp().stream()] == list(range(9))
    assert Clips(FrameSource([Ramp()], name="mine"), length=3, memory=0)[0].shape == (3, 3, 4, 6)


@pytest.mark.parametrize(
    ("made", "error", "message"),
    [
        ((2, 6, 4, 3), ValueError, r"frames of ramp: expected shape \(2, 4, 6, 3\), got shape \(2, 6, 4, 3\)"),
        ((1, 4, 6, 3), ValueError, r"got shape \(1, 4, 6, 3\)"),
        (None, TypeError, "frames of ramp: expected a uint8 array with values 0 to 255, got an array of float64"),
    ],
)
def test_a_sequence_that_gives_other_frames_than_it_says(monkeypatch, made, error, message):
    frames = np.zeros((2, 4, 6, 3)) if made is None else np.zeros(made, np.uint8)
    monkeypatch.setattr(Ramp, "_read", lambda self, positions: frames)
    with pytest.raises(error, match=message):
        Ramp().read(0, 2)
