"""Time of a training step: planned, compiled and in 16 bits, against the sequential reference, interleaved.

    python benchmarks/fused_step.py --setting A B1 B4 --rounds 15             # not compiled
    python benchmarks/fused_step.py --setting A B1 B4 --rounds 15 --compile   # all variants
    python benchmarks/fused_step.py --setting C1 C8 --rounds 15 --compile     # on a GPU

All variants run the same networks on the same clips. They are first checked to compute the same losses and gradients.
Then a round times one step of each, every second round in reverse, and the ratio is taken within the round, so that a
slow moment of the machine strikes all. Needs torch, einops and numpy alone.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler has much to say of itself
# Variants that take turns need more prepared convolutions than oneDNN keeps: each would prepare its own anew.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import measuring
from benchmarks.settings import (
    SETTINGS,
    VARIANTS,
    Setting,
    Steps,
    Variant,
    clips_of,
    in_float64,
    losses_and_gradients,
    model_of,
)

SEED, WARM_UP = 2, 2
Clips = tuple[Tensor, Tensor]
Results = tuple[dict[str, float], dict[str, Tensor]]


def check(steps: Steps, variants: dict[str, Variant]) -> dict[str, dict[str, float]]:
    """How far losses and gradients are from the sequential schedule's in float64; raises if that is too far.

    In float64 the schedules agree to rounding. In fewer bits rounding turns signs of the L1 distance over, and ReLUs,
    which gradients feel: there they may be little further off than the sequential schedule's own in as many bits. How
    long each took for the first time, which compiles it, is told beside that.
    """
    model, clips = steps.model, steps.clips
    right = in_float64(model, clips, VARIANTS["sequential"])
    found = {"planned, float64": difference(in_float64(model, clips, VARIANTS["planned"]), right)}
    require(found["planned, float64"], {"losses": 1e-9, "gradients": 1e-7}, "planned, float64")
    for name, variant in variants.items():
        plain = replace(variant, planned=False, compiled=False)
        own = difference(losses_and_gradients(model, clips, plain), right)
        start = time.perf_counter()
        results = losses_and_gradients(steps.networks(variant), clips, variant)
        seconds = time.perf_counter() - start
        found[name] = difference(results, right)
        require(found[name], {"losses": 1e-5 + 3 * own["losses"], "gradients": 0.02 + 1.5 * own["gradients"]}, name)
        found[name]["first_seconds"] = seconds
    return found


def difference(found: Results, right: Results) -> dict[str, float]:
    """Of the losses the greatest relative difference, of the gradients the greatest of a network's, in its norm."""
    (losses, gradients), (right_losses, right_gradients) = found, right
    if losses.keys() != right_losses.keys() or gradients.keys() != right_gradients.keys():
        raise RuntimeError("The two schedules report other terms, or train other networks.")
    return {
        "losses": max(abs(losses[name] / right_losses[name] - 1) for name in losses),
        "gradients": max(
            float((g - right_gradients[n]).norm() / right_gradients[n].norm()) for n, g in gradients.items()
        ),
    }


def require(found: dict[str, float], allowed: dict[str, float], name: str) -> None:
    """Raises if a variant computes something else."""
    for what, value in found.items():
        if not value <= allowed[what]:
            raise RuntimeError(
                f"{name}: {what} are off by {value:.2g}, more than {allowed[what]:.2g}: times say nothing."
            )


def measure(setting: Setting, variants: dict[str, Variant], rounds: int, limits: dict[str, float]) -> dict[str, object]:
    """Times the variants of a setting."""
    torch.manual_seed(SEED)
    steps = Steps(model_of(setting), clips_of(setting, SEED))
    differences = check(steps, variants)
    functions = {name: partial(steps.take, variant) for name, variant in variants.items()}
    for function in functions.values():
        function()
    on_gpu = setting.device == "cuda"
    peaks = {name: measuring.peak_bytes(function, "cuda") for name, function in functions.items()} if on_gpu else {}
    times = measuring.interleaved(functions, rounds, WARM_UP, setting.device)
    rows: dict[str, dict[str, object]] = {}
    for name, variant in variants.items():
        with FlopCounterMode(display=False) as counter:
            steps.take(Variant(planned=variant.planned))
        first = differences[name].pop("first_seconds")
        seconds = measuring.spread(times[name])
        rate = counter.get_total_flops() / seconds["median"]
        rows[name] = {
            "seconds": seconds,
            "ratio": measuring.ratios(times[name], times["sequential"]),
            "flop": counter.get_total_flops(),
            "share_of_matmul": rate / limits[f"matmul_{'bf16' if variant.bf16 else 'fp32'}_flop_per_s"],
            "difference_from_float64": differences[name],
        }
        if variant.compiled:
            rows[name]["compile_seconds"] = first
        if not on_gpu:
            rows[name]["share_in_convolutions"] = share_in_convolutions(functions[name])
        if name in peaks:
            rows[name]["peak_bytes"] = peaks[name]
    float64 = differences["planned, float64"]
    return {"setting": asdict(setting), "planned_float64_difference": float64, "variants": rows}


def share_in_convolutions(step: Callable[[], object]) -> float:
    """The share of a step's time that its convolutions take, forwards and backwards: no schedule can do without."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        step()
    times = {event.key: event.self_cpu_time_total for event in profiled.key_averages()}
    own = [time for name, time in times.items() if name.startswith(("aten::", "mkldnn::")) and "conv" in name]
    return float(sum(own) / sum(times.values()))


@contextmanager
def empty_cache() -> Iterator[None]:
    """Has compilation start from nothing."""
    before = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["TORCHINDUCTOR_CACHE_DIR"]
            if before is not None:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = before


def main(arguments: list[str] | None = None) -> None:
    """Measures the settings asked for and writes a JSON file for each device."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", nargs="+", choices=sorted(SETTINGS), default=["B1", "B4"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="measure compiled variants too: minutes more a setting")
    parser.add_argument("--out", type=Path, help="default: results/fused_step_DEVICE.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    variants = {name: variant for name, variant in VARIANTS.items() if options.compile or not variant.compiled}
    method = {"seed": SEED, "warm_up": WARM_UP, "rounds": options.rounds}
    with empty_cache():
        for device in dict.fromkeys(SETTINGS[name].device for name in options.setting):
            if device == "cuda" and not torch.cuda.is_available():
                print("No GPU: settings C1 and C8 are left out.")
                continue
            limits = measuring.ceilings(device)
            results = {}
            for name in options.setting:
                if SETTINGS[name].device == device:
                    results[name] = measure(SETTINGS[name], variants, options.rounds, limits)
                    show(name, results[name]["variants"])
                    measuring.write("fused_step", device, method, results, ceilings=limits, out=options.out)


def show(setting: str, variants: object) -> None:
    """Prints the figures of a setting."""
    assert isinstance(variants, dict)
    for name, row in variants.items():
        compiling = f", compiled in {row['compile_seconds']:.0f} s" if "compile_seconds" in row else ""
        print(
            f"{setting} {name:<24} {row['seconds']['median']:.4f} s, ratio {row['ratio']['median']:.2f} "
            f"({row['ratio']['quartiles'][0]:.2f} to {row['ratio']['quartiles'][1]:.2f}), "
            f"{row['share_of_matmul']:.0%} of matmul, "
            f"{row.get('share_in_convolutions', math.nan):.0%} in convolutions, gradients off by "
            f"{row['difference_from_float64']['gradients']:.1g}{compiling}",
            flush=True,
        )


if __name__ == "__main__":
    main()
