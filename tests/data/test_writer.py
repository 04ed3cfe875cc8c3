"""Writers: what is written comes back, and a failure leaves nothing behind."""

import os
from fractions import Fraction

import av
import numpy as np
import pytest
from helpers.media import moving

from vtrans.data import (
    FrameFolderWriter,
    VideoWriter,
    open_source,
    open_writer,
    write_frames,
    write_video,
)
from vtrans.data.writing import video_writer
from vtrans.data.writing.video_writer import WRITABLE_SUFFIXES, exact_rate

FRAME = np.zeros((16, 16, 3), np.uint8)


def quality(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
@pytest.mark.parametrize(("height", "width"), [(32, 48), (33, 47), (32, 47), (33, 48)])
@pytest.mark.parametrize("rate", [25, Fraction(30000, 1001), 10])
def test_round_trip(tmp_path, suffix, height, width, rate):
    frames = moving(11, height, width)
    path = write_video(tmp_path / f"out{suffix}", iter(frames), rate)
    (video,) = open_source(path).sequences
    assert (video.length, video.height, video.width, video.rate) == (11, height, width, rate)
    assert quality(video.read(0, 11), frames) > 28
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("count", [1, 2, 60])
@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
def test_any_number_of_frames(tmp_path, suffix, count):
    path = write_video(tmp_path / f"out{suffix.upper()}", moving(count), Fraction(24000, 1001))
    (video,) = open_source(path).sequences
    assert (video.length, video.rate) == (count, Fraction(24000, 1001))


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
@pytest.mark.parametrize("size", [(32, 48), (33, 47)])
def test_where_h264_is_missing(tmp_path, monkeypatch, suffix, size):
    monkeypatch.setattr(video_writer, "_codec", lambda suffix: "mpeg4")
    frames = moving(9, *size)
    (video,) = open_source(write_video(tmp_path / f"out{suffix}", frames, 10)).sequences
    assert (video.length, video.height, video.width, video.rate) == (9, *size, 10)
    assert quality(video.read(0, 9), frames) > 28


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
@pytest.mark.parametrize("size", [(32, 48), (33, 47)])
def test_plain_colours_survive(tmp_path, suffix, size):
    for colour in [(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (255, 255, 255), (0, 0, 0)]:
        frames = np.full((2, *size, 3), colour, np.uint8)
        (video,) = open_source(write_video(tmp_path / f"o{suffix}", frames, 25, overwrite=True)).sequences
        assert np.abs(video.read(0, 2).astype(int) - colour).max() <= 10


@pytest.mark.parametrize("parent", ["", "new/deep"])
def test_frames_as_images_are_exact(tmp_path, parent):
    frames = moving(12)
    folder = write_frames(tmp_path / parent / "frames", frames)
    assert sorted(p.name for p in folder.iterdir())[::11] == ["000000.png", "000011.png"]
    np.testing.assert_array_equal(open_source(folder).sequences[0].read(0, 12), frames)


def test_missing_parents_are_made_and_the_choice_is_by_suffix(tmp_path):
    with open_writer(tmp_path / "a" / "b" / "v.mkv", size=(16, 16), rate=25) as video:
        video.write(FRAME)
    with open_writer(tmp_path / "a" / "c", size=(16, 16), rate=25) as folder:
        folder.write(FRAME)
    assert isinstance(video, VideoWriter) and isinstance(folder, FrameFolderWriter)
    assert (tmp_path / "a" / "b" / "v.mkv").is_file()
    assert (tmp_path / "a" / "c" / "000000.png").is_file()


@pytest.mark.parametrize("name", ["out.mp4", "out"])
def test_an_exception_leaves_no_output_and_no_rest(tmp_path, name):
    with pytest.raises(RuntimeError, match="halfway"):
        with open_writer(tmp_path / name, size=(16, 16), rate=25) as writer:
            writer.write(FRAME)
            assert not (tmp_path / name).exists()
            raise RuntimeError("halfway")
    assert list(tmp_path.iterdir()) == []


def test_an_exception_in_the_frames_leaves_the_old_file(tmp_path):
    path = write_video(tmp_path / "out.mp4", [FRAME], 25)
    before = path.read_bytes()

    def frames():
        yield FRAME
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write_video(path, frames(), 25, overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_frames_at_times_of_their_own(tmp_path, suffix):
    times = [Fraction(n, 1000) for n in (5000, 5040, 5041, 5500, 5900)]
    with VideoWriter(tmp_path / f"out{suffix}", size=(16, 16), rate=5, tick=Fraction(1, 1000)) as writer:
        for at in times:
            writer.write(FRAME, at)
    with av.open(str(writer.path)) as container:
        shown = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert shown == [at - 5 for at in times]


def test_times_that_are_refused(tmp_path):
    with pytest.raises(ValueError, match="a format that keeps times, got .avi"):
        VideoWriter(tmp_path / "out.avi", size=(16, 16), rate=5, tick=Fraction(1, 25))
    with pytest.raises(ValueError, match="at: expected the time of every frame"):
        with VideoWriter(tmp_path / "out.mp4", size=(16, 16), rate=5, tick=Fraction(1, 25)) as writer:
            writer.write(FRAME)
    with pytest.raises(ValueError, match="at: expected a time after the frame before, got 2 s"):
        with VideoWriter(tmp_path / "out.mp4", size=(16, 16), rate=5, tick=Fraction(1, 25)) as writer:
            writer.write(FRAME, Fraction(2))
            writer.write(FRAME, Fraction(2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.mp4", "out"])
def test_the_first_error_is_not_hidden_by_one_of_clearing_up(tmp_path, monkeypatch, name):
    def broken(self):
        raise OSError("while clearing up")

    with pytest.raises(RuntimeError, match="the first"):
        with open_writer(tmp_path / name, size=(16, 16), rate=25) as writer:
            writer.write(FRAME)
            monkeypatch.setattr(type(writer), "_remove", broken)
            raise RuntimeError("the first")


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(tmp_path, monkeypatch):
    write_frames(tmp_path / "out", [FRAME, FRAME])
    replace = os.replace

    def broken(source, target):
        if "partial" in str(source):
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space left on device"):
        patched.setattr(os, "replace", broken)
        write_frames(tmp_path / "out", [FRAME], overwrite=True)
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["out.mp4", "out"])
def test_overwriting_must_be_asked_for(tmp_path, name):
    def write(count, **options):
        with open_writer(tmp_path / name, size=(16, 16), rate=25, **options) as writer:
            for _ in range(count):
                writer.write(FRAME)

    write(2)
    with pytest.raises(
        FileExistsError, match=r"out.*: expected a place where nothing is, got a .* Pass overwrite=True\."
    ):
        write(3)
    write(3, overwrite=True)
    assert open_source(tmp_path / name).length == 3
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    path = tmp_path / "out.mp4"
    writer = VideoWriter(path, size=(16, 16), rate=25)
    writer.write(FRAME)
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        writer.close()
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_with_other_things_is_never_replaced(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        FileExistsError, match="expected a folder that holds numbered PNG frames alone, got .*notes.txt"
    ):
        FrameFolderWriter(tmp_path, size=(16, 16), overwrite=True)
    (tmp_path / "v.mp4").mkdir()
    with pytest.raises(FileExistsError, match=r"v\.mp4: expected a file, got a folder"):
        VideoWriter(tmp_path / "v.mp4", size=(16, 16), rate=25, overwrite=True)
    with pytest.raises(FileExistsError, match=r"notes\.txt: expected a folder, got a file"):
        FrameFolderWriter(tmp_path / "notes.txt", size=(16, 16))
    with pytest.raises(ValueError, match=r"v\.mkv: expected a place in a folder, got .* under a file"):
        VideoWriter(tmp_path / "notes.txt" / "v.mkv", size=(16, 16), rate=25)


def test_nothing_written_is_an_error(tmp_path):
    for write in (lambda: write_video(tmp_path / "a.mp4", [], 25), lambda: write_frames(tmp_path / "a", [])):
        with pytest.raises(ValueError, match="frames: expected at least one frame, got none"):
            write()
    with pytest.raises(ValueError, match="frames: expected at least one frame, got none for"):
        with VideoWriter(tmp_path / "a.mp4", size=(16, 16), rate=25):
            pass
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_and_writing_after(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4", size=(16, 16), rate=25)
    writer.write(FRAME)
    assert writer.close() == writer.close() == tmp_path / "a.mp4"
    with pytest.raises(ValueError, match="the writer is closed"):
        writer.write(FRAME)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        (
            "a.xyz",
            {},
            ValueError,
            r"expected a file name ending in \.mp4, \.mov, \.mkv, \.avi, \.webm, got the suffix \.xyz",
        ),
        ("a.mp4", {"rate": 0}, ValueError, "rate: expected frames a second above 0"),
        ("a.mp4", {"rate": -5}, ValueError, "rate: expected"),
        ("a.mp4", {"rate": float("nan")}, ValueError, "rate: expected"),
        ("a.mp4", {"rate": 1e-9}, ValueError, "rate: expected"),
        ("a.mp4", {"rate": 10**12}, ValueError, "rate: expected"),
        ("a.mp4", {"rate": None}, TypeError, "rate: expected"),
        ("a", {"rate": "25"}, TypeError, "rate: expected"),
        ("a.mp4", {"size": (0, 4)}, ValueError, "size: expected"),
        ("a.mp4", {"size": None}, TypeError, r"size: expected \(height, width\)"),
    ],
)
def test_arguments_that_are_refused(tmp_path, name, options, error, message):
    with pytest.raises(error, match=message):
        open_writer(tmp_path / name, **{"size": (16, 16), "rate": 25, **options})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (np.zeros((16, 18, 3), np.uint8), ValueError, r"frame: expected shape \(16, 16, 3\), got shape \(16, 18, 3\)"),
        (np.zeros((16, 16), np.uint8), ValueError, "frame: expected shape"),
        (
            np.zeros((16, 16, 3)),
            TypeError,
            r"frame: expected a uint8 array \(height, width, 3\), got an array of float",
        ),
        ("frame", TypeError, "got str"),
    ],
)
def test_frames_that_are_refused(tmp_path, frame, error, message):
    with pytest.raises(error, match=message):
        with VideoWriter(tmp_path / "a.mp4", size=(16, 16), rate=25) as writer:
            writer.write(FRAME)
            writer.write(frame)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(25, 25), (23.976, Fraction(2997, 125)), (29.97002997, Fraction(30000, 1001)), (0.5, Fraction(1, 2))],
)
def test_rates_are_exact(rate, expected):
    assert exact_rate(rate) == expected
