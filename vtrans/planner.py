"""Expressions into the fewest batched network calls: each frame of each sub-expression once, in time-major layout."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vtrans.errors import refusal
from vtrans.expressions import Apply, Leaf, Networks, Operation, Reads, Scope, Stream, View
from vtrans.schedule import Unit, is_acyclic, schedule


@dataclass(frozen=True)
class Demand:
    """Frames that a plan must deliver: a stream at some times.

    ``value_only`` says that no gradient is asked for, so that any application with the same value serves.
    """

    stream: Stream
    times: tuple[int, ...]
    value_only: bool = False


@dataclass(frozen=True)
class Rows:
    """Consecutive frames of one buffer."""

    buffer: int
    start: int
    stop: int


Gather = tuple[Rows, ...]
"""Frames from several places, in order; a single run of rows needs no copy."""


@dataclass(frozen=True)
class Call:
    """One batched run of a network or operator.

    ``inputs`` holds, for each input stream, one gather a position on the time axis (a single one if the network takes
    plain frames). The result becomes a new buffer; of a recurrent run over ``units`` sequences it holds
    ``units × positions`` rows.
    """

    kernel: Operation
    inputs: tuple[tuple[Gather, ...], ...]
    units: int
    reads: Reads

    @property
    def rows(self) -> int:
        """Frames that the call produces."""
        return self.units * (len(self.inputs[0]) if self.reads.recurrent else 1)

    @property
    def label(self) -> str:
        """The network or operator, as the plan prints it."""
        return label(self.kernel)


@dataclass(frozen=True)
class Plan:
    """A plan is plain data: the leaves it reads, the calls in order, and where each demanded stream lies.

    ``saved`` counts the network evaluations that sharing saved against evaluating every demand on its own;
    ``sequential`` names the networks that are called frame by frame, with the reason.
    """

    leaves: tuple[Leaf, ...]
    calls: tuple[Call, ...]
    results: tuple[Gather, ...]
    saved: int
    sequential: Mapping[str, tuple[str, ...]]

    @property
    def network_calls(self) -> tuple[Call, ...]:
        """The calls of networks; operators such as ``detach`` are left out."""
        return tuple(call for call in self.calls if isinstance(call.kernel, Apply))

    def run(self, leaves: Mapping[Leaf, Tensor], networks: Networks) -> list[Tensor]:
        """Runs the calls and returns the demanded frames.

        Args:
            leaves: The given streams, time-major: ``(time, batch, channel, height, width)``.
            networks: The networks by name.

        Returns:
            For each demand its frames, ``(times, batch, …)``.
        """
        buffers = [leaves[leaf] for leaf in self.leaves]
        for call in self.calls:
            buffers.append(_run(call, buffers, networks))
        return [_gather(result, buffers) for result in self.results]

    def __str__(self) -> str:
        calls = self.network_calls
        evaluations = sum(call.rows for call in calls)
        lines = [
            f"{len(calls)} network calls for {evaluations} frames; sharing saved {self.saved} evaluations"
            f" of {evaluations + self.saved}"
        ]
        for name, reasons in self.sequential.items():
            lines.append(f"  {name} is called frame by frame, as the sequential schedule would: {', '.join(reasons)}")
        for number, call in enumerate(calls, start=1):
            frames = f"{call.rows} frame" + ("s" if call.rows > 1 else "")
            lines.append(f"  {number:>2}. {call.label:<12} {frames}")
        return "\n".join(lines)


def label(kernel: Operation) -> str:
    """How a plan names what it runs: a network by its name, an operator by its class."""
    if isinstance(kernel, Apply):
        name = kernel.network.name
        return f"frozen({name})" if kernel.network.frozen else name
    return type(kernel).__name__.lower()


def plan(
    demands: Sequence[Demand],
    scope: Scope,
    *,
    trains: Collection[str] | None = None,
    sequential: Mapping[str, tuple[str, ...]] | None = None,
) -> Plan:
    """Plans the demanded frames into the fewest batched calls.

    Each frame of each sub-expression is computed once, however many demands use it. A call takes every frame of its
    network that is ready, and waits while more are on the way; the number of calls is the smallest possible
    (:mod:`vtrans.schedule`). The same demands give the same plan in every process.

    Args:
        demands: The streams and times to deliver.
        scope: Lengths of the clips and what each network reads.
        trains: Networks whose parameters get gradients; the others run frozen. ``None`` freezes none.
        sequential: Networks to call frame by frame in the order of plain evaluation, with the reasons.

    Returns:
        The plan.

    Example:
        Each frame of y.G(x.past) is computed once, though two demands need it:

        >>> from vtrans.expressions import Domain, Reads
        >>> x, y = Domain("x"), Domain("y")
        >>> rebuilt = x.G(y.G(x.past))
        >>> scope = Scope({x.frames: 3}, {"G_X": Reads(), "G_Y": Reads()})
        >>> print(plan([Demand(rebuilt, (0, 1)), Demand(y.G(x.past), (0, 1))], scope))
        2 network calls for 4 frames; sharing saved 2 evaluations of 6
           1. G_Y          2 frames
           2. G_X          2 frames
    """
    frames = _Frames(scope, trains)
    resolved = [
        [frames.resolve(demand.stream, t, demand.value_only) for t in demand.times]
        for demand in sorted(demands, key=lambda demand: demand.value_only)
    ]
    order = sorted(range(len(demands)), key=lambda i: demands[i].value_only)
    by_demand = {index: ids for index, ids in zip(order, resolved, strict=True)}
    layout = _Layout(frames, sequential or {})
    return Plan(
        leaves=tuple(layout.leaves),
        calls=tuple(layout.calls),
        results=tuple(layout.gather(by_demand[i]) for i in range(len(demands))),
        saved=frames.asked - sum(call.rows for call in layout.calls if isinstance(call.kernel, Apply)),
        sequential={
            name: tuple(reasons)
            for name, reasons in sorted((sequential or {}).items())
            if any(isinstance(call.kernel, Apply) and call.kernel.network.name == name for call in layout.calls)
        },
    )


@dataclass(frozen=True)
class _Frame:
    """One frame: given (a leaf at a time) or computed (a kernel on the frames of each input)."""

    leaf: tuple[Leaf, int] | None
    kernel: Operation | None
    inputs: tuple[tuple[int, ...], ...]
    reads: Reads = Reads()


class _Frames:
    """The frames that the demands come down to, each once, numbered in the order of plain evaluation."""

    def __init__(self, scope: Scope, trains: Collection[str] | None) -> None:
        self.scope = scope
        self.trains = trains
        self.table: list[_Frame] = []
        self.asked = 0
        self._ids: dict[_Frame, int] = {}
        self._values: dict[object, int] = {}
        self._value_of: list[int] = []
        self._cost: list[int] = []

    def resolve(self, stream: Stream, t: int, value_only: bool) -> int:
        """The number of the frame that the stream has at time t."""
        frame = self._resolve(stream, t, value_only)
        self.asked += self._cost[frame]
        return frame

    def _resolve(self, stream: Stream, t: int, value_only: bool) -> int:
        if isinstance(stream, Leaf):
            return self._number(_Frame((stream, t), None, ()), value=(stream, t))
        if isinstance(stream, View):
            return self._resolve(*stream.at(t, self.scope), value_only)
        if not isinstance(stream, Operation):
            raise TypeError(f"A stream is a Leaf, a View or an Operation; {type(stream).__name__} is none of these.")
        times = stream.sources(t, self.scope)
        inputs = tuple(tuple(self._resolve(part, s, value_only) for s in times) for part in stream.inputs)
        if value_only and stream.keeps_value:
            return inputs[0][0]
        kernel = self._kernel(stream)
        plain = replace(kernel, network=replace(kernel.network, frozen=False)) if isinstance(kernel, Apply) else kernel
        values = tuple(tuple(self._value_of[i] for i in group) for group in inputs)
        value = values[0][0] if stream.keeps_value else (plain, values)
        if value_only and value in self._values:
            return self._values[value]
        return self._number(_Frame(None, kernel, inputs, stream.reads(self.scope)), value)

    def _kernel(self, operation: Operation) -> Operation:
        kernel = operation.kernel()
        if isinstance(kernel, Apply) and self.trains is not None and kernel.network.name not in self.trains:
            return replace(kernel, network=replace(kernel.network, frozen=True))
        return kernel

    def _number(self, frame: _Frame, value: object) -> int:
        if frame not in self._ids:
            number = len(self.table)
            self._ids[frame] = number
            self.table.append(frame)
            self._value_of.append(value if isinstance(value, int) else self._values.setdefault(value, number))
            own = int(isinstance(frame.kernel, Apply))
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
        self.leaves: list[Leaf] = []
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
                self.place[number] = (self.leaves.index(leaf), leaf.times(self.scope).index(t))

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
            name = frame.kernel.network.name if isinstance(frame.kernel, Apply) else ""
            key: tuple[object, ...] = (frame.kernel, len(frame.inputs[0]) if frame.reads.recurrent else 0)
            if name in self.sequential or frame.kernel.is_random:
                key = (*key, i)
                if last_sequential is not None:
                    waits.add(last_sequential)
                last_sequential = i
            units.append((Unit(key, frozenset(waits), free=not isinstance(frame.kernel, Apply)), numbers))
        return units

    def _longest_sequences(self) -> dict[int, int]:
        """For each recurrent frame the frame whose sequence begins with its own and is longest."""
        recurrent = [number for number, frame in enumerate(self.frames) if frame.reads.recurrent]
        by_inputs = {(self.frames[n].kernel, self.frames[n].inputs[0]): n for n in recurrent}
        longest: dict[int, int] = {}
        for number in sorted(recurrent, key=lambda n: -len(self.frames[n].inputs[0])):
            sequence = self.frames[number].inputs[0]
            for length in range(1, len(sequence) + 1):
                prefix = by_inputs.get((self.frames[number].kernel, sequence[:length]))
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


def _gather(rows: Gather, buffers: Sequence[Tensor]) -> Tensor:
    pieces = [buffers[run.buffer][run.start : run.stop] for run in rows]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


def _run(call: Call, buffers: Sequence[Tensor], networks: Networks) -> Tensor:
    """Runs a call on ``(units, batch, …)`` frames folded into one batch axis, and unfolds the result."""
    inputs = []
    for positions in call.inputs:
        frames = [_gather(position, buffers) for position in positions]
        batch = frames[0].shape[1]
        inputs.append((torch.stack(frames, dim=2) if call.reads.stacked else frames[0]).flatten(0, 1))
    result: Tensor = call.kernel.run(networks, *inputs)
    if result.shape[0] != call.units * batch:
        raise ValueError(
            refusal(
                f"output of {call.label}",
                allowed=f"a batch of {call.units * batch}, one result for each input",
                got=f"shape {tuple(result.shape)}",
                why="Frames of several times and expressions share one call along the batch axis",
            )
        )
    rows: Tensor = result.unflatten(0, (call.units, batch))
    return rows.transpose(1, 2).flatten(0, 1) if call.reads.recurrent else rows
