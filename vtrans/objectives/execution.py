"""Runs a model's objectives: what depends on the clips and the networks' modes, what phases carry, and the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vtrans.algebra.streams import Carried, Clip, Leaf, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.errors import refusal
from vtrans.networks.traits import sensitive_modules, sequential_reasons
from vtrans.objectives.objective import LossReport, Objective
from vtrans.objectives.pool import HistoryPool
from vtrans.planning.planner import Demand, plan
from vtrans.planning.plans import Plan


class Situation(NamedTuple):
    """What a plan depends on: lengths, what networks read, which are called frame by frame; and a key of all that."""

    scope: Scope
    sequential: dict[str, tuple[str, ...]]
    key: tuple[object, ...]


class Prepared(NamedTuple):
    """Clips ready for every phase of a step: as given, and time-major."""

    clips: dict[Clip, Tensor]
    leaves: dict[Leaf, Tensor]
    situation: Situation


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
        self._carrying: dict[tuple[object, ...], Plan] = {}

    def prepare(self, clips: dict[Clip, Tensor]) -> Prepared:
        """Makes checked clips ready, once for all phases."""
        leaves: dict[Leaf, Tensor] = {clip: frames.transpose(0, 1).contiguous() for clip, frames in clips.items()}
        return Prepared(clips, leaves, self.situation({clip: frames.shape[1] for clip, frames in clips.items()}))

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
        carried = self._carried(objective, prepared, reuse)
        for leaf in objective.plan(scope, sequential, key).leaves:
            if isinstance(leaf, Carried):
                frames = carried[leaf.stream]
                leaves[leaf] = self.pools[leaf.domain].query(frames) if leaf.pool else frames
        weights = self._weights_at(objective, step, prepared.clips[Clip("x")])
        networks = dict(self.networks.items())
        return objective.run(leaves, networks, scope, sequential, weights, key, prepared.clips)

    def situation(self, lengths: Mapping[Clip, int]) -> Situation:
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

    def _carried(self, objective: Objective, prepared: Prepared, reuse: LossReport | None) -> Mapping[Stream, Tensor]:
        needed = objective.requires
        if not needed:
            return {}
        if reuse is not None:
            _check_reuse(reuse, needed, prepared.clips)
            return reuse.carried
        scope, sequential, key = prepared.situation
        made = self._carrying.get((objective.phase.name, key))
        if made is None:
            demands = [Demand(stream, scope.times(stream), value_only=True) for stream in needed]
            made = self._carrying[objective.phase.name, key] = plan(demands, scope, sequential=sequential)
        with torch.no_grad():
            frames = made.run(prepared.leaves, dict(self.networks.items()))
        return dict(zip(needed, frames, strict=True))

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
