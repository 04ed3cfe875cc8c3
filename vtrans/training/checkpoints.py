"""Checkpoints on disk: complete or not there at all, and exact to continue from."""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch

from vtrans.errors import refusal
from vtrans.files import flush, read_json
from vtrans.model import TranslationModel, pretrained
from vtrans.training.averages import GeneratorAverage, averaged
from vtrans.training.devices import Devices
from vtrans.training.manifest import check_files, read_manifest, write_manifest
from vtrans.training.state import (
    Optimizers,
    capture_optimizers,
    capture_process,
    checked_optimizers,
    checked_process,
)

FORMAT = 2
_NAME = re.compile(r"step-(\d{6,18})")
_MODEL = "model"

T = TypeVar("T")


class OtherFormatError(ValueError):
    """A checkpoint is of a format that another version writes."""


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


def save_checkpoint(
    folder: Path,
    step: int,
    model: TranslationModel,
    optimizers: Optimizers,
    *,
    average: GeneratorAverage | None = None,
    devices: Devices | None = None,
    progress: dict[str, Any] | None = None,
) -> Path:
    """Writes ``folder/step-000200``.

    It is written under another name, with checksums, flushed to the disk and then renamed, so that what bears the name
    is complete. Its ``model/`` has the weights to use: averages, if there are any.

    Args:
        folder: The folder of a run's checkpoints; of a run on several machines, one that all of them see.
        step: Steps done.
        model: The model.
        optimizers: Its optimizers by phase.
        average: The averages of the generators' weights, if there are any.
        devices: The processes of the run, which all must call this; by default this is the only one.
        progress: Further plain data, given back by :func:`load_checkpoint`.

    Returns:
        The checkpoint.

    Raises:
        FloatingPointError: A weight is not finite; nothing is written.
        OSError: It cannot be written, such as on a full disk; what was there before is as it was.
    """
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise FloatingPointError(
                f"After step {step} the weight {name} is not finite: no checkpoint was written; {_last(folder)}."
            )
    rank, ranks = (0, 1) if devices is None else (devices.rank, devices.ranks)
    target = folder / f"step-{step:06d}"
    partial = folder / f".{target.name}.partial"

    def begin() -> None:
        if rank == 0:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)

    def write_own() -> None:
        tensors, rest = capture_process(model)
        _write_tensors(partial / f"process-{rank}.safetensors", tensors)
        _write_json(partial / f"process-{rank}.json", rest)

    def finish() -> None:
        if rank == 0:
            tensors, numbers = capture_optimizers(optimizers)
            tensors = {f"optimizers/{name}": tensor for name, tensor in tensors.items()}
            if average is not None:
                live = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
                tensors |= {f"weights/{name}": value.clone() for name, value in live.items()}
            _write_tensors(partial / "state.safetensors", tensors)
            scaler = None if devices is None else devices.scaler_state()
            _write_json(partial / "state.json", {"optimizers": numbers, "scaler": scaler, "progress": progress or {}})
            with averaged(average), tensors_written():
                model.save_pretrained(str(partial / _MODEL))
            write_manifest(partial, {"format": FORMAT, "step": step, "processes": ranks})
            _put_in_place(partial, target)

    try:
        for work in (begin, write_own, finish):
            _together(devices, work)
    except OSError as error:
        raise not_written(f"The checkpoint {target}", error, folder) from error
    finally:
        if rank == 0:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def load_checkpoint(
    checkpoint: Path,
    model: TranslationModel,
    optimizers: Optimizers,
    *,
    average: GeneratorAverage | None = None,
    devices: Devices | None = None,
) -> tuple[int, dict[str, Any]]:
    """Loads a checkpoint into a model and its optimizers, and puts the random state back.

    Everything is checked before anything is changed.

    Args:
        checkpoint: What :func:`save_checkpoint` wrote.
        model: A model of the same config.
        optimizers: Its optimizers.
        average: The averages, if the run has them.
        devices: The processes of the run, which all must call this. A process that the checkpoint knows nothing of
            takes the random state and the history pools of another one.

    Returns:
        Steps done, and the further data.

    Raises:
        OtherFormatError: Another version wrote it.
        ValueError: It is damaged or incomplete, or belongs to another model; the file is named.
    """

    def check() -> tuple[int, dict[str, Any], Callable[[], None]]:
        try:
            return _checked(checkpoint, model, optimizers, average, devices)
        except OtherFormatError:
            raise
        except ValueError as error:
            raise error if str(checkpoint) in str(error) else ValueError(f"{checkpoint}: {error}") from error
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError) as error:
            got = f"others ({type(error).__name__}: {error})"
            raise ValueError(
                refusal(str(checkpoint), allowed="data as save_checkpoint writes them", got=got)
            ) from error

    step, progress, put_back = _together(devices, check)
    put_back()
    return step, progress


