"""``vtrans import``: a checkpoint of the published code as a model of ours."""

from __future__ import annotations

from vtrans.cli.parsing import new_parser, parse
from vtrans.training.settings import ModelSettings

_DESCRIPTION = """\
Loads a checkpoint of the published Recycle-GAN or CycleGAN code, and writes it as a folder for vtrans translate.
Name the networks that it was trained with.

  vtrans import checkpoints/flowers models/flowers --recipe recycle_gan --model.generator resnet_6blocks
"""


def run(words: list[str]) -> int:
    """Runs the command and returns the exit code."""
    from vtrans import interop

    parser = new_parser("import", _DESCRIPTION, "FOLDER OUT --recipe RECIPE [options]")
    parser.add_argument("folder", metavar="FOLDER", type=str, help="Folder of files such as latest_net_G_A.pth.")
    parser.add_argument("out", metavar="OUT", type=str, help="Folder to write the model to.")
    parser.add_argument("--recipe", type=str, required=True, help="The recipe of the model.")
    parser.add_argument("--label", type=str, default="latest", help="What the files' names begin with.")
    parser.add_argument(
        "--roles", type=list[str], default=None, help="Networks to load, such as '[G_X, G_Y]'. Default: all."
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace a model in OUT.")
    parser.add_class_arguments(ModelSettings, "model")
    options = parse(parser, words)
    model = ModelSettings(**options["model"]).build(options["recipe"])
    loaded = interop.load_published(model, options["folder"], options["label"], roles=options["roles"])
    model.save_pretrained(options["out"], overwrite=options["overwrite"])
    print(f"{options['out']}: {', '.join(loaded)} loaded from {options['folder']}")
    return 0
