"""The objective of a phase: its terms planned together, run, and added up."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor, nn

from vtrans.algebra.domains import frozen
from vtrans.algebra.streams import Leaf, Networks, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.values import Value, map_tensors, tensors_in
from vtrans.algebra.views import Carried, Clip, Recursion, Ticks
from vtrans.errors import refusal, unknown
from vtrans.losses.base import Loss
from vtrans.losses.parts import weigh
from vtrans.losses.terms import Discrimination, Judgement, Penalty, TooShortError, is_computed
from vtrans.objectives.phases import Phase
from vtrans.objectives.pool import HistoryPool
from vtrans.objectives.reports import LossReport
from vtrans.objectives.terms import NamedTerm, named_terms
from vtrans.planning.compilation import Backend, Programs
from vtrans.planning.planner import Demand, plan
from vtrans.planning.plans import Plan

Program = Callable[[Sequence[Value], Tensor], tuple[Tensor, list[Value]]]

_LONGEST = 64
"""Clip lengths tried when looking for the shortest that every term can use."""


class Objective:
    """The objective of one phase: it plans its terms for a clip shape, and runs them.

    Attributes:
        reached: The networks that its terms train.
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
        self.reached = {name for trained in self._trains.values() for name in trained}

        self.requires = self._required()

    def _required(self) -> list[Stream]:
        return list(dict.fromkeys(part.stream for part in self.streams() if isinstance(part, Carried)))

    def clips(self) -> list[Clip]:
        """The clips, and streams that come with them, that the terms name or that earlier phases make things of."""
        return list(dict.fromkeys(part for part in self.streams() if isinstance(part, Clip)))

    def streams(self) -> Iterator[Stream]:
        """The expressions of its terms, and all that these are written in."""
        waiting = [stream for term in reversed(self.terms) for stream in reversed(term.term.streams)]
        seen: set[Stream] = set()
        while waiting:
            stream = waiting.pop()
            if stream not in seen:
                seen.add(stream)
                yield stream
                waiting += reversed(stream.parts)

    def trains(self, term: NamedTerm) -> list[str]:
        """The networks that a term trains in this phase."""
        return [name for name in term.trains if self.phase.trained(name)]

    def independent(self, of: Collection[str]) -> tuple[Stream, ...]:
        """The largest parts of its expressions that run networks, but none of these: they can be computed before."""
        found: dict[Stream, None] = {}
        depends: dict[Stream, bool] = {}

        def visit(stream: Stream) -> bool:
            """Whether a stream depends on them."""
            if stream not in depends:
                own = isinstance(stream, Carried) or any(n.name in of for n in getattr(stream, "uses", ()))
                depends[stream] = any([own, *map(visit, stream.parts)])
            return depends[stream]

        waiting = [stream for named in self.terms for stream in named.term.streams]
        for stream in waiting:
            if visit(stream):
                parts = () if isinstance(stream, Carried | Recursion) else stream.parts
                waiting += [part for part in parts if part not in waiting]
            elif is_computed(stream):
                found.setdefault(stream)
        return tuple(found)

    def plan(
        self,
        scope: Scope,
        sequential: Mapping[str, tuple[str, ...]],
        key: object = None,
        given: tuple[Stream, ...] = (),
    ) -> Plan:
        """The plan for clips of these lengths, and streams computed before; made once for each ``key``."""
        return self._plan(scope, sequential, key, given)[0]

    def run(
        self,
        leaves: Mapping[Stream, Value],
        networks: Networks,
        scope: Scope,
        sequential: Mapping[str, tuple[str, ...]],
        weights: Tensor,
        key: object = None,
        clips: Mapping[Clip, Tensor] | None = None,
        given: tuple[Stream, ...] = (),
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
            given: Streams that were computed before, and are among the leaves.
        """
        made, counts = self._plan(scope, sequential, key, given)
        frames = [leaves[leaf] for leaf in made.leaves]
        shapes = tuple(part.shape[2:] for frame in frames for part in tensors_in(frame))
        situation = None if key is None else (key, shapes)
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

        def compute(leaves: Sequence[Value], weights: Tensor) -> tuple[Tensor, list[Value]]:
            frames = made.run_on(leaves, networks)
            waiting = iter(frames)
            given = [list(islice(waiting, count)) for count in counts]
            terms = [named.term for named in self.terms]
            weighted = weigh(terms, given, weights, lambda i: self._value(self.terms[i], given[i], networks))
            return weighted, [map_tensors(Tensor.detach, kept) for kept in waiting]

        if self.compiled is None or situation is None:
            return compute
        mode = torch.is_grad_enabled(), torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
        which = (*situation, *mode, *(id(network) for network in networks.values()))
        return self._programs.get(which, compute, name=self.phase.name, backend=self.compiled)

    def _value(self, named: NamedTerm, frames: Sequence[Value], networks: Networks) -> Tensor:
        try:
            # Networks may compute with 16 bits; sums over frames do not.
            wide = [
                map_tensors(lambda f: f.float() if f.itemsize < 4 and f.is_floating_point() else f, v) for v in frames
            ]
            return named.term.value(wide, networks)
        except ValueError as error:
            raise ValueError(f"{named.name}: {error}") from error

    def _plan(
        self, scope: Scope, sequential: Mapping[str, tuple[str, ...]], key: object, given: tuple[Stream, ...] = ()
    ) -> tuple[Plan, list[int]]:
        if key is not None and (key, given) in self._plans:
            return self._plans[key, given]
        demands: list[Demand] = []
        counts = []
        for named in self.terms:
            requests = named.term.requests(scope)
            demands += [Demand(stream, times) for stream, times in requests]
            counts.append(len(requests))
        demands += [Demand(stream, stream.times(scope), value_only=True) for stream in self.carries]
        trains = [name for name in scope.reads if self.phase.trained(name)]
        made = plan(demands, scope, trains=trains, sequential=sequential, given=given), counts
        if key is not None:
            self._plans[key, given] = made
        return made


def _wide(frames: Tensor) -> Tensor:
    return frames.float() if frames.itemsize < 4 and frames.is_floating_point() else frames


def _held(named: NamedTerm, phase: Phase) -> NamedTerm:
    """The term as the phase has it: a penalty on a network that the phase does not train leaves that alone."""
    term = named.term
    if isinstance(term, Penalty) and not phase.trained(term.network.name):
        return NamedTerm(named.name, replace(term, network=frozen(term.network)), named.loss, named.of)
    if isinstance(term, Judgement):
        for judge in filter(phase.trained, term.networks):
            raise ValueError(
                refusal(
                    f"phase {phase.name!r}",
                    allowed=f"networks besides {judge}, which judges there",
                    got=f"trains {', '.join(phase.trains)}",
                    why=f"It would train its judge to be pleased, by the term {named.name}",
                    fix="Train discriminators in a phase of their own, on the terms of discriminate(…)",
                )
            )
    return named


def objectives_of(phases: Sequence[Phase], terms: Sequence[NamedTerm] | Mapping[str, Loss]) -> dict[str, Objective]:
    """The objective of each phase; frames that a phase needs carried come from the last one before that needs none.

    Args:
        phases: The phases, in order.
        terms: The terms, or the losses whose terms they are, in the usual directions.

    Raises:
        ValueError: Two phases have one name, a phase has no terms or names an unknown loss, or one trains its judge.
    """
    terms = named_terms(terms) if isinstance(terms, Mapping) else terms
    made: dict[str, Objective] = {}
    needed: list[Stream] = []
    losses = list(dict.fromkeys(named.of for named in terms))
    for phase in reversed(phases):
        if phase.name in made:
            raise ValueError(refusal("phases", allowed="one phase of each name", got=f"{phase.name!r} twice"))
        for name in phase.losses or ():
            if name not in losses:
                raise ValueError(unknown(f"loss of phase {phase.name!r}:", name, losses))
        held = [named for named in terms if named.term.phase == phase.terms and phase.holds(named.of)]
        if not held:
            raise ValueError(
                refusal(
                    f"phase {phase.name!r}",
                    allowed=f"losses with terms for {phase.terms!r}",
                    got=f"losses {', '.join(phase.losses or losses)}",
                    fix="Name other losses, or leave the phase out",
                )
            )
        required = Objective(phase, held, []).requires
        made[phase.name] = Objective(phase, held, [] if required else needed)
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
    """The history of fakes of each term that teaches a discriminator from one; see :func:`named_terms` for its key."""
    pools: dict[str, HistoryPool] = {}
    for named in [named for objective in objectives for named in objective.terms]:
        term = named.term
        if not isinstance(term, Discrimination) or not term.pool:
            continue
        if named.name in pools:
            allowed = "discriminating terms of different names"
            raise ValueError(
                refusal("pool", allowed=allowed, got=f"{named.name} twice", fix="Pass discriminate(name=…)")
            )
        for judge in term.judges:
            if judge in networks and len(Reads.of(networks[judge]).offsets) > 1:
                raise ValueError(
                    refusal(
                        "pool",
                        allowed=f"0 where {judge} looks at windows of frames",
                        got=term.pool,
                        why="The history keeps single frames, which would break the windows",
                    )
                )
        pools[term.key] = HistoryPool(term.pool, zlib.crc32(f"{seed}/pool/{term.key}".encode()))
    return pools


class _AnyClip(dict[Leaf, int]):
    """Every clip, of one length."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length

    def __contains__(self, leaf: object) -> bool:
        return isinstance(leaf, Clip | Ticks)

    def __missing__(self, leaf: Leaf) -> int:
        return self._length
