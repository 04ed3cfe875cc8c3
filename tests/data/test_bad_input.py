"""Files as people have them: odd, unusual or broken. The right frames come, or an error that names the file."""

import os
import struct
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest
from helpers.media import encode, images, moving
from PIL import Image

from vtrans.data import open_source, write_video
from vtrans.data.reading.videos import _checksum, _frames

ODD_NAMES = ["with space", "naïve", "動画", "🎞", "100%d", "a:b", "-dash", "new\nline", "[x]*?", "'\"", "caf\udce9"]


def only(path, **options):
    (sequence,) = open_source(path, **options).sequences
    return sequence


def close(frames, expected, tolerance=12):
    assert frames.shape == expected.shape
    assert np.abs(frames.astype(int) - expected.astype(int)).mean() < tolerance


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("good") / "v.mp4", moving(5)).read_bytes()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_of_every_kind(tmp_path, video, name):
    (tmp_path / f"{name}.mp4").write_bytes(video)
    images(tmp_path / name, moving(3), name=name + " {}")
    assert only(tmp_path / f"{name}.mp4").read(0, 5).shape == (5, 32, 48, 3)
    np.testing.assert_array_equal(only(tmp_path / name).read(0, 3), moving(3))
    os.remove(tmp_path / f"{name}.mp4")
    with pytest.raises(FileNotFoundError, match="expected a file or folder that exists, got nothing"):
        open_source(tmp_path / f"{name}.mp4")


@pytest.mark.parametrize("name", ["v.mp4", "i.png"])
@pytest.mark.parametrize(
    ("make", "got"),
    [
        (os.mkfifo, r"got a pipe or device\."),
        (lambda path: path.symlink_to("/dev/zero"), r"got a pipe or device\."),
        (lambda path: path.symlink_to(path.parent / "gone"), r"got a link to nothing, .*gone\."),
        (lambda path: path.symlink_to(path), r"got a link to nothing, .*(v\.mp4|i\.png)\."),
        (lambda path: path.write_bytes(b""), r"got an empty file of 0 bytes\."),
        (
            lambda path: path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://localhost/a.ts\n"),
            "got a",
        ),
    ],
)
def test_what_is_no_file_to_read(tmp_path, name, make, got):
    path = tmp_path / "folder" / name
    path.parent.mkdir()
    make(path)
    for place in (path, path.parent):
        with pytest.raises(ValueError, match=rf"(?s)folder/{name}: expected .*{got}"):
            open_source(place)
    with pytest.raises(
        ValueError, match=rf"(?s)expected at least one file that can be used, .*{name}: expected .*{got}"
    ):
        open_source(path.parent, on_error="skip")


def test_lists_of_other_files_are_refused(tmp_path, video):
    (tmp_path / "v.mp4").write_bytes(video)
    (tmp_path / "list.txt").write_text("ffconcat version 1.0\nfile v.mp4\n")
    with pytest.raises(ValueError, match=r"list\.txt: .* got a list of other files\. Pass one of them"):
        open_source(tmp_path / "list.txt")


@contextmanager
def another_user():
    """An unprivileged user, and a folder that this user can get at."""
    with TemporaryDirectory(prefix="vtrans-test-") as folder:
        os.chmod(folder, 0o755)
        root = os.geteuid() == 0
        images(Path(folder) / "frames", moving(2))
        try:
            yield Path(folder), lambda: os.seteuid(65534) if root else None
        finally:
            if root:
                os.seteuid(0)


def test_no_permission(video):
    with another_user() as (folder, become):
        (folder / "v.mp4").write_bytes(video)
        for path in (folder / "v.mp4", folder / "frames" / "frame1.png"):
            path.chmod(0)
        (folder / "closed").mkdir(mode=0)
        become()
        for path in (folder / "v.mp4", folder / "frames" / "frame1.png"):
            with pytest.raises(ValueError, match=rf"{path.name}: expected .*, got no permission to read it\. Allow"):
                open_source(path)
        with pytest.raises(ValueError, match=r"frame1\.png: expected .*no permission"):
            open_source(folder / "frames")
        assert only(folder / "frames", on_error="skip").length == 1
        with pytest.raises(ValueError, match=r"closed: expected a folder that can be read, got no permission"):
            open_source(folder / "closed")
        with pytest.raises(ValueError, match=r"v\.mp4: expected a file or folder, got no permission"):
            open_source(folder / "closed" / "v.mp4")


