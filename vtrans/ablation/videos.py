"""Writes the videos of a cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vtrans.ablation.held_out import SIDES, HeldOut, Side, as_frames
from vtrans.data import frames_to_tensor, write_video
from vtrans.data.tensors import Frames

FRAMES, RATE, SIDE = 24, 8, 128


def write_videos(held_out: HeldOut, folder: Path) -> int:
    """Writes a held-out clip and its translation in both directions: ``x.mp4``, ``to_y.mp4``, ``y.mp4``, ``to_x.mp4``.

    The clip is the same for every model of a world and a seed.

    Returns:
        How many frames it has.
    """
    frames: Mapping[Side, Frames] = {side: held_out.frames[side][0] for side in SIDES}
    if held_out.world is not None:
        x, y = held_out.world.pairs(1, FRAMES)
        frames = {"x": x[0], "y": y[0]}
    for side, other in zip(SIDES, reversed(SIDES), strict=True):
        made = as_frames(held_out.translate(frames_to_tensor(frames[other]), side))
        for name, clip in ((f"{side}.mp4", frames[side]), (f"to_{side}.mp4", made)):
            write_video(folder / name, _shown(clip), rate=RATE, overwrite=True)
    return len(frames["x"])


def _shown(clip: Frames) -> Frames:
    """Frames in colour, enlarged by a whole number, with an even height and width."""
    if clip.shape[3] == 1:
        clip = clip.repeat(3, axis=3)
    times = max(1, SIDE // clip.shape[1])
    large = clip.repeat(times, axis=1).repeat(times, axis=2)
    return np.ascontiguousarray(large[:, : large.shape[1] // 2 * 2, : large.shape[2] // 2 * 2])
