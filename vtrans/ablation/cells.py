"""One cell of a grid: trained, measured at intervals, and left as a small folder with its result."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vtrans.ablation.grid import Cell
from vtrans.ablation.machine import machine
from vtrans.ablation.plan_file import RESULT
from vtrans.ablation.scoring import SCORE, SPENT, Scoring, scores, spent
from vtrans.ablation.videos import RATE, write_videos
from vtrans.data import batches
from vtrans.errors import refusal
from vtrans.evaluation import EvaluationData
from vtrans.files import read_json, replace_text
from vtrans.model import TranslationModel
from vtrans.training.preparation import Preparation, prepare
from vtrans.training.run_folder import RunFolder, versions
from vtrans.training.trainer import Outcome, train
from vtrans.training.validation import held_out_data

_TEXTS = ("world", "variant", "digest", "status", "message", "first_batch", "held_out")
_MAPPINGS = ("video", "initial", "objective", "parameters", "data", "machine", "versions")
_NOTED: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(_TEXTS, str),
    **dict.fromkeys(_MAPPINGS, dict),
    **dict.fromkeys(("seed", "steps"), int),
    "seconds": (int, float),
    "curve": list,
}


def check_cell(cell: Cell, names: Sequence[str] | None, measured_on: Collection[str] = ()) -> str:
    """Checks before any work that a cell can be trained and measured.

    Args:
        cell: The cell.
        names: The metrics; None for all that are possible.
        measured_on: Digests of the held-out clips that finished cells were measured on which it is compared with.

    Returns:
        What would be trained on what, in words.

    Raises:
        FileNotFoundError: There are no data where it says.
        ValueError: Settings, data, networks or metrics do not fit together; the cell is named.
    """
    try:
        prepared = prepare(cell.settings)
        data = held_out_data(prepared)
        Scoring(prepared.model, data, names, 1)
        if {*measured_on} - {data_digest(data)}:
            allowed, fix = (
                "the held-out clips that finished cells were measured on",
                "Put them back, or pass another --out",
            )
            raise ValueError(refusal("data", allowed=allowed, got="others: the files have changed", fix=fix))
    except (OSError, TypeError, ValueError) as error:
        raise type(error)(f"{cell.world}, {cell.variant}: {error}") from error
    return prepared.summary()


def run_cell(cell: Cell, folder: Path, names: Sequence[str] | None, score_every: int) -> int | None:
    """Trains a cell, or goes on with it, and writes its result; a finished one is left alone.

    Args:
        cell: The cell.
        folder: Its folder.
        names: The metrics; None for all that are possible.
        score_every: Steps between measurements.

    Returns:
        The signal that stopped it, if one did; it can then be gone on with.

    Raises:
        OSError: Something cannot be written.
        ValueError: The folder holds another run.
    """
    if finished(cell, folder) is not None:
        return None
    prepared = prepare(cell.settings)
    data = held_out_data(prepared)
    scoring = Scoring(prepared.model, data, names, score_every)
    start = {"initial": weight_digests(prepared), "first_batch": _first_batch(prepared)}
    diverged = ""
    try:
        outcome = train(prepared, folder, resume="auto", hooks=[scoring])
    except FloatingPointError as error:
        diverged = str(error.__cause__ or error)
        outcome = Outcome(getattr(error.__cause__, "step", 0))
    except ValueError as error:
        raise ValueError(f"{error} To train this cell alone anew, remove {folder}.") from error
    if outcome.signal is not None:
        return outcome.signal
    curve, frames = _curve(folder), 0
    if not diverged:
        # With averages of the weights these are what is saved.
        saved = TranslationModel.from_pretrained(str(folder / "model")).to(prepared.devices.device)
        if not curve or curve[-1]["step"] != outcome.done:
            curve.append({"step": outcome.done, **scores(saved, data, names)})
        frames = write_videos(saved, prepared, data, folder)
    result = {
        "world": cell.world,
        "variant": cell.variant,
        "seed": cell.seed,
        "digest": cell.digest,
        "status": "diverged" if diverged else "finished",
        "message": diverged,
        "steps": outcome.done,
        "seconds": round(scoring.seconds or spent(folder), 1),
        "curve": curve,
        "video": {"frames": frames, "rate": RATE, "paired": data.paired},
        "held_out": data_digest(data),
        **start,
        "objective": _objective(prepared),
        "parameters": {n: sum(p.numel() for p in net.parameters()) for n, net in prepared.model.networks.items()},
        "data": {"x": prepared.clips_x.shape, "y": prepared.clips_y.shape},
        "machine": machine(prepared.devices.device, torch.get_num_threads()),
        "versions": versions(),
    }
    folder.mkdir(parents=True, exist_ok=True)  # a run that breaks off at once takes its folder with it
    replace_text(folder / RESULT, json.dumps(result, indent=1) + "\n")
    tidy(folder)
    return None


def finished(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """The result of a cell, if there is one.

    Raises:
        ValueError: It is damaged, or of other settings.
    """
    file = folder / RESULT
    if not file.is_file():
        return None
    again = f"To train this cell alone anew, remove {folder}"
    try:
        result = read_json(file)
    except ValueError as error:
        raise ValueError(f"{error} {again}.") from error
    missing = [name for name, kind in _NOTED.items() if not isinstance(result.get(name), kind)]
    if missing:
        raise ValueError(refusal(str(file), allowed=f"{missing[0]} of a cell", got="none", fix=again))
    if result["digest"] != cell.digest:
        allowed, fix = "the result of this cell's settings", f"Pass another --out. {again}"
        raise ValueError(refusal(str(file), allowed=allowed, got="that of others", fix=fix))
    return result


def weight_digests(prepared: Preparation) -> dict[str, str]:
    """Tells by network whether two models have the same weights."""
    found = {}
    for name, network in prepared.model.networks.items():
        parts = (part for item in network.state_dict().items() for part in (item[0].encode(), _bytes(item[1])))
        found[name] = _digest(parts)
    return found


def data_digest(data: EvaluationData) -> str:
    """Tells whether two runs are measured on the same clips."""
    parts: list[bytes] = []
    for source in filter(None, (data.x, data.y)):
        clips = [sequence.read(0, sequence.length) for sequence in source.sequences]
        parts += [f"{(len(clips), *clips[0].shape)}".encode(), *(clip.tobytes() for clip in clips)]
    return _digest(parts)


def _curve(folder: Path) -> list[dict[str, float]]:
    """What was measured at which step."""
    curve = []
    for line in RunFolder(folder).metrics():
        scores = {name.removeprefix(SCORE): value for name, value in line.items() if name.startswith(SCORE)}
        if scores:
            curve.append({"step": line["step"], **scores})
    return curve


def _objective(prepared: Preparation) -> dict[str, Any]:
    """The equations that are minimised, and notes on them."""
    explanation = prepared.model.explain(length=prepared.clips_x.length)
    return {
        "notes": [note for note in explanation.notes if not note.startswith("networks: ")],
        "phases": [
            {
                "heading": section.heading,
                "terms": [
                    {"name": row.name, "text": row.text, "latex": row.latex, "trains": list(row.trains)}
                    for row in section.rows
                ],
            }
            for section in explanation.sections
        ],
    }


def _first_batch(prepared: Preparation) -> str:
    """Tells whether two runs begin with the same clips; the order depends on the seed and their number alone."""
    settings = prepared.settings
    drawn = batches(prepared.clips_x, prepared.clips_y, batch=settings.batch, seed=settings.seed)
    with closing(drawn):
        return _digest(_bytes(clip) for clip in next(drawn))


def _bytes(tensor: Tensor) -> bytes:
    return bytes(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def tidy(folder: Path) -> None:
    """Removes what only a resume needs."""
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    (folder / SPENT).unlink(missing_ok=True)
