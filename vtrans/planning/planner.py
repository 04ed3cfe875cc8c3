"""Expressions into the fewest batched network calls: each frame of each sub-expression once, in time-major layout."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from vtrans.algebra.streams import Leaf, Operation, Scope, Stream, View
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Recursion
from vtrans.planning.plans import Call, Gather, Plan, Rows
from vtrans.planning.schedule import Unit, is_acyclic, schedule


@dataclass(frozen=True)
class Demand:
    """Frames that a plan must deliver: a stream at some times.

    ``value_only`` says that no gradient is asked for, so that any application with the same value serves.
    """

    stream: Stream
    times: tuple[int, ...]
    value_only: bool = False


def plan(
    demands: Sequence[Demand],
    scope: Scope,
    *,
    trains: Collection[str] | None = None,
    sequential: Mapping[str, tuple[str, ...]] | None = None,
    given: Collection[Stream] = (),
) -> Plan:
    """Plans the demanded frames into the fewest batched calls.

    Each frame of each sub-expression is computed once, however many demands use it. A call takes every frame of its
    network that is ready, and waits while more are on the way; the number of calls is the smallest possible
    (:mod:`vtrans.planning.schedule`). The same demands give the same plan in every process.

    Args:
        demands: The streams and times to deliver.
        scope: Lengths of the clips and what each network reads.
        trains: Networks whose parameters get gradients; the others run frozen. ``None`` freezes none.
        sequential: Networks to call frame by frame in the order of plain evaluation, with the reasons.
        given: Streams that are not to be computed: their frames are handed to the plan as those of a clip are.

    Returns:
        The plan.

    Example:
        Each frame of y.G(x.past) is computed once, though two demands need it:

        >>> from vtrans.algebra.domains import Domain
        >>> from vtrans.algebra.times import Reads
        >>> x, y = Domain("x"), Domain("y")
        >>> rebuilt = x.G(y.G(x.past))
        >>> scope = Scope({x.frames: 3}, {"G_X": Reads(), "G_Y": Reads()})
        >>> print(plan([Demand(rebuilt, (0, 1)), Demand(y.G(x.past), (0, 1))], scope))
        2 network calls for 4 frames; sharing saved 2 evaluations of 6
           1. G_Y          2 frames
           2. G_X          2 frames
    """
    frames = _Frames(scope, trains, frozenset(given))
    # Values alone come last, so that they find what is computed with gradients.
    resolved: dict[int, list[int]] = {}
    for i, demand in sorted(enumerate(demands), key=lambda item: item[1].value_only):
        resolved[i] = [frames.resolve(demand.stream, t, demand.value_only) for t in demand.times]
    layout = _Layout(frames, sequential or {})
    return Plan(
        leaves=tuple(layout.leaves),
        calls=tuple(layout.calls),
        results=tuple(layout.gather(resolved[i]) for i in range(len(demands))),
        saved=frames.asked - sum(call.rows for call in layout.calls if call.is_network),
        sequential={
            name: tuple(reasons)
            for name, reasons in sorted((sequential or {}).items())
            if any(network.name == name for call in layout.calls for network in call.kernel.uses)
        },
    )


@dataclass(frozen=True)
class _Frame:
    """One frame: given (a leaf at a time) or computed (a kernel on the frames of each input).

    ``origin`` is the expression that an operator's frame was first met in: frames of other expressions may have
    another shape and are computed apart, which costs no network call.
    """

    leaf: tuple[Stream, int] | None
    kernel: Operation | None
    inputs: tuple[tuple[int, ...], ...]
    reads: Reads = Reads()
    origin: int = field(default=0, compare=False)


class _Frames:
    """The frames that the demands come down to, each once, numbered in the order of plain evaluation.

    Two frames are one if the same kernel made them of the same frames. Two frames have one *value* if they are one but
    for what only shapes gradients, such as ``frozen`` and ``detach``: where no gradient is asked for, either serves.
    """

    def __init__(self, scope: Scope, trains: Collection[str] | None, given: Collection[Stream]) -> None:
        self.scope = scope
        self.trains = trains
        self.given = given
        self.table: list[_Frame] = []
        self.asked = 0
        self._ids: dict[_Frame, int] = {}
        self._values: dict[object, int] = {}
        self._value_of: list[int] = []
        self._cost: list[int] = []
        self._origins: dict[Stream, int] = {}
        self._resolved: dict[tuple[Stream, int, bool], int] = {}

    def resolve(self, stream: Stream, t: int, value_only: bool) -> int:
        """The number of the frame that the stream has at time t."""
        frame = self._resolve(stream, t, value_only)
        self.asked += self._cost[frame]
        return frame

    def _resolve(self, stream: Stream, t: int, value_only: bool) -> int:
        key = (stream, t, value_only)
        if key not in self._resolved:
            self._resolved[key] = self._make(stream, t, value_only)
        return self._resolved[key]

    def _make(self, stream: Stream, t: int, value_only: bool) -> int:
        if isinstance(stream, Leaf) or stream in self.given:
            return self._number(_Frame((stream, t), None, ()), value=(stream, t))
        if isinstance(stream, Recursion):  # from its beginning on, so that what is waiting for it stays shallow
            for s in self.scope.times(stream):
                if s < t:
                    self._resolve(stream, s, value_only)
        if isinstance(stream, View):
            return self._resolve(*stream.at(t, self.scope), value_only)
        if not isinstance(stream, Operation):
            raise TypeError(f"A stream is a Leaf, a View or an Operation; {type(stream).__name__} is none of these.")
        times, by_value = stream.sources(t, self.scope), value_only or stream.reads_values
        inputs = tuple(tuple(self._resolve(part, s, by_value) for s in times) for part in stream.inputs)
        if value_only and stream.keeps_value:
            return inputs[0][0]
        kernel, plain = stream.kernel(self.trains), stream.kernel(())
        origin = self._origins.setdefault(stream, len(self._origins))
        values = tuple(tuple(self._value_of[i] for i in group) for group in inputs)
        value = values[0][0] if stream.keeps_value else (plain, values)
        if value_only and value in self._values:
            return self._values[value]
        return self._number(_Frame(None, kernel, inputs, stream.reads(self.scope), origin), value)

    def _number(self, frame: _Frame, value: object) -> int:
        if frame not in self._ids:
            number = len(self.table)
            self._ids[frame] = number
            self.table.append(frame)
            self._value_of.append(value if isinstance(value, int) else self._values.setdefault(value, number))
            own = int(frame.kernel is not None and bool(frame.kernel.uses))
            self._cost.append(own + sum(self._cost[i] for group in frame.inputs for i in group))
        return self._ids[frame]


class _Layout:
    """Where each frame lies: the order of the calls, and the buffer and row of every frame."""

    def __init__(self, frames: _Frames, sequential: Mapping[str, tuple[str, ...]]) -> None:
        self.frames = frames.table
        self.scope = frames.scope
        self.sequential = sequential
        self.place: dict[int, tuple[int, int]] = {}
        self.calls: list[Call] = []
        self.leaves: list[Stream] = []
        self._give_leaves()
        units = self._units(self._longest_sequences())
        if not is_acyclic([unit for unit, _ in units]):
            units = self._units({})
        for group in schedule([unit for unit, _ in units]):
            self._add_call([units[i][1] for i in group])

    def _give_leaves(self) -> None:
        for number, frame in enumerate(self.frames):
            if frame.leaf is not None:
                leaf, t = frame.leaf
                if leaf not in self.leaves:
                    self.leaves.append(leaf)
                self.place[number] = (self.leaves.index(leaf), self.scope.times(leaf).index(t))

    def _units(self, longest: Mapping[int, int]) -> list[tuple[Unit, list[int]]]:
        """What is run at a time: a single frame, or all frames of one recurrent sequence.

        A sequence that feeds on its own predictions cannot run at once with them; the caller then passes no
        ``longest`` sequences and each runs by itself.
        """
        members: dict[int, list[int]] = {}
        for number, frame in enumerate(self.frames):
            if frame.kernel is not None:
                members.setdefault(longest.get(number, number), []).append(number)
        index = {frame: i for i, frames in enumerate(members.values()) for frame in frames}
        units: list[tuple[Unit, list[int]]] = []
        last_sequential: int | None = None
        for i, (head, numbers) in enumerate(members.items()):
            frame = self.frames[head]
            assert frame.kernel is not None
            waits = {index[j] for group in frame.inputs for j in group if j in index}
            key: tuple[object, ...] = (frame.kernel, tuple(len(group) for group in frame.inputs))
            if not frame.kernel.uses:
                key = (*key, frame.origin)
            if frame.kernel.is_random or any(network.name in self.sequential for network in frame.kernel.uses):
                key = (*key, i)
                if last_sequential is not None:
                    waits.add(last_sequential)
                last_sequential = i
            units.append((Unit(key, frozenset(waits), free=not frame.kernel.uses), numbers))
        return units

    def _longest_sequences(self) -> dict[int, int]:
        """For each recurrent frame the frame whose sequence begins with its own and is longest."""
        recurrent = [number for number, frame in enumerate(self.frames) if frame.reads.recurrent]
        by_inputs = {(self.frames[n].kernel, self.frames[n].inputs): n for n in recurrent}
        longest: dict[int, int] = {}
        for number in sorted(recurrent, key=lambda n: -len(self.frames[n].inputs[0])):
            sequences = self.frames[number].inputs
            for length in range(1, len(sequences[0]) + 1):
                prefix = by_inputs.get((self.frames[number].kernel, tuple(group[:length] for group in sequences)))
                if prefix is not None:
                    longest.setdefault(prefix, number)
        return longest

    def _add_call(self, units: list[list[int]]) -> None:
        heads = [self.frames[max(numbers, key=lambda n: len(self.frames[n].inputs[0]))] for numbers in units]
        kernel, reads = heads[0].kernel, heads[0].reads
        assert kernel is not None
        inputs = tuple(
            tuple(self.gather([head.inputs[part][position] for head in heads]) for position in range(len(group)))
            for part, group in enumerate(heads[0].inputs)
        )
        buffer = len(self.leaves) + len(self.calls)
        for i, numbers in enumerate(units):
            for number in numbers:
                length = len(self.frames[number].inputs[0])
                row = i * len(heads[0].inputs[0]) + length - 1 if reads.recurrent else i
                self.place[number] = (buffer, row)
        self.calls.append(Call(kernel, inputs, len(units), reads))

    def gather(self, numbers: Sequence[int]) -> Gather:
        """The frames of these numbers as runs of consecutive rows."""
        runs: list[Rows] = []
        for number in numbers:
            buffer, row = self.place[number]
            if runs and runs[-1].buffer == buffer and runs[-1].stop == row:
                runs[-1] = Rows(buffer, runs[-1].start, row + 1)
            else:
                runs.append(Rows(buffer, row, row + 1))
        return tuple(runs)