def png_header(height, width):
    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("height", "width"), [(8193, 8192), (10000, 9000), (12000, 12000), (60000, 60000)])
def test_frames_of_absurd_size(tmp_path, height, width):
    (tmp_path / "big.png").write_bytes(png_header(height, width))
    (tmp_path / "big.y4m").write_bytes(f"YUV4MPEG2 W{width} H{height} F25:1 Ip C420jpeg\nFRAME\n".encode() + bytes(999))
    (tmp_path / "big.mkv").write_bytes(png_header(height, width))  # found out only while a frame is decoded
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"big\.png: expected frames of 1 to 67108864 pixels, .* Scale it down"):
            open_source(tmp_path / "big.png")
        with pytest.raises(ValueError, match=r"big\.y4m: expected (frames of 1 to 67108864|a video)"):
            open_source(tmp_path / "big.y4m")
        with pytest.raises(ValueError, match=r"big\.mkv: .* no frame decodes .* at most 67108864 pixels"):
            open_source(tmp_path / "big.mkv")


@pytest.mark.parametrize(("height", "width"), [(8192, 8192), (1, 2**26), (1, 1)])
def test_frames_up_to_the_limit_are_not_refused(tmp_path, height, width):
    (tmp_path / "large.png").write_bytes(png_header(height, width))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        large = only(tmp_path / "large.png")
    assert (large.height, large.width) == (height, width)


def test_a_video_whose_frames_change_size(tmp_path, video):
    options = {"x264-params": "keyint=4:bframes=0"}
    small = encode(tmp_path / "small.h264", moving(6), options=options).read_bytes()
    large = encode(tmp_path / "large.h264", moving(6, 64, 64), options=options).read_bytes()
    (tmp_path / "videos").mkdir()
    path = tmp_path / "videos" / "both.h264"
    path.write_bytes(small + large)
    message = r"both\.h264: expected frames of one size, 32x48 .* like the first, got 64x64 at frame 6\. .*scale=48:32"
    changing = only(path)
    with pytest.raises(ValueError, match=message):
        _ = changing.length
    with pytest.raises(ValueError, match=message):
        list(changing.stream())
    path.rename(path.with_suffix(".mp4"))
    (tmp_path / "videos" / "good.mp4").write_bytes(video)
    source = open_source(tmp_path / "videos", on_error="skip")
    assert [sequence.name for sequence in source.sequences] == ["good.mp4"]
    assert "like the first, got 64x64 at frame 6" in source.skipped[0].reason


def test_a_video_whose_pixels_change_format_gives_the_same_colours(tmp_path):
    colour = np.broadcast_to(np.uint8([200, 60, 40]), (4, 32, 32, 3))
    parts = [
        encode(tmp_path / f"{pixels}.h264", colour, pixels=pixels, options={"crf": "2"}).read_bytes()
        for pixels in ("yuv420p", "yuv444p", "yuv420p10le")
    ]
    (tmp_path / "all.h264").write_bytes(b"".join(parts))
    frames = np.stack(list(only(tmp_path / "all.h264").stream()))
    assert len(frames) == 12
    assert np.abs(frames.astype(int) - (200, 60, 40)).max() <= 4


