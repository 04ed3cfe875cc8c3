"""``vtrans train``: trains a recipe on the user's data."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from vtrans.cli.parsing import new_parser, parse, with_imports
from vtrans.data.settings import DataSettings
from vtrans.errors import refusal
from vtrans.training import memory
from vtrans.training.preparation import prepare
from vtrans.training.settings import ModelSettings, TrainingSettings, check_version
from vtrans.training.trainer import train

_DESCRIPTION = """\
Trains a recipe on two videos or folders of frames, or on a synthetic world.
Options may also stand in a YAML file, nested by their dots.

  vtrans train recycle_gan --data.x a.mp4 --data.y b.mp4 --out runs/ab --steps 20000
  vtrans train recycle_gan --data.world shapes --data.size 64 \\
    --model.predictor '["unet", {"depth": 4}]' --out runs/shapes
"""


def run(words: list[str]) -> int:
    """Runs the command and returns the exit code."""
    parser = new_parser("train", _DESCRIPTION, "RECIPE --data.x PATH --data.y PATH --out FOLDER [options]")
    parser.add_argument("method", nargs="?", metavar="RECIPE", help="The recipe; vtrans list recipes shows them.")
    parser.add_argument("--recipe", type=str, help="The same as the first word, for config files.")
    parser.add_argument("--config", action="config", help="YAML file of options; a run's config.yaml is one.")
    parser.add_argument("--version", type=str, help="The version of vtrans that a config file was written by.")
    parser.add_argument("--out", type=str, help="Folder of the run: new, or with --resume auto that of a run.")
    parser.add_argument(
        "--resume",
        type=str,
        default="never",
        help="auto goes on with the run in --out if there is one; never refuses a folder that is in use; a path starts "
        "from that checkpoint.",
    )
    parser.add_argument(
        "--dry_run", action="store_true", help="Print the equations, the plan and the data; train and write nothing."
    )
    parser.add_class_arguments(TrainingSettings, skip={"recipe"})
    options = parse(parser, words)
    check_version(options["version"])
    settings = settings_of(options)
    if options["out"] is None and not options["dry_run"]:
        raise ValueError(refusal("out", allowed="a folder for the run", got="none", fix="Pass --out runs/name"))
    prepared = prepare(settings)
    say = prepared.devices.say
    if options["dry_run"]:
        say(str(prepared.model.explain(length=prepared.clips_x.length)))
        say(f"\n{prepared.summary()}\n{memory.summary(prepared)}")
        return 0
    say(prepared.summary())
    out = Path(options["out"])
    outcome = train(prepared, out, resume=options["resume"])
    if outcome.signal is not None:
        again = with_imports(" ".join(["vtrans train", *_without_resume(words), "--resume auto"]))
        say(f"Stopped after {outcome.done} steps, with a checkpoint. To go on exactly from there:\n  {again}")
        return 128 + outcome.signal
    say(f"Done: {out} holds model/, losses.png, metrics.jsonl, previews/ and checkpoints/.")
    if prepared.skipped:
        say(prepared.skipped)
    say("Translate with: " + with_imports(f"vtrans translate {out} INPUT OUTPUT --to y"))
    return 0


def settings_of(options: dict[str, Any]) -> TrainingSettings:
    """The settings among parsed options."""
    recipe = options["method"] or options["recipe"]
    if recipe is None:
        raise ValueError(refusal("recipe", allowed="a recipe's name", got="none", fix="vtrans list recipes shows them"))
    values = {field.name: options[field.name] for field in fields(TrainingSettings)}
    parts = {"recipe": recipe, "model": ModelSettings(**values["model"]), "data": DataSettings(**values["data"])}
    return TrainingSettings(**{**values, **parts})


def _without_resume(words: list[str]) -> list[str]:
    import shlex

    kept, skip = [], False
    for word in words:
        if skip or word.startswith("--resume="):
            skip = False
        elif word == "--resume":
            skip = True
        else:
            kept.append(shlex.quote(word))
    return kept
