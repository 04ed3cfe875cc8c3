"""Sequences of any length through a model into files: decode, translate, encode, a few frames at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vtrans.data import FrameSource, Sequence, open_writer
from vtrans.data.reading.videos import VideoSequence
from vtrans.data.tensors import Frames
from vtrans.data.views import unchanged
from vtrans.data.writing.audio import audio_codecs, check_audio
from vtrans.data.writing.video_writer import WRITABLE_SUFFIXES
from vtrans.errors import refusal
from vtrans.model import TranslationModel
from vtrans.progress import Progress
from vtrans.training.pipeline import ahead, behind
from vtrans.training.transfer import Transfer

DEPTH = 2
"""Batches that may wait between two stages: enough that none waits for the other, and few in memory."""

CPU_PIXELS = 4 * 256 * 256
"""Pixels of a batch beyond which a CPU is slower a frame."""


def translate_sequence(
    model: TranslationModel,
    sequence: Sequence,
    target: Path,
    *,
    to: str,
    batch: int | None = None,
    rate: Fraction | float | None = None,
    overwrite: bool = False,
    audio: bool = False,
) -> int:
    """Translates a sequence into a file or folder; if anything fails, nothing is left there.

    One thread decodes, this one translates and a third encodes, each a few batches ahead of the next at most. Frames of
    a video keep their number, and their times: evenly at its rate, or each at its own where they vary.

    Args:
        model: The model, on the device where it shall run.
        sequence: The frames.
        target: A video file, or a folder for PNG frames.
        to: Domain to translate into.
        batch: Frames translated at a time; by default what :func:`default_batch` says.
        rate: Frames a second of a video file; by default the sequence's own, or 25 where it has none.
        overwrite: Whether what is there is replaced.
        audio: Whether a video's audio is copied, in sync with its frames.

    Returns:
        How many frames were translated.

    Raises:
        FileExistsError: The target exists.
        OSError: Nothing can be written there.
        ValueError: The frames do not fit the model, or the target cannot hold the audio.
    """
    device = next(model.parameters()).device
    transfer = Transfer(device)
    batch = batch or default_batch(device, sequence.height, sequence.width)
    # To know a video's exact length it would have to be decoded once more.
    total = sequence.length if _video(sequence) is None else None
    writer = open_writer(
        target,
        size=(sequence.height, sequence.width),
        rate=rate or sequence.rate or 25,
        overwrite=overwrite,
        tick=_tick(sequence, target) if rate is None else None,
        audio=audio_file(sequence) if audio else None,
    )
    with writer, Progress(f"translating {sequence.name}", "frames", total=total) as progress:

        def encode(translated: tuple[Callable[[], Frames], list[Fraction | None]]) -> None:
            frames, times = translated
            for frame, at in zip(frames(), times, strict=True):
                writer.write(frame if frame.shape[2] == 3 else frame.repeat(3, axis=2), at)
                progress.update(writer.count)

        with ahead(_decode(sequence, batch, transfer), DEPTH) as decoded, behind(encode, DEPTH) as give:
            for clip, times in decoded:
                give((transfer.down(model.translate(clip(), to=to, batch=batch)), times))
    return writer.count


def default_batch(device: torch.device, height: int, width: int) -> int:
    """How many frames are translated at a time: 8, but on a CPU, whose caches larger batches outgrow, 4 of 256x256.

    Example:
        >>> [default_batch(torch.device("cpu"), size, size) for size in (128, 256, 1024)]
        [8, 4, 1]
    """
    return 8 if device.type != "cpu" else min(8, max(1, CPU_PIXELS // (height * width)))


def _decode(
    sequence: Sequence, batch: int, transfer: Transfer
) -> Generator[tuple[Callable[[], Tensor], list[Fraction | None]], None, None]:
    """Batches on their way to the device, with the times of their frames."""
    frames = _rising(sequence.timed(), 1 / (sequence.rate or Fraction(25)))
    while part := list(islice(frames, batch)):
        yield transfer.up(np.stack([frame for frame, _ in part])), [at for _, at in part]


def _rising(
    frames: Iterator[tuple[Frames, Fraction | None]], step: Fraction
) -> Iterator[tuple[Frames, Fraction | None]]:
    """Gives a frame whose time is missing, or not after the one before, as in a broken file, the time a step later."""
    last: Fraction | None = None
    for frame, at in frames:
        if last is not None and (at is None or at <= last):
            at = last + step
        last = at
        yield frame, at


def _tick(sequence: Sequence, target: Path) -> Fraction | None:
    """The tick of a video whose frames keep their own times; a warning if the target cannot keep them."""
    video = _video(sequence)
    tick = video.uneven_tick() if video is not None and target.suffix else None
    if tick is None or sequence.rate is None or target.suffix.lower() != ".avi":
        return tick
    average = f"written at its average of {float(sequence.rate):g} frames/s"
    message = f"{sequence.name}: variable frame rate: {average}, since .avi keeps no times; .mkv and .mp4 do"
    warnings.warn(message, stacklevel=3)
    return None


def audio_file(sequence: Sequence) -> Path | None:
    """The file of a video that has audio; None for any other sequence."""
    video = _video(sequence)
    file = None if video is None else video.origin.files[0]
    return file if file is not None and audio_codecs(file) else None


def check_audio_of(source: FrameSource, targets: list[Path]) -> None:
    """Refuses targets that cannot hold the audio of their sequences.

    Args:
        source: What is to be translated.
        targets: Where each of its sequences goes.

    Raises:
        ValueError: A folder of frames, or a format that the audio does not fit.
    """
    for sequence, target in zip(source.sequences, targets, strict=True):
        if not target.suffix:
            raise ValueError(refusal("audio", allowed="a video file as OUTPUT", got=f"{target}, a folder of frames"))
        file = audio_file(sequence)
        if file is not None:
            check_audio(file, target)


def outputs_for(source: FrameSource, output: Path, *, overwrite: bool = False) -> list[Path]:
    """Where the translation of each sequence goes, checked before work begins.

    One sequence goes to ``output`` itself. Of several each goes into the folder ``output``: a video to a video of the
    same name (as .mp4 if its own format cannot be written), a folder of frames to a folder. So does a video that is
    left of several since others were skipped.

    Args:
        source: What is to be translated.
        output: What the user asked for.
        overwrite: Whether outputs that exist may be replaced.

    Raises:
        FileExistsError: An output exists.
        ValueError: Several sequences cannot go to one file, or two would go to the same.
    """
    if len(source.sequences) == 1 and not (source.skipped and _video(source.sequences[0])):
        targets = [output]
    elif output.suffix:
        got = f"{output} for the videos or folders of {source.name}"
        raise ValueError(refusal("OUTPUT", allowed="a folder, named without a suffix", got=got))
    else:
        targets = [output / _name(sequence) for sequence in source.sequences]
    for target in targets:
        if targets.count(target) > 1:
            fix = "Rename one of the inputs"
            raise ValueError(refusal("INPUT", allowed="names that stay apart", got=f"two for {target}", fix=fix))
        used = any(target.iterdir()) if target.is_dir() else target.exists()
        if used and not overwrite:
            got = f"{target}, which exists"
            raise FileExistsError(
                refusal("OUTPUT", allowed="a new place", got=got, fix="Pass --overwrite to replace it")
            )
    return targets


def _name(sequence: Sequence) -> str:
    name = Path(sequence.name)
    if _video(sequence) is None:
        return name.name
    return name.name if name.suffix.lower() in WRITABLE_SUFFIXES else f"{name.stem}.mp4"


def _video(sequence: Sequence) -> VideoSequence | None:
    """The video whose frames these are, changed or not; None for any other sequence."""
    seen = unchanged(sequence)
    return seen if isinstance(seen, VideoSequence) else None
