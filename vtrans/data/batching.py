"""Unpaired batches of clips, drawn here or by worker processes."""

import atexit
import signal
import sys
from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vtrans.data.checks import whole
from vtrans.data.clips import Clips
from vtrans.errors import refusal


def batches(
    clips_x: Clips,
    clips_y: Clips,
    batch: int = 1,
    seed: int = 0,
    start: int = 0,
    *,
    workers: int = 0,
    rank: int = 0,
    ranks: int = 1,
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Yields unpaired batches without end; batch i is a function of the seed and i alone.

    Each domain is drawn on its own, epoch after epoch of its clips, so that a run that stops after batch i continues
    exactly with ``start=i + 1``. Worker processes draw the same batches ahead of time; PyTorch's random state isn't
    touched. Closing the iterator ends them.

    Frames that are to be kept are decoded first, before this returns; see :class:`vtrans.data.Clips`. Processes that
    train together take a slice each of every batch: R of them with ``batch=b`` see, in order, what one with
    ``batch=R * b`` sees.

    Args:
        clips_x: Clips of domain X.
        clips_y: Clips of domain Y, of the same length, height and width.
        batch: Clips of a batch, at least 1.
        seed: Seed of the draws, at least 0.
        start: The first batch's number, at least 0.
        workers: Processes that draw ahead; 0 draws in this one.
        rank: Which slice of each batch is drawn, from 0.
        ranks: How many slices there are, at least 1.

    Returns:
        Generator of ``(x, y)``, float32 tensors ``(batch, time, channel, height, width)`` in [-1, 1].

    Raises:
        ValueError: If a number is out of range or the clips differ in more than their channels.

    Example:
        >>> from vtrans.data import open_source
        >>> clips = Clips(open_source(np.zeros((5, 3, 4, 4), dtype=np.uint8)))
        >>> x, y = next(batches(clips, clips, batch=2, seed=0))
        >>> x.shape
        torch.Size([2, 3, 3, 4, 4])
    """
    for argument, value in {"batch": batch, "ranks": ranks}.items():
        whole(argument, value, least=1)
    for argument, value in {"seed": seed, "start": start, "workers": workers, "rank": rank}.items():
        whole(argument, value, least=0)
    if rank >= ranks:
        raise ValueError(refusal("rank", allowed=f"0 to {ranks - 1}, as ranks={ranks}", got=rank))
    x, y = (f"{time} frames of {height}x{width}" for time, _, height, width in (clips_x.shape, clips_y.shape))
    if x != y:
        fix = "Pass both the same length= and size= or crop=."
        raise ValueError(refusal("clips_y", allowed=f"clips of {x} (height x width), as clips_x has", got=y, fix=fix))
    for clips in (clips_x, clips_y):
        clips.prepare()
    drawn = _Batches(clips_x, clips_y, batch, seed, rank, ranks)
    numbers = range(start, sys.maxsize)
    return _by_workers(drawn, numbers, workers) if workers else (drawn[number] for number in numbers)


class _Batches(Dataset[tuple[Tensor, Tensor]]):
    """Batches by number."""

    def __init__(self, clips_x: Clips, clips_y: Clips, batch: int, seed: int, rank: int, ranks: int) -> None:
        self._clips = clips_x, clips_y
        self._batch, self._seed, self._rank, self._ranks = batch, seed, rank, ranks

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        x, y = self._clips
        return self._drawn(x, 1, number), self._drawn(y, 2, number)

    def _drawn(self, clips: Clips, domain: int, number: int) -> Tensor:
        first = (number * self._ranks + self._rank) * self._batch
        places = [divmod(first + i, len(clips)) for i in range(self._batch)]
        drawn = [clips._draw((clips.seed, domain, self._seed), epoch, index) for epoch, index in places]
        # By NumPy, whose copies don't contend with the threads of the training.
        return drawn[0][None] if len(drawn) == 1 else torch.from_numpy(np.stack([clip.numpy() for clip in drawn]))


def _by_workers(drawn: _Batches, numbers: range, workers: int) -> Generator[tuple[Tensor, Tensor], None, None]:
    loader = DataLoader(
        drawn,
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        collate_fn=tuple,  # the pair as it is
        worker_init_fn=_leave_signals,
        # The loader draws a seed for its workers, which never use it: not from the generator that training uses.
        generator=torch.Generator(),
    )
    iterator = iter(loader)
    # Only this ends them: they heed no signal, and an exception may hold the iterator for long.
    end = iterator._shutdown_workers  # type: ignore[attr-defined]
    atexit.register(end)
    try:
        yield from iterator
    finally:
        atexit.unregister(end)
        end()


def _leave_signals(worker: int) -> None:
    """Ctrl-C and SIGTERM reach a whole group of processes; what follows from them is the main one's to decide."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
