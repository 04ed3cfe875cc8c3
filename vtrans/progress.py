"""A progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any, Self


class Progress:
    """Shows how far a job is, how fast it goes and how long it will take.

    On a terminal it is a bar that is redrawn; elsewhere, as in a log file, it prints a line now and then.

    Args:
        what: What is being done, such as ``"training"``.
        unit: What is counted, in the plural, such as ``"steps"``.
        total: How many there are; None if nobody knows.
        start: How many were done before.
        every: How many to count between two plain lines; 0 for about ten lines in all.

    Example:
        >>> with Progress("adding", "numbers", total=2) as progress:
        ...     progress.update(1)
        ...     progress.update(2, "sum 3")  # doctest: +ELLIPSIS
        adding: 1/2 numbers, ...
        adding: 2/2 numbers, ..., sum 3
        >>> with Progress("reading", "frames", total=None) as progress:
        ...     for done in (1, 2, 3):
        ...         progress.update(done)  # doctest: +ELLIPSIS
        reading: 1 frame, ...
        reading: 3 frames, ...
    """

    def __init__(self, what: str, unit: str, *, total: int | None, start: int = 0, every: int = 0) -> None:
        self._what, self._unit, self._total, self._start = what, unit, total, start
        self._every = every or max(1, (total or 1000) // 10)
        self._bar: Any = None
        self._task: Any = None
        self._began = time.perf_counter()
        self._done = self._told = start

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = [TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[count]}")]
            times = [TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(compact=True)]
            self._bar = Bar(
                *columns, *(times if self._total else times[:1]), TextColumn("{task.fields[note]}"), console=Console()
            )
            self._bar.start()
            self._task = self._bar.add_task(
                self._what, total=self._total, completed=self._start, count=self._count(self._start), note=""
            )
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif kind is None and self._total is None and self._done != self._told:
            _print(f"{self._what}: {self._count(self._done)}")

    def wants(self, done: int) -> bool:
        """Whether a note is due at this count: reading numbers for it may mean to wait for a GPU."""
        return done % self._every == 0 or done in (self._total, self._start + 1)

    def update(self, done: int, note: str = "") -> None:
        """Tells how many are done, start included.

        Args:
            done: How many.
            note: What else to show; on a terminal the last one stays until another comes.
        """
        self._done = done
        if self._bar is not None:
            fields = {"note": note} if note else {}
            self._bar.update(self._task, completed=done, count=self._count(done), **fields)
        elif self.wants(done):
            rate = self._rate(done)
            # The first one is slow: it says nothing about the others.
            known = self._total is not None and done > self._start + 1
            left = f", {_clock(((self._total or 0) - done) / rate)} left" if known else ""
            ending = f", {note}" if note else ""
            self._told = done
            _print(f"{self._what}: {self._count(done)}{left}{ending}")

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            _print(line)

    def _count(self, done: int) -> str:
        of = f"/{self._total}" if self._total else ""
        unit = self._unit.removesuffix("s") if (self._total or done) == 1 else self._unit
        return f"{done}{of} {unit}, {self._rate(done):.1f} {self._unit}/s"

    def _rate(self, done: int) -> float:
        return (done - self._start) / max(time.perf_counter() - self._began, 1e-9)


def _print(line: str) -> None:
    """Prints a line; a reader that has gone away is no reason to stop working."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
