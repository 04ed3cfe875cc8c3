"""Clips per second from a long video: a plain loop that seeks and decodes, against clips from kept frames.

    python benchmarks/loader.py --repeats 5

The plain loop opens the file for each clip, seeks to the key frame before it, decodes up to it, resizes and converts:
what a data set without a cache does. Every measurement runs in a process of its own, the ways take turns, and all give
the same frames, which is checked first. Needs torch, einops, numpy, av and Pillow alone.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch
from av.video.reformatter import Interpolation
from PIL import Image
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import vtrans
from benchmarks import measuring
from vtrans.data import Clips, batches, open_source
from vtrans.training import training_steps

SIZE, LENGTH, BATCH = 256, 3, 8
RATE, HEIGHT, WIDTH, KEY_FRAMES_EVERY = 25, 360, 640, 250
WAYS = ("plain", "cached", "memory")


def make_video(path: Path, count: int) -> None:
    """A textured ground that drifts, with boxes that cross it, in H.264."""
    random = np.random.default_rng(0)
    ground = torch.full((3, 2 * HEIGHT, 2 * WIDTH), 0.5)
    for octave in range(1, 7):  # detail at every scale, half as strong at half the size, as in photographs
        noise = torch.from_numpy(random.random((1, 3, 9 * 2**octave // 2, 16 * 2**octave // 2), dtype=np.float32))
        scaled = torch.nn.functional.interpolate(noise, size=ground.shape[1:], mode="bicubic")[0]
        ground += (scaled - 0.5) / 2 ** (octave - 1)
    picture = (ground.clamp(0, 1) * 255).to(torch.uint8).permute(1, 2, 0).numpy()
    boxes = random.integers(0, 256, (12, 3), dtype=np.uint8)
    places, speeds = random.integers(0, WIDTH, (12, 2)), random.integers(-6, 7, (12, 2))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "20", "g": str(KEY_FRAMES_EVERY)})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for t in range(count):
            top, left = (int(n * (1 + np.sin(t / 90 + k)) / 2) for k, n in enumerate((HEIGHT, WIDTH)))
            frame = picture[top : top + HEIGHT, left : left + WIDTH].copy()
            for colour, (row, column) in zip(boxes, places + t * speeds, strict=True):
                row, column = row % (HEIGHT - 40), column % (WIDTH - 40)
                frame[row : row + 40, column : column + 40] = colour
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def plain_clip(path: Path, start: int) -> Tensor:
    """The frames from ``start`` on, decoded from the key frame before them, written plainly."""
    quality = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    frames: list[Tensor] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        tick = stream.time_base or Fraction(1, RATE)
        container.seek(int(Fraction(start, RATE) / tick), stream=stream)
        for frame in container.decode(stream):
            if round((frame.pts or 0) * tick * RATE) < start:
                continue
            image = Image.fromarray(frame.to_ndarray(format="rgb24", interpolation=quality))
            frames.append(torch.from_numpy(np.array(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC))))
            if len(frames) == LENGTH:
                break
    return torch.stack(frames).permute(0, 3, 1, 2).contiguous().float().div(127.5).sub(1)


def clips_of(path: Path, way: str, size: int = SIZE, every: int = 1) -> Clips:
    """Clips whose frames are kept in a way."""
    return Clips(open_source(path), length=LENGTH, size=size, every=every, memory=1 << 40 if way == "memory" else 0)


def digests(clips: list[Tensor]) -> list[str]:
    return sorted(hashlib.sha256(clip.numpy().tobytes()).hexdigest() for clip in clips)


def check(path: Path, count: int) -> None:
    """Every way gives the same clips."""
    every = count // 10
    wanted = digests([plain_clip(path, start) for start in range(0, count - LENGTH + 1, every)])
    for way in WAYS[1:]:
        clips = clips_of(path, way, every=every)
        if digests([clips.clip(0, i) for i in range(len(clips))]) != wanted:
            raise RuntimeError(f"{way}: other frames than decoding gives")


def measure(path: Path, way: str, workers: int, seconds: float) -> dict[str, float]:
    """Clips per second of one way, in this process: the first half of the time warms up."""
    began = time.perf_counter()
    if way == "plain":
        starts = np.random.default_rng(0)
        last = open_source(path).sequences[0].length - LENGTH
        began = time.perf_counter()

        def draw() -> int:
            plain_clip(path, int(starts.integers(last + 1)))
            return 1
    else:
        clips = clips_of(path, way)
        pairs = batches(clips, clips, batch=BATCH // 2, workers=workers)

        def draw() -> int:
            next(pairs)
            return BATCH

    ready = time.perf_counter() - began
    drawing(draw, seconds / 2)
    return {"ready_s": ready, "clips_per_s": drawing(draw, seconds / 2)}


def drawing(draw: Callable[[], int], seconds: float) -> float:
    """Clips per second of drawing for a while."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        count += draw()
    return count / (time.perf_counter() - began)


