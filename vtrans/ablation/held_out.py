"""What a cell is measured on: held-out clips, and what the model makes of them at the moment."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from vtrans.data import frames_to_tensor, shots, worlds
from vtrans.data.tensors import Frames, tensor_to_frames
from vtrans.data.worlds import Motion, World
from vtrans.errors import refusal
from vtrans.evaluation.flow import estimate_motion
from vtrans.evaluation.translations import recycled
from vtrans.training.preparation import Preparation
from vtrans.training.sources import first_clips, resolved

Side = Literal["x", "y"]
SIDES: tuple[Side, Side] = ("x", "y")


class HeldOut:
    """Held-out clips of a run and their translations; these are computed once for the present weights.

    Attributes:
        paired: Whether the clips of X and Y show the same scenes.
        frames: The clips of each domain, uint8 ``(count, time, height, width, channel)``.
        clips: The same as tensors ``(count, time, channel, height, width)`` in [-1, 1].
        world: The world that they are from, if any.

    Args:
        prepared: The run.

    Raises:
        ValueError: Nothing is held out of its data.
    """

    def __init__(self, prepared: Preparation) -> None:
        self.prepared = prepared
        self.world = _world(prepared)
        self.paired = prepared.pairs is not None
        self.frames: dict[Side, Frames] = {}
        if prepared.pairs is not None:
            self.frames = dict(zip(SIDES, prepared.pairs, strict=True))
        elif prepared.held_out:
            data = resolved(prepared.settings.data)
            for side in SIDES:
                source = prepared.held_out[side].source
                self.frames[side] = first_clips(shots(source) if data.cuts else source, data)
        else:
            fix = "Set data: held_out, such as 0.1, or use a world"
            raise ValueError(refusal("data", allowed="clips that are held out, to measure on", got="none", fix=fix))
        self.clips = {s: torch.stack([frames_to_tensor(clip) for clip in f]) for s, f in self.frames.items()}
        self._motions: dict[Side, list[Motion]] = {}
        self._made: dict[Side, Tensor] = {}
        self._recycled: dict[Side, float | None] = {}

    @property
    def digest(self) -> str:
        """Tells whether two runs are measured on the same clips."""
        digest = hashlib.sha256()
        for side in SIDES:
            digest.update(f"{self.frames[side].shape}".encode() + np.ascontiguousarray(self.frames[side]).tobytes())
        return digest.hexdigest()[:16]

    def forget(self) -> None:
        """Drops the translations: the weights have changed."""
        self._made.clear()
        self._recycled.clear()

    def translated(self, to: Side) -> Tensor:
        """The clips of the other domain, translated into this one."""
        if to not in self._made:
            self._made[to] = self.translate(self.clips["y" if to == "x" else "x"], to)
        return self._made[to]

    def motions(self, side: Side) -> list[Motion]:
        """How each clip moves: exactly in a world, else estimated."""
        if side not in self._motions:
            if self.world is not None:
                truth = self.world.truth(*self.frames[side].shape[:2])
                motion = truth.motion_x if side == "x" else truth.motion_y
                found = [Motion(flow, occluded) for flow, occluded in zip(motion.flow, motion.occluded, strict=True)]
            else:
                found = [estimate_motion(clip) for clip in self.clips[side]]
            self._motions[side] = found
        return self._motions[side]

    def cycle_error(self, side: Side) -> float:
        """Mean absolute difference of clips and their translation there and back; frames in [-1, 1]."""
        back = self.translate(self.translated("y" if side == "x" else "x"), side)
        return float((back - self.clips[side]).abs().mean())

    def recycle_error(self, side: Side) -> float | None:
        """Likewise of clips translated, continued there by the predictor and brought back; None without predictors."""
        model, device = self.prepared.model, self.prepared.devices.device
        if f"P_{'Y' if side == 'x' else 'X'}" not in model.networks:
            return None
        if side not in self._recycled:
            height, width = self.prepared.clips_x.shape[2:]
            errors = []
            for clip in self.clips[side][..., :height, :width]:
                _, first, back = recycled(model, clip.to(device), side)
                errors.append(float((back.cpu()[first:] - clip[first:]).abs().mean()))
            self._recycled[side] = sum(errors) / len(errors)
        return self._recycled[side]

    def translate(self, clips: Tensor, to: Side) -> Tensor:
        """Frames of the other domain, translated into this one."""
        return self.prepared.model.translate(clips.to(self.prepared.devices.device), to=to).cpu()


def as_frames(clips: Tensor) -> Frames:
    """Tensors ``(…, channel, height, width)`` in [-1, 1] as uint8 frames ``(…, height, width, channel)``."""
    frames = tensor_to_frames(clips.flatten(0, -4))
    return frames.reshape(*clips.shape[:-3], *frames.shape[1:])


def _world(prepared: Preparation) -> World[Any] | None:
    """The world of a run, as its data were drawn from it."""
    data, settings = prepared.config["data"], prepared.settings
    if data["world"] is None:
        return None
    return worlds.create(data["world"], **{"size": data["size"], "seed": settings.seed, **data["world_options"]})
