"""What a checkpoint holds, with checksums: a folder is complete and unchanged, or refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vtrans.errors import refusal

NAME = "manifest.json"
_LARGEST_JSON = 1 << 26
_PLACE = re.compile(r"([a-z0-9-]{1,64}/)?[a-z0-9-]{1,64}\.(json|safetensors)")


def write_manifest(folder: Path, facts: dict[str, Any]) -> None:
    """Notes each file of a folder with its size and checksum, and flushes all of it to the disk.

    Args:
        folder: The folder, complete but for this.
        facts: What else is to be noted.
    """
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _digest(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / NAME).write_text(json.dumps({**facts, "files": files}, indent=1) + "\n", encoding="utf-8")
    for path in [*folder.rglob("*"), folder]:
        flush(path)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads the facts that were noted in a manifest; the files it names are not looked at.

    Raises:
        ValueError: It cannot be read, or names files of a kind or at a place that a checkpoint has not.
    """
    content = read_json(folder / NAME)
    files = content.get("files")
    if not isinstance(files, dict):
        raise ValueError(refusal(str(folder / NAME), allowed="a list of files", got="none"))
    for name in files:
        if not _PLACE.fullmatch(name):
            allowed = "names of .json and .safetensors files inside the checkpoint"
            raise ValueError(refusal(str(folder / NAME), allowed=allowed, got=repr(name[:200])))
    return content


def check_files(folder: Path, manifest: dict[str, Any], needed: Iterable[str]) -> None:
    """Checks every file of a folder against its manifest.

    Args:
        folder: The folder.
        manifest: What :func:`read_manifest` returned.
        needed: Files that must be among them.

    Raises:
        ValueError: A file is missing, no plain file, or of another content.
    """
    files = manifest["files"]
    for name in dict.fromkeys([*files, *needed]):
        path, noted = folder / name, files.get(name)
        if not isinstance(noted, dict):
            raise ValueError(refusal(str(path), allowed="a file that the manifest notes", got="one that it does not"))
        if not path.is_file() or path.resolve() != folder.resolve() / name:
            got = "a link" if path.is_file() else "none"
            raise ValueError(refusal(str(path), allowed="a file, as the manifest says", got=got))
        if path.stat().st_size != noted.get("bytes"):
            got = f"{path.stat().st_size} bytes"
            raise ValueError(refusal(str(path), allowed="a file as the manifest notes it", got=got))
        if _digest(path) != noted.get("sha256"):
            raise ValueError(refusal(str(path), allowed="a file as the manifest notes it", got="other content"))


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


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
