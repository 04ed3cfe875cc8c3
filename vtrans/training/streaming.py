"""Sequences of any length through a model into files: decode, translate, encode, a few frames at a time."""

from __future__ import annotations

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np

from vtrans.data import FrameSource, Sequence, frames_to_tensor, open_writer, tensor_to_frames
from vtrans.data.tensors import Frames
from vtrans.data.video_writer import WRITABLE_SUFFIXES
from vtrans.data.videos import VideoSequence
from vtrans.errors import refusal
from vtrans.model import TranslationModel
from vtrans.training.progress import Progress


def translate_sequence(
    model: TranslationModel,
    sequence: Sequence,
    target: Path,
    *,
    to: str,
    batch: int = 8,
    rate: Fraction | float = 25,
    overwrite: bool = False,
) -> int:
    """Translates a sequence into a file or folder; if anything fails, nothing is left there.

    A video file has one rate: a video of variable rate gets its average, with a warning.

    Args:
        model: The model, on the device where it shall run.
        sequence: The frames.
        target: A video file, or a folder for PNG frames.
        to: Domain to translate into.
        batch: Frames translated at a time.
        rate: Frames a second of a video file.
        overwrite: Whether what is there is replaced.

    Returns:
        How many frames were translated.

    Raises:
        FileExistsError: The target exists.
        OSError: Nothing can be written there.
        ValueError: The frames do not fit the model.
    """
    device = next(model.parameters()).device
    # To know a video's exact length it would have to be decoded once more.
    total = None if isinstance(sequence, VideoSequence) else sequence.length
    size = (sequence.height, sequence.width)
    with open_writer(target, size=size, rate=rate, overwrite=overwrite) as writer:
        with Progress(f"translating {sequence.name}", "frames", total=total) as progress:

            def flush(frames: list[Frames]) -> None:
                clip = frames_to_tensor(np.stack(frames)).to(device)
                for frame in tensor_to_frames(model.translate(clip, to=to, batch=batch)):
                    writer.write(frame if frame.shape[2] == 3 else frame.repeat(3, axis=2))

            waiting: list[Frames] = []
            for frame in sequence.stream():
                waiting.append(frame)
                if len(waiting) == batch:
                    flush(waiting)
                    waiting = []
                    progress.update(writer.count)
            if waiting:
                flush(waiting)
                progress.update(writer.count)
    if target.suffix and isinstance(sequence, VideoSequence) and sequence.rate_varies and rate == sequence.rate:
        message = f"{sequence.name}: variable frame rate: written at its average of {float(rate):g} frames/s"
        warnings.warn(message, stacklevel=2)
    return writer.count


def outputs_for(source: FrameSource, output: Path, *, overwrite: bool = False) -> list[Path]:
    """Where the translation of each sequence goes, checked before work begins.

    One sequence goes to ``output`` itself. Of several each goes into the folder ``output``: a video to a video of the
    same name (as .mp4 if its own format cannot be written), a folder of frames to a folder.

    Args:
        source: What is to be translated.
        output: What the user asked for.
        overwrite: Whether outputs that exist may be replaced.

    Raises:
        FileExistsError: An output exists.
        ValueError: Several sequences cannot go to one file, or two would go to the same.
    """
    if len(source.sequences) == 1:
        targets = [output]
    elif output.suffix:
        got = f"{output} for the {len(source.sequences)} sequences of {source.name}"
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
    if not isinstance(sequence, VideoSequence):
        return name.name
    return name.name if name.suffix.lower() in WRITABLE_SUFFIXES else f"{name.stem}.mp4"