def test_text_in_a_file_that_is_no_text(tmp_path, video):
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "zzzzzzzz"
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for frame in moving(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    assert b"zzzzzzzz" in content
    path.write_bytes(content.replace(b"zzzzzzzz", b"\xff\xfe\x80zzzzz"))
    assert only(path).length == 3


def test_streams_that_appear_while_a_file_is_read(tmp_path, video):
    (tmp_path / "v.mp4").write_bytes(video)
    errors = []
    with av.open(str(tmp_path / "v.mp4")) as container:
        stream = container.streams.video[0]

        class Tripping:
            def demux(self, wanted):
                yield from (packet for packet in container.demux(wanted) if packet.size)
                raise IndexError("list index out of range")

        assert len(list(_frames(Tripping(), stream, errors))) == 5
    assert errors == []


@pytest.mark.parametrize("pixels", ["bgra", "rgb48le", "yuv420p10le", "gray16le", "nv12", "yuv444p"])
def test_checksums_cover_the_whole_width(pixels):
    frames = np.zeros((2, 256, 64, 3), np.uint8)
    frames[1, :, 60:] = 200
    pictures = [av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixels) for frame in frames]
    assert _checksum(pictures[0]) != _checksum(pictures[1])


def test_notes_of_a_camera_that_pyav_has_no_name_for(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(moving(1)[0]).save(tmp_path / "a.jpg", exif=exif, quality=95)
    (tmp_path / "a.jpg").rename(tmp_path / "a.mkv")
    read = only(tmp_path / "a.mkv").read(0, 1)[0]
    assert read.shape in ((48, 32, 3), (32, 48, 3))


def music(path, *, frames):
    """Sound, a cover picture, and then frames if there are any."""
    with av.open(str(path), "w") as container:
        sound, cover = container.add_stream("aac", rate=8000), container.add_stream("png", rate=1)
        cover.height, cover.width, cover.pix_fmt = 16, 16, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        pictures = container.add_stream("libx264", rate=25, options={"crf": "10"}) if len(frames) else None
        if pictures:
            pictures.height, pictures.width, pictures.pix_fmt = 32, 48, "yuv420p"
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
        block = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        block.sample_rate = 8000
        container.mux(sound.encode(block))
        container.mux(sound.encode(None))
        for frame in frames:
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        if pictures:
            container.mux(pictures.encode(None))


def test_sound_and_cover_pictures_are_passed_over(tmp_path):
    music(tmp_path / "v.mp4", frames=moving(5))
    close(only(tmp_path / "v.mp4").read(0, 5), moving(5))
    music(tmp_path / "m.mp4", frames=[])
    with pytest.raises(
        ValueError, match=r"m\.mp4: .* got no video stream in it, but a cover picture, audio\. Pass a file"
    ):
        open_source(tmp_path / "m.mp4")


@pytest.mark.parametrize(
    ("codec", "pixels", "options"),
    [
        ("libx264", "yuv444p", {"crf": "5"}),
        ("libx264", "yuv422p10le", {"crf": "5"}),
        ("libx264", "yuv420p", {"crf": "5", "x264-params": "tff=1"}),
        ("libx265", "yuv420p10le", {"crf": "5", "x265-params": "log-level=none:transfer=smpte2084:colorprim=bt2020"}),
        ("prores_ks", "yuva444p10le", {}),
        ("ffv1", "yuv444p16le", {}),
        ("ffv1", "gray10le", {}),
    ],
)
def test_deep_and_interlaced_video(tmp_path, codec, pixels, options):
    frames = moving(4, 64, 64)
    if pixels.startswith("gray"):
        frames = np.repeat(frames[..., :1], 3, axis=-1)
    path = tmp_path / ("v.mov" if codec == "prores_ks" else "v.mkv")
    close(only(encode(path, frames, codec=codec, pixels=pixels, options=options)).read(0, 4), frames, tolerance=6)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_images_of_several_frames(tmp_path, suffix):
    frames = moving(5)
    first, *rest = [Image.fromarray(frame) for frame in frames]
    timed = {} if suffix == ".tif" else {"duration": 40, "lossless": True}
    first.save(tmp_path / f"many{suffix}", save_all=True, append_images=rest, **timed)
    many = only(tmp_path / f"many{suffix}")
    assert (many.length, many.height, many.width, many.rate) == (5, 32, 48, None if suffix == ".tif" else 25)
    np.testing.assert_array_equal(np.stack(list(many.stream())), frames)
    np.testing.assert_array_equal(many.read(3, 2), frames[3:])
    np.testing.assert_array_equal(many.read(0, 2, stride=3), frames[[0, 3]])
    first.save(tmp_path / "one.png")
    with pytest.raises(ValueError, match=rf"many{suffix}: expected an image of one frame, got 5 frames\. Make it a"):
        open_source(tmp_path)


def test_pages_of_different_sizes(tmp_path):
    pages = [Image.fromarray(moving(1)[0]), Image.fromarray(moving(1, 16, 16)[0])]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    many = only(tmp_path / "pages.tif")
    with pytest.raises(ValueError, match=r"pages\.tif: expected pages of one size, 32x48 .* got 16x16 on page 2\."):
        list(many.stream())


def test_images_of_unusual_kinds(tmp_path):
    colour, bits = moving(1)[0], moving(1)[0][..., 0] > 60
    palette = Image.fromarray(colour).quantize(256)
    palette.info["transparency"] = bytes(range(256))
    palette.save(tmp_path / "palette.png")
    Image.fromarray(bits).save(tmp_path / "bits.png")
    Image.fromarray(colour).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=98)
    Image.fromarray(colour).convert("LA").save(tmp_path / "la.png")
    Image.fromarray(colour).save(tmp_path / "really_jpeg.png", format="jpeg", quality=98)
    more = {"save_all": True, "append_images": [Image.fromarray(colour)]}
    Image.fromarray(colour).save(tmp_path / "stereo.jpg", format="mpo", quality=98, **more)
    grey = np.dstack([np.asarray(Image.fromarray(colour).convert("L"))] * 3)
    expected = {"bits": np.dstack([bits * np.uint8(255)] * 3), "la": grey}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in tmp_path.iterdir():
            read = only(path).read(0, 1)[0]
            close(read, expected.get(path.stem, colour), tolerance=8 if path.stem in ("palette", "cmyk") else 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
def test_an_image_cut_off_in_the_middle(tmp_path, suffix):
    frames = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    images(tmp_path / "walk", frames, suffix=suffix)
    broken = tmp_path / "walk" / f"frame2{suffix}"
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"frame2{suffix}: expected an image that Pillow can read, .*on_error='skip'"):
        only(tmp_path / "walk").read(0, 3)
    source = open_source(tmp_path / "walk", on_error="skip")
    assert [(s.name, s.length) for s in source.sequences] == [("walk-frame0", 2), ("walk-frame3", 2)]
    assert [skipped.path for skipped in source.skipped] == [broken]
    if suffix in (".png", ".bmp"):
        np.testing.assert_array_equal(source.sequences[1].read(0, 2), frames[3:])


