"""Cells beside each other, each in a process of its own."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from vtrans.ablation.cells import run_cell
from vtrans.ablation.grid import Cell
from vtrans.training.interruption import Interruption


@dataclass(frozen=True)
class Job:
    """A cell to be run in a process of its own.

    Attributes:
        cell: The cell.
        folder: Its folder.
        metrics: The metrics; None for all that are possible.
        score_every: Steps between measurements.
        imports: Modules that are imported first.
        place: Which of the processes at work this is, from 0.
        places: How many there are at a time.
    """

    cell: Cell
    folder: Path
    metrics: tuple[str, ...] | None
    score_every: int
    imports: tuple[str, ...]
    place: int
    places: int

    @property
    def log(self) -> Path:
        """Where goes what the process prints."""
        return self.folder.with_name(f"{self.folder.name}.log")


def run_beside(
    cells: Sequence[Cell], job: Callable[[Cell, int], Job], places: int, told: Callable[[Cell], None]
) -> int | None:
    """Runs cells, several at a time; after a stop or failure the others write their checkpoints.

    Args:
        cells: The cells.
        job: Makes the job of a cell, at one of the places.
        places: How many run at a time.
        told: Called with each that is finished.

    Returns:
        The number of the signal that stopped them, if one did.

    Raises:
        ValueError: A cell failed; it is named with the reason.
    """
    context = multiprocessing.get_context("spawn")
    waiting, running, asked = list(cells), dict[int, tuple[BaseProcess, Job, int]](), set[int | None]()
    failure, number = "", None
    with Interruption() as interruption:
        while running or (waiting and not failure and number is None):
            number = number or interruption.signal
            stopping = bool(failure) or number is not None
            while waiting and len(running) < places and not stopping:
                place = next(free for free in range(places) if free not in running)
                made = job(waiting.pop(0), place)
                process = context.Process(target=_in_process, args=(made,))
                said = made.log.stat().st_size if made.log.is_file() else 0
                process.start()
                running[place] = (process, made, said)
            wait([process.sentinel for process, *_ in running.values()], timeout=0.5)
            for place, (started, made, said) in list(running.items()):
                if started.is_alive():
                    if stopping and started.pid not in asked:
                        asked.add(started.pid)
                        started.terminate()
                    continue
                code = started.exitcode or 0
                del running[place]
                if code == 0:
                    told(made.cell)
                elif not stopping and code > 128:
                    number = code - 128
                elif not stopping:
                    failure = f"{made.cell.name} failed: {_last_words(made, said)}"
    if failure:
        raise ValueError(failure)
    return number


def _in_process(job: Job) -> None:
    """The body of a process: what it prints goes to a file, and its exit code tells how it went."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    handle = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the first one tells us
    gpus = torch.cuda.device_count()
    if gpus > 1:  # before anything uses one
        os.environ["CUDA_VISIBLE_DEVICES"] = str(job.place % gpus)
    if job.cell.settings.threads is None:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // job.places))
    try:
        for module in job.imports:
            importlib.import_module(module)
        number = run_cell(job.cell, job.folder, job.metrics, job.score_every)
    except BaseException as error:
        print(f"error: {error}", flush=True)
        os._exit(1)
    os._exit(0 if number is None else 128 + number)


def _end_with_parent() -> None:
    """Ends a process at once if the one that started it was killed, so that the same command can go on."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _last_words(job: Job, begin: int) -> str:
    """What a process said last, from a position in its log on."""
    lines = job.log.read_bytes()[begin:].decode(errors="replace").splitlines() if job.log.is_file() else []
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return errors[-1] if errors else f"see {job.log}"
