"""Video files: every frame counted, and the frame asked for is the frame that comes."""

import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from helpers.media import decode_all, encode, moving

from vtrans.data import open_source, write_video

NAMES = ["bigbuckbunny", "bikes", "carphone_distorted", "carphone_pristine"]


def only(path):
    source = open_source(path)
    assert len(source.sequences) == 1
    return source.sequences[0]


def close(frames, expected, tolerance=12):
    assert frames.shape == expected.shape
    assert np.abs(frames.astype(int) - expected.astype(int)).mean() < tolerance


@pytest.mark.parametrize(
    ("name", "length", "shape", "rate"),
    [
        ("bigbuckbunny", 132, (720, 1280, 3), Fraction(25)),
        ("bikes", 250, (272, 640, 3), Fraction(25)),
        ("carphone_distorted", 120, (144, 176, 3), Fraction(30000, 1001)),
        ("carphone_pristine", 120, (144, 176, 3), Fraction(30000, 1001)),
    ],
)
def test_facts_of_real_clips(real_clips, name, length, shape, rate):
    video = only(real_clips[name])
    assert (video.length, (video.height, video.width, video.channels), video.rate) == (length, shape, rate)


@pytest.mark.parametrize("name", ["bikes", "carphone_pristine"])
def test_a_frame_read_is_the_frame_streamed(real_clips, name):
    video = only(real_clips[name])
    streamed = list(video.stream())
    assert len(streamed) == video.length
    random = np.random.default_rng(0)
    for start in [0, video.length - 3, *random.integers(0, video.length - 9, 6)]:
        np.testing.assert_array_equal(video.read(int(start), 3), streamed[start : start + 3])
    np.testing.assert_array_equal(video.read(5, 3, stride=4), streamed[5:14:4])
    close(np.stack(streamed[:20]), decode_all(real_clips[name])[:20], tolerance=3)


def test_reads_that_seek_do_not_decode_from_the_start(real_clips):
    video = only(real_clips["bikes"])
    keys = [key for key in video._index.keys if 0 < key <= 200]
    assert keys
    assert video._decode(range(200, 203), keys[-1]) is not None


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        (".mp4", "libx264", {"x264-params": "keyint=8:min-keyint=8:open-gop=1:bframes=3:scenecut=0"}),
        (".mp4", "libx264", {"x264-params": "keyint=8:intra-refresh=1:bframes=0"}),
        (".mkv", "libx264", {"x264-params": "keyint=8:bframes=3"}),
        (".ts", "libx264", {"x264-params": "keyint=8:bframes=3"}),
        (".avi", "mpeg4", {"g": "8"}),
        (".mpg", "mpeg2video", {"g": "8", "bf": "2"}),
        (".webm", "libvpx-vp9", {"g": "8", "b": "0", "crf": "20"}),
        (".h264", "libx264", {"x264-params": "keyint=8:bframes=3"}),
        (".gif", "gif", {}),
    ],
)
def test_seeking_is_exact_in_every_format(tmp_path, suffix, codec, options):
    pixels = "rgb8" if codec == "gif" else "yuv420p"
    frames = moving(40)
    video = only(encode(tmp_path / f"v{suffix}", frames, codec=codec, options=options, pixels=pixels))
    streamed = np.stack(list(video.stream()))
    assert video.length == len(streamed) == 40
    close(streamed, frames, tolerance=25)
    for start in range(0, 38, 3):
        np.testing.assert_array_equal(video.read(start, 2), streamed[start : start + 2])


@pytest.mark.parametrize("pixels", ["gray", "gray16le", "yuv420p10le", "yuva420p", "bgra", "rgb48le"])
def test_every_pixel_format_becomes_rgb(tmp_path, pixels):
    frames = moving(4)
    if pixels.startswith("gray"):
        frames = np.repeat(frames[..., :1], 3, axis=-1)
    video = only(encode(tmp_path / "v.mkv", frames, codec="ffv1", pixels=pixels, options={"g": "1"}))
    close(video.read(0, 4), frames, tolerance=4)
    np.testing.assert_array_equal(video.read(2, 1)[0], list(video.stream())[2])


def test_a_varying_rate_gives_each_stored_frame_once(tmp_path):
    stamps = [0, 1, 2, 10, 11, 30, 31, 32, 33, 60]
    video = only(encode(tmp_path / "v.mp4", moving(10), stamps=stamps))
    assert video.length == 10
    close(video.read(0, 10), moving(10))
    np.testing.assert_array_equal(video.read(6, 2), np.stack(list(video.stream()))[6:8])


@pytest.mark.parametrize(("height", "width"), [(33, 47), (32, 47), (33, 48)])
def test_odd_sizes(tmp_path, height, width):
    frames = moving(4, height, width)
    video = only(encode(tmp_path / "v.mp4", frames, pixels="yuv444p"))
    assert (video.height, video.width) == (height, width)
    close(video.read(0, 4), frames)


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotation_is_applied_as_players_do(tmp_path, quarter_turns, mirrored):
    frames = moving(3)
    path = encode(tmp_path / "v.mp4", frames, rotation=90 * quarter_turns, mirrored=mirrored)
    expected = np.rot90(frames, quarter_turns, axes=(1, 2))
    video = only(path)
    assert (video.height, video.width) == expected.shape[1:3]
    if mirrored:  # after the rotation
        expected = expected[:, :, ::-1]
    close(video.read(0, 3), expected, tolerance=6)


