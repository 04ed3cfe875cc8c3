"""The folder of a run: what lies where, and when it may be used."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import vtrans
from vtrans.errors import refusal
from vtrans.files import read_json, replace_text
from vtrans.training.checkpoints import checkpoints_in
from vtrans.training.settings import check_version

_LOCK = ".lock"

_FREE = (
    *("checkpoint_every", "keep_last", "milestone_every", "preview_every", "video_every", "log_every", "check_every"),
    *("device", "threads", "compile", "optimizer", "recompute", "accumulate", "guard", "trackers", "best"),
    *("validate_every", "validate_metrics", "data.workers", "data.cache", "data.memory", "version"),
)
"""What may differ when a run is resumed."""


class RunFolder:
    """The folder of a run.

    It holds ``config.yaml``, ``made_with.json`` (the command and versions), ``metrics.jsonl``, ``trackers/``,
    ``checkpoints/``, ``previews/``, ``replays/``, ``model/`` and ``losses.png``.

    Args:
        path: The folder.

    Example:
        >>> RunFolder("runs/ab").metrics_file.as_posix()
        'runs/ab/metrics.jsonl'
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.yaml"
        self.metrics_file = self.path / "metrics.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.previews = self.path / "previews"
        self.model = self.path / "model"
        self.losses_picture = self.path / "losses.png"
        self.trackers = self.path / "trackers"
        self.replays = self.path / "replays"
        self.origin_file = self.path / "made_with.json"
        self._fresh = False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Within it no other run can use the folder; a new run that fails at its start leaves nothing there.

        Raises:
            FileExistsError: Another process is using it.
            OSError: The folder cannot be made.
        """
        from filelock import FileLock, Timeout

        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(refusal("out", allowed="a folder", got=f"the file {self.path}"))
        made = not self.path.exists()
        file = self.path / _LOCK
        lock = FileLock(file)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            got = f"{self.path}, in which another process is training"
            fix = "Wait for it, stop it, or pass another --out"
            raise FileExistsError(refusal("out", allowed="a folder that is free", got=got, fix=fix)) from None
        except OSError as error:
            got = f"{self.path}, which cannot be written ({error.strerror})"
            raise OSError(refusal("out", allowed="a place for a folder", got=got)) from error
        try:
            yield
        except BaseException:
            self._forget_start()
            raise
        finally:
            # Removed while it is held, since after that it may be another process's; Windows removes no open file.
            if os.name != "nt":
                file.unlink(missing_ok=True)
            lock.release()
            if made and not any(self.path.iterdir()):
                self.path.rmdir()

    def begin(self, config: Mapping[str, Any], resume: str) -> Path | None:
        """Decides where to begin, and makes the folder.

        Args:
            config: The resolved config of the run that is to begin.
            resume: ``"never"`` takes a new or empty folder; ``"auto"`` also one of a run with the same config, to go on
                from its last checkpoint; else the path of a checkpoint, or of a run, to start from in a new folder.

        Returns:
            The checkpoint to load, or None.

        Raises:
            FileExistsError: The folder is in use.
            FileNotFoundError: There is no checkpoint at ``resume``.
            OSError: The folder cannot be made.
            ValueError: The run there has another config; what differs is named.
        """
        # What a run that was killed at once had begun to write counts for nothing.
        used = any(path.name != _LOCK and not path.name.endswith(".part") for path in self.path.iterdir())
        if used and resume != "auto":
            there = "a run" if self.config_file.exists() else "files"
            raise FileExistsError(
                refusal(
                    "out",
                    allowed="a new or empty folder",
                    got=f"{self.path}, which holds {there}",
                    fix="Pass another --out"
                    + (", or --resume auto to go on with that run" * self.config_file.exists()),
                )
            )
        self._fresh = not used
        checkpoint = None
        if used:
            self._compare(config)
            checkpoint = next(iter(checkpoints_in(self.checkpoints)[-1:]), None)
        elif resume not in ("auto", "never"):
            checkpoint = _find(Path(resume))
        self._write_config(config)
        self._write_origin()
        if checkpoint is None:
            replace_text(self.metrics_file, "")
        return checkpoint

    def append_metrics(self, line: Mapping[str, float | int]) -> None:
        """Adds a line to ``metrics.jsonl``."""
        with self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def cut_metrics(self, step: int) -> None:
        """Drops lines of later steps, which will be written again."""
        kept = [line for line in self.metrics() if line["step"] <= step]
        replace_text(self.metrics_file, "".join(json.dumps(line) + "\n" for line in kept))

    def metrics(self) -> list[dict[str, float]]:
        """The lines of ``metrics.jsonl``; those that are damaged or cut off are left out."""
        if not self.metrics_file.exists():
            return []
        found = []
        for line in self.metrics_file.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                numbers = json.loads(line)
                if isinstance(numbers, dict) and isinstance(numbers.get("step"), int):
                    found.append(numbers)
        return found

    def _forget_start(self) -> None:
        """Removes what a run that failed before its first line, checkpoint or picture left in a new folder."""
        parts = (self.checkpoints, self.previews, self.replays, self.model)
        if not self._fresh or self.metrics() or any(part.exists() for part in parts):
            return
        for file in (self.config_file, self.origin_file, self.metrics_file):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.trackers, ignore_errors=True)

    def _compare(self, config: Mapping[str, Any]) -> None:
        import yaml

        if not self.config_file.is_file():
            got = f"{self.path}, which holds files but no run"
            raise FileExistsError(refusal("out", allowed="a new folder, or that of a run", got=got))
        try:
            before = yaml.safe_load(self.config_file.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise ValueError(refusal(str(self.config_file), allowed="YAML", got=f"damaged text ({error})")) from error
        if isinstance(before, dict) and before.get("version") is not None:
            check_version(str(before["version"]))
        # Under a constant rate a longer run begins as a shorter one.
        free = (*_FREE, "steps") if config.get("schedule") == "constant" else _FREE
        found = differences(before if isinstance(before, dict) else {}, config, free)
        if found:
            raise ValueError(
                refusal(
                    f"run {self.path}",
                    allowed="the settings that it was begun with",
                    got="; ".join(found),
                    fix="Pass the same settings, or another --out",
                )
            )

    def _write_config(self, config: Mapping[str, Any]) -> None:
        import yaml

        text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
        replace_text(self.config_file, f"# Every setting of this run; vtrans train --config takes it.\n{text}")

    def _write_origin(self) -> None:
        """Notes the command and the versions; an earlier note of the same run stays."""
        before = read_json(self.origin_file).get("runs", []) if self.origin_file.is_file() else []
        now = {"time": time.strftime("%Y-%m-%d %H:%M:%S"), "command": shlex.join(sys.argv), "versions": versions()}
        replace_text(self.origin_file, json.dumps({"runs": [*before, now]}, indent=1) + "\n")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers of a run."""
    found = {"python": platform.python_version(), "vtrans": vtrans.__version__}
    for package in ("torch", "numpy", "einops", "safetensors", "av", "kornia"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any], free: tuple[str, ...] = ()) -> list[str]:
    """What differs between two configs, in words.

    Example:
        >>> differences({"batch": 1, "data": {"flip": True}}, {"batch": 2, "data": {"flip": True}})
        ['batch 2 instead of 1']
    """
    first, second = _flat(before), _flat(now)
    return [
        f"{name} {json.dumps(second.get(name))} instead of {json.dumps(first.get(name))}"
        for name in dict.fromkeys([*first, *second])
        if name not in free and first.get(name) != second.get(name)
    ]


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _find(path: Path) -> Path:
    found = [path] if path.name.startswith("step-") and path.is_dir() else checkpoints_in(path / "checkpoints")
    if not found:
        allowed = "auto, never, or the path of a checkpoint or run"
        raise FileNotFoundError(refusal("resume", allowed=allowed, got=f"{path}, where no checkpoint is"))
    return found[-1]
