"""Where results of reading files are kept between runs, and the fingerprints that they are found by."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from vtrans.data.sequences import Origin


def cache_folder(name: str) -> Path:
    """The folder for one kind of results; made if it isn't there, or else an OSError says why it can't be.

    It lies in the folder that the environment variable ``VTRANS_CACHE`` names, by default ``vtrans`` in the user's
    folder of caches. Everything in it can be deleted at any time.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("VTRANS_CACHE") or Path(caches) / "vtrans") / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fingerprint(origin: Origin, settings: Iterable[object] = ()) -> str:
    """A name for what comes of reading files in some way: another one if any content or setting differs.

    Args:
        origin: The files and how they are read.
        settings: What is done to their frames beyond that; each is told apart by its ``repr``.
    """
    parts = [[_content(path) for path in origin.files], list(origin.reading), [repr(setting) for setting in settings]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _content(path: Path) -> str:
    """Digest of a file's content; remembered as long as its place, size and time of change stay the same."""
    status = path.stat()
    # As bytes, since a name need not be text.
    key = os.fsencode(f"{path.resolve()}/{status.st_size}/{status.st_mtime_ns}/{status.st_ino}")
    known = _digests.get(key) or _remembered_digest(key)
    if known is None:
        with path.open("rb") as file:
            known = hashlib.file_digest(file, "sha256").hexdigest()
        _remember_digest(key, known)
    _digests[key] = known
    return known


_digests: dict[bytes, str] = {}


def _remembered_digest(key: bytes) -> str | None:
    with suppress(OSError, sqlite3.Error), closing(_digest_store()) as store:
        row = store.execute("SELECT digest FROM digests WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])
    return None


def _remember_digest(key: bytes, digest: str) -> None:
    with suppress(OSError, sqlite3.Error), closing(_digest_store()) as store, store:
        store.execute("INSERT OR REPLACE INTO digests VALUES (?, ?)", (key, digest))


def _digest_store() -> sqlite3.Connection:
    store = sqlite3.connect(cache_folder("digests") / "digests.sqlite", timeout=5)
    # What is lost when the machine fails is computed again.
    store.execute("PRAGMA synchronous = OFF")
    store.execute("CREATE TABLE IF NOT EXISTS digests (key BLOB PRIMARY KEY, digest TEXT)")
    return store
