"""Small files that are read with care and replaced whole."""

import json
import os
from pathlib import Path
from typing import Any

from vtrans.errors import refusal

_LARGEST_JSON = 1 << 26


def read_json(path: Path) -> dict[str, Any]:
    """Reads plain data.

    Raises:
        ValueError: There is no such file, it is too large, or no JSON.
    """
    if not path.is_file():
        raise ValueError(refusal(str(path), allowed="a file", got="none"))
    if path.stat().st_size > _LARGEST_JSON:
        raise ValueError(refusal(str(path), allowed=f"at most {_LARGEST_JSON} bytes", got=path.stat().st_size))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(refusal(str(path), allowed="JSON", got=f"damaged text ({error})")) from error
    if not isinstance(content, dict):
        raise ValueError(refusal(str(path), allowed="values by name", got=type(content).__name__))
    return content


def flush(path: Path) -> None:
    """Has a file, or a folder's list of names, written to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows flushes no folders.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_text(path: Path, text: str) -> None:
    """Replaces a text file, such that at any moment the old one or the new one is there, whole."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        flush(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
