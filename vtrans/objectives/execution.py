"""Runs a model's objectives: what depends on the clips and the networks' modes, what phases carry, and the weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vtrans.algebra.streams import Operation, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.values import Value, map_tensors
from vtrans.algebra.views import Carried, Clip, Ticks
from vtrans.errors import refusal, unknown
from vtrans.networks.traits import sensitive_modules, sequential_reasons
from vtrans.objectives.objective import Objective
from vtrans.objectives.pool import HistoryPool
from vtrans.objectives.reports import LossReport
from vtrans.planning.planner import Demand, plan
from vtrans.planning.plans import Plan


class Situation(NamedTuple):
    """What a plan depends on: lengths, what networks read, which are called frame by frame; and a key of all that."""

    scope: Scope
    sequential: dict[str, tuple[str, ...]]
    key: tuple[object, ...]


class Prepared(NamedTuple):
    """Clips ready for every phase of a step: as they came, and time-major.

    ``given`` stands in the place of draws; ``ahead`` is what was computed in advance for later phases.
    """

    clips: dict[Clip, Tensor]
    leaves: dict[Stream, Value]
    situation: Situation
    given: dict[Stream, Value]
    ahead: dict[str, dict[Stream, Value]]

    @property
    def ticks(self) -> Tensor:
        """Frames with nothing in them, of the clips' batch, precision and device."""
        like = next(frames for frames in self.clips.values() if frames.is_floating_point())
        return like.new_empty(max(frames.shape[1] for frames in self.clips.values()), like.shape[0], 0)


class _Sensitive(NamedTuple):
    """What was found out about a network, and the state in which it was."""

    network: nn.Module
    parts: list[nn.Module]
    state: tuple[object, ...]
    reasons: tuple[str, ...]


class Execution:
    """Runs objectives on networks.

    Args:
        objectives: The objective of each phase, by its name.
        networks: The networks by name; looked up at every run.
        pools: The history of fakes of each domain that has one.
    """

    def __init__(
        self, objectives: Mapping[str, Objective], networks: nn.ModuleDict, pools: Mapping[str, HistoryPool]
    ) -> None:
        self.objectives = objectives
        self.networks = networks
        self.pools = pools
        self._sensitive: dict[str, _Sensitive] = {}
        self._weights: dict[str, tuple[tuple[float, ...], Tensor]] = {}
        self._carrying: dict[tuple[object, ...], tuple[tuple[Stream, ...], Plan]] = {}

    def prepare(self, clips: dict[Clip, Tensor], draws: Mapping[str, Value] | None = None) -> Prepared:
        """Makes checked clips ready, once for all phases.

        Args:
            clips: The clips.
            draws: What stands in the place of draws, by name; see :meth:`vtrans.TranslationModel.loss`.

        Raises:
            ValueError: There is no draw of a name, or it has another shape.
        """
        leaves: dict[Stream, Value] = {clip: frames.transpose(0, 1).contiguous() for clip, frames in clips.items()}
        lengths = {clip: frames.shape[1] for clip, frames in clips.items()}
        situation = self.situation(lengths)
        streams = [stream for objective in self.objectives.values() for stream in objective.streams()] if draws else []
        return Prepared(clips, leaves, situation, given_draws(streams, draws or {}, situation.scope), {})

    def run(self, phase: str, prepared: Prepared, step: int, reuse: LossReport | None) -> LossReport:
        """Computes the objective of a phase.

        Args:
            phase: The phase's name.
            prepared: The clips.
            step: Training step, for weights that change.
            reuse: Report of an earlier phase on the same clips, whose frames are used as they were then.

        Raises:
            ValueError: ``reuse`` is of other clips, or of a phase that does not carry what is needed.
        """
        objective, leaves = self.objectives[phase], dict(prepared.leaves)
        scope, sequential, key = prepared.situation
        carried = self._carried(objective, prepared, step, reuse)
        given = {**prepared.given, **prepared.ahead.pop(phase, {})}
        leaves.update(given)
        leaves[Ticks()] = prepared.ticks
        for leaf in objective.plan(scope, sequential, key, tuple(given)).leaves:
            if isinstance(leaf, Carried):
                frames = carried[leaf.stream]
                leaves[leaf] = self.pools[leaf.key].query(frames) if leaf.pool else frames
        weights = self._weights_at(objective, step, prepared.ticks)
        networks = dict(self.networks.items())
        return objective.run(leaves, networks, scope, sequential, weights, key, prepared.clips, tuple(given))

    def situation(self, lengths: Mapping[Any, int]) -> Situation:
        """What a plan for clips of these lengths depends on, with the networks as they are now."""
        reads = {name: Reads.of(network) for name, network in self.networks.items()}
        found = {name: self._reasons(name, network) for name, network in self.networks.items()}
        sequential = {name: reasons for name, reasons in found.items() if reasons}
        key = (tuple(lengths.items()), tuple(reads.values()), tuple(sequential.items()))
        return Situation(Scope(dict(lengths), reads), sequential, key)

    def forget_modes(self) -> None:
        """Has the networks looked at anew, for layers that were exchanged since."""
        self._sensitive.clear()

    def _reasons(self, name: str, network: nn.Module) -> tuple[str, ...]:
        """Why a network is called frame by frame; looked up again when its mode or its declaration changes."""
        known = self._sensitive.get(name)
        declared = getattr(network, "sequential", None)
        same = known is not None and known.network is network and known.state[0] == declared
        parts = known.parts if known is not None and same else sensitive_modules(network)
        state = (declared, *(part.training for part in parts))
        if known is None or not same or known.state != state:
            known = self._sensitive[name] = _Sensitive(network, parts, state, sequential_reasons(network))
        return known.reasons

    def _carried(
        self, objective: Objective, prepared: Prepared, step: int, reuse: LossReport | None
    ) -> Mapping[Stream, Value]:
        """The frames that a phase needs of before the update: an earlier phase's, or computed now.

        Where a later phase of the step computes them too, it is given what is computed now, graph and all.
        """
        needed = objective.requires
        if not needed:
            return {}
        if reuse is not None:
            _check_reuse(reuse, needed, prepared.clips)
            return reuse.carried
        later = self._later(objective, step) if torch.is_grad_enabled() else None
        scope, sequential, key = prepared.situation
        which = objective.phase.name, key, later and later.phase.name, tuple(prepared.given)
        made = self._carrying.get(which)
        if made is None:
            wanted = () if later is None else self._independent(objective, later)
            trains = None if later is None else [name for name in scope.reads if later.phase.trained(name)]
            demands = [Demand(stream, scope.times(stream)) for stream in wanted]
            demands += [Demand(stream, scope.times(stream), value_only=True) for stream in needed]
            ahead = plan(demands, scope, trains=trains, sequential=sequential, given=prepared.given)
            made = self._carrying[which] = wanted, ahead
        wanted, ahead = made
        with torch.set_grad_enabled(later is not None):
            frames = ahead.run(
                {**prepared.leaves, Ticks(): prepared.ticks, **prepared.given}, dict(self.networks.items())
            )
        if later is not None:
            prepared.ahead[later.phase.name] = dict(zip(wanted, frames, strict=False))
        kept = frames[len(wanted) :]
        return dict(zip(needed, (map_tensors(Tensor.detach, value) for value in kept), strict=True))

    def _later(self, objective: Objective, step: int) -> Objective | None:
        """The first later phase of the step that computes all that this one needs carried, itself uncompiled."""
        phases = list(self.objectives.values())
        for later in phases[phases.index(objective) + 1 :]:
            if later.phase.active(step) and later.compiled is None:
                held = set(later.streams())
                if all(stream in held for stream in objective.requires):
                    return later
        return None

    def _independent(self, objective: Objective, later: Objective) -> tuple[Stream, ...]:
        """What the later phase computes that no phase from this one on changes before it."""
        phases = list(self.objectives.values())
        between = phases[phases.index(objective) : phases.index(later)]
        changed = [name for name in self.networks if any(other.phase.trained(name) for other in between)]
        return later.independent(changed)

    def _weights_at(self, objective: Objective, step: int, like: Tensor) -> Tensor:
        numbers = tuple(named.weight(step) for named in objective.terms)
        known = self._weights.get(objective.phase.name)
        if known is None or known[0] != numbers or known[1].device != like.device or known[1].dtype != like.dtype:
            tensor = torch.tensor(numbers, dtype=like.dtype).to(like.device, non_blocking=True)
            known = self._weights[objective.phase.name] = (numbers, tensor)
        return known[1]


