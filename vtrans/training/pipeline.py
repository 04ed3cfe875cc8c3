"""Two helpers that make a loop a pipeline: a thread that works ahead of it, and one that works behind it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar, cast

T = TypeVar("T")


@contextmanager
def ahead(items: Generator[T, None, None], depth: int) -> Iterator[Iterator[T]]:
    """Draws items in a thread of their own, at most ``depth`` ahead of who takes them.

    Leaving the block ends the thread, which also closes the generator. What the generator raises is raised where the
    items are taken, once those before are.

    Args:
        items: The items.
        depth: How many may wait, at least 1.

    Returns:
        The same items, in a ``with`` block.

    Example:
        >>> with ahead((n * n for n in range(4)), depth=2) as squares:
        ...     list(squares)
        [0, 1, 4, 9]
    """
    end = object()
    with ThreadPoolExecutor(1) as worker:
        waiting = deque(worker.submit(next, items, end) for _ in range(depth))

        def taken() -> Iterator[T]:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(worker.submit(next, items, end))
                yield cast(T, item)

        try:
            yield taken()
        finally:
            for drawn in waiting:
                drawn.cancel()
            worker.submit(items.close).result()


@contextmanager
def behind(take: Callable[[T], None], depth: int) -> Iterator[Callable[[T], None]]:
    """Hands items to a thread of their own, in order; at most ``depth`` wait there or are in work.

    Leaving the block waits until all are taken, or, if an exception leaves it, for the one in work. What ``take``
    raises is raised where a later item is handed over, or at the end; no further one is taken.

    Args:
        take: What is called with each item.
        depth: How many may wait, at least 1.

    Returns:
        The function that hands over an item, in a ``with`` block.

    Example:
        >>> taken = []
        >>> with behind(taken.append, depth=2) as give:
        ...     for number in range(4):
        ...         give(number)
        >>> taken
        [0, 1, 2, 3]
    """
    waiting: deque[Future[None]] = deque()
    failed = threading.Event()
    with ThreadPoolExecutor(1) as worker:

        def work(item: T) -> None:
            if not failed.is_set():
                try:
                    take(item)
                except BaseException:
                    failed.set()
                    raise

        def give(item: T) -> None:
            while waiting and (len(waiting) >= depth or waiting[0].done()):
                waiting.popleft().result()
            waiting.append(worker.submit(work, item))

        try:
            yield give
            while waiting:
                waiting.popleft().result()
        finally:
            worker.shutdown(cancel_futures=True)