def _checked(
    checkpoint: Path,
    model: TranslationModel,
    optimizers: Optimizers,
    average: GeneratorAverage | None,
    devices: Devices | None,
) -> tuple[int, dict[str, Any], Callable[[], None]]:
    """Steps done, the further data, and what puts everything back."""
    facts = read_manifest(checkpoint)
    if facts.get("format") != FORMAT:
        allowed = f"a checkpoint of format {FORMAT}, which this version writes"
        got, fix = f"format {facts.get('format')!r}", "Go on with the version that wrote it, as made_with.json says"
        raise OtherFormatError(refusal(str(checkpoint), allowed=allowed, got=got, fix=fix))
    rank = (0 if devices is None else devices.rank) % int(facts["processes"])
    model_file = f"{_MODEL}/{pretrained.TENSORS}"
    own = f"process-{rank}"
    needed = ("state.json", "state.safetensors", f"{own}.json", f"{own}.safetensors", model_file)
    check_files(checkpoint, facts, needed)
    state, tensors = read_json(checkpoint / "state.json"), _tensors(checkpoint / "state.safetensors")
    used = _tensors(checkpoint / model_file)
    weights = {n.removeprefix("weights/"): t for n, t in tensors.items() if n.startswith("weights/")}
    if bool(weights) != (average is not None):
        allowed, got = ("averages", "none") if average is not None else ("no averages", "some")
        raise ValueError(refusal(str(checkpoint), allowed=f"{allowed} of weights, as ema says", got=got))
    pretrained.check_tensors(model, weights or used, str(checkpoint))
    recipe = read_json(checkpoint / _MODEL / pretrained.CONFIG).get("recipe")
    if recipe != model.config["recipe"]:
        raise ValueError(
            refusal(str(checkpoint), allowed=f"a checkpoint of the recipe {model.config['recipe']}", got=f"of {recipe}")
        )
    averages = {} if average is None else {name: used[f"networks.{name}"] for name in average.tensors()}
    if average is not None:
        average.check(averages)
    numbers = {n.removeprefix("optimizers/"): t for n, t in tensors.items() if n.startswith("optimizers/")}
    put_back_optimizers = checked_optimizers(optimizers, numbers, state["optimizers"])
    process = _tensors(checkpoint / f"{own}.safetensors")
    put_back_process = checked_process(model, process, read_json(checkpoint / f"{own}.json"))
    scaler = None if state["scaler"] is None else {str(key): _number(value) for key, value in state["scaler"].items()}
    step, progress = int(facts["step"]), dict(state["progress"])

    def put_back() -> None:
        pretrained.load_tensors(model, weights or used, str(checkpoint))
        if average is not None:
            average.load(averages)
        put_back_optimizers()
        if devices is not None:
            devices.load_scaler_state(scaler)
        put_back_process()

    return step, progress, put_back


def prune(folder: Path, *, keep_last: int, milestone_every: int = 0, spare: Collection[int] = ()) -> None:
    """Removes old checkpoints, and what killed runs left of unfinished ones.

    Args:
        folder: The folder of a run's checkpoints.
        keep_last: Newest ones that stay.
        milestone_every: Those at multiples of so many steps stay; 0 for none.
        spare: Steps of others that stay.
    """
    for old in checkpoints_in(folder)[:-keep_last]:
        step = step_of(old)
        if step not in spare and not (milestone_every and step % milestone_every == 0):
            _rename(old, gone := old.with_name(f".{old.name}.old"))
            shutil.rmtree(gone, ignore_errors=True)
    for left in [*folder.glob(".step-*.partial"), *folder.glob(".step-*.old")]:
        shutil.rmtree(left, ignore_errors=True)


def set_aside(checkpoint: Path) -> Path:
    """Gives a damaged checkpoint another name, such as ``damaged-step-000200``, so that it counts no more."""
    aside = checkpoint.with_name(f"damaged-{checkpoint.name}")
    _rename(checkpoint, aside)
    return aside


@contextmanager
def tensors_written() -> Iterator[None]:
    """Makes of what safetensors says of a full disk what Python says."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        found = re.search(r"os error (\d+)", str(error))
        raise OSError(int(found[1]) if found else errno.EIO, str(error)) from error


def not_written(what: str, error: OSError, folder: Path) -> OSError:
    """The error of what could not be written, with the way on from the checkpoints in a folder."""
    message = f"{what} could not be written ({error.strerror or error}); {_last(folder)}."
    return OSError(error.errno, f"{message} Free some space, and go on with --resume auto.")


def model_folder(run: Path) -> Path:
    """The folder of a run, or of a model, from which the model can be loaded.

    Args:
        run: A run folder, a checkpoint, or a folder that ``save_pretrained`` wrote.

    Returns:
        Of a run, the model of its newest checkpoint; without checkpoints, its ``model/``.

    Raises:
        FileNotFoundError: No model is there.
    """
    newest = [checkpoint / _MODEL for checkpoint in reversed(checkpoints_in(run / "checkpoints"))]
    for folder in (run, *newest, run / _MODEL):
        if (folder / pretrained.CONFIG).is_file() and (folder / pretrained.TENSORS).is_file():
            return folder
    allowed = "a folder of a run, or one that save_pretrained wrote"
    got = "which holds no model" if run.is_dir() else "which is no folder"
    raise FileNotFoundError(refusal("run", allowed=allowed, got=f"{run}, {got}"))


def _number(value: object) -> float | int:
    """A number of the scaler's state, some of which count."""
    return value if isinstance(value, int) and not isinstance(value, bool) else float(str(value))


def _put_in_place(partial: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.old")
    if target.exists():
        _rename(target, old)
    partial.rename(target)
    flush(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _rename(folder: Path, to: Path) -> None:
    """Renames at once, so that the folder is never seen half changed; what had that name is removed."""
    shutil.rmtree(to, ignore_errors=True)
    folder.rename(to)


def _last(folder: Path) -> str:
    kept = checkpoints_in(folder)
    return f"the last good one is {kept[-1]}" if kept else "there is none yet"


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(refusal(str(path), allowed="tensors", got=f"a damaged file ({error})")) from error


def _write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    from safetensors.torch import save_file

    with tensors_written():
        save_file(tensors, path)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _together(devices: Devices | None, work: Callable[[], T]) -> T:
    return work() if devices is None else devices.together(work)
