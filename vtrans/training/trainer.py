"""The reference trainer: the loop, with checkpoints, metrics, previews and a progress bar around it."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass
from pathlib import Path

import torch

from vtrans.data import tensor_to_frames
from vtrans.evaluation.pictures import write_strip
from vtrans.evaluation.translations import recycled
from vtrans.objective import StepReport
from vtrans.training.checkpoints import checkpoints_in, load_checkpoint, save_checkpoint, step_of
from vtrans.training.interruption import Interruption
from vtrans.training.loop import training_steps
from vtrans.training.plots import plot_losses
from vtrans.training.preparation import Preparation
from vtrans.training.progress import Progress
from vtrans.training.run_folder import RunFolder
from vtrans.training.state import Optimizers


@dataclass(frozen=True)
class Outcome:
    """How a training run ended: the steps done, and the signal that stopped it, if one did."""

    done: int
    signal: int | None = None


def train(prepared: Preparation, out: str | Path, *, resume: str = "never") -> Outcome:
    """Trains a model and leaves everything about it in a folder.

    Args:
        prepared: What :func:`vtrans.training.prepare` returned.
        out: The run's folder.
        resume: ``"never"``, ``"auto"`` or the path of a checkpoint; see :meth:`RunFolder.begin`.

    Returns:
        How it ended.

    Raises:
        FileExistsError: The folder is in use.
        FloatingPointError: A loss or weight is not finite; the message says how to go on.
        ValueError: The run to resume has other settings.
    """
    settings, model = prepared.settings, prepared.model
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    optimizers = model.optimizers(lr=settings.lr)
    folder = RunFolder(out)
    checkpoint = folder.begin(prepared.config, resume)
    done = 0
    if checkpoint is not None:
        try:
            done = load_checkpoint(checkpoint, model, optimizers)
        except (ValueError, FileNotFoundError) as error:
            others = [path for path in checkpoints_in(checkpoint.parent) if path != checkpoint]
            way = f"Delete {checkpoint} to go on from {others[-1].name}." if others else "There is no other checkpoint."
            raise ValueError(f"{error} {way}") from error
        print(f"Going on from {checkpoint}, after {done} steps.")
    if done >= settings.steps:
        more = "Pass a greater --steps to go on." if settings.schedule == "constant" else "The run is complete."
        print(f"Nothing to do: {done} steps are done. {more}")
        return Outcome(done)
    try:
        outcome = _run(prepared, folder, optimizers, done)
    except FloatingPointError as error:
        raise FloatingPointError(f"{error} {_advice(folder, settings.lr)}") from error
    model.save_pretrained(str(folder.model), overwrite=True)
    plot_losses(folder.metrics(), folder.losses_picture)
    return outcome


def _run(prepared: Preparation, folder: RunFolder, optimizers: Optimizers, done: int) -> Outcome:
    settings, model = prepared.settings, prepared.model
    progress = Progress("training", "steps", total=settings.steps, start=done, every=settings.log_every)

    def told(number: int) -> None:
        progress.say(f"{signal.Signals(number).name}: stopping after this step, with a checkpoint (again: at once).")

    loop = training_steps(
        model,
        optimizers,
        prepared.clips_x,
        prepared.clips_y,
        steps=settings.steps,
        batch=settings.batch,
        lr=settings.lr,
        schedule=settings.schedule,
        seed=settings.seed,
        start=done,
    )
    with Interruption(told) as interruption, progress:
        for done, report in loop:  # noqa: B020
            last = done == settings.steps or interruption.signal is not None
            if last or done % settings.log_every == 0 or done == 1:
                folder.append_metrics(metrics_of(done, report, optimizers))
            progress.update(done, note_of(report) if last or progress.wants(done) else "")
            if last or done % settings.checkpoint_every == 0:
                save_checkpoint(folder.checkpoints, done, model, optimizers)
            if settings.preview_every and (last or done % settings.preview_every == 0):
                write_preview(prepared, folder.previews / f"step-{done:06d}.png")
            if last:
                break
            del report  # the frames that its phases carried are let go before the next step
    return Outcome(done, interruption.signal)


def metrics_of(done: int, report: StepReport, optimizers: Optimizers) -> dict[str, float | int]:
    """A line of ``metrics.jsonl``: every term, each phase's total, and the learning rate."""
    line: dict[str, float | int] = {"step": done}
    line |= {name: value.detach().item() for name, value in report.items()}
    line |= {f"total/{phase}": part.total.detach().item() for phase, part in report.phases.items()}
    line["lr"] = next(iter(optimizers.values())).param_groups[0]["lr"]
    if not all(math.isfinite(value) for value in line.values()):
        bad = [name for name, value in line.items() if not math.isfinite(value)]
        raise FloatingPointError(f"After step {done}, not finite: {', '.join(bad)}.")
    return line


def note_of(report: StepReport) -> str:
    """The phases' totals in a few words."""
    return ", ".join(f"{phase} {part.total.detach().item():.3f}" for phase, part in report.phases.items())


def write_preview(prepared: Preparation, path: Path) -> None:
    """Writes a picture of one clip of each domain: as it is, translated, and brought back."""
    device = prepared.device
    rows = {}
    for domain, clips, other in (("x", prepared.clips_x, "y"), ("y", prepared.clips_y, "x")):
        clip = clips[0].to(device)
        rows[domain] = clip
        rows[f"G_{other.upper()}({domain})"] = prepared.model.translate(clip, to=other)
        label, first, back = recycled(prepared.model, clip, domain)
        back[:first] = 1  # white as the paper: times without a prediction are left out
        rows[label] = back
    path.parent.mkdir(parents=True, exist_ok=True)
    write_strip({label: tensor_to_frames(frames) for label, frames in rows.items()}, path)


def _advice(folder: RunFolder, lr: float) -> str:
    kept = checkpoints_in(folder.checkpoints)
    if not kept:
        return f"There is no checkpoint yet in {folder.path}: start again in another --out."
    return (
        f"The last good checkpoint is {kept[-1]}, after {step_of(kept[-1])} steps. To go on from it at a lower rate, "
        f"add --resume {kept[-1]} --lr {lr / 2:g} --out and another folder to the command."
    )
