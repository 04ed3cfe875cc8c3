"""The folder of a run: what lies where, and when it may be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtrans.errors import refusal
from vtrans.training.checkpoints import checkpoints_in, step_of

_FREE = ("checkpoint_every", "preview_every", "log_every", "device", "threads")
"""What may differ when a run is resumed."""


class RunFolder:
    """The folder of a run.

    It holds ``config.yaml``, ``metrics.jsonl``, ``checkpoints/``, ``previews/``, ``model/`` and ``losses.png``.

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
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(refusal("out", allowed="a folder", got=f"the file {self.path}"))
        used = self.path.is_dir() and any(self.path.iterdir())
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
        checkpoint = None
        if used:
            self._compare(config)
            checkpoint = next(iter(checkpoints_in(self.checkpoints)[-1:]), None)
        elif resume not in ("auto", "never"):
            checkpoint = _find(Path(resume))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            got = f"{self.path}, which cannot be written ({error.strerror})"
            raise OSError(refusal("out", allowed="a place for a folder", got=got)) from error
        self._write_config(config)
        self._cut_metrics(0 if checkpoint is None else step_of(checkpoint))
        return checkpoint

    def append_metrics(self, line: Mapping[str, float | int]) -> None:
        """Adds a line to ``metrics.jsonl``."""
        with self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def metrics(self) -> list[dict[str, float]]:
        """The lines of ``metrics.jsonl``; one that was cut off in the middle is left out."""
        if not self.metrics_file.exists():
            return []
        lines = self.metrics_file.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("}\n")]

    def _compare(self, config: Mapping[str, Any]) -> None:
        import yaml

        if not self.config_file.is_file():
            got = f"{self.path}, which holds files but no run"
            raise FileExistsError(refusal("out", allowed="a new folder, or that of a run", got=got))
        try:
            before = yaml.safe_load(self.config_file.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise ValueError(refusal(str(self.config_file), allowed="YAML", got=f"damaged text ({error})")) from error
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

        text = "# Every setting of this run; vtrans train --config takes it.\n" + yaml.safe_dump(
            dict(config), sort_keys=False, allow_unicode=True
        )
        _replace(self.config_file, text)

    def _cut_metrics(self, step: int) -> None:
        """Drops lines that will be written again."""
        kept = [line for line in self.metrics() if line["step"] <= step]
        _replace(self.metrics_file, "".join(json.dumps(line) + "\n" for line in kept))


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


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
