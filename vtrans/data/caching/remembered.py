"""Small results of reading whole files, such as where a video's frames are, kept from one run to the next."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from vtrans.data.caching.cache_folder import cache_folder, fingerprint
from vtrans.data.sequences import Origin


def remembered(
    origin: Origin | None,
    settings: Iterable[object],
    find: Callable[[], dict[str, Any]],
    *,
    keep: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """What was found in files before, in this run or an earlier one; found now if it wasn't, or if they changed.

    It is kept in the folder ``indexes`` of caches, up to 256 MB, of which what was used longest ago goes first. Where
    nothing can be kept, or what is kept is damaged, it is found again each time.

    Args:
        origin: The files and how they are read; None keeps nothing.
        settings: What else the result depends on; each is told apart by its ``repr``.
        find: Finds it, as plain data that JSON can hold.
        keep: Whether it may be kept; asked once it was found.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     origin = Origin((Path(file.name),))
        ...     [remembered(origin, ["size"], lambda: {"bytes": 0}) for _ in range(2)]
        [{'bytes': 0}, {'bytes': 0}]
    """
    settings = (_VERSION, *settings)
    key = _key(origin, settings)
    kept = _load(key) if key else None
    if kept is not None:
        return kept
    found = find()
    # Nothing is kept of files that changed while they were read.
    if key and keep() and key == _key(origin, settings):
        with suppress(OSError, RuntimeError):
            _save(key, found)
    return found


_VERSION = 2
_LIMIT = 256 << 20
_PART = ".part"


def _key(origin: Origin | None, settings: Iterable[object]) -> str | None:
    try:
        return None if origin is None else fingerprint(origin, settings)
    except OSError:
        return None


def _load(key: str) -> dict[str, Any] | None:
    try:
        path = cache_folder("indexes") / f"{key}.json"
        digest, _, text = path.read_text("ascii").partition("\n")
    except (OSError, RuntimeError, UnicodeDecodeError):
        return None
    if digest != _digest(key, text):
        return None
    with suppress(OSError):
        os.utime(path)
    kept: dict[str, Any] = json.loads(text)
    return kept


def _save(key: str, found: dict[str, Any]) -> None:
    folder = cache_folder("indexes")
    text = json.dumps(found, separators=(",", ":"))
    _make_room(folder, len(text))
    # Under its own name only once it is whole, so that no process ever reads a part of it.
    descriptor, part = tempfile.mkstemp(_PART, key[:16], folder)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(f"{_digest(key, text)}\n{text}")
        os.replace(part, folder / f"{key}.json")
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)


def _digest(key: str, text: str) -> str:
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()


# Bytes written since this process last looked at how many there are; it looks before it first writes.
_written = _LIMIT


def _make_room(folder: Path, size: int) -> None:
    global _written
    _written += size
    if _written < _LIMIT // 16:
        return
    _written = 0
    entries = []
    for entry in os.scandir(folder):
        with suppress(FileNotFoundError):
            entries.append((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path))
    excess = sum(size for _, size, _ in entries) + _LIMIT // 16 - _LIMIT
    for _, entry_size, path in sorted(entries):
        if excess <= 0:
            break
        with suppress(FileNotFoundError):
            os.unlink(path)
        excess -= entry_size
