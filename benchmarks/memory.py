"""Memory and time of a training step against the length of clips, their size and the batch, and with recomputing.

    python benchmarks/memory.py --rounds 5

Memory is the most that tensors take at once in a step, beside what is there before it (weights, the state of the
optimizers, clips); on a CPU it is added up from each piece that PyTorch takes and gives back, on a GPU PyTorch's own
peak. Times of the ways are taken in turns. Needs torch, einops and numpy alone.
"""

import argparse
import os
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler has much to say of itself
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import measuring
from benchmarks.settings import SETTINGS, VARIANTS, Setting, Steps, Variant, clips_of, losses_and_gradients, model_of

SEED, WARM_UP = 3, 1
WAYS = ("sequential", "planned", "planned, recomputed")


def cases(device: str) -> dict[str, list[Setting]]:
    """What grows: the length of clips, their size, the batch."""
    base = replace(SETTINGS["B1"], device=device)
    return {
        "length": [replace(base, length=length) for length in (3, 4, 6, 8, 12, 16)],
        "size": [replace(base, size=size) for size in (64, 128, 192)],
        "batch": [replace(base, batch=batch) for batch in (1, 2, 4, 8)],
    }


def measure(setting: Setting, rounds: int) -> dict[str, object]:
    """One case, all ways."""
    torch.manual_seed(SEED)
    steps = Steps(model_of(setting), clips_of(setting, SEED))
    check(steps)

    def step(way: str) -> None:
        steps.model.recompute(["G", "P", "D"] if way == "planned, recomputed" else [])
        steps.take(VARIANTS["planned" if way.startswith("planned") else way])

    functions = {way: partial(step, way) for way in WAYS}
    for function in functions.values():  # makes plans and the optimizers' state
        function()
    peaks = {}
    for way, function in functions.items():
        steps.model.zero_grad(set_to_none=True)  # else what a step gives back of the step before would count
        peaks[way] = measuring.peak_bytes(function, setting.device)
    times = measuring.interleaved(functions, rounds, WARM_UP, setting.device)
    return {
        "setting": asdict(setting),
        "calls": sum(
            len(steps.model.plan(phase.name, length=setting.length).network_calls) for phase in steps.model.phases
        ),
        "ways": {
            way: {
                "peak_bytes": peaks[way],
                "seconds": measuring.spread(times[way]),
                "ratio": measuring.ratios(times[way], times["sequential"]),
            }
            for way in WAYS
        },
    }


def check(steps: Steps) -> None:
    """All ways compute the same losses."""
    right, _ = losses_and_gradients(steps.model, steps.clips, VARIANTS["sequential"])
    for roles in ([], ["G", "P", "D"]):
        steps.model.recompute(roles)
        found, _ = losses_and_gradients(steps.model, steps.clips, Variant())
        if any(abs(found[name] / value - 1) > 1e-4 for name, value in right.items()):
            raise RuntimeError("The ways compute other losses.")


def main(arguments: list[str] | None = None) -> None:
    """Measures all cases and writes a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, help="default: results/memory_DEVICE.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    results: dict[str, list[dict[str, object]]] = {}
    for growing, settings in cases(options.device).items():
        for setting in settings:
            row = measure(setting, options.rounds)
            results.setdefault(growing, []).append(row)
            show(growing, row)
    method = {"seed": SEED, "warm_up": WARM_UP, "rounds": options.rounds}
    measuring.write("memory", options.device, method, results, out=options.out)


def show(growing: str, row: dict[str, object]) -> None:
    """Prints a case."""
    setting, ways = row["setting"], row["ways"]
    assert isinstance(setting, dict) and isinstance(ways, dict)
    figures = "; ".join(
        f"{way} {found['peak_bytes'] / 2**20:.0f} MiB {found['seconds']['median']:.3f} s" for way, found in ways.items()
    )
    print(f"{growing} {setting[growing]}: {row['calls']} calls; {figures}", flush=True)


if __name__ == "__main__":
    main()
