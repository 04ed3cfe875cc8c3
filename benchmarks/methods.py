"""Every recipe's step, planned and one call at a time: calls, ratio of their times, and that both compute the same.

    python benchmarks/methods.py                       # 64x64, width 16, batch 1 and 4
    python benchmarks/methods.py --size 32 --batch 1 --rounds 3 munit cut

The sequential schedule calls a network once a frame and application, and keeps what it has computed, also from phase to
phase while the networks that made it do not change. Needs torch, einops and numpy alone.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import vtrans
from benchmarks import measuring
from vtrans.algebra.domains import networks_in
from vtrans.algebra.streams import Operation, Scope, Stream, View
from vtrans.algebra.times import Reads
from vtrans.algebra.values import Value, map_tensors
from vtrans.algebra.views import Carried, Clip, Recursion, Ticks
from vtrans.objectives.objective import Objective

STEP = 5_039_999
"""The step that is taken: late, and at the end of every period of up to ten steps, so that no phase is left out."""

TOLERANCE = 1e-3
"""Largest difference of losses and gradients, as a share of the largest: steps are in float32."""


class Sequential:
    """Takes steps of a model one network call at a time.

    Args:
        model: The model.
        clips: The clips by domain.
    """

    def __init__(self, model: vtrans.TranslationModel, clips: Mapping[str, Any]) -> None:
        self.model, self.networks = model, model.networks_by_name
        self.prepared = model.prepare(clips)
        self.calls = 0
        reads = {name: Reads.of(network) for name, network in self.networks.items()}
        self.scope = Scope(self.prepared.situation.scope.lengths, reads)
        self.known: dict[tuple[Stream, int], Value] = {}
        self.carried: dict[tuple[Stream, int], Value] = {}
        self.random: dict[tuple[Stream, int], Value] = {}

    def begin(self) -> None:
        """Forgets all of the step before."""
        self.calls = 0
        self.known, self.carried, self.random = {}, {}, {}

    def total(self, objective: Objective) -> Tensor:
        """The objective of a phase; what later phases need carried is computed too."""
        total = torch.zeros(())
        for named in objective.terms:
            frames = [
                map_tensors(lambda *parts: torch.stack(parts), *(self._value(stream, t, objective) for t in times))
                for stream, times in named.term.requests(self.scope)
            ]
            total = total + named.weight(STEP) * named.term.value(frames, self.networks)
        for stream in objective.carries:
            for t in stream.times(self.scope):
                self.carried[stream, t] = map_tensors(Tensor.detach, self._value(stream, t, objective))
        return total

    def updated(self, objective: Objective) -> None:
        """Forgets what networks made that the phase has changed."""
        changed = {name for name in self.networks if objective.phase.trained(name)}
        self.known = {key: value for key, value in self.known.items() if not changed & set(networks_in(key[0]))}

    def _value(self, stream: Stream, t: int, objective: Objective) -> Value:
        if isinstance(stream, Carried):
            if (stream.stream, t) not in self.carried:
                self.carried[stream.stream, t] = map_tensors(Tensor.detach, self._value(stream.stream, t, objective))
            return self.carried[stream.stream, t]
        if isinstance(stream, Clip):
            return self.prepared.clips[stream][:, t]
        if isinstance(stream, Ticks):
            return self.prepared.ticks[t]
        if (stream, t) not in self.known:
            self.known[stream, t] = self._computed(stream, t, objective)
        return self.known[stream, t]

    def _computed(self, stream: Stream, t: int, objective: Objective) -> Value:
        if isinstance(stream, Recursion):
            for s in self.scope.times(stream):
                if s < t:
                    self._value(stream, s, objective)
        if isinstance(stream, View):
            source, time = stream.at(t, self.scope)
            return self._value(source, time, objective)
        assert isinstance(stream, Operation)
        reads, times = stream.reads(self.scope), stream.sources(t, self.scope)
        groups = [[self._value(part, s, objective) for s in times] for part in stream.inputs]
        stack = partial(map_tensors, lambda *parts: torch.stack(parts, dim=1))
        inputs = [stack(*group) if reads.stacked else group[0] for group in groups]
        # A judge stands frozen where it is not taught; all else keeps its graph for the phase that trains it.
        still = {name for named in objective.terms for name in named.term.judges} or set(self._judges())
        taught = [name for name in self.networks if name not in still or objective.phase.trained(name)]
        value = stream.kernel(taught).run(self.networks, *inputs)
        self.calls += bool(stream.uses)
        if stream.is_random:
            self.random[stream, t] = value
        return map_tensors(lambda part: part[:, -1], value) if reads.recurrent else value

    def _judges(self) -> list[str]:
        return [name for o in self.model.objectives.values() for named in o.terms for name in named.term.judges]

    def given(self) -> dict[Stream, Value]:
        """What was drawn, time-major, for a planned step to draw the same."""
        streams = dict.fromkeys(stream for stream, _ in self.random)
        return {
            s: map_tensors(lambda *parts: torch.stack(parts), *(self.random[s, t] for t in s.times(self.scope)))
            for s in streams
            if all((s, t) in self.random for t in s.times(self.scope))
        }


def clips_of(model: vtrans.TranslationModel, size: int, batch: int, seed: int) -> dict[str, dict[str, Tensor]]:
    """Random clips of all that the model's losses name."""
    length = max(model.clip_length, model.minimum_length)
    found: dict[str, dict[str, Tensor]] = {}
    for clip in model.clips:
        random = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{clip.of}/{clip.name}".encode()))
        shape = (batch, length, model.channels[clip.of], size, size)
        found.setdefault(clip.of, {})[clip.name] = torch.rand(shape, generator=random) * 2 - 1
    return found


