"""Decoded frames on disk: entries that are written once, mapped into memory, and dropped when others need the room."""

import errno
import mmap
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np

from vtrans.data.caching.cache_folder import cache_folder
from vtrans.data.tensors import Frames
from vtrans.errors import refusal

try:
    import fcntl
except ImportError:  # Windows, where a file that is in use can't be deleted anyway
    fcntl = None  # type: ignore[assignment]

DEFAULT_LIMIT = 50 * 10**9


class NoCacheError(Exception):
    """Frames can't be kept on disk; its text is the reason."""


class FrameCache:
    """A folder of entries, each the bytes of some frames, found by a key.

    An entry is written under a temporary name, brought to the disk and renamed, so that it is there whole or not at
    all. Processes that want one entry at the same time write it once: the others wait. Each file that is written or
    mapped is locked by the processes that do so, and the system lets go of a lock when its process ends, however it
    ends: what a killed process left is removed when room is next needed.

    When entries take more than the limit, those opened longest ago go first, but none that is in use. (On Linux a file
    that is deleted by hand stays readable for those who have it mapped.)

    Args:
        folder: The folder. Default: ``frames`` in the folder of caches.
        limit: Bytes that all entries together may take. Default: what the environment variable
            ``VTRANS_CACHE_BYTES`` says, else 50 GB, but at most half of what is free beside them.

    Raises:
        ValueError: If the environment variable holds no number.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     cache = FrameCache(Path(folder))
        ...     cache.get("key", 3, [np.array([1, 2], np.uint8), np.array([3], np.uint8)], name="numbers").tolist()
        [1, 2, 3]
    """

    def __init__(self, folder: Path | None = None, *, limit: int | None = None) -> None:
        self._folder = folder
        self.limit = limit if limit is not None else limit_of_environment()

    def get(self, key: str, size: int, parts: Iterable[Frames], *, name: str) -> Frames:
        """The bytes of an entry, which is written first if it isn't there, or isn't whole.

        Args:
            key: What it is found by: letters and digits.
            size: How many bytes it has.
            parts: The bytes in order, as uint8 arrays; only looked at if they are needed.
            name: What is decoded, for messages.

        Returns:
            uint8 array of ``size`` bytes that can't be written to, mapped into memory.

        Raises:
            NoCacheError: If the disk is full, the limit doesn't allow it, or the folder can't be written.
        """
        with _as_no_cache():
            folder = self._folder or cache_folder("frames")
            path = folder / f"{key}.frames"
        found = _mapped(path, key, size)
        if found is None:
            # A few lock files serve all keys: to delete one safely is impossible.
            with _turn(folder / f"{key[:2]}.lock", f"{name}: another process decodes it now; waiting for it."):
                found = _mapped(path, key, size)
                if found is None:
                    self._write(path, key, size, parts)
                    found = _mapped(path, key, size)
        if found is None:
            raise NoCacheError(f"{path} can't be read back")
        return found

    def _write(self, path: Path, key: str, size: int, parts: Iterable[Frames]) -> None:
        temporary = path.with_name(f"{key}.{os.getpid()}{_UNFINISHED}")
        try:
            with ExitStack() as stack:
                with _as_no_cache(), _turn(path.parent / "room.lock"):
                    self._make_room(path.parent, _HEADER + size)
                    file = stack.enter_context(temporary.open("xb", buffering=0))
                    _hold(file.fileno())
                    # Whoever makes room next counts the file at its full size, and sees that it is being written.
                    os.truncate(file.fileno(), _HEADER + size)
                with _as_no_cache():
                    _reserve(file.fileno(), _HEADER + size)
                    _write_all(file.fileno(), _header(key, size))
                written = 0
                for part in parts:
                    written += part.size
                    with _as_no_cache():
                        _write_all(file.fileno(), part.reshape(-1).data)
                if written != size:
                    raise ValueError(f"{written} bytes instead of {size} for the entry {key}")
                with _as_no_cache():
                    os.fsync(file.fileno())
            with _as_no_cache():
                temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _make_room(self, folder: Path, need: int) -> None:
        entries = []
        used = 0
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                status = path.stat()
                if path.name.endswith(_UNFINISHED) and _removed_if_idle(path):
                    continue
                used += status.st_size
                if path.suffix == ".frames":
                    entries.append((status.st_mtime_ns, status.st_size, path))
        free = shutil.disk_usage(folder).free
        limit = self.limit if self.limit is not None else min(DEFAULT_LIMIT, (used + free) // 2)
        entries.sort()
        for _, size, path in entries if need <= limit else []:
            if used + need <= limit and need <= free:
                break
            if _removed_if_idle(path):
                used, free = used - size, free + size
        if used + need > limit:
            raise NoCacheError(
                f"they take {gigabytes(need)} and the cache in {folder} may take {gigabytes(limit)}, "
                f"of which {gigabytes(used)} are in use; VTRANS_CACHE_BYTES sets another limit"
            )
        if need > free:
            raise NoCacheError(f"they take {gigabytes(need)}, and {gigabytes(free)} are free in {folder}")


def limit_of_environment() -> int | None:
    """The limit that ``VTRANS_CACHE_BYTES`` sets, or None."""
    text = os.environ.get("VTRANS_CACHE_BYTES")
    if not text:
        return None
    try:
        limit = int(float(text))
    except (ValueError, OverflowError):
        limit = -1
    if limit < 0:
        allowed = "a number of bytes, such as 20e9"
        raise ValueError(refusal("environment variable VTRANS_CACHE_BYTES", allowed=allowed, got=repr(text)))
    return limit


def gigabytes(count: int) -> str:
    """A number of bytes in words.

    Example:
        >>> gigabytes(12_345_678_901), gigabytes(1_500_000)
        ('12.3 GB', '1.5 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.1f} MB"


_UNFINISHED = ".unfinished"
# The header fills a page, so that frames begin at one.
_HEADER = 4096


def _header(key: str, size: int) -> bytes:
    return f"vtrans frames\n{key}\n{size}\n".encode().ljust(_HEADER, b"\0")


def _mapped(path: Path, key: str, size: int) -> Frames | None:
    """The entry, locked for as long as it stays mapped; None if it isn't there whole."""
    with _as_no_cache():
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        with file:
            _hold(file.fileno())
            status = os.fstat(file.fileno())
            deleted = status.st_nlink == 0
            if deleted or status.st_size != _HEADER + size or file.read(_HEADER) != _header(key, size):
                return None
            with suppress(OSError):  # not ours
                os.utime(path)
            # A map keeps a copy of the file's descriptor, and with it the lock.
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8, offset=_HEADER)


@contextmanager
def _as_no_cache() -> Iterator[None]:
    """Errors of the disk as reasons not to use it."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise NoCacheError(f"{error.strerror or error}{place}") from error


@contextmanager
def _turn(path: Path, told: str = "") -> Iterator[None]:
    """Holds a lock file; where another process has it, prints a line and waits."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    with _as_no_cache():
        try:
            lock.acquire(timeout=0 if told else -1)
        except Timeout:
            print(told, flush=True)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _hold(descriptor: int) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_SH)


def _removed_if_idle(path: Path) -> bool:
    """Deletes a file unless a process writes it or has it mapped."""
    try:
        if fcntl is None:
            path.unlink()
        else:
            with path.open("r+b") as file:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _reserve(descriptor: int, size: int) -> None:
    """Takes the room on the disk now, so that a full one is noticed before the work and not in the midst of it."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except AttributeError:  # not on every system
        pass
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # nor on every file system
            raise


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
