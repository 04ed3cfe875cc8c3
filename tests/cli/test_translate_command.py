"""``vtrans translate``: what comes out, what is kept of the input, and how it ends when it cannot go on."""

import os
import random
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from helpers.media import encode, moving
from helpers.sounding import audio_packets, encode_sounding, first_times, samples

import vtrans
from vtrans.cli import main
from vtrans.data import frames_to_tensor, open_source, tensor_to_frames, write_frames, write_video
from vtrans.data.reading.videos import VideoSequence

ROOT = Path(vtrans.__file__).parents[1]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a small model, colour to colour and, into X, to grey."""
    folder = tmp_path_factory.mktemp("model") / "model"
    made = vtrans.build(
        "gan",
        channels={"x": 1, "y": 3},
        generator=("unet", {"depth": 2, "width": 2}),
        discriminator=("patch", {"width": 2}),
    )
    made.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "model"
    made = vtrans.build("gan", generator=("unet", {"depth": 2, "width": 2}), discriminator=("patch", {"width": 2}))
    made.save_pretrained(str(folder))
    return folder


def fails(capsys, *words):
    assert main(["translate", *map(str, words)]) == 2
    assert not [path for path in Path().rglob("*") if "partial" in path.name]
    return capsys.readouterr().err.removeprefix("vtrans: error: ").strip()


def video_times(path):
    """The time of each frame in seconds, from the first one on, as FFmpeg tells them."""
    with av.open(str(path)) as container:
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    return [at - times[0] for at in times]


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25, 2), Fraction(60000, 1001)])
@pytest.mark.parametrize(("count", "size"), [(1, (33, 47)), (9, (32, 48)), (20, (35, 48))])
@pytest.mark.parametrize("suffixes", [(".mp4", ".mkv"), (".mkv", ".mp4"), (".webm", ".mov"), (".mp4", ".avi")])
def test_rate_count_and_size_are_kept(colour, rate, count, size, suffixes):
    given, made = f"in{suffixes[0]}", f"out{suffixes[1]}"
    write_video(given, moving(count, *size), rate)
    before = open_source(given).sequences[0]
    assert main(["translate", str(colour), given, made, "--to", "y"]) == 0
    after = open_source(made).sequences[0]
    assert (before.length, after.length, after.height, after.width) == (count, count, *size)
    # Matroska stores a frame's duration in nanoseconds, from which FFmpeg makes a fraction of its own.
    assert all(abs(video.rate / rate - 1) < 1e-7 for video in (before, after))
    if ".mkv" not in suffixes and ".webm" not in suffixes:
        assert after.rate == rate


def test_what_is_encoded_is_the_translation(colour):
    """Exact in PNG, whatever the batch and however the frames are read."""
    path = encode(Path("in.mp4"), moving(21))
    frames = np.stack(list(open_source(path).sequences[0].stream()))
    network = vtrans.TranslationModel.from_pretrained(str(colour))
    for batch in ("1", "8", "64"):
        assert main(["translate", str(colour), "in.mp4", "out", "--to", "y", "--batch", batch, "--overwrite"]) == 0
        expected = np.concatenate(
            [
                tensor_to_frames(network.translate(frames_to_tensor(part), to="y"))
                for part in np.array_split(frames, range(int(batch), len(frames), int(batch)))
            ]
        )
        np.testing.assert_array_equal(open_source("out").sequences[0].read(0, 21), expected)


def test_files_that_cannot_be_read_are_left_out_when_asked(colour, capsys):
    Path("in").mkdir()
    encode(Path("in/good.mp4"), moving(5))
    Path("in/bad.mp4").write_text("no video")
    assert "bad.mp4" in fails(capsys, colour, "in", "out", "--to", "y")
    assert not Path("out").exists()
    assert "on_error: expected one of raise, skip" in fails(
        capsys, colour, "in", "out", "--to", "y", "--on_error", "no"
    )
    assert main(["translate", str(colour), "in", "out", "--to", "y", "--on_error", "skip"]) == 0
    assert [path.name for path in Path("out").iterdir()] == ["good.mp4"]
    *_, counted, reason = capsys.readouterr().out.splitlines()
    assert counted.endswith("in: skipped 1 file that can't be used.") and "bad.mp4" in reason


def test_a_grey_translation_is_written_as_colour(model):
    encode(Path("in.mp4"), moving(5))
    assert main(["translate", str(model), "in.mp4", "out", "--to", "x"]) == 0
    frames = open_source("out").sequences[0].read(0, 5)
    assert frames.shape == (5, 32, 48, 3) and (frames == frames[..., :1]).all() and frames.std() > 0


def test_a_rotated_video_is_written_upright(colour):
    encode(Path("in.mp4"), moving(3), rotation=90)
    assert main(["translate", str(colour), "in.mp4", "out.mp4", "--to", "y"]) == 0
    (video,) = open_source("out.mp4").sequences
    assert (video.height, video.width, video.length) == (48, 32, 3)


STAMPS = [0, 1, 2, 7, 8, 20, 21, 23]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_frames_of_a_variable_rate_keep_their_times(colour, suffix, capsys):
    encode(Path("in.mp4"), moving(8), stamps=STAMPS)
    assert main(["translate", str(colour), "in.mp4", f"out{suffix}", "--to", "y", "--batch", "3"]) == 0
    assert capsys.readouterr().err == ""
    times = video_times(f"out{suffix}")
    np.testing.assert_allclose([float(at) for at in times], np.array(STAMPS) / 25, atol=6e-4, rtol=0)
    if suffix in (".mp4", ".mov"):
        assert times == [Fraction(stamp, 25) for stamp in STAMPS]


def test_times_that_run_backwards_are_mended(colour, monkeypatch):
    encode(Path("in.mp4"), moving(5), stamps=[0, 1, 2, 7, 8])
    rate = open_source("in.mp4").sequences[0].rate
    times = [Fraction(3), Fraction(5), None, Fraction(1), Fraction(9)]
    timed = VideoSequence.timed
    monkeypatch.setattr(
        VideoSequence, "timed", lambda video: zip((frame for frame, _ in timed(video)), times, strict=True)
    )
    assert main(["translate", str(colour), "in.mp4", "out.mp4", "--to", "y"]) == 0
    expected = [0, 2, 2 + 1 / rate, 2 + 2 / rate, 6]
    np.testing.assert_allclose([float(at) for at in video_times("out.mp4")], [float(at) for at in expected], atol=1e-4)


@pytest.mark.filterwarnings("default:.*variable frame rate")
def test_a_variable_rate_is_averaged_where_times_cannot_be_kept(colour, capsys):
    encode(Path("in.mp4"), moving(8), stamps=STAMPS)
    rate = open_source("in.mp4").sequences[0].rate
    assert main(["translate", str(colour), "in.mp4", "out.avi", "--to", "y"]) == 0
    assert "in.mp4: variable frame rate: written at its average of " in capsys.readouterr().err
    (video,) = open_source("out.avi").sequences
    assert (video.length, video.rate) == (8, rate)
    assert main(["translate", str(colour), "in.mp4", "out", "--to", "y"]) == 0
    assert main(["translate", str(colour), "in.mp4", "even.mp4", "--to", "y", "--rate", "10"]) == 0
    assert capsys.readouterr().err == ""
    assert video_times("even.mp4") == [Fraction(n, 10) for n in range(8)]


@pytest.mark.parametrize(("text", "rate"), [("12.5", Fraction(25, 2)), ("30000/1001", Fraction(30000, 1001))])
def test_a_rate_can_be_given(colour, text, rate):
    write_frames("frames", moving(4))
    assert main(["translate", str(colour), "frames", "out.mp4", "--to", "y", "--rate", text]) == 0
    assert open_source("out.mp4").sequences[0].rate == rate


@pytest.mark.parametrize("text", ["0", "-1", "1/0", "fast", "1e400", "nan", "1e-30"])
def test_rates_that_are_refused(colour, text, capsys):
    write_frames("frames", moving(1))
    error = fails(capsys, colour, "frames", "out.mp4", "--to", "y", f"--rate={text}")
    assert error.startswith("--rate: expected frames a second above 0, such as 25, 12.5 or 30000/1001, got ")


@pytest.mark.parametrize(
    ("given", "codec", "made"),
    [
        ("in.mp4", "aac", "out.mp4"),
        ("in.mp4", "aac", "out.mkv"),
        ("in.mkv", "aac", "out.mp4"),
        ("in.mkv", "libopus", "out.webm"),
        ("in.webm", "libopus", "out.mp4"),
        ("in.mkv", "ac3", "out.mp4"),
        ("in.mov", "pcm_s16le", "out.mkv"),
        ("in.avi", "libmp3lame", "out.avi"),
        ("in.mp4", "aac", "out.avi"),
        ("in.avi", "pcm_s16le", "out.mov"),
    ],
)
def test_audio_is_copied(colour, given, codec, made, capsys):
    encode_sounding(Path(given), moving(40), codec)
    before = open_source(given).sequences[0]
    assert main(["translate", str(colour), given, made, "--to", "y", "--audio"]) == 0
    assert "audio" not in capsys.readouterr().out
    assert audio_packets(made) == audio_packets(given), "the very same packets"
    assert abs(samples(made) - samples(given)) <= 2048, "but for the encoder's priming"
    after = open_source(made).sequences[0]
    assert (after.length, after.rate) == (40, before.rate)
    (video_in, audio_in), (video_out, audio_out) = first_times(given), first_times(made)
    tolerance = 0.05 if ".avi" in given + made else 0.0015
    assert abs((audio_out - video_out) - (audio_in - video_in)) <= tolerance


@pytest.mark.parametrize("offsets", [{"video": 0.48}, {"audio": 0.5}, {"video": 0.04, "audio": 0.2}, {"video": 1.0}])
@pytest.mark.parametrize("made", ["out.mp4", "out.mkv", "out.mov"])
def test_audio_stays_in_sync_with_the_first_frame(colour, offsets, made):
    encode_sounding(Path("in.mp4"), moving(30), "aac", **offsets)
    assert main(["translate", str(colour), "in.mp4", made, "--to", "y", "--audio"]) == 0
    (video_in, audio_in), (video_out, audio_out) = first_times("in.mp4"), first_times(made)
    assert abs((audio_out - video_out) - (audio_in - video_in)) <= 0.0015
    assert audio_packets(made) == audio_packets("in.mp4")
    assert abs(samples(made) - samples("in.mp4")) <= 1024
    assert open_source(made).sequences[0].length == 30


def test_audio_beside_a_variable_rate(colour):
    stamps = [0, 1, 2, 7, 8, 20, 21, 40]
    encode_sounding(Path("in.mp4"), moving(8), "aac", stamps=stamps)
    assert main(["translate", str(colour), "in.mp4", "out.mp4", "--to", "y", "--audio"]) == 0
    assert video_times("out.mp4") == [Fraction(stamp, 25) for stamp in stamps]
    assert audio_packets("out.mp4") == audio_packets("in.mp4")


def test_every_audio_track_is_copied_with_its_language(colour):
    encode_sounding(Path("in.mkv"), moving(10), "aac", languages=("eng", "deu"))
    assert main(["translate", str(colour), "in.mkv", "out.mkv", "--to", "y", "--audio"]) == 0
    with av.open("out.mkv") as container:
        assert [stream.metadata["language"] for stream in container.streams.audio] == ["eng", "deu"]
    assert [audio_packets("out.mkv", track) for track in (0, 1)] == [audio_packets("in.mkv", t) for t in (0, 1)]


def test_audio_is_left_out_unless_asked_for_and_that_is_said(colour, capsys):
    encode_sounding(Path("in.mp4"), moving(5), "aac")
    assert main(["translate", str(colour), "in.mp4", "out.mp4", "--to", "y"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "out.mp4: audio was not copied; --audio copies it"
    assert audio_packets("out.mp4") is None
    encode(Path("silent.mp4"), moving(5))
    assert main(["translate", str(colour), "silent.mp4", "quiet.mp4", "--to", "y"]) == 0
    assert "audio" not in capsys.readouterr().out
    assert main(["translate", str(colour), "silent.mp4", "still.mp4", "--to", "y", "--audio"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "still.mp4: no audio, since silent.mp4 has none"


def test_audio_that_does_not_fit(colour, capsys):
    encode_sounding(Path("in.mkv"), moving(5), "ac3")
    assert fails(capsys, colour, "in.mkv", "out.webm", "--to", "y", "--audio") == (
        "audio: expected audio that .webm can hold without being encoded again, got ac3 in in.mkv. "
        "Write to .mkv, which holds nearly any audio, or leave the audio out."
    )
    encode_sounding(Path("in.avi"), moving(5), "pcm_s16le")
    assert "got pcm_s16le in in.avi" in fails(capsys, colour, "in.avi", "out.mp4", "--to", "y", "--audio")
    assert "a video file as OUTPUT" in fails(capsys, colour, "in.mkv", "out", "--to", "y", "--audio")
    assert "none with --audio" in fails(capsys, colour, "in.mkv", "o.mkv", "--to", "y", "--audio", "--rate", "10")
    encode_sounding(Path("late.mp4"), moving(5), "aac", audio=0.5)
    error = fails(capsys, colour, "late.mp4", "out.avi", "--to", "y", "--audio")
    assert "since .avi keeps no times, got audio that starts 0.48 s after it. Write to .mkv or .mp4." in error
    assert sorted(path.name for path in Path().iterdir()) == ["in.avi", "in.mkv", "late.mp4"]


def process(*words, **options):
    """The command as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "vtrans", "translate", *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def partial():
    return [path for path in Path().iterdir() if path.name.startswith(".out.") and ".partial" in path.name]


