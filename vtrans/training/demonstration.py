"""The demo: a small model trained on the world of shapes, scored on held-out pairs, and shown."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from vtrans.data import frames_to_tensor, tensor_to_frames, worlds, write_video
from vtrans.data.settings import DataSettings
from vtrans.data.tensors import Frames
from vtrans.evaluation.pictures import side_by_side, write_strip
from vtrans.evaluation.scores import l1, psnr, ssim
from vtrans.evaluation.translations import recycled
from vtrans.model import TranslationModel
from vtrans.training.preparation import prepare
from vtrans.training.settings import ModelSettings, TrainingSettings
from vtrans.training.trainer import train

STEPS = 1000
SIZE = 64
CLIP = 96
"""Frames of the clip in the video: four seconds."""

Scores = dict[str, dict[str, dict[str, float]]]


def settings_for(*, steps: int = STEPS, seed: int = 0, threads: int | None = None) -> TrainingSettings:
    """The demo's run: networks small enough for a CPU, and the published method."""
    return TrainingSettings(
        recipe="recycle_gan",
        model=ModelSettings(
            generator=["resnet", {"blocks": 2, "width": 16}],
            predictor=["unet", {"depth": 4, "width": 16}],
            discriminator=["n_layers", {"layers": 2, "width": 32}],
            # Twice the published weight: in so short a run the squares, being small, are else forgotten now and then.
            losses={"recycle": 20.0},
        ),
        data=DataSettings(world="shapes", size=SIZE),
        steps=steps,
        batch=2,
        lr=5e-4,
        schedule="published",
        seed=seed,
        device="cpu",
        threads=threads,
        checkpoint_every=max(1, steps // 2),
        preview_every=max(1, steps // 4),
        log_every=max(1, min(10, steps // 4)),
    )


def demonstrate(out: Path, *, steps: int = STEPS, seed: int = 0, threads: int | None = None) -> int:
    """Runs the demo and prints what came of it.

    Args:
        out: Folder for the run; new or empty.
        steps: Training steps.
        seed: Seed of the world, the weights and the clips.
        threads: CPU threads; None leaves them to PyTorch.

    Returns:
        The exit code: 0, or 128 and the number of the signal that stopped it.
    """
    began = time.perf_counter()
    prepared = prepare(settings_for(steps=steps, seed=seed, threads=threads))
    model = prepared.model
    print("Unpaired clips of two domains, x and y: the same kind of scene, drawn in two looks, no scene twice.")
    print(prepared.summary())
    world = worlds.create("shapes", size=SIZE, seed=seed)
    pairs = dict(zip(("x", "y"), map(_clips, world.pairs(count=8, length=8)), strict=True))
    untrained = {to: model.translate(pairs[other], to=to) for to, other in (("y", "x"), ("x", "y"))}
    outcome = train(prepared, out)
    if outcome.signal is not None:
        print(f"Stopped after {outcome.done} steps. What there is lies in {out}.")
        return 128 + outcome.signal
    scores = score(model, pairs, untrained)
    (out / "scores.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    x, y = (_clips(clip)[0] for clip in world.pairs(count=1, length=CLIP))
    show(model, x, y, out)
    print(f"\nOn held-out pairs, {len(pairs['x'])} clips of {pairs['x'].shape[1]} frames:")
    print(table(scores))
    print(f"\nDone in {time.perf_counter() - began:.0f} s. Look at:")
    for name, what in (
        ("comparison.mp4", "input, translation, truth, and the recycled input, side by side"),
        ("strip.png", "the same as a picture, both directions"),
        ("losses.png", "the losses"),
        ("scores.json", "the table above"),
    ):
        print(f"  {out / name}  {what}")
    print(f"Translate a video of your own with it: vtrans translate {out} INPUT OUTPUT --to y")
    return 0


def score(model: TranslationModel, pairs: Mapping[str, Tensor], untrained: Mapping[str, Tensor]) -> Scores:
    """Scores translations against the truth, and two baselines beside them.

    Args:
        model: The trained model.
        pairs: Clips of x and y that show the same scenes, ``(count, time, channel, height, width)``.
        untrained: What the model made of them before training.

    Returns:
        For each direction, such as ``"x to y"``, the PSNR in decibels, SSIM and L1 of the model and the baselines.
    """
    scores: Scores = {}
    for source, target in (("x", "y"), ("y", "x")):
        truth = pairs[target]
        candidates = {
            "vtrans": model.translate(pairs[source], to=target),
            "untrained": untrained[target],
            "copy": pairs[source],
        }
        scores[f"{source} to {target}"] = {
            name: {"psnr": psnr(frames, truth), "ssim": ssim(frames, truth), "l1": l1(frames, truth)}
            for name, frames in candidates.items()
        }
    return scores


def table(scores: Scores) -> str:
    """The scores as lines of text.

    Example:
        >>> print(table({"x to y": {"copy": {"psnr": 5.0, "ssim": 0.5, "l1": 0.8}}}))
        direction  by          PSNR/dB    SSIM      L1
        x to y     copy           5.00   0.500   0.800
    """
    lines = [f"{'direction':<9}  {'by':<10}  {'PSNR/dB':>7}  {'SSIM':>6}  {'L1':>6}"]
    lines += [
        f"{direction:<9}  {name:<10}  {of['psnr']:7.2f}  {of['ssim']:6.3f}  {of['l1']:6.3f}"
        for direction, candidates in scores.items()
        for name, of in candidates.items()
    ]
    return "\n".join(lines)


def show(model: TranslationModel, x: Tensor, y: Tensor, out: Path) -> None:
    """Writes ``strip.png`` and ``comparison.mp4`` of a clip in both domains, ``(time, channel, height, width)``."""
    rows: dict[str, Frames] = {}
    video: dict[str, Frames] = {}
    for source, target, clip, truth in (("x", "y", x, y), ("y", "x", y, x)):
        label, first, back = recycled(model, clip, source)
        translated = model.translate(clip, to=target)
        shown = {f"input {source}": clip, f"G_{target.upper()}({source})": translated, f"truth {target}": truth}
        clips = {name: tensor_to_frames(frames[first:]) for name, frames in {**shown, label: back}.items()}
        rows |= clips
        video = video or clips
    write_strip(rows, out / "strip.png")
    write_video(out / "comparison.mp4", side_by_side(video), rate=25)


def _clips(frames: Iterable[Frames]) -> Tensor:
    """Frames ``(count, time, height, width, 3)`` of 8 bits as a tensor ``(count, time, 3, height, width)``."""
    return torch.stack([frames_to_tensor(clip) for clip in frames])
