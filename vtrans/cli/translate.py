"""``vtrans translate``: a video file to a video file, streamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtrans.cli.parsing import new_parser, parse
from vtrans.errors import refusal

_DESCRIPTION = """\
Translates a video or a folder of frames, frame by frame, with the same size, frame rate and number of frames.
However long the video is, only a few frames are in memory at a time. A video that is stored rotated
is written as players show it; one of variable frame rate gets its average.

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
    parser.add_argument("--to", type=str, help="The domain to translate into: x or y. (required)")
    parser.add_argument("--batch", type=int, default=8, help="Frames translated at a time.")
    parser.add_argument("--device", type=str, default="auto", help="auto (a GPU if there is one), cpu or cuda.")
    parser.add_argument(
        "--rate", type=float, default=None, help="Frames a second of a video made of images. Default: 25."
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace OUTPUT if it exists.")
    return _translate(parse(parser, words))


def _translate(options: dict[str, Any]) -> int:
    import vtrans
    from vtrans.data import open_source
    from vtrans.data.checks import counted
    from vtrans.training.checkpoints import model_folder
    from vtrans.training.preparation import choose_device
    from vtrans.training.streaming import outputs_for, translate_sequence

    if options["to"] not in ("x", "y"):
        raise ValueError(refusal("to", allowed="--to x or --to y", got=options["to"] or "none"))
    if options["batch"] < 1:
        raise ValueError(refusal("batch", allowed="a whole number of at least 1", got=options["batch"]))
    given, output = Path(options["input"]), Path(options["output"])
    if given.resolve() == output.resolve() or given.resolve() in output.resolve().parents:
        raise ValueError(refusal("OUTPUT", allowed="a place outside INPUT", got=str(output)))
    folder = model_folder(Path(options["run"]))
    source = open_source(given)
    targets = outputs_for(source, output, overwrite=options["overwrite"])
    model = vtrans.TranslationModel.from_pretrained(str(folder)).to(choose_device(options["device"]))
    for sequence, target in zip(source.sequences, targets, strict=True):
        rate = options["rate"] or sequence.rate or 25
        count = translate_sequence(
            model,
            sequence,
            target,
            to=options["to"],
            batch=options["batch"],
            rate=rate,
            overwrite=options["overwrite"],
        )
        ending = f", {float(rate):g} frames/s" if target.suffix else ""
        print(f"{target}: {counted(count, 'frame')} of {sequence.width}x{sequence.height}{ending}")
    return 0
