"""The order of batched calls: the fewest calls that run every unit after the units it waits for."""

import heapq
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

_PATIENCE = 2_000
"""States examined before the search settles for a short order. Real objectives need a handful."""


@dataclass(frozen=True)
class Unit:
    """Something to run: units of equal ``key`` may share a call; ``waits`` are the positions of those it needs.

    A ``free`` unit costs no call (an operator, not a network) and runs as soon as it can.
    """

    key: Hashable
    waits: frozenset[int]
    free: bool = False


def is_acyclic(units: Sequence[Unit]) -> bool:
    """Whether some order runs every unit after those it waits for."""
    search, done = _Search(units), 0
    while ready := search.ready(done):
        done |= ready
    return done == search.everything


def schedule(units: Sequence[Unit]) -> list[list[int]]:
    """Groups units of equal key into calls, and orders the calls, so that there are as few as possible.

    A call takes every unit of its key that is ready: taking more never makes the rest longer. If all that is left of a
    key is ready, its call comes now: it must come once, and nothing is gained by waiting. Otherwise more of that key
    is on the way, and an A* search tries which key to call first; at least one call is left for each key that is left.

    Args:
        units: What to run; an acyclic graph.

    Returns:
        The calls in order, each the positions of its units, ascending.

    Raises:
        ValueError: The units wait for one another in a circle.

    Example:
        A network that is wanted twice waits until both of its inputs are there:

        >>> schedule([Unit("f", frozenset()), Unit("g", frozenset({0})), Unit("g", frozenset())])
        [[0], [1, 2]]
    """
    if not is_acyclic(units):
        raise ValueError("The expressions wait for one another in a circle; no order of calls computes them.")
    search = _Search(units)
    return [list(_positions(call)) for call in search.shortest()]


class _Search:
    """Sets of units are bit masks: bit i is unit i."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.waits = [sum(1 << j for j in unit.waits) for unit in units]
        self.everything = (1 << len(units)) - 1
        masks: dict[tuple[bool, Hashable], int] = {}
        for i, unit in enumerate(units):
            masks[unit.free, unit.key] = masks.get((unit.free, unit.key), 0) | 1 << i
        self.free = [mask for (free, _), mask in masks.items() if free]
        self.costly = [mask for (free, _), mask in masks.items() if not free]

    def ready(self, done: int) -> int:
        """The units not yet run whose inputs are there."""
        return sum(1 << i for i in _positions(self.everything & ~done) if not self.waits[i] & ~done)

    def shortest(self) -> tuple[int, ...]:
        """The calls of a shortest order."""
        frontier: list[tuple[int, int, int, int, tuple[int, ...]]] = [(self._left(0), 0, 0, 0, ())]
        seen: set[int] = set()
        entries = 0
        while True:
            _, cost, _, done, calls = heapq.heappop(frontier)
            done, cost, calls = self._settle(done, cost, calls)
            if done == self.everything:
                return calls
            hurried = len(seen) >= _PATIENCE
            if done in seen and not hurried:
                continue
            seen.add(done)
            ready = self.ready(done)
            choices = [mask & ready for mask in self.costly if mask & ready]
            if hurried:
                choices, frontier = [max(choices, key=int.bit_count)], []
            for call in choices:
                entries += 1
                bound = cost + 1 + self._left(done | call)
                heapq.heappush(frontier, (bound, cost + 1, entries, done | call, (*calls, call)))

    def _left(self, done: int) -> int:
        return sum(1 for mask in self.costly if mask & ~done)

    def _settle(self, done: int, cost: int, calls: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
        """Runs what costs nothing, and what is due in any case."""
        while True:
            ready = self.ready(done)
            due = [mask & ready for mask in self.free if mask & ready]
            if not due:
                due = [mask & ready for mask in self.costly if mask & ready and not mask & ~done & ~ready][:1]
                cost += len(due)
            if not due:
                return done, cost, calls
            for call in due:
                done |= call
            calls = (*calls, *due)


def _positions(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
