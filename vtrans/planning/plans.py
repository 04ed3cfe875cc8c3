"""A plan: batched calls as plain data, and the short loop that runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vtrans.algebra.streams import Apply, Networks, Operation, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.values import Value, map_tensors, tensors_in
from vtrans.errors import refusal


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
    def is_network(self) -> bool:
        """Whether it runs a network; other operators cost next to nothing."""
        return bool(self.kernel.uses)

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

    leaves: tuple[Stream, ...]
    calls: tuple[Call, ...]
    results: tuple[Gather, ...]
    saved: int
    sequential: Mapping[str, tuple[str, ...]]

    @property
    def network_calls(self) -> tuple[Call, ...]:
        """The calls of networks; operators such as ``detach`` are left out."""
        return tuple(call for call in self.calls if call.is_network)

    def run(self, leaves: Mapping[Stream, Value], networks: Networks) -> list[Value]:
        """Runs the calls and returns the demanded frames.

        Args:
            leaves: The given streams, time-major: ``(time, batch, channel, height, width)``.
            networks: The networks by name.

        Returns:
            For each demand its frames, ``(times, batch, …)``.
        """
        return self.run_on([leaves[leaf] for leaf in self.leaves], networks)

    def run_on(self, leaves: Sequence[Value], networks: Networks) -> list[Value]:
        """Runs the calls on the leaves in the order of :attr:`leaves`; ``torch.compile`` traces it whole."""
        buffers = list(leaves)
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
    """How a plan names what it runs: a network by its name, an operator by its class and its networks."""
    names = [f"frozen({network.name})" if network.frozen else network.name for network in kernel.uses]
    if isinstance(kernel, Apply):
        return names[0] if kernel.network.called == "forward" else f"{names[0]}.{kernel.network.called}"
    operator = kernel.word
    return f"{operator}[{', '.join(names)}]" if names else operator


def _gather(rows: Gather, buffers: Sequence[Value]) -> Value:
    pieces = [map_tensors(lambda buffer: buffer[run.start : run.stop], buffers[run.buffer]) for run in rows]  # noqa: B023
    return pieces[0] if len(pieces) == 1 else map_tensors(_joined, *pieces)


def _joined(*pieces: Tensor) -> Tensor:
    if any(piece.shape[1:] != pieces[0].shape[1:] for piece in pieces):
        shapes = " and ".join(str(tuple(shape)) for shape in dict.fromkeys(piece.shape[1:] for piece in pieces))
        raise ValueError(
            refusal(
                "frames that share a call",
                allowed="one shape (batch, channel, height, width)",
                got=shapes,
                why="A network is called once for all its frames",
            )
        )
    return torch.cat(pieces)


def _run(call: Call, buffers: Sequence[Value], networks: Networks) -> Value:
    """Runs a call on ``(units, batch, …)`` frames folded into one batch axis, and unfolds the result."""
    inputs = []
    for positions in call.inputs:
        frames = [_gather(position, buffers) for position in positions]
        batch = next(tensors_in(frames[0])).shape[1]
        if call.reads.stacked:
            inputs.append(map_tensors(lambda *parts: torch.stack(parts, dim=2).flatten(0, 1), *frames))
        else:
            inputs.append(map_tensors(lambda part: part.flatten(0, 1), frames[0]))
    result = call.kernel.run(networks, *inputs)

    def rows(part: Tensor) -> Tensor:
        if part.shape[:1] != (call.units * batch,):
            raise ValueError(_wrong(call, batch, f"shape {tuple(part.shape)}"))
        unfolded: Tensor = part.unflatten(0, (call.units, batch))
        return unfolded.transpose(1, 2).flatten(0, 1) if call.reads.recurrent else unfolded

    return map_tensors(rows, result)


def _wrong(call: Call, batch: int, got: str) -> str:
    return refusal(
        f"output of {call.label}",
        allowed=f"a tensor of batch {call.units * batch}, one result for each input",
        got=got,
        why="Frames of several times and expressions share one call along the batch axis",
    )