@pytest.mark.parametrize(("tag", "matrix"), [(1, "ITU709"), (5, "ITU601")])
def test_colours_follow_the_tags_of_the_file(tmp_path, tag, matrix):
    frames = np.zeros((2, 32, 32, 3), np.uint8)
    frames[:] = (200, 60, 40)
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.height = stream.width = 32
        stream.pix_fmt = "yuv420p"
        stream.codec_context.colorspace = tag
        picture = av.VideoFrame.from_ndarray(frames[0], format="rgb24")
        for i in range(2):
            converted = picture.reformat(format="yuv420p", dst_colorspace=matrix)
            converted.pts = i
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    read = only(path).read(0, 2)
    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).max() <= 4, "the other matrix is further off"


def test_names_that_look_like_patterns_or_addresses(tmp_path):
    path = tmp_path / "a:b%03d [x].mp4"
    path.write_bytes(encode(tmp_path / "v.mp4", moving(3)).read_bytes())
    assert only(path).length == 3


def test_a_video_cut_off_in_the_middle_gives_what_decodes(tmp_path):
    whole = encode(tmp_path / "v.mkv", moving(40)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    video = only(tmp_path / "cut.mkv")
    streamed = list(video.stream())
    assert 5 < video.length == len(streamed) < 40
    np.testing.assert_array_equal(video.read(video.length - 1, 1)[0], streamed[-1])


def test_damage_is_counted_and_told(tmp_path):
    whole = write_video(tmp_path / "v.mp4", moving(40), 25).read_bytes()  # its index lies before its frames
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 7 // 10])
    video = only(tmp_path / "cut.mp4")
    with pytest.warns(UserWarning, match=r"cut\.mp4: the file is damaged .* frames of it decode"):
        assert 5 < video.length < 40
    assert len(list(video.stream())) == video.length  # told once
    with pytest.warns(UserWarning, match=f"; {video.length} frames of it decode"):
        list(only(tmp_path / "cut.mp4").stream())


def audio_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("empty.mp4", lambda p: p.write_bytes(b""), r"empty\.mp4: expected a video that FFmpeg can read, got an empty"),
        ("text.mp4", lambda p: p.write_text("words " * 99), r"text\.mp4: expected a video .*Invalid data"),
        ("notes.txt", lambda p: p.write_text("words " * 99), r"notes\.txt: expected a video .*got a text file"),
        ("noise.avi", lambda p: p.write_bytes(bytes(range(256)) * 9), r"noise\.avi: expected a video"),
        ("sound.wav", audio_only, r"sound\.wav: expected a video .*no video stream in it, but audio"),
    ],
)
def test_files_that_are_no_video(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(ValueError, match=message):
        open_source(tmp_path / name)


def test_a_video_whose_frames_were_all_cut_off(tmp_path):
    whole = encode(tmp_path / "v.mkv", moving(5)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: whole.find(b"\x1f\x43\xb6\x75")])  # up to the first cluster
    with pytest.raises(ValueError, match=r"cut\.mkv: expected a video that FFmpeg can read"):
        open_source(tmp_path / "cut.mkv")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 6), ValueError, r"expected frames 0 to 4 of v\.mp4, got frame 5"),
        ((5, 1), ValueError, r"expected frames 0 to 4 of v\.mp4, got frame 5"),
        ((0, 3, 3), ValueError, "got frame 6"),
        ((-1, 1), ValueError, "start: expected a whole number of at least 0, got -1"),
        ((0, 0), ValueError, "count: expected a whole number of at least 1, got 0"),
        ((0, 1, 0), ValueError, "stride: expected a whole number of at least 1, got 0"),
        ((0.0, 1), TypeError, "start: expected a whole number"),
    ],
)
def test_reads_that_are_refused(tmp_path, arguments, error, message):
    video = only(encode(tmp_path / "v.mp4", moving(5)))
    with pytest.raises(error, match=message):
        video.read(*arguments)


def test_a_file_that_shrank_since_it_was_counted(tmp_path):
    path = encode(tmp_path / "v.mp4", moving(9))
    video = only(path)
    assert video.length == 9
    encode(path, moving(4))
    with pytest.raises(ValueError, match=r"v\.mp4: expected the 9 frames that were counted in it, got other or fewer"):
        video.read(7, 1)


LOGGED = """
import sys
import av
from vtrans.data import open_source

av.logging.set_level(av.logging.DEBUG)
for _ in range(20):
    open_source(sys.argv[1]).sequences[0].read(0, 2)
"""


def test_a_log_of_what_is_decoded_does_not_hang_the_reader(tmp_path):
    """Decoding threads that are ahead when a reader stops must be able to finish what they say."""
    path = encode(tmp_path / "v.mp4", moving(40))
    subprocess.run([sys.executable, "-c", LOGGED, str(path)], capture_output=True, check=True, timeout=60)
