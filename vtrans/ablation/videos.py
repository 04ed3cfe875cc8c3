"""Writes the videos of a cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vtrans.data import frames_to_tensor, tensor_to_frames, write_video
from vtrans.data.opening import resolved, world_of
from vtrans.data.tensors import Frames
from vtrans.evaluation import EvaluationData
from vtrans.evaluation.pictures import enlarged
from vtrans.model import TranslationModel
from vtrans.training.preparation import Preparation

FRAMES, RATE, SIDE = 24, 8, 128


def write_videos(model: TranslationModel, prepared: Preparation, data: EvaluationData, folder: Path) -> int:
    """Writes a held-out clip and its translation in both directions: ``x.mp4``, ``to_y.mp4``, ``y.mp4``, ``to_x.mp4``.

    The clip is the same for every model of a world and a seed.

    Args:
        model: The model.
        prepared: Its run.
        data: The held-out clips; of a world a longer one is drawn.
        folder: Where they go.

    Returns:
        How many frames it has.
    """
    settings = prepared.settings
    if settings.data.world is not None:
        x, y = (clips[0] for clips in world_of(resolved(settings.data), settings.seed).pairs(1, FRAMES))
    else:
        x, y = (clip.read(0, clip.length) for source in (data.x, data.y) if source for clip in source.sequences[:1])
    for domain, other, clip in (("x", "y", x), ("y", "x", y)):
        given = frames_to_tensor(clip).to(prepared.devices.device)
        made = tensor_to_frames(model.translate(given, to=other).cpu())
        for name, frames in ((f"{domain}.mp4", clip), (f"to_{other}.mp4", made)):
            write_video(folder / name, _shown(frames), rate=RATE, overwrite=True)
    return len(x)


def _shown(clip: Frames) -> Frames:
    """Frames in colour, enlarged by a whole number, with an even height and width."""
    large = enlarged(clip, SIDE)
    return np.ascontiguousarray(large[:, : large.shape[1] // 2 * 2, : large.shape[2] // 2 * 2])
