"""Checkpoints on disk: complete or not there at all, and exact to continue from."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

import torch

from vtrans import pretrained
from vtrans.errors import refusal
from vtrans.model import TranslationModel
from vtrans.training.state import Optimizers, capture, restore

KEPT = 2
_NAME = re.compile(r"step-(\d{6,})")
_STATE, _TENSORS, _MODEL = "state.json", "state.safetensors", "model"


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=step_of)


def step_of(checkpoint: Path) -> int:
    """The number of steps that were done when a checkpoint was written.

    Example:
        >>> step_of(Path("checkpoints/step-000200"))
        200
    """
    found = _NAME.fullmatch(checkpoint.name)
    if found is None:
        raise ValueError(refusal("checkpoint", allowed="a folder named like step-000200", got=str(checkpoint)))
    return int(found[1])


def save_checkpoint(folder: Path, step: int, model: TranslationModel, optimizers: Optimizers) -> Path:
    """Writes ``folder/step-000200`` and removes all but the last two.

    It is written under another name, flushed to the disk and then renamed, so that what bears the name is complete.

    Args:
        folder: The folder of a run's checkpoints.
        step: Steps done.
        model: The model.
        optimizers: Its optimizers by phase.

    Returns:
        The checkpoint.

    Raises:
        FloatingPointError: A weight is not finite; nothing is written.
    """
    from safetensors.torch import save_file

    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise FloatingPointError(f"After step {step} the weight {name} is not finite: no checkpoint was written.")
    tensors, rest = capture(model, optimizers)
    target = folder / f"step-{step:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{target.name}.{secrets.token_hex(4)}.partial"
    try:
        partial.mkdir()
        model.save_pretrained(str(partial / _MODEL))
        save_file(tensors, str(partial / _TENSORS))
        (partial / _STATE).write_text(json.dumps({"step": step, **rest}) + "\n", encoding="utf-8")
        for path in [*partial.rglob("*"), partial]:
            _flush(path)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
        _flush(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for old in [*checkpoints_in(folder)[:-KEPT], *folder.glob(".step-*.partial")]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_checkpoint(checkpoint: Path, model: TranslationModel, optimizers: Optimizers) -> int:
    """Loads a checkpoint into a model and its optimizers, and puts the random state back.

    Args:
        checkpoint: What :func:`save_checkpoint` wrote.
        model: A model of the same config.
        optimizers: Its optimizers.

    Returns:
        Steps done.

    Raises:
        FileNotFoundError: A file of the checkpoint is missing.
        ValueError: It cannot be read, or belongs to another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    weights = checkpoint / _MODEL / pretrained.TENSORS
    for path in (checkpoint / _STATE, checkpoint / _TENSORS, weights):
        if not path.is_file():
            raise FileNotFoundError(refusal("checkpoint", allowed="a complete checkpoint", got=f"no {path}"))
    try:
        rest: dict[str, Any] = json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
        tensors, parameters = load_file(checkpoint / _TENSORS), load_file(weights)
    except (SafetensorError, ValueError) as error:
        got = f"damaged files ({error})"
        raise ValueError(refusal(str(checkpoint), allowed="a checkpoint", got=got)) from error
    pretrained.load_tensors(model, parameters, str(weights))
    restore(model, optimizers, tensors, rest)
    return int(rest["step"])


def model_folder(run: Path) -> Path:
    """The folder of a run, or of a model, from which the model can be loaded.

    Args:
        run: A run folder, a checkpoint, or a folder that ``save_pretrained`` wrote.

    Raises:
        FileNotFoundError: No model is there.
    """
    newest = [checkpoint / _MODEL for checkpoint in checkpoints_in(run / "checkpoints")[-1:]]
    for folder in (run, run / _MODEL, *newest):
        if (folder / pretrained.CONFIG).is_file() and (folder / pretrained.TENSORS).is_file():
            return folder
    allowed = "a folder of a run, or one that save_pretrained wrote"
    got = "which holds no model" if run.is_dir() else "which is no folder"
    raise FileNotFoundError(refusal("run", allowed=allowed, got=f"{run}, {got}"))


def _flush(path: Path) -> None:
    """Has a file, or a folder's list of names, written to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows flushes no folders.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