def _check_reuse(reuse: object, needed: list[Stream], clips: Mapping[Clip, Tensor]) -> None:
    if not isinstance(reuse, LossReport):
        raise TypeError(refusal("reuse", allowed="the report of model.generator_loss(x, y)", got=type(reuse).__name__))
    if any(stream not in reuse.carried for stream in needed):
        raise ValueError(
            refusal("reuse", allowed="the report of model.generator_loss(x, y)", got="one without translated frames")
        )
    for clip, frames in clips.items():
        before = reuse.clips.get(clip)
        known = before is frames or (
            before is not None
            and before.shape == frames.shape
            and before.device == frames.device
            and (frames.device.type != "cpu" or torch.equal(before, frames))
        )
        if not known:
            raise ValueError(refusal("reuse", allowed="a report on the same clips", got=f"one on another {clip.of}"))


def given_draws(streams: Iterable[Stream], draws: Mapping[str, Value], scope: Scope) -> dict[Stream, Value]:
    """What stands in the place of the draws of expressions, time-major.

    Args:
        streams: The expressions and their parts.
        draws: Values by the name of a draw, or by name and domain such as ``"s/y"``: ``(batch, …)`` for all times, or
            ``(batch, time, …)``.
        scope: What the times depend on.

    Raises:
        ValueError: There is no draw of a name, or its shape is another.
    """
    random = dict.fromkeys(s for s in streams if isinstance(s, Operation) and s.is_random and hasattr(s, "name"))
    found: dict[Stream, Value] = {}
    known = {name: stream for stream in random for name in (stream.name, f"{stream.name}/{stream.domain}")}
    for name in draws:
        if name not in known:
            raise ValueError(unknown("draw", name, known))
    for stream in random:
        name = stream.name
        value = draws.get(f"{name}/{stream.domain}", draws.get(name))
        if value is not None:
            found[stream] = map_tensors(partial(_at_times, name, stream, len(scope.times(stream))), value)
    return found


def _at_times(name: str, stream: Stream, times: int, value: Tensor) -> Tensor:
    """A draw's values, time-major."""
    shape = getattr(stream, "shape", None)
    if shape is not None and tuple(value.shape[1:]) not in (shape, (times, *shape)):
        allowed = f"(batch, {', '.join(map(str, shape))}), or with {times} times after the batch"
        raise ValueError(refusal(f"draws[{name!r}]", allowed=allowed, got=f"shape {tuple(value.shape)}"))
    timed = value.ndim == len(shape) + 2 if shape is not None else value.ndim > 4 and value.shape[1] == times
    return value.transpose(0, 1) if timed else value.expand(times, *value.shape)
