"""Terms and phases into totals and reports."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor, nn

from vtrans.algebra.expressions import Networks, frozen, networks_in
from vtrans.algebra.streams import Carried, Clip, Leaf, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.errors import refusal, unknown
from vtrans.losses.base import Loss
from vtrans.losses.parts import weigh
from vtrans.losses.terms import Penalty, Term, TooShortError
from vtrans.objectives.phases import Phase
from vtrans.objectives.pool import HistoryPool
from vtrans.planning.compilation import Backend, Programs
from vtrans.planning.planner import Demand, plan
from vtrans.planning.plans import Plan

Program = Callable[[Sequence[Tensor], Tensor], tuple[Tensor, list[Tensor]]]

_LONGEST = 64
"""Clip lengths tried when looking for the shortest that every term can use."""


@dataclass(frozen=True, eq=False)
class NamedTerm:
    """A term with the name it is reported by and the loss it comes from."""

    name: str
    term: Term
    loss: Loss

    def weight(self, step: int) -> float:
        """The number by which it counts at a step."""
        return self.loss.weight_of(self.term, step)


class _Terms(Mapping[str, Tensor]):
    """Values by the names of their terms."""

    _values: dict[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._values:
            raise KeyError(unknown("term", name, self._values))
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class LossReport(_Terms):
    """The weighted terms of a phase by name, and their sum ``.total``.

    ``carried`` holds the frames that later phases use, detached.
    """

    def __init__(
        self,
        names: Sequence[str],
        weighted: Tensor,
        carried: Mapping[Stream, Tensor],
        trained: Mapping[str, Mapping[str, nn.Module]],
        clips: Mapping[Clip, Tensor],
    ) -> None:
        self.total = weighted.sum()
        self.carried = carried
        self.clips = clips
        self._trained = trained
        self._values = {}
        for name, value in zip(names, weighted.unbind(), strict=True):
            self._values[name] = self._values[name] + value if name in self._values else value

    def __repr__(self) -> str:
        lines = [f"{name:<26} {value.item():.6g}" for name, value in self._values.items()]
        return "\n".join([*lines, f"{'total':<26} {self.total.item():.6g}"])

    def detached(self) -> LossReport:
        """The same numbers and carried frames without what a backward pass needs."""
        return LossReport(list(self), self.values_tensor(), self.carried, {}, self.clips)

    def values_tensor(self) -> Tensor:
        """The terms as one detached tensor, in the order of their names."""
        return torch.stack([value.detach() for value in self._values.values()])

    def gradient_norms(self) -> dict[str, dict[str, float]]:
        """The norm of each term's gradient on each network of the phase, for tuning weights.

        To be called before ``total.backward()``; it costs one backward pass a term.

        Returns:
            For each term the L2 norm by network; networks that the term does not train are left out.
        """
        if self.total.grad_fn is None and any(map(len, self._trained.values())):
            raise ValueError(refusal("gradient_norms", allowed="a report made with gradients", got="one without"))
        norms: dict[str, dict[str, float]] = {}
        for name, value in self._values.items():
            norms[name] = {}
            for network, module in self._trained[name].items():
                parameters = [p for p in module.parameters() if p.requires_grad]
                if not parameters or not value.requires_grad:
                    continue
                found = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
                gradients = [gradient for gradient in found if gradient is not None]
                if gradients:
                    norms[name][network] = float(torch.stack([g.norm() for g in gradients]).norm())
        return norms

    def raise_if_not_finite(self, step: int | None = None) -> None:
        """Raises if a term is NaN or infinite, naming it. Reads the values, which waits for the device.

        Raises:
            FloatingPointError: A term is not finite.
        """
        values = self.values_tensor()
        if bool(torch.isfinite(values).all()):
            return
        bad = [
            f"{name} = {value}" for name, value in zip(self, values.tolist(), strict=True) if not math.isfinite(value)
        ]
        where = "" if step is None else f" at step {step}"
        raise FloatingPointError(
            f"A loss is not finite{where}: {', '.join(bad)}. The weights of this phase were left as they were. "
            "Check the clips for NaN, lower the learning rate or the weight of that term, or use float32."
        )


class StepReport(_Terms):
    """The terms of every phase that ran in a step; ``.phases`` has each phase's own report.

    A term that an earlier phase has too is named after its phase, such as ``polish/cycle/x``.
    """

    def __init__(self, phases: Mapping[str, LossReport]) -> None:
        self.phases = dict(phases)
        self._values = {}
        for phase, report in self.phases.items():
            for name, value in report.items():
                self._values[f"{phase}/{name}" if name in self._values else name] = value

    def __repr__(self) -> str:
        return "\n".join(f"{phase}\n{report!r}" for phase, report in self.phases.items())


class Objective:
    """The objective of one phase: it plans its terms for a clip shape, and runs them.

    Attributes:
        compiled: The backend by which ``torch.compile`` makes one program of all that a step of the phase computes;
            None leaves it uncompiled.

    Args:
        phase: The phase.
        terms: Its terms.
        carries: Streams whose frames later phases use.
    """

    def __init__(self, phase: Phase, terms: Sequence[NamedTerm], carries: Sequence[Stream]) -> None:
        self.phase = phase
        self.terms = tuple(_held(named, phase) for named in terms)
        self.carries = tuple(carries)
        self.compiled: Backend | None = None
        self._plans: dict[object, tuple[Plan, list[int]]] = {}
        self._programs = Programs()
        self._trains = {named: self.trains(named) for named in self.terms}

        self.requires = self._required()

    def _required(self) -> list[Stream]:
        return list(dict.fromkeys(part.stream for part in self._parts() if isinstance(part, Carried)))

    def clips(self) -> list[Clip]:
        """The clips, and streams that come with them, that the terms name."""
        return list(dict.fromkeys(part for part in self._parts() if isinstance(part, Clip)))

    def _parts(self) -> Iterator[Stream]:
        waiting = [stream for term in reversed(self.terms) for stream in reversed(term.term.streams)]
        seen: dict[int, Stream] = {}
        while waiting:
            stream = waiting.pop()
            if id(stream) not in seen:
                seen[id(stream)] = stream
                yield stream
                waiting += reversed(stream.parts)

    def trains(self, term: NamedTerm) -> list[str]:
        """The networks that a term trains in this phase."""
        found: dict[str, bool] = {}
        for stream in term.term.streams:
            for name, trained in networks_in(stream).items():
                found[name] = found.get(name, False) or (trained and self.phase.trained(name))
        return [name for name, trained in found.items() if trained]

    def plan(self, scope: Scope, sequential: Mapping[str, tuple[str, ...]], key: object = None) -> Plan:
        """The plan for clips of these lengths; made once for each ``key``."""
        return self._plan(scope, sequential, key)[0]

    def run(
        self,
        leaves: Mapping[Leaf, Tensor],
        networks: Networks,
        scope: Scope,
        sequential: Mapping[str, tuple[str, ...]],
        weights: Tensor,
        key: object = None,
        clips: Mapping[Clip, Tensor] | None = None,
    ) -> LossReport:
        """Runs the plan and adds up the terms.

        Args:
            leaves: Clips and carried frames, time-major.
            networks: The networks by name.
            scope: Lengths of the clips and what the networks read.
            sequential: Networks to be called frame by frame, with the reasons.
            weights: The weight of each term, ``(terms,)``.
            key: What the plan depends on, to find it and its program again; without it nothing is compiled.
            clips: The clips as they were given, for the report.
        """
        made, counts = self._plan(scope, sequential, key)
        frames = [leaves[leaf] for leaf in made.leaves]
        situation = None if key is None else (key, tuple(clip.shape[2:] for clip in frames))
        compute = self._program(made, counts, networks, situation, weights.device.type)
        weighted, kept = compute(frames, weights)
        carried = dict(zip(self.carries, kept, strict=True))
        trained: dict[str, dict[str, nn.Module]] = {}
        for named in self.terms:
            trained.setdefault(named.name, {}).update({name: networks[name] for name in self._trains[named]})
        return LossReport([named.name for named in self.terms], weighted, carried, trained, clips or {})

    def _program(
        self, made: Plan, counts: Sequence[int], networks: Networks, situation: tuple[object, ...] | None, device: str
    ) -> Program:
        """What a step computes, from tensors to tensors: the weighted terms, and the frames to be carried.

        It is compiled for a situation, to be found again; without one it runs as it is.
        """

        def compute(leaves: Sequence[Tensor], weights: Tensor) -> tuple[Tensor, list[Tensor]]:
            frames = made.run(dict(zip(made.leaves, leaves, strict=True)), networks)
            waiting = iter(frames)
            given = [list(islice(waiting, count)) for count in counts]
            terms = [named.term for named in self.terms]
            weighted = weigh(terms, given, weights, lambda i: self._value(self.terms[i], given[i], networks))
            return weighted, [kept.detach() for kept in waiting]

        if self.compiled is None or situation is None:
            return compute
        mode = torch.is_grad_enabled(), torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
        which = (*situation, *mode, *(id(network) for network in networks.values()))
        return self._programs.get(which, compute, name=self.phase.name, backend=self.compiled)

    def _value(self, named: NamedTerm, frames: Sequence[Tensor], networks: Networks) -> Tensor:
        try:
            # Networks may compute with 16 bits; sums over frames do not.
            return named.term.value([f.float() if f.itemsize < 4 else f for f in frames], networks)
        except ValueError as error:
            raise ValueError(f"{named.name}: {error}") from error

    def _plan(self, scope: Scope, sequential: Mapping[str, tuple[str, ...]], key: object) -> tuple[Plan, list[int]]:
        if key is not None and key in self._plans:
            return self._plans[key]
        demands: list[Demand] = []
        counts = []
        for named in self.terms:
            requests = named.term.requests(scope)
            demands += [Demand(stream, times) for stream, times in requests]
            counts.append(len(requests))
        demands += [Demand(stream, stream.times(scope), value_only=True) for stream in self.carries]
        trains = [name for name in scope.reads if self.phase.trained(name)]
        made = plan(demands, scope, trains=trains, sequential=sequential), counts
        if key is not None:
            self._plans[key] = made
        return made


def _held(named: NamedTerm, phase: Phase) -> NamedTerm:
    """The term as the phase has it: a penalty on a network that the phase does not train leaves that alone."""
    term = named.term
    if isinstance(term, Penalty) and not phase.trained(term.network.name):
        return NamedTerm(named.name, replace(term, network=frozen(term.network)), named.loss)
    return named


def objectives_of(phases: Sequence[Phase], losses: Mapping[str, Loss]) -> dict[str, Objective]:
    """The objective of each phase; frames that a phase needs carried come from the last one before that needs none."""
    made: dict[str, Objective] = {}
    needed: list[Stream] = []
    for phase in reversed(phases):
        if phase.name in made:
            raise ValueError(refusal("phases", allowed="one phase of each name", got=f"{phase.name!r} twice"))
        for name in phase.losses or ():
            if name not in losses:
                raise ValueError(unknown(f"loss of phase {phase.name!r}:", name, losses))
        terms = [
            NamedTerm(f"{term.name or name}/{term.domain}", term, loss)
            for name, loss in losses.items()
            if phase.losses is None or name in phase.losses
            for term in loss.directions()
            if term.phase == phase.terms
        ]
        if not terms:
            raise ValueError(
                refusal(
                    f"phase {phase.name!r}",
                    allowed=f"losses with terms for {phase.terms!r}",
                    got=f"losses {', '.join(phase.losses or losses)}",
                    fix="Name other losses, or leave the phase out",
                )
            )
        required = Objective(phase, terms, []).requires
        made[phase.name] = Objective(phase, terms, [] if required else needed)
        needed = list(dict.fromkeys([*needed, *required])) if required else []
    return {phase.name: made[phase.name] for phase in phases}


def shortest_clip(objectives: Iterable[Objective], networks: Networks) -> int:
    """The fewest frames of a clip for which every term has something to look at."""
    reads = {name: Reads.of(network) for name, network in networks.items()}
    terms = [named.term for objective in objectives for named in objective.terms]
    for length in range(1, _LONGEST):
        try:
            for term in terms:
                term.requests(Scope(_AnyClip(length), reads))
        except TooShortError:
            continue
        return length
    raise ValueError(f"No clip of up to {_LONGEST} frames is long enough for these losses and networks.")


def pools_for(objectives: Iterable[Objective], networks: Networks, seed: int) -> dict[str, HistoryPool]:
    """The history of fakes of each domain whose discriminator is taught from one."""
    pools: dict[str, HistoryPool] = {}
    parts = [part for o in objectives for named in o.terms for stream in named.term.streams for part in stream.parts]
    for part in parts:
        if not isinstance(part, Carried) or not part.pool:
            continue
        if part.domain in pools:
            if pools[part.domain].size != part.pool:
                sizes = f"{pools[part.domain].size} and {part.pool}"
                raise ValueError(refusal("pool", allowed="one size for all losses of a domain", got=sizes))
            continue
        judge = f"D_{part.domain.upper()}"
        if judge in networks and len(Reads.of(networks[judge]).offsets) > 1:
            raise ValueError(
                refusal(
                    "pool",
                    allowed=f"0 where {judge} looks at windows of frames",
                    got=part.pool,
                    why="The history keeps single frames, which would break the windows",
                )
            )
        pools[part.domain] = HistoryPool(part.pool, zlib.crc32(f"{seed}/pool/{part.domain}".encode()))
    return pools


class _AnyClip(dict[Clip, int]):
    """Every clip, of one length."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length

    def __contains__(self, clip: object) -> bool:
        return isinstance(clip, Clip)

    def __missing__(self, clip: Clip) -> int:
        return self._length
