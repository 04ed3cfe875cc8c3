"""What a checkpoint holds, with checksums: a folder is complete and unchanged, or refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vtrans.errors import refusal
from vtrans.files import flush, read_json

NAME = "manifest.json"
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


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
