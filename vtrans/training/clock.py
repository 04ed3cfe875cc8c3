"""How fast a loop goes, and how much of its time it waits for clips."""

from __future__ import annotations

import time


class Clock:
    """Counts clips and waiting from now on.

    Example:
        >>> clock = Clock(done=0)
        >>> clock.wait(0.5)
        >>> sorted(clock.numbers(done=10, batch=4))
        ['time/clips_per_second', 'time/wait_share']
    """

    def __init__(self, done: int) -> None:
        self._began, self._done, self._waited = time.perf_counter(), done, 0.0

    def wait(self, seconds: float) -> None:
        """Adds time that was waited."""
        self._waited += seconds

    def numbers(self, done: int, batch: int) -> dict[str, float]:
        """Clips of each domain a second, and the share of the time that was waited.

        Args:
            done: Steps done by now.
            batch: Clips of each domain in a step.
        """
        ran = max(time.perf_counter() - self._began, 1e-9)
        return {"time/clips_per_second": batch * (done - self._done) / ran, "time/wait_share": self._waited / ran}
