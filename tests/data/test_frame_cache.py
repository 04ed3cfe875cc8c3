"""Entries of the cache of decoded frames: how they share their room."""

import multiprocessing
import os

import numpy as np
import pytest

import vtrans.data.caching.frame_cache as frame_cache
from vtrans.data.caching.frame_cache import FrameCache, NoCacheError

FORK = multiprocessing.get_context("fork")
PAGE = 4096
SIZE = 5 * 8 * 12 * 3
pytestmark = pytest.mark.filterwarnings("default:.*fork:DeprecationWarning")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of each test's own."""
    monkeypatch.setenv("VTRANS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "frames").mkdir(parents=True)
    return tmp_path / "cache" / "frames"


def entries(cache):
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def noise(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 12, 3), dtype=np.uint8)


def add(cache, key, limit):
    return FrameCache(cache, limit=limit).get(key, SIZE, [noise(5, seed=ord(key[0]))], name=key)


def test_the_frames_used_longest_ago_make_room(cache):
    limit = 3 * (PAGE + SIZE)
    for age, key in enumerate("abc"):
        add(cache, key, limit)
        os.utime(cache / f"{key}.frames", ns=(age, age))
    add(cache, "a", limit)  # used again
    add(cache, "d", limit)
    assert entries(cache) == ["a.frames", "c.frames", "d.frames"]


def test_frames_in_use_are_not_removed(cache):
    limit = 2 * (PAGE + SIZE)
    first, second = add(cache, "a", limit), add(cache, "b", limit)
    with pytest.raises(NoCacheError, match=r"of which 0.0 MB are in use; VTRANS_CACHE_BYTES sets another limit"):
        add(cache, "c", limit)
    np.testing.assert_array_equal(first, noise(5, seed=ord("a")).reshape(-1))
    # In another process neither.
    del first
    process = FORK.Process(target=add, args=(cache, "c", limit))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert entries(cache) == ["b.frames", "c.frames"]
    np.testing.assert_array_equal(second, noise(5, seed=ord("b")).reshape(-1))


def test_what_exceeds_the_limit_alone_removes_nothing(cache):
    add(cache, "a", 10**6)
    with pytest.raises(NoCacheError, match="they take"):
        add(cache, "b", SIZE)
    assert entries(cache) == ["a.frames"]


def test_a_disk_that_is_full_from_the_start(cache, monkeypatch):
    monkeypatch.setattr(frame_cache.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 3000})())
    with pytest.raises(NoCacheError, match=r"0.0 MB and the cache in .* may take 0.0 MB, of which 0.0 MB are"):
        FrameCache().get("k1", 4000, [noise(1)], name="k1")
    with pytest.raises(NoCacheError, match=r"they take 0.0 MB, and 0.0 MB are free in"):
        FrameCache(limit=10**6).get("k1", 4000, [noise(1)], name="k1")


@pytest.mark.parametrize("value", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number(monkeypatch, value):
    monkeypatch.setenv("VTRANS_CACHE_BYTES", value)
    message = f"VTRANS_CACHE_BYTES: expected a number of bytes, such as 20e9, got '{value}'"
    with pytest.raises(ValueError, match=message):
        FrameCache()
    monkeypatch.setenv("VTRANS_CACHE_BYTES", "2e9")
    assert FrameCache().limit == 2 * 10**9


@pytest.mark.parametrize("count", [4, 6])
def test_bytes_that_are_not_as_many_as_said_leave_no_entry(cache, count):
    with pytest.raises(ValueError, match=f"{count * SIZE // 5} bytes instead of {SIZE} for the entry a"):
        FrameCache().get("a", SIZE, [noise(count)], name="a")
    assert entries(cache) == []
