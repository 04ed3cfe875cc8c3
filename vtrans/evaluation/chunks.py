"""Frames as they stream by with their translations, a few at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import torch
from torch import Tensor

from vtrans.data import Motion, Sequence, frames_to_tensor, tensor_to_frames
from vtrans.evaluation.data import EvaluationData, stretches
from vtrans.model import TranslationModel

CPU_PIXELS, MOST = 4 * 256 * 256, 8
"""Pixels of a batch on a CPU, and frames of one anywhere, at most: its caches and a GPU's memory are small."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive frames of a sequence and of its translation, ``(time, channel, height, width)`` in [-1, 1].

    Attributes:
        source: The frames that were translated.
        translated: Their translation.
        truth: Their true translation, if it is known.
        motion: The exact motion of the source, if it is known.
        fresh: Position of the first frame that was not in the chunk before: 0 where a sequence begins, else 1.
    """

    source: Tensor
    translated: Tensor
    truth: Tensor | None
    motion: Motion | None
    fresh: int

    def versions(self) -> Iterator[tuple[str, Tensor]]:
        """The translation, the input and the truth, if it is known, each with an ending for names."""
        yield "", self.translated
        yield "_input", self.source
        if self.truth is not None:
            yield "_truth", self.truth


def translated_chunks(model: TranslationModel, data: EvaluationData, to: str) -> Iterator[Chunk]:
    """Translates frames, and yields them with all that is known of them, a few at a time.

    Translations are rounded to 8 bits, as they are where they are stored.

    Args:
        model: The model.
        data: The frames.
        to: The domain translated into.
    """
    device = next(model.parameters()).device
    start = "x" if to == "y" else "y"
    source, real = data.of(start), data.of(to)
    truths: Iterable[Sequence | None] = real.sequences if data.paired and real is not None else repeat(None)
    for number, (sequence, truth) in enumerate(zip([] if source is None else source.sequences, truths, strict=False)):
        motion = data.motion[start][number] if start in data.motion else None
        true_frames = repeat(None) if truth is None else data.frames(truth)
        pairs = zip(data.frames(sequence), true_frames, strict=False)
        batch, last, position = batch_of(device, *data.size_of(sequence)), None, 0
        for items, fresh in stretches(pairs, batch, 1):
            given = frames_to_tensor(np.stack([frame for frame, _ in items]))
            made = model.translate(given[fresh:].to(device), to=to, batch=batch).cpu()
            made = frames_to_tensor(tensor_to_frames(made))
            translated = made if last is None else torch.cat([last, made])
            true = [frame for _, frame in items if frame is not None]
            position += len(items) - fresh
            yield Chunk(
                source=given,
                translated=translated,
                truth=frames_to_tensor(np.stack(true)) if true else None,
                motion=None if motion is None else _steps(motion, position - len(items), position - 1),
                fresh=fresh,
            )
            last = translated[-1:]


def _steps(motion: Motion, start: int, stop: int) -> Motion:
    return Motion(flow=motion.flow[start:stop], occluded=motion.occluded[start:stop])


def batch_of(device: torch.device, height: int, width: int) -> int:
    """Frames at a time."""
    return MOST if device.type != "cpu" else min(MOST, max(1, CPU_PIXELS // (height * width)))
