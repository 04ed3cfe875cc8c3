"""Time of a training step: the planned step against the sequential reference, in interleaved pairs in one process.

    python benchmarks/fused_step.py --setting B1 B4 --pairs 15

Both run the same networks from the same weights on the same clips, and are first checked to compute the same losses and
gradients. A pair times one step of each, in alternating order; the ratio is taken within the pair, so that a slow
moment of the machine strikes both. Needs torch, einops and numpy alone.
"""

import argparse
import copy
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import vtrans
from benchmarks import sequential


@dataclass(frozen=True)
class Setting:
    """A size at which steps are timed."""

    size: int
    batch: int
    generator: tuple[str, dict[str, int]]
    predictor: tuple[str, dict[str, int]]
    width: int
    length: int = 3


SETTINGS = {
    "A": Setting(128, 1, ("resnet_6blocks", {"width": 64}), ("unet_128", {"width": 64}), 64),
    "B1": Setting(64, 1, ("resnet", {"blocks": 3, "width": 16}), ("unet", {"depth": 6, "width": 16}), 16),
    "B4": Setting(64, 4, ("resnet", {"blocks": 3, "width": 16}), ("unet", {"depth": 6, "width": 16}), 16),
}


def model_of(setting: Setting) -> vtrans.TranslationModel:
    """The model of a setting, recipe ``recycle_cycle_gan``."""
    return vtrans.build(
        "recycle_cycle_gan",
        generator=setting.generator,
        predictor=setting.predictor,
        discriminator=("patch", {"width": setting.width}),
    )


def clips_of(setting: Setting, seed: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Random clips of a setting."""
    random = torch.Generator().manual_seed(seed)
    shape = (2, setting.batch, setting.length, 3, setting.size, setting.size)
    x, y = (torch.rand(shape, generator=random, dtype=torch.float64) * 2 - 1).to(dtype).unbind()
    return x, y


def steps_of(
    model: vtrans.TranslationModel,
) -> tuple[Callable[[Tensor, Tensor], dict[str, Tensor]], Callable[[Tensor, Tensor], dict[str, Tensor]]]:
    """The planned and the sequential step, each on networks of its own with the same weights."""
    other = copy.deepcopy(model)
    planned_optimizers, plain_optimizers = model.optimizers(), sequential.optimizers_of(other.networks_by_name)

    def planned(x: Tensor, y: Tensor) -> dict[str, Tensor]:
        return dict(model.step(x, y, planned_optimizers))

    def plain(x: Tensor, y: Tensor) -> dict[str, Tensor]:
        return sequential.training_step(other.networks_by_name, x, y, plain_optimizers, sequential.Settings())

    return planned, plain


def greatest_difference(setting: Setting) -> float:
    """The greatest relative difference of any loss of one float64 step."""
    planned, plain = steps_of(model_of(setting).double())
    x, y = clips_of(setting, seed=1, dtype=torch.float64)
    ours, theirs = planned(x, y), plain(x, y)
    if set(ours) != set(theirs):
        raise RuntimeError(f"The two steps report other terms: {set(ours) ^ set(theirs)}")
    return max(abs(ours[name].item() / theirs[name].item() - 1) for name in ours)


def measure(setting: Setting, pairs: int, warm_up: int = 2) -> dict[str, object]:
    """Times interleaved pairs of steps."""
    planned, plain = steps_of(model_of(setting))
    x, y = clips_of(setting, seed=2)
    for _ in range(warm_up):
        planned(x, y)
        plain(x, y)
    times: list[tuple[float, float]] = []
    for pair in range(pairs):
        seconds = {}
        for step in (planned, plain) if pair % 2 else (plain, planned):
            start = time.perf_counter()
            step(x, y)
            seconds[step] = time.perf_counter() - start
        times.append((seconds[planned], seconds[plain]))
    ratios = sorted(other / own for own, other in times)
    return {
        "setting": asdict(setting),
        "pairs": pairs,
        "warm_up": warm_up,
        "planned_s": statistics.median(own for own, _ in times),
        "sequential_s": statistics.median(other for _, other in times),
        "ratio": statistics.median(ratios),
        "ratio_quartiles": [ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]],
        "greatest_relative_difference_float64": greatest_difference(setting),
    }


def main() -> None:
    """Measures the settings asked for and writes a JSON file beside the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", nargs="+", choices=sorted(SETTINGS), default=["B1", "B4"])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "fused_step_cpu.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = {}
    for name in options.setting:
        torch.manual_seed(0)
        results[name] = measure(SETTINGS[name], options.pairs)
        print(
            f"{name}: planned {results[name]['planned_s']:.3f} s, sequential {results[name]['sequential_s']:.3f} s, "
            f"ratio {results[name]['ratio']:.2f} {results[name]['ratio_quartiles']}"
        )
    machine = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": options.threads,
        "device": "cpu",
        "processor": platform.machine(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
