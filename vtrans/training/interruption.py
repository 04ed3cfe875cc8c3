"""Ctrl-C and SIGTERM as a wish that the loop looks at between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


class Interruption:
    """Within its ``with`` block, a first Ctrl-C, SIGTERM or SIGHUP is noted; a second one acts as usual.

    Args:
        told: Called once with the signal's number when it comes.

    Example:
        >>> with Interruption() as interruption:
        ...     interruption.signal is None
        True
    """

    def __init__(self, told: Callable[[int], None] | None = None) -> None:
        self.signal: int | None = None
        self._told = told
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no handlers
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._put_back()
        if self._told is not None:
            self._told(number)

    def _put_back(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
