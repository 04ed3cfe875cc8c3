"""Decoded frames in memory, on disk or decoded when drawn: the same numbers, each frame decoded once."""

import multiprocessing
import os
import pickle
import resource
import signal
import time
import warnings

import numpy as np
import pytest
from helpers.media import encode, images, moving
from PIL import Image

import vtrans.data.caching.frame_cache as frame_cache
import vtrans.data.caching.kept_frames as kept_frames
from vtrans.data import ArraySequence, FrameSource, Part, open_source, split
from vtrans.data.caching.frame_store import FrameStore
from vtrans.data.reading.videos import VideoSequence
from vtrans.data.sequences import Origin, Sequence
from vtrans.data.tensors import resize_frames

FORK = multiprocessing.get_context("fork")
pytestmark = pytest.mark.filterwarnings("default:.*fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of each test's own."""
    monkeypatch.setenv("VTRANS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "frames"


class Filed(Sequence):
    """Frames that are said to come from a file; each decoding of all of them is counted in another one."""

    discrete = False

    def __init__(self, path, frames, pause=0.0):
        self.name, self._path, self._frames, self._pause = path.stem, path, frames, pause
        _, self.height, self.width, self.channels = frames.shape
        path.write_bytes(frames.tobytes())

    @property
    def length(self):
        return len(self._frames)

    @property
    def origin(self):
        return Origin((self._path,))

    def _read(self, positions):
        return self._frames[positions.start : positions.stop : positions.step]

    def stream(self):
        with self._path.with_suffix(".decoded").open("a") as log:
            log.write("1")
        for frame in self._frames:
            time.sleep(self._pause)
            yield frame


def decodings(path):
    log = path.with_suffix(".decoded")
    return len(log.read_text()) if log.exists() else 0


def source_of(*sequences):
    return FrameSource(sequences, name="filed")


def entries(cache):
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def noise(count, height=8, width=12, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def streamed(path):
    return np.stack(list(VideoSequence(path).stream()))


def on_disk(source, size=None, **options):
    return FrameStore(source, size, memory=0, **options)


def all_frames(store, source):
    return [store.read(i, 0, sequence.length, 1) for i, sequence in enumerate(source.sequences)]


@pytest.mark.parametrize("size", [None, (24, 24), (20, 30)])
def test_the_three_ways_give_the_frames_of_the_file(tmp_path, size):
    path = encode(tmp_path / "v.mp4", moving(40), options={"g": "8", "crf": "10"})
    train, test = split(open_source(path), 0.3, gap=3)
    source = FrameSource([Part(train.sequences[0], 2, 11), *train.sequences, *test.sequences], name="parts")
    truth = resize_frames(streamed(path), size or (32, 48))
    stores = [FrameStore(source, size, memory=m, cache=c) for m, c in ((10**6, True), (0, True), (0, False))]
    assert [store.way for store in stores] == ["memory", "disk", "no"]
    for store in stores:
        for which, first in ((0, 2), (1, 0), (2, 28)):
            for start, count, stride in ((0, 3, 1), (1, 2, 3), (4, 4, 1)):
                expected = truth[first + start :][: count * stride : stride]
                np.testing.assert_array_equal(store.read(which, start, count, stride), expected)


def test_images_and_triplets_keep_their_frames_on_disk(tmp_path, cache):
    frames = noise(6)
    images(tmp_path / "frames", frames)
    triplets = noise(30, 8, 8).reshape(10, 3, 8, 8, 3)
    for i, triplet in enumerate(triplets):
        images(tmp_path / "triplets", np.concatenate(list(triplet), axis=1)[None], name=f"t{i}_{{}}")
    source = open_source(tmp_path / "frames")
    np.testing.assert_array_equal(on_disk(source).read(0, 1, 5, 1), frames[1:])
    source = open_source(tmp_path / "triplets", layout="triplets")
    np.testing.assert_array_equal(np.stack(all_frames(on_disk(source), source)), triplets)
    # The ten short sequences lie in one file.
    assert len(entries(cache)) == 2


def test_colours_that_stand_for_classes_are_not_mixed(tmp_path):
    sequence = Filed(tmp_path / "labels", np.where(noise(4) < 128, 0, 255).astype(np.uint8))
    sequence.discrete = True
    for memory, keep in ((10**6, True), (0, True), (0, False)):
        frames = FrameStore(source_of(sequence), (5, 17), memory=memory, cache=keep).read(0, 0, 4, 1)
        assert frames.shape == (4, 5, 17, 3)
        assert set(np.unique(frames)) == {0, 255}


@pytest.mark.parametrize("memory", [10**6, 0])
def test_parts_share_one_decoding_of_the_frames_they_need(tmp_path, memory):
    sequence = Filed(tmp_path / "a", noise(20))
    source = source_of(Part(sequence, 5, 8), Part(sequence, 8, 9), Part(sequence, 10, 15))
    store = FrameStore(source, None, memory=memory)
    for found, (first, last) in zip(all_frames(store, source), ((5, 8), (8, 9), (10, 15)), strict=True):
        np.testing.assert_array_equal(found, sequence._frames[first:last])
    assert decodings(tmp_path / "a") == 1
    assert store._spans[0].shape == (10, 8, 12, 3)


def test_memory_holds_all_frames_or_none(tmp_path):
    sequences = [Filed(tmp_path / name, noise(5)) for name in "ab"]
    need = 2 * 5 * 8 * 12 * 3
    assert FrameStore(source_of(*sequences), None, memory=need).way == "memory"
    assert FrameStore(source_of(*sequences), None, memory=need - 1).way == "disk"
    assert FrameStore(source_of(*sequences), None, memory=need - 1, cache=False).way == "no"


def test_what_is_in_memory_already_is_not_kept_again(cache):
    array = ArraySequence(noise(5), name="array")
    store = FrameStore(source_of(array), (8, 12), memory=0, cache=False)
    assert store.way == "memory"
    np.testing.assert_array_equal(store.read(0, 1, 2, 2), array._frames[1:4:2])
    # It has no file to be found by: resized, it goes into memory or nowhere.
    store = on_disk(source_of(array), (4, 6))
    store.prepare()
    np.testing.assert_array_equal(store.read(0, 1, 2, 2), resize_frames(array._frames[1:4:2], (4, 6)))
    assert not cache.exists()


def test_later_runs_find_the_frames(tmp_path, monkeypatch, cache):
    path = encode(tmp_path / "v.mp4", moving(12))
    on_disk(open_source(path), (16, 16)).prepare()
    assert len(entries(cache)) == 1
    # Another place or name doesn't matter, only what is in the file.
    path.rename(tmp_path / "moved.mp4")
    with monkeypatch.context() as patch:
        patch.setattr(VideoSequence, "stream", lambda self: pytest.fail("decoded again"))
        frames = on_disk(open_source(tmp_path / "moved.mp4"), (16, 16)).read(0, 0, 12, 1)
    np.testing.assert_array_equal(frames, resize_frames(streamed(tmp_path / "moved.mp4"), (16, 16)))
    with pytest.raises(ValueError, match="read-only"):
        frames[0] = 0
    on_disk(open_source(tmp_path / "moved.mp4"), (16, 18)).prepare()
    assert len(entries(cache)) == 2
    encode(path, moving(12, seed=3))
    frames = on_disk(open_source(path), (16, 16)).read(0, 0, 12, 1)
    np.testing.assert_array_equal(frames, resize_frames(streamed(path), (16, 16)))
    assert len(entries(cache)) == 3


@pytest.mark.parametrize("damage", ["short", "long", "header", "empty"])
def test_damaged_entries_are_written_again(tmp_path, cache, damage):
    sequence = Filed(tmp_path / "a", noise(5))
    on_disk(source_of(sequence)).prepare()
    (entry,) = cache.glob("*.frames")
    content = entry.read_bytes()
    changed = {"short": content[:-1], "long": content + b"1", "header": b"x" + content[1:], "empty": b""}
    entry.write_bytes(changed[damage])
    np.testing.assert_array_equal(on_disk(source_of(sequence)).read(0, 0, 5, 1), sequence._frames)
    assert decodings(tmp_path / "a") == 2
    assert entry.read_bytes() == content


def test_a_decoding_that_fails_leaves_nothing(tmp_path, cache):
    class Failing(Filed):
        def stream(self):
            yield self._frames[0]
            raise ValueError("frame 1: damaged")

    class Short(Filed):
        def stream(self):
            yield self._frames[0]

    for kind, message in ((Failing, "frame 1: damaged"), (Short, "it gives fewer frames than when it was opened")):
        for memory in (0, 10**6):
            store = FrameStore(source_of(kind(tmp_path / "a", noise(5))), None, memory=memory)
            for _ in range(2):
                with pytest.raises(ValueError, match=message):
                    store.read(0, 0, 1, 1)
    assert entries(cache) == []


def test_a_killed_process_blocks_nobody_and_what_it_left_is_removed(tmp_path, cache):
    sequence = Filed(tmp_path / "a", noise(30), pause=0.02)
    process = FORK.Process(target=on_disk(source_of(sequence)).prepare)
    process.start()
    while not cache.exists() or not any(name.endswith(".unfinished") for name in entries(cache)):
        time.sleep(0.01)
    # While it is written it is nobody else's to remove.
    on_disk(source_of(Filed(tmp_path / "b", noise(4, seed=1)))).prepare()
    assert [name.rsplit(".")[-1] for name in entries(cache)].count("unfinished") == 1
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert [name.rsplit(".")[-1] for name in entries(cache)].count("unfinished") == 1
    np.testing.assert_array_equal(on_disk(source_of(sequence)).read(0, 0, 30, 1), sequence._frames)
    assert [name.rsplit(".")[-1] for name in entries(cache)] == ["frames", "frames"]


def test_processes_that_want_one_entry_decode_it_once(tmp_path, cache, capfd):
    store = on_disk(source_of(Filed(tmp_path / "a", noise(20), pause=0.04)))
    processes = [FORK.Process(target=store.prepare) for _ in range(3)]
    processes[0].start()
    while not decodings(tmp_path / "a"):
        time.sleep(0.001)
    for process in processes[1:]:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert decodings(tmp_path / "a") == 1
    assert len(entries(cache)) == 1
    told = capfd.readouterr().out.splitlines()
    assert told == ["a: another process decodes it now; waiting for it."] * len(told)
    assert 1 <= len(told) <= 2


def test_files_that_may_not_grow(tmp_path, cache):
    """The system itself refuses to write more than 20 000 bytes."""
    for name, side in (("a", 100), ("b", 16), ("c", 110)):
        images(tmp_path / "source" / name, noise(5, side, side))
    source = open_source(tmp_path / "source")

    def read() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        store = on_disk(source)
        with pytest.warns(UserWarning, match="can't be kept on disk: File too large") as told:
            store.prepare()
            store.prepare()
        assert len(told) == 1
        for found, sequence in zip(all_frames(store, source), source.sequences, strict=True):
            np.testing.assert_array_equal(found, sequence.read(0, 5))

    process = FORK.Process(target=read)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert entries(cache) == []


def test_a_disk_that_fills_while_frames_are_written(tmp_path, monkeypatch, cache):
    written = []

    def fill(descriptor, data):
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        written.append(os.write(descriptor, data))

    monkeypatch.setattr(frame_cache, "_write_all", fill)
    sequences = [Filed(tmp_path / name, noise(5, seed=i)) for i, name in enumerate("ab")]
    store = on_disk(source_of(*sequences))
    with pytest.warns(UserWarning) as told:
        store.prepare()
    assert [str(warning.message) for warning in told] == [
        "Frames of filed take 0.0 MB at load size, more than memory=0 allows, and can't be kept on disk: No space left "
        "on device. What isn't kept is decoded each time it is drawn, which is slow."
    ]
    for which, sequence in enumerate(sequences):
        np.testing.assert_array_equal(store.read(which, 1, 3, 1), sequence._frames[1:4])
    assert entries(cache) == []


def test_a_folder_that_can_not_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VTRANS_CACHE", str(tmp_path / "file" / "cache"))
    sequence = Filed(tmp_path / "a", noise(5))
    store = on_disk(source_of(sequence))
    with pytest.warns(UserWarning, match="can't be kept on disk: Not a directory"):
        store.prepare()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)).read(0, 0, 5, 1), sequence._frames)


