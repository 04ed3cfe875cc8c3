"""``vtrans translate``: a video file to a video file, streamed."""

from __future__ import annotations

import signal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from vtrans.cli.parsing import new_parser, parse
from vtrans.errors import refusal

_DESCRIPTION = """\
Translates a video or a folder of frames, frame by frame, with the same size, frame rate and number of frames.
However long the video is, only a few batches are in memory at a time. A video that is stored rotated
is written as players show it; where its frame rate varies, frames keep their times (in .avi it is averaged).
The output appears under its name when it is complete.

  vtrans translate runs/ab a.mp4 translated.mp4 --to y
"""


def run(words: list[str]) -> int:
    """Runs the command and returns the exit code."""
    parser = new_parser("translate", _DESCRIPTION, "RUN INPUT OUTPUT --to {x,y} [options]")
    parser.add_argument("run", metavar="RUN", type=str, help="Folder of a run, or one that save_pretrained wrote.")
    parser.add_argument(
        "input", metavar="INPUT", type=str, help="A video file, a folder of frames, or a folder of several of either."
    )
    parser.add_argument(
        "output",
        metavar="OUTPUT",
        type=str,
        help="A video file, or a folder (no suffix) for PNG frames; for several inputs a folder with one output each.",
    )
    parser.add_argument("--to", type=Literal["x", "y"], required=True, help="The domain to translate into.")
    parser.add_argument("--batch", type=int, help="Frames translated at a time. Default: 8, or fewer on a CPU.")
    parser.add_argument("--device", type=str, default="auto", help="auto (a GPU if there is one), cpu or cuda.")
    parser.add_argument(
        "--rate", type=str, help="Frames a second, such as 25 or 30000/1001. Default: the input's, or 25 for images."
    )
    parser.add_argument("--audio", action="store_true", help="Copy the input's audio, without encoding it again.")
    parser.add_argument(
        "--on_error",
        type=str,
        default="raise",
        help="skip leaves out files of a folder that cannot be read and reports them at the end; raise stops at once.",
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace OUTPUT if it exists.")
    return _translate(parse(parser, words))


def _translate(options: dict[str, Any]) -> int:
    import vtrans
    from vtrans.data import grey, open_source
    from vtrans.data.checks import counted
    from vtrans.training.checkpoints import model_folder
    from vtrans.training.devices import choose_device
    from vtrans.training.interruption import Interruption
    from vtrans.training.streaming import audio_file, check_audio_of, outputs_for, translate_sequence

    if options["batch"] is not None and options["batch"] < 1:
        raise ValueError(refusal("batch", allowed="a whole number of at least 1", got=options["batch"]))
    rate = None if options["rate"] is None else _rate(options["rate"])
    given, output = Path(options["input"]), Path(options["output"])
    if given.resolve() == output.resolve() or given.resolve() in output.resolve().parents:
        raise ValueError(refusal("OUTPUT", allowed="a place outside INPUT", got=str(output)))
    folder = model_folder(Path(options["run"]))
    source = open_source(options["input"], on_error=options["on_error"])
    targets = outputs_for(source, output, overwrite=options["overwrite"])
    if options["audio"]:
        if rate is not None:
            why = "Audio keeps its length, so that frames at another rate would run away from it"
            raise ValueError(refusal("rate", allowed="none with --audio", got=options["rate"], why=why))
        check_audio_of(source, targets)
    model = vtrans.TranslationModel.from_pretrained(str(folder)).to(choose_device(options["device"]))
    if model.channels["y" if options["to"] == "x" else "x"] == 1:
        source = grey(source)
    with Interruption(_end):
        for sequence, target in zip(source.sequences, targets, strict=True):
            count = translate_sequence(
                model,
                sequence,
                target,
                to=options["to"],
                batch=options["batch"],
                rate=rate,
                overwrite=options["overwrite"],
                audio=options["audio"],
            )
            ending = f", {float(rate or sequence.rate or 25):g} frames/s" if target.suffix else ""
            print(f"{target}: {counted(count, 'frame')} of {sequence.width}x{sequence.height}{ending}")
            if options["audio"] and audio_file(sequence) is None:
                print(f"{target}: no audio, since {sequence.name} has none")
            elif target.suffix and not options["audio"] and audio_file(sequence) is not None:
                print(f"{target}: audio was not copied; --audio copies it")
    if source.skipped:
        print(source.skipped_summary())
    return 0


def _rate(text: str) -> Fraction:
    from vtrans.data.writing.video_writer import exact_rate

    try:
        return exact_rate(Fraction(text))
    except (ValueError, ZeroDivisionError):
        allowed = "frames a second above 0, such as 25, 12.5 or 30000/1001"
        raise ValueError(refusal("--rate", allowed=allowed, got=text)) from None


def _end(number: int) -> None:
    """Ends the command by an exception, which removes what was begun."""
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
