"""``vtrans export``: a generator as a file that runs without this library."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vtrans.cli.parsing import new_parser, parse

_DESCRIPTION = """\
Writes a trained generator as ONNX (.onnx) or with torch.export (.pt2). The file takes frames in [-1, 1],
(batch, channel, height, width), of every size that the generator takes, or of one with --size.
It is compared with PyTorch at several sizes, and appears under its name only if it computes the same.
ONNX needs some packages: pip install "vtrans[export]"

  vtrans export runs/ab G_Y.onnx --to y
  vtrans export runs/ab G_Y.pt2 --to y --size 256 320
"""


def run(words: list[str]) -> int:
    """Runs the command and returns the exit code."""
    parser = new_parser("export", _DESCRIPTION, "RUN OUTPUT --to {x,y} [options]")
    parser.add_argument("run", metavar="RUN", type=str, help="Folder of a run, or one that save_pretrained wrote.")
    parser.add_argument("output", metavar="OUTPUT", type=str, help="A file that ends in .onnx or .pt2.")
    parser.add_argument("--to", type=Literal["x", "y"], required=True, help="The domain to translate into.")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="Pixels of the only frames that the file takes. Default: it takes every size that the generator takes.",
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace OUTPUT if it exists.")
    options = parse(parser, words)

    import vtrans
    from vtrans.interop.export import check_target, export_generator
    from vtrans.training.checkpoints import model_folder

    size = None if options["size"] is None else tuple(options["size"])
    folder, output = model_folder(Path(options["run"])), Path(options["output"])
    try:
        check_target(output, overwrite=options["overwrite"])
    except ImportError as error:
        raise ValueError(str(error)) from error
    model = vtrans.TranslationModel.from_pretrained(str(folder))
    made = export_generator(model, output, to=options["to"], size=size, overwrite=options["overwrite"])
    channels = made.metadata["channels_in"]
    print(f"{output}: G_{options['to'].upper()}, for frames (batch, {channels}, height, width) {made.sizes}")
    largest = max(found.difference for found in made.comparisons)
    shapes = ", ".join("x".join(map(str, found.shape)) for found in made.comparisons)
    print(f"Largest difference to PyTorch: {largest:.2g}, on frames {shapes}")
    return 0
