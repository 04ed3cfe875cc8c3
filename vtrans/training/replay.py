"""The clips of a step that went wrong, kept so that it can be looked at again."""

from __future__ import annotations

import json
from pathlib import Path

from vtrans.data import batches
from vtrans.objectives.guard import NonFiniteError
from vtrans.training.callbacks import Run


def save_for_replay(run: Run, error: NonFiniteError) -> Path:
    """Writes the clips of the step at which a loss or gradient was not finite, and what was not.

    The clips of a step depend on the seed and its number alone, so they are drawn again; each process writes its own.

    Args:
        run: The run.
        error: What was seen.

    Returns:
        The file of clips ``x`` and ``y``; beside it lies a JSON file of the facts.
    """
    from safetensors.torch import save_file

    settings, devices = run.prepared.settings, run.devices
    share = devices.share_of(settings.batch, settings.accumulate)
    pairs = batches(
        run.prepared.clips_x,
        run.prepared.clips_y,
        batch=share,
        seed=settings.seed,
        start=error.step,
        rank=devices.rank,
        ranks=devices.ranks,
    )
    x, y = next(pairs)
    run.folder.replays.mkdir(exist_ok=True)
    target = run.folder.replays / f"step-{error.step:06d}-process-{devices.rank}.safetensors"
    save_file({"x": x.contiguous(), "y": y.contiguous()}, target)
    facts = {"step": error.step, "not_finite": list(error.names), "updated_since": error.updated}
    target.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return target
