"""What was found in files is found again only if they changed, or if what was kept can't be trusted."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers.media import encode, moving

from vtrans.data import write_video
from vtrans.data.caching import remembered as module
from vtrans.data.caching.remembered import remembered
from vtrans.data.reading.videos import VideoSequence
from vtrans.data.sequences import Origin


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VTRANS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_written", module._LIMIT)
    return tmp_path / "cache" / "indexes"


@pytest.fixture
def passes(monkeypatch):
    """The names of the videos that are decoded to be counted."""
    names = []
    note = VideoSequence._note
    monkeypatch.setattr(VideoSequence, "_note", lambda self, errors: names.append(self.name) or note(self, errors))
    return names


def test_a_video_is_counted_once(cache, passes, tmp_path):
    path = encode(tmp_path / "v.mp4", moving(12), options={"g": "4"})
    first, second = VideoSequence(path), VideoSequence(path)
    assert first.length == second.length == 12
    assert first._index == second._index
    assert len(first._index.keys) == 3
    np.testing.assert_array_equal(second.read(5, 3), list(first.stream())[5:8])
    assert passes == ["v.mp4"]
    assert len(list(cache.iterdir())) == 1


def test_a_file_changed_in_place_is_counted_anew(cache, passes, tmp_path):
    path = encode(tmp_path / "v.mp4", moving(12))
    assert VideoSequence(path).length == 12
    encode(path, moving(7))
    assert VideoSequence(path).length == 7
    path.rename(tmp_path / "w.mp4")  # the same content under another name
    assert VideoSequence(tmp_path / "w.mp4").length == 7
    assert passes == ["v.mp4", "v.mp4"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: b"",
        lambda kept: kept[:-20],
        lambda kept: kept.replace(b'"keys":[0', b'"keys":[1'),
        lambda kept: b"\xff\xfe" + kept,
        lambda kept: kept.split(b"\n")[1],
        lambda kept: json.dumps({"stamps": [0], "checksums": [0], "keys": [0], "cuts": []}).encode(),
        lambda kept: os.urandom(4000),
    ],
    ids=["empty", "cut off", "altered", "not ASCII", "no digest", "foreign", "random"],
)
def test_what_was_kept_and_spoilt_is_found_and_kept_again(cache, passes, tmp_path, damage):
    path = encode(tmp_path / "v.mp4", moving(5))
    index = VideoSequence(path)._index
    [entry] = cache.iterdir()
    whole = entry.read_bytes()
    assert damage(whole) != whole
    entry.write_bytes(damage(whole))
    assert VideoSequence(path)._index == index
    assert entry.read_bytes() == whole
    assert VideoSequence(path)._index == index
    assert len(passes) == 2


def test_an_entry_under_the_name_of_another_is_not_taken(cache, tmp_path):
    for name, count in [("a.mp4", 3), ("b.mp4", 5)]:
        assert VideoSequence(encode(tmp_path / name, moving(count))).length == count
    one, other = cache.iterdir()
    other.write_bytes(one.read_bytes())
    assert [VideoSequence(tmp_path / name).length for name in ("a.mp4", "b.mp4")] == [3, 5]


def test_without_a_folder_to_write_to(tmp_path, monkeypatch, passes):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("VTRANS_CACHE", str(tmp_path / "file" / "cache"))
    path = encode(tmp_path / "v.mp4", moving(5))
    assert [VideoSequence(path).length for _ in range(2)] == [5, 5]
    assert len(passes) == 2


@pytest.mark.parametrize("broken", ["mkstemp", "replace"])
def test_a_folder_that_may_be_read_but_not_written(cache, tmp_path, monkeypatch, broken):
    path = encode(tmp_path / "v.mp4", moving(5))

    def refuse(*args):
        raise OSError("read-only file system")

    monkeypatch.setattr(module.tempfile if broken == "mkstemp" else module.os, broken, refuse)
    assert VideoSequence(path).length == 5
    assert list(cache.iterdir()) == []


def test_a_damaged_file_is_counted_and_told_in_each_run(cache, tmp_path):
    whole = write_video(tmp_path / "v.mp4", moving(40), 25).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 7 // 10])
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"cut\.mp4: the file is damaged"):
            assert 5 < VideoSequence(tmp_path / "cut.mp4").length < 40
    assert not cache.exists() or not list(cache.iterdir())


def test_nothing_is_kept_of_a_file_that_changed_meanwhile(cache, tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    assert remembered(Origin((path,)), [], lambda: {"length": path.write_text("newer")}) == {"length": 5}
    assert remembered(Origin((path,)), [], lambda: {"length": 0}) == {"length": 0}


def test_settings_and_reading_are_told_apart(cache, tmp_path):
    path = tmp_path / "file"
    path.write_text("content")
    ways = [(Origin((path,)), [1]), (Origin((path,)), [2]), (Origin((path,), ("grey",)), [1]), (None, [])]
    for _ in range(2):
        for number, (origin, settings) in enumerate(ways):
            assert remembered(origin, settings, lambda number=number: {"number": number}) == {"number": number}
    assert len(list(cache.iterdir())) == 3


def test_what_was_used_longest_ago_goes_first(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LIMIT", 1600)
    monkeypatch.setattr(module, "_written", 1600)
    keys = {}
    for number in range(20):
        path = tmp_path / f"file{number}"
        path.write_text(str(number))
        before = set(cache.iterdir()) if cache.exists() else set()
        remembered(Origin((path,)), [], lambda: {"text": "x" * 100})
        [keys[number]] = set(cache.iterdir()) - before
        os.utime(keys[number], (number + 1, number + 1))
        if number:
            remembered(Origin((tmp_path / "file0",)), [], lambda: {"text": "again"})
            assert keys[0].exists(), "it is used all the time"
            os.utime(keys[0], (number + 2, number + 2))
    kept = [number for number, path in keys.items() if path.exists()]
    assert kept == [0, *range(20 - len(kept) + 1, 20)]
    assert sum(path.stat().st_size for path in cache.iterdir()) <= 1600


COUNT = """
import sys
from pathlib import Path
from vtrans.data.reading.videos import VideoSequence

print("ready", flush=True)
sys.stdin.readline()
print([VideoSequence(Path(sys.argv[1])).length for _ in range(20)])
"""


def test_two_processes_at_once(cache, tmp_path):
    path = encode(tmp_path / "v.mp4", moving(30))
    command = [sys.executable, "-c", COUNT, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in processes] == [f"{[30] * 20}\n"] * 2
    [entry] = cache.iterdir()
    assert entry.suffix == ".json"
