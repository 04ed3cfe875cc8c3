"""Time of each kernel against the plain operations and ``torch.compile``, with its share of copy bandwidth.

    python -m benchmarks.kernels                                   # on a GPU
    python -m benchmarks.kernels --device cpu --variants eager compiled --case phase_128_b1

A round times a forward and a backward pass of each variant, in another order each time; ratios are taken within rounds.
Inputs take turns, so that no cache holds them. Before that each variant's values and gradients are compared with those
of the plain operations in float64. Bytes are the fewest that can be moved: each input read once in each pass that
needs it, each output and gradient written once. Needs torch, einops, numpy, and Triton on a GPU.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import measuring
from vtrans.functional import kernels
from vtrans.functional.kernels import Part, instance_norm, judged, weighted_sums
from vtrans.functional.kernels.parts import Kind

VARIANTS = ("eager", "compiled", "triton")
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
ROTATED_BYTES = 2**28
"""Inputs that take turns are together at least as large as this, several times a GPU's cache."""


@dataclass(frozen=True)
class Phase:
    """The distances of the generators' phase of ``recycle_cycle_gan``: of both domains, frames of 3 channels."""

    size: int
    batch: int
    kind: Kind = "l1"
    length: int = 3
    dtype: str = "float32"

    def inputs(self, device: str) -> list[Tensor]:
        """Made frames and logits with gradients, real frames and the weights of the terms without."""
        made, real, logits = [], [], []
        for times in (self.length - 2, self.length - 2, self.length - 1, self.length - 1) * 2:
            shape = (times * self.batch, 3, self.size, self.size)
            made.append(torch.rand(shape, device=device) * 2 - 1)
            real.append(torch.rand(shape, device=device) * 2 - 1)
        for times in (self.length - 1, self.length - 2) * 2:
            logits.append(torch.randn(times * self.batch, 1, self.size // 8 - 2, self.size // 8 - 2, device=device))
        weights = torch.tensor([10.0] * 8 + [1.0, 1.0], device=device)
        return [*(x.to(getattr(torch, self.dtype)).requires_grad_() for x in made + logits), *real, weights]

    def run(self, inputs: Sequence[Tensor]) -> Tensor:
        """The terms, weighted."""
        made, logits, real = inputs[:8], inputs[8:12], inputs[12:20]
        pairs = zip(made, real, strict=True)
        parts = [Part(self.kind, a, b, term, a.shape[0] / self.batch) for term, (a, b) in enumerate(pairs)]
        parts += [judged("least_squares", z, "generator", 8 + i // 2) for i, z in enumerate(logits)]
        return weighted_sums(parts, inputs[20])

    def bytes_moved(self, inputs: Sequence[Tensor]) -> int:
        """All inputs read, the gradients of those that have one written; both in one pass."""
        return sum(x.nbytes * (2 if x.requires_grad else 1) for x in inputs)


@dataclass(frozen=True)
class Norm:
    """Instance norm of features, with the ReLU or the residual that follows it."""

    samples: int
    channels: int
    size: int
    slope: float = 0.0
    residual: bool = False
    channels_last: bool = False
    dtype: str = "bfloat16"

    def inputs(self, device: str) -> list[Tensor]:
        """The features, the residual, and the gradient that comes from above."""
        order = torch.channels_last if self.channels_last else torch.contiguous_format
        shape = (self.samples, self.channels, self.size, self.size)
        made = [
            torch.randn(shape, device=device).to(getattr(torch, self.dtype)).contiguous(memory_format=order)
            for _ in range(2 + self.residual)
        ]
        return [*(x.requires_grad_() for x in made[:-1]), made[-1]]

    def run(self, inputs: Sequence[Tensor]) -> Tensor:
        """The normalised features."""
        return instance_norm(inputs[0], slope=self.slope, residual=inputs[1] if self.residual else None)

    def bytes_moved(self, inputs: Sequence[Tensor]) -> int:
        """Forward features and residual are read and the output written; backward two are read and one written."""
        return inputs[0].nbytes * (5 + self.residual)


CASES: dict[str, Phase | Norm] = {
    "phase_128_b1": Phase(128, 1),
    "phase_256_b1": Phase(256, 1),
    "phase_256_b8": Phase(256, 8),
    "phase_256_b8_charbonnier": Phase(256, 8, "charbonnier"),
    "phase_512_b16": Phase(512, 16),
    "norm_stem": Norm(16, 64, 256),
    "norm_half": Norm(16, 128, 128),
    "norm_block": Norm(16, 256, 64),
    "norm_block_b1": Norm(2, 256, 64),
    "norm_block_residual": Norm(16, 256, 64, slope=1.0, residual=True),
    "norm_judge": Norm(16, 256, 32, slope=0.2),
    "norm_stem_last": Norm(16, 64, 256, channels_last=True),
    "norm_block_last": Norm(16, 256, 64, channels_last=True),
    "norm_block_residual_last": Norm(16, 256, 64, slope=1.0, residual=True, channels_last=True),
    "norm_block_float32": Norm(16, 256, 64, dtype="float32"),
}


def pass_of(case: Phase | Norm, run: Callable[[Sequence[Tensor]], Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    """The output and the gradients of one forward and backward pass."""
    output = run(inputs)
    wanted = [x for x in inputs if x.requires_grad]
    above = inputs[-1] if isinstance(case, Norm) else torch.ones_like(output)
    return [output.detach(), *torch.autograd.grad(output, wanted, above)]


def with_backend(backend: str, run: Callable[[], list[Tensor]]) -> list[Tensor]:
    """Runs with the kernels on or off."""
    kernels.enable("triton" if backend == "triton" else "eager")
    try:
        return run()
    finally:
        kernels.enable("eager")


def greatest_error(case: Phase | Norm, run: Callable[[Sequence[Tensor]], Tensor], variant: str, device: str) -> float:
    """The greatest relative error of output and gradients, against the plain operations in float64.

    Raises:
        RuntimeError: It is more than rounding explains.
    """
    inputs = case.inputs(device)
    exact = [x.detach().double().requires_grad_(x.requires_grad) for x in inputs]
    expected = pass_of(case, case.run, exact)
    found = with_backend(variant, lambda: pass_of(case, run, inputs))
    errors = [((ours.double() - x).norm() / x.norm()).item() for ours, x in zip(found, expected, strict=True)]
    greatest: float = max(errors)
    if not greatest <= TOLERANCE[getattr(torch, case.dtype)]:
        raise RuntimeError(f"{variant} is off by {greatest} in {case}")
    return greatest


def seconds_of(device: str, run: Callable[[], object]) -> float:
    """The time of a call: by events on a GPU, by the clock on a CPU."""
    if device == "cpu":
        began = time.perf_counter()
        run()
        return time.perf_counter() - began
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    run()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3


def measure(case: Phase | Norm, variants: Sequence[str], device: str, rounds: int, bandwidth: float) -> dict[str, Any]:
    """Checks and times the variants of a case."""
    torch.manual_seed(0)
    order = random.Random(0)
    sets = [case.inputs(device)]
    least = ROTATED_BYTES if device == "cuda" else 1
    while len(sets) < 16 and len(sets) * sum(x.nbytes for x in sets[0]) < least:
        sets.append(case.inputs(device))
    moved = case.bytes_moved(sets[0])
    found: dict[str, dict[str, Any]] = {}
    runs = dict.fromkeys(variants, case.run)
    if "compiled" in runs:
        torch.compiler.reset()
        runs["compiled"] = torch.compile(case.run, fullgraph=True, dynamic=False)
    for variant in variants:
        first = time.perf_counter()
        error = greatest_error(case, runs[variant], variant, device)
        found[variant] = {"greatest_relative_error": error, "first_call_s": time.perf_counter() - first}
        for inputs in sets[:3]:
            with_backend(variant, partial(pass_of, case, runs[variant], inputs))
    times: dict[str, list[float]] = {variant: [] for variant in variants}
    for turn in range(rounds):
        for variant in order.sample(list(variants), len(variants)):
            inputs = sets[turn % len(sets)]
            once = partial(pass_of, case, runs[variant], inputs)
            times[variant].append(seconds_of(device, partial(with_backend, variant, once)))
    for variant in variants:
        seconds = measuring.spread(times[variant])
        found[variant] |= {
            "seconds": seconds,
            "share_of_copy_bandwidth": moved / seconds["median"] / bandwidth,
        }
    ratios = {
        f"{other}/{variant}": measuring.spread([a / b for a, b in zip(times[other], times[variant], strict=True)])
        for i, other in enumerate(variants)
        for variant in variants[i + 1 :]
    }
    setting = asdict(replace(case)) | {"bytes_moved": moved, "input_sets": len(sets), "rounds": rounds}
    return {"setting": setting, "variants": found, "ratios": ratios}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the cases asked for and writes a JSON file beside the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--out", type=Path, help="default: results/kernels_DEVICE.json")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU; --device cpu --variants eager compiled times what the kernels are compared with")
    if options.device == "cpu" and "triton" in options.variants:
        parser.error("the kernels need a GPU; on a CPU name --variants eager compiled")
    bandwidth = measuring.copy_bandwidth(options.device)
    print(f"copy: {bandwidth / 1e9:.0f} GB/s read and written")
    results: dict[str, dict[str, Any]] = {}
    for name in options.case:
        results[name] = measure(CASES[name], options.variants, options.device, options.rounds, bandwidth)
        described = [
            f"{variant} {1e3 * made['seconds']['median']:.3f} ms ({made['share_of_copy_bandwidth']:.0%} of copy)"
            for variant, made in results[name]["variants"].items()
        ]
        ratios = [f"{pair} {ratio['median']:.2f}" for pair, ratio in results[name]["ratios"].items()]
        print(f"{name}: {', '.join(described + ratios)}", flush=True)
    method = {"seed": 0, "rounds": options.rounds, "warm_up": 3}
    limits = {"copy_bytes_per_s": bandwidth}
    measuring.write("kernels", options.device, method, results, ceilings=limits, out=options.out)


if __name__ == "__main__":
    main()
