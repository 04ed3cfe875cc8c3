"""What the benchmarks share: interleaved timing, ceilings of the machine, and results as JSON of one form."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

RESULTS = Path(__file__).parent / "results"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def seconds_of(function: Callable[[], object], device: str = "cpu") -> float:
    """How long a call takes, until the device is done."""
    _wait(device)
    start = time.perf_counter()
    function()
    _wait(device)
    return time.perf_counter() - start


def interleaved(
    functions: Mapping[str, Callable[[], object]], rounds: int, warm_up: int, device: str = "cpu"
) -> dict[str, list[float]]:
    """Seconds of each function in each round; a round calls all of them, every second one in reverse."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(-warm_up, rounds):
        for name in list(functions)[:: 1 if number % 2 else -1]:
            seconds = seconds_of(functions[name], device)
            if number >= 0:
                times[name].append(seconds)
    return times


def spread(values: Sequence[float]) -> dict[str, Any]:
    """The median and the quartiles."""
    ordered = sorted(values)
    quartiles = [ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]]
    return {"median": statistics.median(ordered), "quartiles": quartiles}


def ratios(own: Sequence[float], other: Sequence[float]) -> dict[str, Any]:
    """How many times faster one is than the other, round by round."""
    return spread([theirs / ours for ours, theirs in zip(own, other, strict=True)])


def ceilings(device: str) -> dict[str, float]:
    """What the machine reaches at best, now: products of matrices in FLOP/s, copies in bytes/s."""
    size, bytes_copied = (8192, 1 << 32) if device == "cuda" else (2048, 1 << 28)
    found = {}
    for name, dtype in DTYPES.items():
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        product = partial(torch.mm, a, b, out=torch.empty_like(a))
        seconds = min(interleaved({"mm": product}, rounds=10, warm_up=3, device=device)["mm"])
        found[f"matmul_{name}_flop_per_s"] = 2 * size**3 / seconds
    return {**found, "copy_bytes_per_s": copy_bandwidth(device, bytes_copied)}


def copy_bandwidth(device: str, bytes_copied: int = 1 << 30) -> float:
    """Bytes per second, read and written, of a large copy."""
    source = torch.empty(bytes_copied // 8, device=device).fill_(1)
    copy = partial(torch.empty_like(source).copy_, source)
    return bytes_copied / min(interleaved({"copy": copy}, rounds=10, warm_up=3, device=device)["copy"])


def peak_bytes(function: Callable[[], object], device: str) -> int:
    """The most memory that tensors take at once in a call, beside what is there before."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        return int(torch.cuda.max_memory_allocated()) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        function()
    assert profiled.profiler is not None and profiled.profiler.kineto_results is not None
    taken = most = 0
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        taken += event.nbytes()
        most = max(most, taken)
    return most


def machine_of(device: str) -> dict[str, object]:
    """The device and the versions."""
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: _version(name) for name in ("numpy", "einops", "triton", "av")},
    }


def write(benchmark: str, device: str, method: Mapping[str, object], results: object, **more: object) -> Path:
    """Writes a file of results: ``RESULTS/BENCHMARK_DEVICE.json``, or the path in ``more["out"]``."""
    path = more.pop("out", None) or RESULTS / f"{benchmark}_{device}.json"
    assert isinstance(path, Path)
    data = {"benchmark": benchmark, "machine": machine_of(device), "method": dict(method), **more, "results": results}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return path


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