def started(running):
    """Waits until the process has begun to write."""
    while running.poll() is None and not partial():
        time.sleep(0.002)
    assert running.poll() is None, running.communicate()


@pytest.fixture
def long_video():
    rows = np.random.default_rng(0).integers(0, 256, (300, 96, 96, 3), np.uint8)
    return encode(Path("in.mp4"), rows, options={"crf": "30", "preset": "ultrafast"})


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_leaves_nothing(colour, long_video, number, code):
    running = process(colour, long_video, "out.mkv", "--to", "y", "--batch", "2")
    started(running)
    running.send_signal(number)
    _, error = running.communicate(timeout=20)
    assert running.returncode == code and "Traceback" not in error
    assert [path.name for path in Path().iterdir()] == ["in.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out"])
def test_a_killed_run_never_leaves_half_a_file(colour, long_video, name):
    draw = random.Random(name)
    began = time.perf_counter()
    whole = process(colour, long_video, "whole" + Path(name).suffix, "--to", "y")
    whole.communicate()
    assert whole.returncode == 0
    seconds = time.perf_counter() - began
    killed = 0
    for _ in range(6):
        running = process(colour, long_video, name, "--to", "y", "--overwrite")
        try:
            running.wait(timeout=seconds * draw.uniform(0.6, 1.02))
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            killed += 1
        running.communicate()
        if Path(name).exists():
            assert open_source(name).sequences[0].length == 300
            if Path(name).suffix:
                assert Path(name).stat().st_size == Path("whole" + Path(name).suffix).stat().st_size
        assert {p.name for p in Path().iterdir() if not p.name.startswith(".")} <= {
            "in.mp4",
            name,
            "whole" + Path(name).suffix,
        }
    assert killed


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_is_told_and_nothing_is_left():
    """Where files may not grow: at the start, midway, and as the last bytes are written."""
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from vtrans.data import write_video

