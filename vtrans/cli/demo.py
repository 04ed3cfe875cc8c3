"""``vtrans demo``: the main job on an embedded world, start to finish."""

from __future__ import annotations

from pathlib import Path

from vtrans.cli.parsing import new_parser, parse
from vtrans.errors import refusal

_DESCRIPTION = """\
Trains a small recycle_gan on the embedded world "shapes", in about two minutes on two CPU cores. It then translates
held-out clips, scores them against the truth, and leaves pictures and a video to judge by eye.
"""


def run(words: list[str]) -> int:
    """Runs the command and returns the exit code."""
    from vtrans.training.demonstration import STEPS, demonstrate

    parser = new_parser("demo", _DESCRIPTION, "[options]")
    parser.add_argument("--out", type=str, help="Folder of the run. Default: runs/demo, or the next that is free.")
    parser.add_argument("--steps", type=int, default=STEPS, help="Training steps.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the world, the weights and the clips.")
    parser.add_argument("--threads", type=int, help="CPU threads. Default: as many as PyTorch chooses.")
    options = parse(parser, words)
    out = Path(options["out"]) if options["out"] is not None else _free(Path("runs/demo"))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(refusal("out", allowed="a new or empty folder", got=str(out), fix="Pass another --out"))
    return demonstrate(out, steps=options["steps"], seed=options["seed"], threads=options["threads"])


def _free(folder: Path) -> Path:
    """The folder, or the next name that is free."""
    if not folder.exists():
        return folder
    number = 2
    while (following := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    print(f"{folder} is there already: this run goes to {following}.")
    return following
