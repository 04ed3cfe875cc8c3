"""Frames per second of a video's translation: the pipeline against a plain loop over the same generator.

    python benchmarks/translate.py --setting 128_b1 128_b8 256_b4 --pairs 7

The plain loop decodes a frame, translates it, encodes it, and goes on to the next. Both are first checked to translate
to the same frames, before they are encoded: bit for bit where the pipeline's batch is 1 too; a larger batch may round
otherwise, and the greatest difference is reported, in levels of 255. A pair times one whole video of each, in
alternating order; the ratio is taken within the pair, so that a slow moment of the machine strikes both. How the plain
loop's time splits into decoding, translating and encoding says what a pipeline could hide.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import vtrans
from benchmarks import measuring
from vtrans.data import VideoWriter, frames_to_tensor, open_source, tensor_to_frames, write_video
from vtrans.training.streaming import translate_sequence

SEED, WARM_UP = 0, 1


@dataclass(frozen=True)
class Setting:
    """What is translated, and how."""

    size: int
    batch: int
    frames: int
    generator: tuple[str, dict[str, int]] = ("resnet", {"blocks": 3, "width": 8})


SMALL = ("unet", {"depth": 4, "width": 8})
SETTINGS = {
    "128_b1": Setting(128, 1, 96),
    "128_b8": Setting(128, 8, 96),
    "256_b1": Setting(256, 1, 48),
    "256_b4": Setting(256, 4, 48),
    "unet_256_b1": Setting(256, 1, 96, SMALL),
    "unet_256_b4": Setting(256, 4, 96, SMALL),
}


def video_of(setting: Setting, folder: Path) -> Path:
    """A video of drifting smooth noise, H.264."""
    random = np.random.default_rng(0)
    noise = torch.from_numpy(random.random((1, 3, 16, 16), np.float32))
    field = torch.nn.functional.interpolate(noise, size=(2 * setting.size, 2 * setting.size), mode="bicubic")
    picture = (field[0].permute(1, 2, 0).clamp(0, 1) * 255).to(torch.uint8).numpy()
    frames = (np.roll(picture, (t, 2 * t), (0, 1))[: setting.size, : setting.size] for t in range(setting.frames))
    return write_video(folder / "given.mp4", frames, 25)


def plain(model: vtrans.TranslationModel, given: Path, target: Path) -> dict[str, float]:
    """The plain loop: the seconds that each of its three parts took."""
    (video,) = open_source(given).sequences
    seconds = dict.fromkeys(("decode", "translate", "encode"), 0.0)
    frames = video.stream()
    with VideoWriter(target, size=(video.height, video.width), rate=video.rate or 25, overwrite=True) as writer:
        while True:
            start = time.perf_counter()
            frame = next(frames, None)
            decoded = time.perf_counter()
            seconds["decode"] += decoded - start
            if frame is None:
                break
            (made,) = tensor_to_frames(model.translate(frames_to_tensor(frame[None]), to="y"))
            translated = time.perf_counter()
            seconds["translate"] += translated - decoded
            writer.write(made)
            seconds["encode"] += time.perf_counter() - translated
        start = time.perf_counter()
    seconds["encode"] += time.perf_counter() - start
    return seconds


def pipelined(model: vtrans.TranslationModel, given: Path, target: Path, batch: int) -> None:
    """The pipeline, as ``vtrans translate`` runs it."""
    (video,) = open_source(given).sequences
    with redirect_stdout(StringIO()):
        translate_sequence(model, video, target, to="y", batch=batch, overwrite=True)


def greatest_difference(model: vtrans.TranslationModel, given: Path, folder: Path, batch: int) -> int:
    """The greatest difference of any level of any frame between the two, before encoding."""
    pipelined(model, given, folder / "frames", batch)
    (made,), (video,) = open_source(folder / "frames").sequences, open_source(given).sequences
    if made.length != video.length:
        raise RuntimeError(f"The pipeline gave {made.length} frames of {video.length}")
    worst = 0
    for ours, frame in zip(made.stream(), video.stream(), strict=True):
        (theirs,) = tensor_to_frames(model.translate(frames_to_tensor(frame[None]), to="y"))
        worst = max(worst, int(np.abs(ours.astype(int) - theirs).max()))
    if worst > (0 if batch == 1 else 1):
        raise RuntimeError(f"The pipeline's frames differ by {worst} levels")
    return worst


def measure(setting: Setting, pairs: int) -> dict[str, Any]:
    """Times interleaved pairs of whole videos."""
    model = vtrans.build("gan", generator=setting.generator, discriminator=("patch", {"width": 8}))
    times: list[tuple[float, float]] = []
    shares: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["VTRANS_CACHE"] = str(folder / "cache")
        given = video_of(setting, folder)
        difference = greatest_difference(model, given, folder, setting.batch)
        for pair in range(-WARM_UP, pairs):
            seconds = {}
            for name in ("pipeline", "plain") if pair % 2 else ("plain", "pipeline"):
                start = time.perf_counter()
                if name == "plain":
                    parts = plain(model, given, folder / "plain.mp4")
                else:
                    pipelined(model, given, folder / "pipeline.mp4", setting.batch)
                seconds[name] = time.perf_counter() - start
            if pair >= 0:
                times.append((seconds["pipeline"], seconds["plain"]))
                for part, spent in parts.items():
                    shares.setdefault(part, []).append(spent / seconds["plain"])
    pipeline, straight = [own for own, _ in times], [other for _, other in times]
    return {
        "setting": asdict(setting),
        "pipeline_frames_per_s": setting.frames / statistics.median(pipeline),
        "plain_frames_per_s": setting.frames / statistics.median(straight),
        "ratio": measuring.ratios(pipeline, straight),
        "plain_shares": {part: statistics.median(spent) for part, spent in shares.items()},
        "greatest_difference_levels": difference,
    }


def main() -> None:
    """Measures the settings asked for and writes a JSON file beside the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", nargs="+", choices=sorted(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="default: results/translate_cpu.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = {}
    for name in options.setting:
        torch.manual_seed(SEED)
        results[name] = measure(SETTINGS[name], options.pairs)
        result = results[name]
        shares = ", ".join(f"{part} {share:.0%}" for part, share in result["plain_shares"].items())
        print(
            f"{name}: pipeline {result['pipeline_frames_per_s']:.1f} frames/s, "
            f"plain {result['plain_frames_per_s']:.1f} ({shares}), "
            f"ratio {result['ratio']['median']:.2f} {[round(value, 2) for value in result['ratio']['quartiles']]}, "
            f"frames differ by at most {result['greatest_difference_levels']}"
        )
    method = {"seed": SEED, "warm_up": WARM_UP, "rounds": options.pairs}
    measuring.write("translate", "cpu", method, results, out=options.out)


if __name__ == "__main__":
    main()