def test_images_of_another_size_are_skipped(tmp_path):
    images(tmp_path / "walk", moving(6))
    images(tmp_path / "walk", moving(1, 16, 16), name="frame3")
    source = open_source(tmp_path / "walk", on_error="skip")
    assert [s.length for s in source.sequences] == [3, 2]
    assert source.skipped_summary().endswith(
        "frame3.png: expected 32x48 pixels (height x width), like most, got 16x16. Resize it."
    )


def test_videos_that_are_skipped(tmp_path, video):
    (tmp_path / "a.mp4").write_bytes(video)
    (tmp_path / "b.mp4").write_bytes(b"")
    (tmp_path / "c.mp4").write_text("words")
    whole = write_video(tmp_path / "d.mp4", moving(40), 25).read_bytes()  # its index lies before its frames
    (tmp_path / "d.mp4").write_bytes(whole[: len(whole) * 7 // 10])
    (tmp_path / "e.mp4").write_bytes(video[: len(video) // 2])
    for name in ("notes.txt", ".DS_Store", "Thumbs.db", "a.srt"):
        (tmp_path / name).write_text("passed over, and not told")
    with pytest.raises(ValueError, match=r"b\.mp4: expected a video"):
        open_source(tmp_path)
    source = open_source(tmp_path, on_error="skip")
    assert [(s.name, s.length) for s in source.sequences] == [("a.mp4", 5)]
    assert [skipped.path.name for skipped in source.skipped] == ["b.mp4", "c.mp4", "d.mp4", "e.mp4"]
    assert "got a damaged one" in source.skipped[2].reason
    first, *rest = source.skipped_summary(most=3).splitlines()
    assert first == f"{tmp_path}: skipped 4 files that can't be used."
    assert rest[0].startswith(f"  {tmp_path / 'b.mp4'}: expected a video that FFmpeg can read, got an empty file")
    assert rest[3] == "  and 1 more"
    assert source.map(lambda sequence: [sequence]).skipped == source.skipped


def test_triplets_that_are_skipped(tmp_path):
    images(tmp_path / "trainA", moving(3, 16, 48))
    (tmp_path / "trainA" / "frame1.png").write_bytes(b"no image")
    source = open_source(tmp_path / "trainA", on_error="skip")
    assert [s.name for s in source.sequences] == ["frame0", "frame2"]
    images(tmp_path / "trainA", moving(1, 16, 16), name="square")
    with pytest.raises(ValueError, match="got 2 of 3 images three times as wide as high"):
        open_source(tmp_path / "trainA", on_error="skip")
    source = open_source(tmp_path / "trainA", on_error="skip", layout="triplets")
    assert [skipped.path.stem for skipped in source.skipped] == ["frame1", "square"]


def test_folders_that_are_skipped(tmp_path, video):
    images(tmp_path / "f" / "one", moving(3))
    images(tmp_path / "f" / "video.mp4", moving(2))  # a folder all the same
    (tmp_path / "f" / "three").mkdir()
    images(tmp_path / "f" / "four", moving(1))
    (tmp_path / "f" / "four" / "frame0.png").write_bytes(b"no image")
    source = open_source(tmp_path / "f", on_error="skip")
    assert [(s.name, s.length) for s in source.sequences] == [("one", 3), ("video.mp4", 2)]
    assert [skipped.path.name for skipped in source.skipped] == ["frame0.png", "three"]
    (tmp_path / "f" / "three" / "v.mp4").write_bytes(video)
    with pytest.raises(ValueError, match=r"expected folders that hold images alone, got three with 1 video\."):
        open_source(tmp_path / "f", on_error="skip")


def test_nothing_is_left(tmp_path):
    for i in range(9):
        (tmp_path / f"{i}.png").write_bytes(b"no image")
    with pytest.raises(
        ValueError, match=r"can be used, got none among 9 files: 0\.png: .*; 1\.png: .*; 2\.png: "
    ) as told:
        open_source(tmp_path, on_error="skip")
    assert "3.png" not in str(told.value)
    assert open_source(np.zeros((2, 3, 4, 4), np.uint8), on_error="skip").skipped_summary() == ""


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "https://example.org/v.mp4",
            r"path: expected a file or folder on this machine, got the address https:.*Download",
        ),
        ("rtsp://example.org/live", "got the address rtsp://example.org/live"),
        ("file:///home/me/v.mp4", "got the address file:///home/me/v.mp4. Pass the path alone"),
    ],
)
def test_addresses_are_refused(path, message):
    with pytest.raises(ValueError, match=message):
        open_source(path)


def test_unknown_suffixes_alone(tmp_path):
    for i in range(6):
        (tmp_path / f"{i}.dat").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"nothing usable among 0\.dat, .*3\.dat, …\. Names end in \.png .*\.mp4"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "ignore"}, "on_error: expected one of raise, skip, got 'ignore'"),
        ({"channels": "gray"}, "channels: expected one of rgb, grey, labels, got 'gray'"),
        ({"channels": "labels"}, "palette: expected a palette exactly where channels='labels', got none"),
        ({"palette": "p.json"}, "palette: expected a palette exactly where .* got one with channels='rgb'"),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        open_source(np.zeros((2, 3, 4, 4), np.uint8), **options)
