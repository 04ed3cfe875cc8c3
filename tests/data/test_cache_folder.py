"""Fingerprints of files: by content, remembered between runs, never wrong for it."""

import os

from vtrans.data.caching import cache_folder
from vtrans.data.sequences import Origin


def test_content_and_settings_decide_not_names(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"one")
    (tmp_path / "c").write_bytes(b"two")
    a, b, c = (cache_folder.fingerprint(Origin((tmp_path / name,))) for name in "abc")
    assert a == b != c
    assert cache_folder.fingerprint(Origin((tmp_path / "a",), ("grey",))) != a
    assert cache_folder.fingerprint(Origin((tmp_path / "a",)), [64]) != a


def test_digests_are_remembered_between_runs_and_found_anew_for_a_changed_file(tmp_path, monkeypatch):
    file = tmp_path / "video"
    file.write_bytes(b"one")
    first = cache_folder.fingerprint(Origin((file,)))
    cache_folder._digests.clear()  # as in another process
    read = []
    monkeypatch.setattr(cache_folder.hashlib, "file_digest", lambda *given: read.append(given))
    assert cache_folder.fingerprint(Origin((file,))) == first
    assert read == []
    monkeypatch.undo()
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert cache_folder.fingerprint(Origin((file,))) != first


def test_a_damaged_store_of_digests_is_no_obstacle(tmp_path, monkeypatch):
    monkeypatch.setenv("VTRANS_CACHE", str(tmp_path / "cache"))
    (cache_folder.cache_folder("digests") / "digests.sqlite").write_bytes(b"no database" * 100)
    (tmp_path / "video").write_bytes(b"three")
    assert len(cache_folder.fingerprint(Origin((tmp_path / "video",)))) == 64
