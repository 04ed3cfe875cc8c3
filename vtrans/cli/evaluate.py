"""``vtrans evaluate``: measures a model, prints a table and writes it as JSON and CSV."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vtrans.cli.parsing import new_parser, parse
from vtrans.data.settings import DataSettings
from vtrans.errors import refusal

_DESCRIPTION = """\
Measures translations: against the truth where it is known, over time, as a distribution, and there and back.
Without data it takes what the run held out from training, or the held-out pairs of its world.
Frames are loaded at the size that the run was trained at, unless --data.size says another one.

  vtrans evaluate runs/shapes
  vtrans evaluate runs/ab --x test_a.mp4 --y test_b.mp4 --features resnet18
  vtrans evaluate runs/street --x images --y labels --paired --palette classes.json --to y
"""


def run(words: list[str]) -> int:
    """Runs the command and returns the exit code."""
    parser = new_parser("evaluate", _DESCRIPTION, "RUN [--x PATH --y PATH | --world NAME] [options]")
    parser.add_argument("run", metavar="RUN", type=str, help="Folder of a run, or one that save_pretrained wrote.")
    parser.add_argument("--x", type=str, help="Frames of X: a video file, a folder of frames, or of several of either.")
    parser.add_argument("--y", type=str, help="Frames of Y, likewise.")
    parser.add_argument("--world", type=str, help="A world, whose held-out pairs are measured.")
    parser.add_argument(
        "--paired", action="store_true", help="Frames of X and Y at the same position are each other's translation."
    )
    parser.add_argument("--to", type=str, help="x, y or both. Default: all that there are frames for.")
    parser.add_argument("--metrics", type=str, nargs="+", help="Names of metrics. Default: all that can be measured.")
    parser.add_argument("--palette", type=str, help="JSON file of the classes of label maps and their colours.")
    parser.add_argument("--labels", type=str, default="y", help="The domain that --palette is for: x or y.")
    parser.add_argument("--features", type=str, help="A timm model, for fid, kid and vfd, such as resnet18.")
    parser.add_argument(
        "--feature_weights",
        type=str,
        default="hub",
        help="Its weights: hub, to download timm's pretrained ones, or a .safetensors or .pth file.",
    )
    parser.add_argument("--clips", type=int, help="Sequences to use at most. Default: all, of a world 8.")
    parser.add_argument("--length", type=int, help="Frames of each to use at most. Default: all, of a world 8.")
    parser.add_argument("--seed", type=int, help="Seed of a world. Default: that of the run.")
    parser.add_argument("--device", type=str, default="auto", help="auto (a GPU if there is one), cpu or cuda.")
    parser.add_argument("--out", type=str, help="Folder for evaluation.json and .csv. Default: RUN/evaluation.")
    parser.add_argument("--overwrite", action="store_true", help="Replace an evaluation that is there.")
    parser.add_class_arguments(DataSettings, "data")
    options = parse(parser, words)
    changes = {name: options["data"][name] for name in _data_options(words)}
    changes |= {name: options[name] for name in ("x", "y", "world", "palette") if options[name] is not None}
    return _evaluate(options, changes)


def _data_options(words: list[str]) -> set[str]:
    """The settings of the data that the words name."""
    names = (word.removeprefix("--data.").partition("=")[0] for word in words if word.startswith("--data."))
    return {name.partition(".")[0].replace("-", "_") for name in names}


def _evaluate(options: dict[str, Any], changes: dict[str, Any]) -> int:
    import vtrans
    from vtrans.evaluation.evaluate import evaluate
    from vtrans.evaluation.features import timm_features
    from vtrans.evaluation.metrics.metric import with_those_beside
    from vtrans.evaluation.opening import changed_settings, open_data
    from vtrans.evaluation.results import CSV_NAME, JSON_NAME, check_output
    from vtrans.progress import Progress
    from vtrans.training.checkpoints import model_folder
    from vtrans.training.devices import choose_device

    place = Path(options["run"])
    folder = model_folder(place)
    out = Path(options["out"]) if options["out"] is not None else place / "evaluation"
    check_output(out, overwrite=options["overwrite"])
    with_those_beside(options["metrics"] or ())
    known, seed = run_settings(place) or (DataSettings(size="own"), 0)
    settings, seed = changed_settings(known, changes), seed if options["seed"] is None else options["seed"]
    data = open_data(
        settings,
        seed=seed,
        trained_on=not {"x", "y", "world", "edges_of"} & {*changes},
        paired=options["paired"],
        labels=options["labels"],
        clips=options["clips"],
        length=options["length"],
    )
    device = choose_device(options["device"])
    features = None
    if options["features"] is not None:
        features = timm_features(options["features"], weights=options["feature_weights"])
        features.network.to(device)
    model = vtrans.TranslationModel.from_pretrained(str(folder)).to(device)
    possible = [to for to, source in (("y", data.x), ("x", data.y)) if source is not None]
    to = options["to"] or ("both" if len(possible) == 2 else possible[0])
    with Progress("measuring", "frames", total=None) as progress:
        found = evaluate(model, data, to=to, metrics=options["metrics"], features=features, watch=progress.update)
    found = replace(found, settings={"run": str(place), **found.settings, "seed": seed, "data": asdict(settings)})
    found.write(out, overwrite=options["overwrite"])
    print(f"\n{found.table()}\n\nWritten: {out / JSON_NAME} and {CSV_NAME}")
    return 0


def run_settings(run: Path) -> tuple[DataSettings, int] | None:
    """The data that a run was trained on, and its seed.

    Args:
        run: The folder of a run, one of its checkpoints, or its model.

    Returns:
        None if it is no run: then its data are not known.

    Raises:
        ValueError: Its ``config.yaml`` cannot be read.
    """
    import yaml

    place = run.resolve()
    file = next((f for folder in (place, *place.parents[:3]) if (f := folder / "config.yaml").is_file()), None)
    if file is None:
        return None
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        return DataSettings(**config["data"]), int(config["seed"])
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        got = f"something else ({' '.join(str(error).split())})"
        raise ValueError(refusal(str(file), allowed="the config of a run of this version", got=got)) from error
