"""Runs a grid: checked first, one cell after another or several at a time, and gone on with after any stop."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from vtrans.ablation.cells import check_cell, finished, run_cell, tidy
from vtrans.ablation.grid import Cell, Grid
from vtrans.ablation.outputs import print_outputs, write_outputs
from vtrans.ablation.plan_file import CELLS, RESULT, begin
from vtrans.ablation.processes import Job, run_beside
from vtrans.errors import refusal
from vtrans.training.run_folder import RunFolder


def ablate(grid: Grid, out: str | Path, *, jobs: int = 0, imports: Sequence[str] = ()) -> int:
    """Trains every cell of a grid that is not finished yet, and writes the results and the report.

    Args:
        grid: The grid.
        out: Its folder: new, empty, or that of the same grid or a part of it, whose finished cells are kept.
        jobs: Cells at a time. Default: one for each GPU, else one.
        imports: Modules that each further process imports first, such as those that register parts of one's own.

    Returns:
        0, or 128 and the number of the signal that stopped it.

    Raises:
        FileExistsError: The folder holds something else, or is in use.
        ValueError: The grid there is another one, or a cell cannot be trained as it is; nothing was written.
    """
    out, cells = Path(out), grid.cells()
    if jobs < 0:
        raise ValueError(refusal("jobs", allowed="a whole number, or 0 for one on each GPU", got=jobs))
    with RunFolder(out).locked():
        begin(grid, out)
        results = [(cell, finished(cell, folder_of(out, cell))) for cell in cells]
        for cell, result in results:
            if result is not None:
                tidy(folder_of(out, cell))  # of one that was stopped just after its result
        todo = [cell for cell, result in results if result is None]
        for cell in one_of_each(todo):
            check_cell(cell, grid.metrics, _measured_on(cell, results))
        begin(grid, out, write=True)
        work = _Work(grid, out, tuple(imports), len(cells), len(cells) - len(todo))
        print(f"{work.total} cells of {grid.base['steps']} steps, {work.done} of them finished.", flush=True)
        number = work.run(todo, jobs or max(1, torch.cuda.device_count()))
        if number is not None:
            print(f"Stopped with {work.done} of {work.total} cells finished. The same command goes on from there.")
            return 128 + number
        work.write()
        print_outputs(out)
    return 0


def finished_cells(grid: Grid, out: Path) -> int:
    """How many cells of a grid are finished.

    Raises:
        FileExistsError: The folder holds something else.
        ValueError: It holds another grid, or damaged results.
    """
    if not out.is_dir():
        return 0
    begin(grid, out)
    return sum(finished(cell, folder_of(out, cell)) is not None for cell in grid.cells())


def one_of_each(cells: Sequence[Cell]) -> list[Cell]:
    """The first cell of each world and variant."""
    return list({(cell.world, cell.variant): cell for cell in reversed(cells)}.values())[::-1]


def _measured_on(cell: Cell, results: Sequence[tuple[Cell, Mapping[str, Any] | None]]) -> set[str]:
    """The held-out clips of finished cells of the same data; those of a world differ by seed."""
    drawn = cell.settings.data.world is not None
    return {
        result["held_out"]
        for other, result in results
        if result is not None and other.world == cell.world and (other.seed == cell.seed or not drawn)
    }


@dataclass
class _Work:
    """What there is to do, and how far it is."""

    grid: Grid
    out: Path
    imports: tuple[str, ...]
    total: int
    done: int
    fresh: int = 0
    began: float = field(default_factory=time.monotonic)

    def run(self, cells: Sequence[Cell], jobs: int) -> int | None:
        """Runs cells; returns the number of the signal that stopped them, if one did."""
        if jobs > 1 and len(cells) > 1:
            return run_beside(cells, lambda cell, place: self._job(cell, place, jobs), jobs, self.told)
        for cell in cells:
            number = run_cell(cell, folder_of(self.out, cell), self.grid.metrics, self.grid.score_every)
            if number is not None:
                return number
            self.told(cell)
        return None

    def told(self, cell: Cell) -> None:
        """Prints a line on a finished cell."""
        result = finished(cell, folder_of(self.out, cell)) or {}
        self.done, self.fresh = self.done + 1, self.fresh + 1
        left = (time.monotonic() - self.began) / self.fresh * (self.total - self.done)
        last = [item for item in (result.get("curve") or [{}])[-1].items() if item[0] != "step"]
        scores = ", ".join(f"{name} {value:.3f}" for name, value in last[:2])
        state = "diverged" if result.get("status") == "diverged" else scores
        ending = f", about {_clock(left)} left" if self.done < self.total else ""
        print(f"{self.done}/{self.total} {cell.name}: {state} in {result.get('seconds', 0):.0f} s{ending}", flush=True)
        if self.done < self.total and all(
            self._finished(other) for other in self.grid.cells() if other.seed == cell.seed
        ):
            self.write()

    def write(self) -> None:
        """Writes the results of the seeds of which all cells are finished."""
        left = {cell.seed for cell in self.grid.cells() if not self._finished(cell)}
        part = replace(self.grid, seeds=tuple(seed for seed in self.grid.seeds if seed not in left))
        write_outputs(
            part, self.out, [(cell, folder_of(self.out, cell)) for cell in part.cells()], len(self.grid.seeds)
        )

    def _finished(self, cell: Cell) -> bool:
        return (folder_of(self.out, cell) / RESULT).is_file()

    def _job(self, cell: Cell, place: int, places: int) -> Job:
        folder, grid = folder_of(self.out, cell), self.grid
        return Job(cell, folder, grid.metrics, grid.score_every, self.imports, place, places)


def folder_of(out: Path, cell: Cell) -> Path:
    """The folder of a cell in that of a grid."""
    return out / CELLS / cell.place


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
