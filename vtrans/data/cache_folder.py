"""Where results of reading files are kept between runs, and the fingerprints that they are found by."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from vtrans.data.sequences import Origin


def cache_folder(name: str) -> Path:
    """The folder for one kind of results; made if it isn't there.

    It lies in the folder that the environment variable ``VTRANS_CACHE`` names, by default ``vtrans`` in the user's
    folder of caches. Everything in it can be deleted at any time.

    Args:
        name: The kind.

    Raises:
        OSError: If it can't be made.
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

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: If a file can't be read.
    """
    parts = [[_content(path) for path in origin.files], list(origin.reading), [repr(setting) for setting in settings]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


_contents: dict[tuple[str, int, int, int], str] = {}


def _content(path: Path) -> str:
    """Digest of a file's content; computed once in a process unless the file changes."""
    status = path.stat()
    key = (str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino)
    if key not in _contents:
        with path.open("rb") as file:
            _contents[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _contents[key]