PAGE = 4096
SIZE = 5 * 8 * 12 * 3


def test_a_source_larger_than_the_limit_is_kept_in_part(tmp_path, monkeypatch, cache):
    monkeypatch.setattr(kept_frames, "_GROUP", SIZE)
    sequences = [Filed(tmp_path / name, noise(5, seed=i)) for i, name in enumerate("abc")]
    source = source_of(*sequences)
    store = on_disk(source, cache_bytes=2 * (PAGE + SIZE))
    with pytest.warns(UserWarning, match="can't be kept on disk: they take") as told:
        store.prepare()
    assert len(told) == 1
    assert len(entries(cache)) == 2
    for frames, sequence in zip(all_frames(store, source), sequences, strict=True):
        np.testing.assert_array_equal(frames, sequence._frames)


def test_short_sequences_fill_a_file_together(tmp_path, monkeypatch, cache):
    monkeypatch.setattr(kept_frames, "_GROUP", 3 * SIZE)
    lengths = [5, 5, 16, 5, 2, 5]
    sequences = [Filed(tmp_path / str(i), noise(length, seed=i)) for i, length in enumerate(lengths)]
    source = source_of(*sequences)
    store = on_disk(source)
    store.prepare()
    # The long one alone; 5 + 5 + 5 frames; 2 + 5.
    sizes = sorted((path.stat().st_size - PAGE) // (SIZE // 5) for path in cache.glob("*.frames"))
    assert sizes == [7, 15, 16]
    for frames, sequence in zip(all_frames(store, source), sequences, strict=True):
        np.testing.assert_array_equal(frames, sequence._frames)


def test_a_huge_source_still_makes_few_files():
    class Stub:
        bytes = 1 << 31

    groups = kept_frames._groups([Stub()] * 5000, list(range(5000)))
    assert sum(groups, []) == list(range(5000))
    assert len(groups) <= 200


@pytest.mark.parametrize("memory", [10**6, 0])
def test_another_process_takes_over_what_is_kept(tmp_path, memory, monkeypatch):
    sequence = Filed(tmp_path / "a", noise(5))
    store = FrameStore(source_of(sequence), None, memory=memory)
    store.prepare()
    copy = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(copy.read(0, 0, 5, 1), sequence._frames)
    assert decodings(tmp_path / "a") == 1


@pytest.mark.parametrize("memory", [10**6, 0])
def test_long_decoding_shows_progress(tmp_path, monkeypatch, capsys, memory):
    FrameStore(source_of(Filed(tmp_path / "a", noise(5))), None, memory=memory).prepare()
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(kept_frames, "_MOMENT", 0.0)
    FrameStore(source_of(Filed(tmp_path / "b", noise(20, seed=1))), None, memory=memory).prepare()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("decoding filed: 2/20 frames")
    assert lines[-1].startswith("decoding filed: 20/20 frames")


def test_published_triplets_as_they_are_read(tmp_path):
    """The frames on disk are the thirds of the image that Pillow reads."""
    picture = noise(1, 8, 24)[0]
    (tmp_path / "trainA").mkdir()
    Image.fromarray(picture).save(tmp_path / "trainA" / "0.png")
    source = open_source(tmp_path / "trainA")
    np.testing.assert_array_equal(on_disk(source).read(0, 0, 3, 1), np.stack(np.split(picture, 3, axis=1)))