frames = np.random.default_rng(0).integers(0, 256, (30, 64, 64, 3), np.uint8)
for name in ("out.mp4", "out.mkv", "out.webm", "out.avi"):
    size = write_video(name, frames, 25).stat().st_size
    Path(name).unlink()
    for limit in (0, 100, size // 2, size - 100, size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            write_video(name, frames, 25)
            print(name, limit, "nothing was said")
        except OSError as error:
            if "place that can be written, got one that cannot be written (File too large)" not in str(error):
                print(name, limit, error)
        if list(Path().iterdir()):
            print(name, limit, "left", list(Path().iterdir()))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_the_first_error_is_the_one_that_is_told(colour, capsys, monkeypatch):
    """Whichever stage fails, with the others at work."""
    encode(Path("in.mp4"), moving(40))

    def broken(*_, **__):
        raise ValueError("it broke")

    from vtrans.data import VideoWriter
    from vtrans.data.reading.videos import VideoSequence

    for owner, name in [(VideoSequence, "_converter"), (vtrans.TranslationModel, "translate"), (VideoWriter, "_add")]:
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, broken)
            assert fails(capsys, colour, "in.mp4", "out.mp4", "--to", "y", "--batch", "1") == "it broke"
    assert [path.name for path in Path().iterdir()] == ["in.mp4"]


def test_a_network_that_gives_nan_is_refused(tmp_path, capsys):
    encode(Path("in.mp4"), moving(4))
    made = vtrans.build("gan", generator=("unet", {"depth": 2, "width": 2}), discriminator=("patch", {"width": 2}))
    with torch.no_grad():
        next(made.networks["G_Y"].parameters()).fill_(torch.nan)
    made.save_pretrained("model")
    assert "expected numbers, got NaN" in fails(capsys, "model", "in.mp4", "out.mp4", "--to", "y")
    assert not Path("out.mp4").exists()


def test_a_model_of_grey_frames_takes_a_video_in_colour(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = vtrans.build("gan", channels={"x": 1, "y": 3}, generator=("resnet", {"blocks": 1, "width": 4}))
    model.save_pretrained("grey")
    encode(Path("in.mp4"), moving(4), stamps=[0, 1, 2, 9])
    assert main(["translate", "grey", "in.mp4", "out.mp4", "--to", "y"]) == 0
    assert video_times("out.mp4") == [Fraction(stamp, 25) for stamp in (0, 1, 2, 9)]
