"""Cost of planning: a plan made anew, and found again, as a share of a small training step."""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fused_step import SETTINGS, clips_of, model_of
from vtrans.expressions import Clip


def median_seconds(function: Callable[[], object], repeats: int) -> float:
    """The median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Prints planning times for several clip lengths and their share of a step."""
    torch.set_num_threads(2)
    setting = SETTINGS["B1"]
    model, (x, y) = model_of(setting), clips_of(setting, seed=0)
    optimizers = model.optimizers()
    model.step(x, y, optimizers)
    step = median_seconds(lambda: model.step(x, y, optimizers), 20)
    clips = {Clip("x"): x.shape[1], Clip("y"): y.shape[1]}

    def find() -> None:
        for objective in model.objectives.values():
            scope, sequential, key = model.execution.situation(clips)
            objective.plan(scope, sequential, key)

    print(f"a step of setting B1 takes {1e3 * step:.1f} ms")
    print(f"both plans found again: {1e6 * median_seconds(find, 200):.0f} µs, {median_seconds(find, 200) / step:.3%}")
    for length in (3, 5, 8, 16):
        made = sum(median_seconds(partial(model.plan, phase.name, length=length), 5) for phase in model.phases)
        calls = [len(model.plan(phase.name, length=length).network_calls) for phase in model.phases]
        print(f"T = {length:>2}: both plans made in {1e3 * made:.1f} ms; network calls {calls}")


if __name__ == "__main__":
    main()
