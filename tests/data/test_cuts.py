"""Scene cuts: all of them in real clips and in made ones, and none where there is only motion or light."""

import numpy as np
import pytest
from helpers.media import encode, images

from vtrans.data import ArraySequence, FrameSource, Part, open_source, split
from vtrans.data.colours import grey
from vtrans.data.reading.cut_finder import CutFinder, thumbnail, thumbnail_size
from vtrans.data.reading.cuts import find_cuts, shots
from vtrans.data.reading.videos import VideoSequence

REAL = {
    "bikes": (30, 76, 137, 187, 242),
    "bigbuckbunny": (),
    "carphone_pristine": (),
    "carphone_distorted": (),
}


def scene(seed, height=72, width=128):
    """A picture with structure at every scale: random rectangles on a gradient."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([rows * 80 / height, columns * 80 / width, (rows + columns) * 40 / height], -1)
    picture += random.uniform(0, 120, 3)
    for _ in range(60):
        top, left = random.integers(height), random.integers(width)
        down, right = 1 + random.integers(height // 3), 1 + random.integers(width // 3)
        picture[top : top + down, left : left + right] = random.uniform(0, 255, 3)
    return picture.clip(0, 255).astype(np.uint8)


def shot(seed, count, *, speed=1, height=36, width=64):
    """A window that moves over a scene."""
    picture = scene(seed, 2 * height, 2 * width)
    starts = [abs((speed * t + width) % (2 * width) - width) for t in range(count)]  # to and fro
    return np.stack([picture[height // 2 : height // 2 + height, left : left + width] for left in starts])


def join(*parts):
    return np.concatenate(parts)


def cuts_of(frames):
    return find_cuts(ArraySequence(np.ascontiguousarray(frames.clip(0, 255).astype(np.uint8))))


def faded(frames, to, levels):
    return frames + (to - frames.astype(float)) * np.asarray(levels)[:, None, None, None]


def noise(count, spread, seed=0):
    return np.random.default_rng(seed).normal(0, spread, (count, 36, 64, 3))


@pytest.mark.parametrize("name", REAL)
def test_real_clips_first_counted_then_from_what_was_kept(real_clips, name, monkeypatch, tmp_path):
    monkeypatch.setenv("VTRANS_CACHE", str(tmp_path))
    passes = []
    note = VideoSequence._note
    monkeypatch.setattr(VideoSequence, "_note", lambda self, errors: passes.append(self.name) or note(self, errors))
    for _ in range(2):
        [video] = open_source(real_clips[name]).sequences
        assert find_cuts(video) == REAL[name]
    assert len(passes) == 1


@pytest.mark.parametrize("name", ["bikes", "carphone_pristine"])
def test_decoded_frames_have_the_cuts_of_their_video(real_clips, name):
    finder = CutFinder()
    for frame in VideoSequence(real_clips[name]).stream():
        finder.add(thumbnail(frame))
    assert finder.finish() == REAL[name]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("change", "speed"),
    [
        (lambda frames: frames, 0),
        (lambda frames: frames, 3),
        (lambda frames: frames * 0.3, 1),
        (lambda frames: frames + noise(len(frames), 15), 1),
        (lambda frames: frames.mean(-1, keepdims=True), 1),
        (lambda frames: np.repeat(frames.mean(-1, keepdims=True), 3, axis=-1), 1),
    ],
    ids=["still", "moving", "dark", "noisy", "one channel", "grey"],
)
def test_every_cut_is_found(seed, change, speed):
    lengths = [9, 3, 3, 4, 12]
    shots = [shot(10 * seed + i, length, speed=speed) for i, length in enumerate(lengths)]
    assert cuts_of(change(join(*shots))) == (9, 12, 15, 19)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (9, 40), (200, 30), (540, 960)])
def test_cuts_in_frames_of_any_size(height, width):
    a, b = (shot(seed, 4, height=height, width=width) for seed in (1, 2))
    assert cuts_of(join(a, b)) == (4,)


@pytest.mark.parametrize(("first", "second"), [(1, 6), (2, 6), (3, 3), (6, 2), (6, 1), (1, 1)])
def test_cuts_next_to_the_ends(first, second):
    assert cuts_of(join(shot(1, first), shot(2, second))) == (first,)


def test_black_frames_are_a_shot():
    black = np.zeros((3, 36, 64, 3), np.uint8)
    assert cuts_of(join(black, shot(1, 5), black, shot(2, 5))) == (3, 8, 11)


@pytest.mark.parametrize("count", [3, 6])
def test_a_short_shot_between_two_parts_of_another(count):
    around = shot(1, 12)
    assert cuts_of(join(around[:6], shot(2, count), around[6:])) == (6, 6 + count)


@pytest.mark.parametrize("colour", [0, 255])
def test_a_few_plain_frames_between_two_shots_part_them(colour):
    assert cuts_of(join(shot(1, 6), np.full((4, 36, 64, 3), colour, np.uint8), shot(2, 6))) == (6, 10)


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_flash_between_two_shots_parts_them_once(colour):
    flash = np.full((1, 36, 64, 3), colour, np.uint8)
    [cut] = cuts_of(join(shot(1, 6), flash, shot(2, 6)))
    assert cut in (6, 7)


def flash(strength):
    frames = shot(3, 20).astype(float)
    frames[10] = faded(frames[10:11], 255, [strength])[0]
    return frames


def long_flash(count, to, strength):
    return faded(shot(3, 24), to, [strength if 10 <= t < 10 + count else 0 for t in range(24)])


def spoilt():
    frames = shot(3, 20)
    frames[10, 8:28, 10:60] = (0, 255, 0)
    return frames


def shaken(seed):
    picture, random = scene(seed), np.random.default_rng(seed)
    places = random.integers([12, 22], [25, 43], (20, 2))
    return np.stack([picture[top : top + 36, left : left + 64] for top, left in places])


def jerk():
    picture = scene(4)
    return np.stack([picture[20:56, left : left + 64] for left in [30] * 10 + [44] * 10])


def whip():
    ease = np.clip((np.arange(24) - 8) / 8, 0, 1)
    lefts = np.rint(64 * ease * ease * (3 - 2 * ease)).astype(int)
    picture = scene(5)
    return np.stack([picture[20:56, left : left + 64] for left in lefts])


WITHOUT = {
    "still": np.repeat(shot(1, 1), 12, axis=0),
    "black": np.zeros((12, 36, 64, 3)),
    "one frame": shot(1, 1),
    "two frames": shot(1, 2),
    "noise": 128 + noise(15, 60),
    "fast pan": shot(2, 20, speed=9),
    "pan on threes": np.repeat(shot(2, 8, speed=8), 3, axis=0),
    "whip": whip(),
    "shake": shaken(6),
    "another shake": shaken(7),
    "jerk": jerk(),
    "bright flash": flash(0.6),
    "white frame": flash(1.0),
    "three white frames": long_flash(3, 255, 1),
    "lightning": long_flash(5, 255, 0.7),
    "six black frames": long_flash(6, 0, 1),
    "spoilt frame": spoilt(),
    "fade in": faded(shot(8, 24), 0, np.linspace(1, 0, 24)),
    "fade to black": faded(shot(8, 24), 0, np.clip(np.linspace(-0.5, 1.2, 24), 0, 1)),
    "fade from white": faded(shot(8, 24), 255, np.clip(np.linspace(1.5, -0.5, 24), 0, 1)),
    "flicker": faded(shot(8, 24), 0, 0.4 * (np.arange(24) % 3 == 0)),
    "a light goes on": faded(shot(8, 24), 255, 0.4 * (np.arange(24) >= 12)),
    "dissolve": np.concatenate([shot(1, 16)[[t]] * (1 - t / 15) + shot(2, 16)[[t]] * (t / 15) for t in range(16)]),
}


@pytest.mark.parametrize("frames", WITHOUT.values(), ids=WITHOUT)
def test_no_cut_is_invented(frames):
    assert cuts_of(frames) == ()


def test_shots_of_a_video_are_its_parts(tmp_path):
    frames = join(shot(1, 7), shot(2, 5), shot(3, 6))
    video = open_source(encode(tmp_path / "v.mp4", frames))
    parts = shots(video).sequences
    assert [part.name for part in parts] == ["v.mp4[0:7]", "v.mp4[7:12]", "v.mp4[12:18]"]
    assert all(part.whole is video.sequences[0] for part in parts)
    np.testing.assert_array_equal(parts[1].read(0, 5), video.sequences[0].read(7, 5))
    assert shots(shots(video)).length == 18


def test_counting_and_finding_cuts_decode_once(tmp_path, monkeypatch):
    path = encode(tmp_path / "v.mp4", join(shot(11, 7), shot(12, 5)))
    video = VideoSequence(path)
    opened = []
    monkeypatch.setattr(VideoSequence, "_open", lambda *a, o=VideoSequence._open: opened.append(1) or o(*a))
    assert (video.length, find_cuts(video)) == (12, (7,))
    assert len(opened) == 1


def test_streaming_counts_nothing(tmp_path, monkeypatch):
    path = encode(tmp_path / "v.mp4", shot(13, 5))
    monkeypatch.setattr(VideoSequence, "_note", None)
    assert len(list(VideoSequence(path).stream())) == 5


def test_what_has_no_cut_or_none_to_search_stays_itself():
    plain = ArraySequence(shot(1, 9), name="plain")
    continuous = ArraySequence(join(shot(1, 6), shot(2, 6)), continuous=True)
    source = shots(FrameSource([plain, continuous], name="both"))
    assert source.sequences == (plain, continuous)
    assert source.name == "both"


def test_parts_have_the_cuts_of_the_whole_that_fall_inside(monkeypatch):
    whole = ArraySequence(join(shot(1, 6), shot(2, 6), shot(3, 6)), name="film")
    searches = []
    stream = ArraySequence.stream
    monkeypatch.setattr(ArraySequence, "stream", lambda self: searches.append(1) or stream(self))
    assert find_cuts(Part(whole, 4, 18)) == (2, 8)
    assert find_cuts(Part(whole, 6, 12)) == ()
    assert find_cuts(Part(Part(whole, 2, 18), 4, 13)) == (6,)
    train, held_out = split(FrameSource([whole], name="film"), 0.5, gap=2)
    assert [part.name for part in shots(train).sequences] == ["film[0:6]", "film[6:7]"]
    assert [part.name for part in shots(held_out).sequences] == ["film[9:12]", "film[12:18]"]
    assert len(searches) == 1


def test_other_colours_have_the_same_cuts(tmp_path):
    source = grey(open_source(encode(tmp_path / "v.mp4", join(shot(1, 6), shot(2, 6)))))
    [first, second] = shots(source).sequences
    assert (first.length, second.length, first.channels) == (6, 6, 1)


def test_cuts_of_a_folder_of_frames_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("VTRANS_CACHE", str(tmp_path / "cache"))
    folder = images(tmp_path / "film", join(shot(1, 6), shot(2, 6)))
    assert shots(open_source(folder)).sequences[1].name == "film[6:12]"
    monkeypatch.setattr("vtrans.data.reading.cuts.thumbnail", None)
    assert find_cuts(open_source(folder).sequences[0]) == (6,)


@pytest.mark.parametrize("shape", [(1080, 1920), (720, 405), (65, 64), (64, 1), (1, 900), (5, 7)])
def test_thumbnails_are_means_over_equal_areas(shape):
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    small = thumbnail(frame)
    height, width = thumbnail_size(*shape)
    assert small.shape == (height, width, 3)
    assert max(small.shape[:2]) <= 64
    edges = [np.rint(np.linspace(0, n, parts + 1)).astype(int) for n, parts in zip(shape, (height, width), strict=True)]
    for row, column in [(0, 0), (height - 1, width - 1), (height // 2, width // 3)]:
        (top, down), (left, right) = edges[0][row : row + 2], edges[1][column : column + 2]
        area = frame[top:down, left:right].astype(float)
        assert np.abs(small[row, column] - area.mean((0, 1))).max() <= 0.51