def waiting(path: Path, way: str, workers: int, steps: int) -> dict[str, float]:
    """The share of its time that training waits for clips, at 64x64 with networks of width 16; warm-up not counted."""
    torch.manual_seed(0)
    model = vtrans.build(
        "recycle_gan",
        generator=("resnet", {"blocks": 2, "width": 16}),
        predictor=("unet", {"depth": 4, "width": 16}),
        discriminator=("n_layers", {"layers": 2, "width": 32}),
    )
    clips, warm_up = clips_of(path, way, size=64), 5
    waits: list[float] = []
    loop = training_steps(
        model, model.optimizers(), clips, clips, steps=steps + warm_up, workers=workers, waited=waits.append
    )
    for _ in islice(loop, warm_up):
        began = time.perf_counter()
    for _ in loop:
        pass
    total = time.perf_counter() - began
    return {"step_s": total / steps, "wait_share": sum(waits[warm_up:]) / total}


def in_a_process(arguments: list[str], cache: Path) -> dict[str, float]:
    command = [sys.executable, __file__, *arguments]
    environment = {**os.environ, "VTRANS_CACHE": str(cache)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def run(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """All measurements; the ways take turns."""
    path, cache = folder / "long.mp4", folder / "cache"
    make_video(path, options.frames)
    common = ["--video", str(path), "--threads", str(options.threads)]
    os.environ["VTRANS_CACHE"] = str(cache)
    check(path, options.frames)
    settings = [("plain", 0), *((way, workers) for way in ("cached", "memory") for workers in (0, 1, 2))]
    found: dict[str, list[dict[str, float]]] = {}
    for repeat in range(options.repeats):
        # A folder without anything kept: what the first run of a user pays.
        cold = [*common, "--way", "cached", "--seconds", "0.5"]
        found.setdefault("cold", []).append(in_a_process(cold, folder / f"cold{repeat}"))
        for way, workers in settings:
            arguments = [*common, "--way", way, "--workers", str(workers), "--seconds", str(options.seconds)]
            found.setdefault(f"{way}, {workers} workers", []).append(in_a_process(arguments, cache))
        for way, workers in (("cached", 0), ("cached", 1), ("memory", 0)):
            arguments = [*common, "--way", way, "--workers", str(workers), "--steps", str(options.steps)]
            found.setdefault(f"training, {way}, {workers} workers", []).append(in_a_process(arguments, cache))
    results: dict[str, object] = {
        name: {key: measuring.spread([one[key] for one in many]) for key in many[0]} for name, many in found.items()
    }
    epoch = options.frames - LENGTH + 1
    first = [epoch / (one["ready_s"] + epoch / one["clips_per_s"]) for one in found["cold"]]
    results["cold"] = {
        "ready_s": measuring.spread([one["ready_s"] for one in found["cold"]]),
        "clips_per_s_of_the_first_epoch": measuring.spread(first),
    }
    plain = found["plain, 0 workers"]
    ratios = [
        one["clips_per_s"] / other["clips_per_s"] for one, other in zip(found["cached, 0 workers"], plain, strict=True)
    ]
    results["cached_over_plain"] = measuring.spread(ratios)
    return results


def main() -> None:
    """Measures all ways and writes a JSON file beside the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement, half of it warm-up")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="default: results/loader_cpu.json")
    for name, kind in {"--video": Path, "--way": str, "--workers": int}.items():
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)  # one measurement, in a process of its own
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.video:
        training = "--steps" in sys.argv
        last = options.steps if training else options.seconds
        figures = (waiting if training else measure)(options.video, options.way, options.workers or 0, last)
        print(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory() as folder:
        results = run(options, Path(folder))
    for name, of_way in results.items():
        print(name, json.dumps(of_way))
    setting = {
        "video": f"H.264, {options.frames} frames of {HEIGHT}x{WIDTH}, a key frame every {KEY_FRAMES_EVERY}",
        "size": SIZE,
        "length": LENGTH,
        "batch": BATCH // 2,
        "seconds": options.seconds,
        "steps": options.steps,
    }
    results = {"256": {"setting": setting, **results}}
    measuring.write("loader", "cpu", {"seed": 0, "rounds": options.repeats}, results, out=options.out)


if __name__ == "__main__":
    main()
