"""Two helpers that make a loop a pipeline: a thread that works ahead of it, and one that works behind it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Generic, TypeVar

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
    channel: _Channel[T] = _Channel(depth)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with closing(items):
                for item in items:
                    if not channel.put(item):
                        break
        except BaseException as error:
            failures.append(error)
        finally:
            channel.end()

    def taken() -> Iterator[T]:
        yield from channel
        if failures:
            raise failures[0]

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        channel.close()
        thread.join()


@contextmanager
def behind(take: Callable[[T], None], depth: int) -> Iterator[Callable[[T], None]]:
    """Hands items to a thread of their own, in order; at most ``depth`` wait there.

    Leaving the block waits until all are taken, or, if an exception leaves it, for the one in work. What ``take``
    raises is raised where the next item is handed over, or at the end.

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
    channel: _Channel[T] = _Channel(depth)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for item in channel:
                take(item)
        except BaseException as error:
            failures.append(error)
        finally:
            channel.close()

    def give(item: T) -> None:
        if not channel.put(item):
            raise failures[0]

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield give
        channel.end()
        thread.join()
    finally:
        channel.close()
        thread.join()
    if failures:
        raise failures[0]


class _Channel(Generic[T]):
    """A bounded queue that either side can end: ``end`` when nothing more is put, ``close`` when nothing is taken."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[T] = deque()
        self._ended = self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> bool:
        """Waits for room; False if nobody takes items any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._depth)
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()
            return not self._closed

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._ended = self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or bool(self._items))
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
