"""Files that are read: what every one must be, and the largest frame that is decoded."""

import os
import stat
from pathlib import Path

from vtrans.errors import refusal

MAX_PIXELS = 1 << 26


class Refused(ValueError):
    """A refusal that names its file, so that it needs no other words around it."""


def check_file(path: Path, *, allowed: str) -> None:
    """Refuses what isn't a file, isn't there, is empty or may not be read; ``allowed`` says what it should be.

    It does so before anything opens it: opening a pipe could wait for ever.
    """
    fix = ""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            got = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
        elif status.st_size == 0:
            got = "an empty file of 0 bytes"
        else:
            path.open("rb").close()
            return
    except PermissionError:
        got, fix = "no permission to read it", f"Allow reading it, with chmod u+r {path}, or run as its owner."
    except OSError as error:
        got = f"a link to nothing, {os.readlink(path)}" if path.is_symlink() else f"none ({error.strerror})"
    raise Refused(refusal(str(path), allowed=allowed, got=got, fix=fix))


def check_pixels(path: Path, height: int, width: int) -> None:
    """Refuses a file's frames larger than 2^26 pixels, or without any, before memory is taken for them."""
    if not 1 <= height * width <= MAX_PIXELS:
        raise Refused(too_large(path, f"{height}x{width} (height x width)"))


def too_large(path: Path, got: str) -> str:
    """Words the refusal of a file's frames for their size."""
    allowed = f"frames of 1 to {MAX_PIXELS} pixels, such as 8192x8192"
    return refusal(str(path), allowed=allowed, got=got, fix="Scale it down with another tool.")
