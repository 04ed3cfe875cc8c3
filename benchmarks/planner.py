"""Cost of planning: a plan made anew, and found again, as a share of a small training step; and the calls it makes.

    python benchmarks/planner.py

Needs torch, einops and numpy alone.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import measuring
from benchmarks.settings import SETTINGS, VARIANTS, Steps, clips_of, model_of
from vtrans.algebra.views import Clip

SEED, LENGTHS = 0, (3, 4, 6, 8, 12, 16)


def main(arguments: list[str] | None = None) -> None:
    """Measures planning for several clip lengths and writes a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="default: results/planner_cpu.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    setting = SETTINGS["B1"]
    torch.manual_seed(SEED)
    model, clips = model_of(setting), clips_of(setting, SEED)
    steps = Steps(model, clips)
    lengths = {Clip("x"): setting.length, Clip("y"): setting.length}

    def find() -> None:
        for objective in model.objectives.values():
            scope, sequential, key = model.execution.situation(lengths)
            objective.plan(scope, sequential, key)

    def make(length: int) -> None:
        for phase in model.phases:
            model.plan(phase.name, length=length)

    functions: dict[str, Callable[[], object]] = {"step": partial(steps.take, VARIANTS["planned"]), "found again": find}
    functions |= {f"T = {length}": partial(make, length) for length in LENGTHS}
    times = measuring.interleaved(functions, options.rounds, warm_up=2)
    results = {
        "step_seconds": measuring.spread(times["step"]),
        "found_again_seconds": measuring.spread(times["found again"]),
        "lengths": [
            {
                "length": length,
                "made_seconds": measuring.spread(times[f"T = {length}"]),
                "calls": {p.name: len(model.plan(p.name, length=length).network_calls) for p in model.phases},
                "frames": sum(c.rows for p in model.phases for c in model.plan(p.name, length=length).network_calls),
            }
            for length in LENGTHS
        ],
    }
    path = measuring.write("planner", "cpu", {"seed": SEED, "rounds": options.rounds}, results, out=options.out)
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
