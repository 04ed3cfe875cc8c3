"""One cell of a grid: trained, measured at intervals, and left as a small folder with its result."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtrans.data import batches, frames_to_tensor, write_video
from vtrans.data.tensors import Frames
from vtrans.errors import refusal
from vtrans.evaluation.ablation.grid import Cell
from vtrans.evaluation.ablation.held_out import SIDES, HeldOut, as_frames
from vtrans.evaluation.ablation.machine import machine
from vtrans.evaluation.ablation.metrics import metrics, possible
from vtrans.objective import StepReport
from vtrans.training.averages import averaged
from vtrans.training.callbacks import Callback, Run
from vtrans.training.manifest import read_json, replace_text
from vtrans.training.preparation import Preparation, prepare
from vtrans.training.run_folder import RunFolder, versions
from vtrans.training.trainer import Outcome, train

RESULT = "result.json"
VIDEO_FRAMES, VIDEO_RATE, VIDEO_SIDE = 24, 8, 128
_SCORE, _SPENT = "score/", "seconds.txt"


class Scoring(Callback):
    """Measures the model at intervals; the numbers go to ``metrics.jsonl`` as ``score/settled/y``.

    With averages of the weights, it is these that are measured.

    Args:
        held_out: What it is measured on.
        names: The metrics.
        every: Steps between measurements.

    Raises:
        ValueError: A metric can't be measured on these data; the message says why.
    """

    def __init__(self, held_out: HeldOut, names: Sequence[str], every: int) -> None:
        self._held_out, self._every = held_out, every
        self._metrics = {name: metrics.create(name) for name in names}
        for name, metric in self._metrics.items():
            why = metric.why_not(held_out)
            if why:
                fix = f"For these data there are {', '.join(possible(held_out))}"
                data = held_out.prepared.clips_x.source.name
                raise ValueError(refusal("metrics", allowed=f"metrics for {data}", got=f"{name}: {why}", fix=fix))

    def on_step(self, run: Run, report: StepReport) -> None:
        if run.due(self._every):
            with averaged(run.average):
                run.numbers.update({f"{_SCORE}{name}": value for name, value in self.measure().items()})

    def measure(self) -> dict[str, float]:
        """The numbers for the present weights, by names such as ``settled/y``."""
        self._held_out.forget()
        found = {
            f"{name}/{side}": metric.measure(self._held_out, side)
            for name, metric in self._metrics.items()
            for side in reversed(SIDES)
        }
        return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}


def check_cell(cell: Cell, names: Sequence[str] | None) -> str:
    """Checks before any work that a cell can be trained and measured.

    Args:
        cell: The cell.
        names: The metrics; None for all that are possible.

    Returns:
        What would be trained on what, in words.

    Raises:
        FileNotFoundError: There are no data where it says.
        ValueError: Settings, data, networks or metrics do not fit together; the cell is named.
    """
    try:
        prepared = prepare(cell.settings)
        held_out = HeldOut(prepared)
        Scoring(held_out, names or possible(held_out), 1)
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
        _tidy(folder)
        return None
    prepared = prepare(cell.settings)
    held_out = HeldOut(prepared)
    scoring = Scoring(held_out, names or possible(held_out), score_every)
    start = {"initial": weight_digests(prepared), "first_batch": _first_batch(prepared)}
    began, diverged, outcome = time.monotonic(), "", Outcome(0)
    try:
        outcome = train(prepared, folder, resume="auto", hooks=[scoring])
    except FloatingPointError as error:
        diverged = str(error.__cause__ or error)
    finally:
        spent = time.monotonic() - began + _spent(folder)
        if folder.is_dir():
            replace_text(folder / _SPENT, f"{spent:.1f}\n")
    if outcome.signal is not None:
        return outcome.signal
    frames = 0 if diverged else write_videos(prepared, held_out, folder)
    result = {
        "world": cell.world,
        "variant": cell.variant,
        "seed": cell.seed,
        "digest": cell.digest,
        "status": "diverged" if diverged else "finished",
        "message": diverged,
        "steps": outcome.done,
        "seconds": round(spent, 1),
        "curve": _curve(folder),
        "video": {"frames": frames, "rate": VIDEO_RATE, "paired": held_out.paired},
        **start,
        "objective": _objective(prepared),
        "parameters": {n: sum(p.numel() for p in net.parameters()) for n, net in prepared.model.networks.items()},
        "data": {"x": prepared.clips_x.shape, "y": prepared.clips_y.shape},
        "machine": machine(prepared.devices.device, torch.get_num_threads()),
        "versions": versions(),
    }
    folder.mkdir(parents=True, exist_ok=True)  # a run that breaks off at once takes its folder with it
    replace_text(folder / RESULT, json.dumps(result, indent=1) + "\n")
    _tidy(folder)
    return None


def finished(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """The result of a cell, if there is one.

    Raises:
        ValueError: It is damaged, or of other settings.
    """
    file = folder / RESULT
    if not file.is_file():
        return None
    result = read_json(file)
    if result.get("digest") != cell.digest:
        allowed, fix = "the result of this cell's settings", "Pass another --out"
        raise ValueError(refusal(str(file), allowed=allowed, got="that of others", fix=fix))
    return result


def weight_digests(prepared: Preparation) -> dict[str, str]:
    """Tells by network whether two models have the same weights."""
    found = {}
    for name, network in prepared.model.networks.items():
        parts = (part for item in network.state_dict().items() for part in (item[0].encode(), _bytes(item[1])))
        found[name] = _digest(parts)
    return found


def write_videos(prepared: Preparation, held_out: HeldOut, folder: Path) -> int:
    """Writes a held-out clip and its translation in both directions: ``x.mp4``, ``to_y.mp4``, ``y.mp4``, ``to_x.mp4``.

    The clip is the same for every model of a world and a seed.

    Returns:
        How many frames it has.
    """
    frames: Mapping[str, Frames] = {side: held_out.frames[side][0] for side in SIDES}
    if held_out.world is not None:
        x, y = held_out.world.pairs(1, VIDEO_FRAMES)
        frames = {"x": x[0], "y": y[0]}
    for side, other in (("x", "y"), ("y", "x")):
        given = frames_to_tensor(frames[other]).to(prepared.devices.device)
        made = as_frames(prepared.model.translate(given, to=side).cpu())
        for name, clip in ((f"{side}.mp4", frames[side]), (f"to_{side}.mp4", made)):
            write_video(folder / name, _shown(clip), rate=VIDEO_RATE, overwrite=True)
    return len(frames["x"])


def _shown(clip: Frames) -> Frames:
    """Frames in colour, enlarged by a whole number, with an even height and width."""
    if clip.shape[3] == 1:
        clip = clip.repeat(3, axis=3)
    times = max(1, VIDEO_SIDE // clip.shape[1])
    large = clip.repeat(times, axis=1).repeat(times, axis=2)
    return np.ascontiguousarray(large[:, : large.shape[1] // 2 * 2, : large.shape[2] // 2 * 2])


def _curve(folder: Path) -> list[dict[str, float]]:
    """What was measured at which step."""
    curve = []
    for line in RunFolder(folder).metrics():
        scores = {name.removeprefix(_SCORE): value for name, value in line.items() if name.startswith(_SCORE)}
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


def _spent(folder: Path) -> float:
    file = folder / _SPENT
    try:
        return float(file.read_text(encoding="utf-8")) if file.is_file() else 0.0
    except ValueError:
        return 0.0


def _tidy(folder: Path) -> None:
    """Removes what only a resume needs."""
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    (folder / _SPENT).unlink(missing_ok=True)