def sequential_step(
    sequential: Sequential, optimizers: Mapping[str, torch.optim.Optimizer] | None
) -> tuple[list[float], list[Tensor]]:
    """A step one call at a time; the total of each phase and the gradients, which are dropped where it updates."""
    sequential.begin()
    totals, gradients = [], []
    for phase in sequential.model.active_phases(STEP):
        objective = sequential.model.objectives[phase.name]
        parameters = sequential.model.parameters_of(phase.name)
        for parameter in parameters:
            parameter.grad = None
        total = sequential.total(objective)
        total.backward()
        totals.append(total.item())
        gradients += [p.grad.clone() for p in parameters if p.grad is not None] if optimizers is None else []
        if optimizers is not None:
            optimizers[phase.name].step()
            sequential.updated(objective)
    return totals, gradients


def planned_step(
    model: vtrans.TranslationModel, clips: Mapping[str, Any], given: Mapping[Stream, Value]
) -> tuple[list[float], list[Tensor]]:
    """The totals and gradients of all phases, before any update, with draws given."""
    prepared = model.prepare(clips)._replace(given=dict(given))
    reports: dict[str, vtrans.LossReport] = {}
    totals, gradients = [], []
    for phase in model.active_phases(STEP):
        parameters = model.parameters_of(phase.name)
        for parameter in parameters:
            parameter.grad = None
        report = model.phase_loss(phase.name, prepared, step=STEP, before=reports)
        report.total.backward()
        reports[phase.name] = report.detached()
        totals.append(report.total.item())
        gradients += [p.grad.clone() for p in parameters if p.grad is not None]
    return totals, gradients


def difference(a: tuple[list[float], list[Tensor]], b: tuple[list[float], list[Tensor]]) -> float:
    """The largest difference of totals and gradients, each as a share of its largest value."""
    pairs = [(torch.tensor(x), torch.tensor(y)) for x, y in zip(a[0], b[0], strict=True)]
    pairs += list(zip(a[1], b[1], strict=True))
    scale = max(float(gradient.abs().max()) for gradient in b[1])
    return max(float((x - y).abs().max()) / max(float(y.abs().max()), 1e-3 * scale, 1e-6) for x, y in pairs)


def measure(recipe: str, parts: Mapping[str, Any], size: int, batch: int, rounds: int, device: str) -> dict[str, Any]:
    """What a recipe's step costs in both ways."""
    model = vtrans.build(recipe, **parts).to(device)
    clips = {
        domain: {name: frames.to(device) for name, frames in streams.items()}
        for domain, streams in clips_of(model, size, batch, 0).items()
    }
    sequential = Sequential(model, clips)
    own = sequential_step(sequential, None)
    calls = sequential.calls
    differing = difference(planned_step(model, clips, sequential.given()), own)
    optimizers = model.optimizers(lr=1e-5)
    functions: dict[str, Callable[[], object]] = {
        "planned": partial(model.step, clips, optimizers, step=STEP),
        "sequential": partial(sequential_step, sequential, optimizers),
    }
    times = measuring.interleaved(functions, rounds, warm_up=2, device=device)
    return {
        "recipe": recipe,
        "size": size,
        "batch": batch,
        "calls_planned": sum(len(model.plan(phase.name).network_calls) for phase in model.active_phases(STEP)),
        "calls_sequential": calls,
        "difference": differing,
        "agrees": differing <= TOLERANCE,
        "ratio": measuring.ratios(times["planned"], times["sequential"]),
        "seconds": measuring.spread(times["planned"]),
    }


def parts_of(recipe: str, width: int) -> dict[str, Any]:
    """The recipe's own parts, at a width, wherever they have one."""
    made = vtrans.recipes.create(recipe)
    from vtrans.model.making import find_part

    def narrowed(role: str, part: Any) -> Any:  # noqa: ANN401
        name, options = (part, {}) if isinstance(part, str) else part
        entry = find_part(role, name)
        extra = {"width": width} if "width" in entry.defaults and "width" not in options else {}
        return name, {**options, **extra}

    return {
        "generator": narrowed("G", made.generator),
        "predictor": ("unet", {"depth": 5, "width": width}),
        "discriminator": narrowed("D", made.discriminator),
        "networks": {role: narrowed(role, part) for role, part in made.networks.items()},
    }


def main(arguments: list[str] | None = None) -> None:
    """Measures the recipes and writes a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help="default: all")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, help="default: results/methods_DEVICE.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rows = []
    for recipe in options.recipes or list(vtrans.recipes):
        for batch in options.batch:
            parts = parts_of(recipe, options.width)
            row = measure(recipe, parts, options.size, batch, options.rounds, options.device)
            rows.append(row)
            low, high = row["ratio"]["quartiles"]
            print(
                f"{recipe:<26} batch {batch}: calls {row['calls_planned']:>3} of {row['calls_sequential']:>3}, "
                f"{row['ratio']['median']:.2f} times as fast ({low:.2f} to {high:.2f}), "
                f"difference {row['difference']:.1e}{'' if row['agrees'] else ' TOO LARGE'}"
            )
    chosen = {name: getattr(options, name) for name in ("size", "width", "rounds", "threads")}
    measuring.write("methods", options.device, chosen, rows, out=options.out)


if __name__ == "__main__":
    main()
