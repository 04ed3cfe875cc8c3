"""The reference trainer: the loop, and around it checkpoints, records, previews, and what to do where a run breaks."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vtrans.errors import refusal
from vtrans.objectives.guard import NonFiniteError
from vtrans.progress import Progress
from vtrans.training import memory
from vtrans.training.averages import GeneratorAverage, averaged
from vtrans.training.callbacks import Callback, Run, callbacks
from vtrans.training.checkpoints import (
    OtherFormatError,
    checkpoints_in,
    load_checkpoint,
    not_written,
    set_aside,
    step_of,
    tensors_written,
)
from vtrans.training.interruption import Interruption
from vtrans.training.loop import training_steps
from vtrans.training.plots import plot_losses
from vtrans.training.preparation import Preparation
from vtrans.training.previews import Previews
from vtrans.training.recording import Clock, Display, Recording
from vtrans.training.replay import save_for_replay
from vtrans.training.run_folder import RunFolder
from vtrans.training.saving import Saving
from vtrans.training.state import seed_everything
from vtrans.training.stepping import Stepper
from vtrans.training.validation import Validation

ROLL_BACKS = 3
"""How often a run goes back to a checkpoint before it gives up."""


@dataclass(frozen=True)
class Outcome:
    """How a training run ended: the steps done, and the signal that stopped it, if one did."""

    done: int
    signal: int | None = None


def train(prepared: Preparation, out: str | Path, *, resume: str = "never", hooks: Sequence[Callback] = ()) -> Outcome:
    """Trains a model and leaves everything about it in a folder.

    Args:
        prepared: What :func:`vtrans.training.prepare` returned.
        out: The run's folder.
        resume: ``"never"``, ``"auto"`` or the path of a checkpoint; see :meth:`RunFolder.begin`.
        hooks: Callbacks besides those that the settings name.

    Returns:
        How it ended.

    Raises:
        FileExistsError: The folder is in use.
        FloatingPointError: A loss or weight is not finite; the message says how to go on.
        MemoryError: Memory ran out; the message says what to change.
        OSError: A checkpoint cannot be written, such as on a full disk.
        ValueError: The run to resume has other settings.
    """
    settings, devices = prepared.settings, prepared.devices
    own = [*(callbacks.resolve("callbacks", named) for named in settings.callbacks), *hooks]
    recording = Recording(settings.trackers)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    seed_everything(settings.seed + devices.rank)
    folder = RunFolder(out)
    run = _new_run(prepared, folder)
    with ExitStack() as stack:
        devices.by_main(lambda: stack.enter_context(folder.locked()))
        checkpoint = devices.by_main(lambda: folder.begin(prepared.config, resume))
        if checkpoint is not None:
            _go_back(run, checkpoint, fall_back=checkpoint.parent == folder.checkpoints)
            devices.say(f"Going on after {run.done} steps.")
        outcome = Outcome(run.done)
        if run.done < settings.steps:
            outcome = _run(run, own, recording)
        else:
            more = "Pass a greater --steps to go on." if settings.schedule == "constant" else "The run is complete."
            devices.say(f"Nothing to do: {run.done} steps are done. {more}")
        if devices.main:
            with _full_disk_told(run), averaged(run.average):
                prepared.model.save_pretrained(str(folder.model), overwrite=True)
                plot_losses(folder.metrics(), folder.losses_picture)
        devices.wait()
        return outcome


def _run(run: Run, own: Sequence[Callback], recording: Recording) -> Outcome:
    """Runs the loop, and again from a checkpoint where the settings have it roll back."""
    settings, devices = run.prepared.settings, run.devices
    progress = Progress("training", "steps", total=settings.steps, start=run.done, every=settings.log_every)
    check_every = 1 if settings.guard == "skip" else settings.check_every
    stepper = Stepper(run.prepared.model, run.optimizers, devices, check_every=check_every)
    saving = Saving(own, stepper.check)
    around: list[Callback] = [Validation(), *own, recording, saving, Previews(), Display(progress)]

    def say(line: str) -> None:
        if devices.main:
            progress.say(line)

    def told(number: int) -> None:
        with suppress(RuntimeError):  # a signal may come within a print
            when = "soon" if devices.ranks > 1 and stepper.check_every > 1 else "after this step"
            say(f"{signal.Signals(number).name}: stopping {when}, with a checkpoint (again: at once).")

    for clips in (run.prepared.clips_x, run.prepared.clips_y):
        clips.prepare()
    for callback in around:
        callback.on_start(run)
    if devices.of_main(run.done > 0 and not checkpoints_in(run.folder.checkpoints)):
        saving.save(run)  # begun from another run's: from here on this one can go on by itself
    roll_backs = 0
    with Interruption(told) as interruption, progress if devices.main else nullcontext(), _full_disk_told(run):
        while True:
            try:
                _steps(run, stepper, around, saving, interruption, say)
                break
            except NonFiniteError as error:
                kept = save_for_replay(run, error)
                earlier = [c for c in checkpoints_in(run.folder.checkpoints) if step_of(c) <= error.step]
                roll_backs += 1
                if settings.guard != "roll_back" or not earlier or roll_backs > ROLL_BACKS:
                    raise FloatingPointError(f"{error} Its clips are in {kept}. {_way_on(run, earlier)}") from error
                say(f"{error} Its clips are in {kept}. Going back to {earlier[-1].name}, without that step.")
                left_out = {*run.left_out, error.step}
                _go_back(run, earlier[-1], fall_back=True)
                run.left_out |= left_out
            except Exception as error:
                if memory.is_out_of_memory(error):
                    raise MemoryError(f"Memory ran out. {memory.advice(run.prepared)}") from error
                raise
        for callback in around:
            callback.on_end(run)
    return Outcome(run.done, interruption.signal)


def _steps(
    run: Run,
    stepper: Stepper,
    around: Sequence[Callback],
    saving: Saving,
    interruption: Interruption,
    say: Callable[[str], None],
) -> None:
    settings, prepared, devices = run.prepared.settings, run.prepared, run.devices

    def skipped(error: NonFiniteError) -> None:
        say(f"{error} The step is left out; its clips are in {save_for_replay(run, error)}.")

    clock = Clock(run.done)
    loop = training_steps(
        prepared.model,
        run.optimizers,
        prepared.clips_x,
        prepared.clips_y,
        steps=settings.steps,
        batch=settings.batch,
        accumulate=settings.accumulate,
        lr=settings.lr,
        schedule=settings.schedule,
        rate_warm_up=settings.rate_warm_up,
        seed=settings.seed,
        start=run.done,
        workers=settings.data.workers,
        stepper=stepper,
        leave_out=run.left_out,
        skipped=skipped if settings.guard == "skip" else None,
        waited=clock.wait,
    )
    # Processes that agree to stop wait for each other, and for their GPUs.
    look_every = stepper.check_every if devices.ranks > 1 else 1
    asked = False
    with closing(loop):
        for run.done, report in loop:  # noqa: B020
            if run.average is not None:
                run.average.update()
            run.last = run.done == settings.steps
            run.numbers = {}
            run.timing = clock.numbers(run.done, settings.batch)
            for callback in around:
                callback.on_step(run, report)
            asked = asked or interruption.signal is not None or run.stopping
            if not run.last and run.done % look_every == 0 and devices.any(asked):
                if not run.due(settings.checkpoint_every):
                    saving.save(run)
                break


def _new_run(prepared: Preparation, folder: RunFolder) -> Run:
    settings, model = prepared.settings, prepared.model
    return Run(
        prepared=prepared,
        folder=folder,
        devices=prepared.devices,
        optimizers=model.optimizers(lr=settings.lr, implementation=settings.optimizer),
        average=GeneratorAverage(model, settings.ema) if settings.ema else None,
    )


def _go_back(run: Run, checkpoint: Path, *, fall_back: bool) -> None:
    """Loads a checkpoint; a damaged one of the run itself is named, and the one before it is taken."""
    model, optimizers = run.prepared.model, run.optimizers
    earlier = [c for c in checkpoints_in(checkpoint.parent) if step_of(c) < step_of(checkpoint)] if fall_back else []
    damaged: list[tuple[Path, ValueError]] = []
    for candidate in (checkpoint, *reversed(earlier)):
        try:
            done, progress = load_checkpoint(candidate, model, optimizers, average=run.average, devices=run.devices)
            left_out, best = _progress_of(candidate, progress)
            break
        except OtherFormatError:
            raise
        except ValueError as error:
            damaged.append((candidate, error))
    else:
        raise ValueError(f"{damaged[0][1]} {_nothing_whole(checkpoint.parent) if fall_back else ''}".rstrip())
    run.done, run.left_out, run.best = done, left_out, best
    for other, reason in damaged:
        name = set_aside(other).name if run.devices.main else ""
        run.devices.say(f"{reason} The checkpoint before it is taken; the damaged one is now called {name}.")
    run.devices.by_main(lambda: run.folder.cut_metrics(run.done))
    run.devices.wait()


def _progress_of(checkpoint: Path, progress: dict[str, Any]) -> tuple[set[int], dict[str, Any] | None]:
    left_out, best = progress.get("left_out", []), progress.get("best")
    whole = isinstance(left_out, list) and all(isinstance(step, int) for step in left_out)
    if not whole or (best is not None and (not isinstance(best, dict) or set(best) != {"name", "value", "step"})):
        raise ValueError(refusal(f"progress in {checkpoint}", allowed="steps left out, and the best", got=progress))
    return set(left_out), best


def _nothing_whole(folder: Path) -> str:
    return f"No checkpoint in {folder} can be used, and nothing was changed there. Pass another --out to start anew."


@contextmanager
def _full_disk_told(run: Run) -> Iterator[None]:
    """Says on a full disk what is left, whichever file it was that could not be written."""
    try:
        with tensors_written():
            yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        if not full or "--resume auto" in str(error):
            raise
        raise not_written(f"{error.filename or 'A file of the run'}", error, run.folder.checkpoints) from error


def _way_on(run: Run, earlier: Sequence[Path]) -> str:
    if not earlier:
        return f"There is no checkpoint yet in {run.folder.path}: start again in another --out."
    lr = run.prepared.settings.lr
    lower = f" --lr {lr / 2:g}" if isinstance(lr, float) else ""
    return (
        f"The last good checkpoint is {earlier[-1]}, after {step_of(earlier[-1])} steps. To go on from it at a "
        f"lower rate, add --resume {earlier[-1]}{lower} --out and another folder to the command; or, to go on without "
        "that step, --guard roll_back."
    )
