"""Time of a step of the trainer against the bare step on the same clips, in interleaved pairs in one process.

    python benchmarks/trainer.py --setting B1 B4 --pairs 60

A run of ``vtrans.training.train`` is timed from the outside: a hook takes a bare step, ``model.step`` of a copy of the
model, after every step of the run. A step of the run is what lies between two calls of the hook: drawing the clips, the
step itself, looks at losses and gradients, averages of the weights, records, and the display. Checkpoints and pictures,
which are made now and then, are left out. Needs torch, einops and numpy.
"""

import argparse
import copy
import statistics
import sys
import tempfile
import time
from contextlib import redirect_stdout
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import measuring
from benchmarks.settings import SETTINGS, Setting
from vtrans.data import batches
from vtrans.objectives.reports import StepReport
from vtrans.training import Callback, DataSettings, ModelSettings, Preparation, Run, TrainingSettings, prepare, train

WARM_UP = 3


class Enough(Exception):
    """The run has taken all steps that are timed."""


class Pairs(Callback):
    """Takes a bare step after each step of the run, and times both."""

    def __init__(self, prepared: Preparation, pairs: int) -> None:
        settings = prepared.settings
        self.model = copy.deepcopy(prepared.model)
        self.optimizers = self.model.optimizers()
        self.clips = batches(prepared.clips_x, prepared.clips_y, batch=settings.batch, seed=settings.seed)
        self.times: list[tuple[float, float]] = []
        self.pairs = pairs
        self.began = 0.0

    def on_step(self, run: Run, report: StepReport) -> None:
        of_run = time.perf_counter() - self.began
        x, y = next(self.clips)
        start = time.perf_counter()
        self.model.step(x, y, self.optimizers, step=run.done - 1)
        bare = time.perf_counter() - start
        if run.done > WARM_UP:
            self.times.append((of_run, bare))
        if len(self.times) == self.pairs:
            raise Enough
        self.began = time.perf_counter()


def settings_of(setting: Setting, pairs: int, ema: float, threads: int) -> TrainingSettings:
    """A run of a setting, recipe ``recycle_cycle_gan``, on a synthetic world."""
    return TrainingSettings(
        recipe="recycle_cycle_gan",
        model=ModelSettings(
            generator=list(setting.generator),
            predictor=list(setting.predictor),
            discriminator=["patch", {"width": setting.width}],
        ),
        data=DataSettings(world="shapes", size=setting.size, clip_length=setting.length),
        batch=setting.batch,
        steps=pairs + 10 * WARM_UP,
        ema=ema,
        checkpoint_every=10**9,
        preview_every=0,
        trackers=[],
        threads=threads,
        device="cpu",
    )


def measure(setting: Setting, pairs: int, ema: float, threads: int) -> dict[str, Any]:
    """Times interleaved pairs of steps."""
    prepared = prepare(settings_of(setting, pairs, ema, threads))
    hook = Pairs(prepared, pairs)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        try:
            train(prepared, Path(folder) / "run", hooks=[hook])
        except Enough:
            pass
    of_run, bare = [own for own, _ in hook.times], [other for _, other in hook.times]
    return {
        "setting": asdict(setting),
        "ema": ema,
        "trainer_s": statistics.median(of_run),
        "bare_s": statistics.median(bare),
        "overhead": measuring.spread([own / other - 1 for own, other in hook.times]),
    }


def main() -> None:
    """Measures the settings asked for and writes a JSON file beside the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", nargs="+", choices=sorted(SETTINGS), default=["B1", "B4"])
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ema", type=float, default=0.0, help="decay of averages of the weights; 0 for none")
    parser.add_argument("--out", type=Path, help="default: results/trainer_cpu.json")
    options = parser.parse_args()
    results = {}
    for name in options.setting:
        results[name] = measure(SETTINGS[name], options.pairs, options.ema, options.threads)
        print(
            f"{name}: trainer {results[name]['trainer_s']:.4f} s, bare {results[name]['bare_s']:.4f} s, "
            f"overhead {results[name]['overhead']['median']:.1%} {results[name]['overhead']['quartiles']}"
        )
    method = {"seed": 0, "warm_up": WARM_UP, "rounds": options.pairs}
    measuring.write("trainer", "cpu", method, results, out=options.out)


if __name__ == "__main__":
    main()
