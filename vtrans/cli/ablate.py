"""``vtrans ablate``: compares recipes and whatever else a grid varies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vtrans.cli.parsing import IMPORTED, new_parser, parse
from vtrans.errors import refusal

_DESCRIPTION = """\
Trains every variant in every world for every seed, with the same budget, data and initial weights per seed, and leaves
tables with every seed's value, exact tests and a report with videos. The same command goes on after a stop, and with
more seeds, variants or worlds after the end. A grid may also stand in a YAML file.

  vtrans ablate --world motion_keyed --recipes gan cycle_gan recycle_gan --seeds 5 --out runs/ablation
  vtrans ablate --config grid.yaml --out runs/grid
"""


def run(words: list[str]) -> int:
    """Runs the command and returns the exit code."""
    from vtrans.ablation import Grid, ablate
    from vtrans.ablation.cells import check_cell
    from vtrans.ablation.running import finished_cells, one_of_each
    from vtrans.data.checks import counted

    parser = new_parser("ablate", _DESCRIPTION, "--world NAME --recipes NAME … --seeds N --out FOLDER [options]")
    parser.add_argument("--config", action="config", help="YAML file of these options.")
    parser.add_argument("--world", type=str, nargs="+", help="Worlds; vtrans list worlds shows them.")
    parser.add_argument("--recipes", type=str, nargs="+", help="Recipes; vtrans list recipes shows them.")
    parser.add_argument("--worlds", type=dict[str, Any] | list[str], help="Worlds with settings, by name.")
    parser.add_argument("--variants", type=dict[str, Any] | list[str], help="Changes of the settings, by name.")
    parser.add_argument("--base", type=dict[str, Any], help="Settings that all cells share, as of vtrans train.")
    parser.add_argument("--budget", type=dict[str, int], help="{steps: …, batch: …} of every cell.")
    parser.add_argument("--seeds", type=int | list[int], default=1, help="How many, from 0 on; or a list.")
    parser.add_argument("--metrics", type=str, nargs="+", help="What is measured. Default: all that the data allow.")
    parser.add_argument("--compare", type=list[list[str]], help="Pairs of variants to compare. Default: every pair.")
    parser.add_argument("--score_every", type=int, help="Steps between measurements. Default: a twentieth of them.")
    parser.add_argument("--steps", type=int, help="Steps of every cell. Default: 1000.")
    parser.add_argument("--batch", type=int, help="Clips of each domain in a step. Default: 4.")
    parser.add_argument("--size", type=int, help="Height and width of the frames. Default: 32.")
    parser.add_argument("--device", type=str, help="auto (a GPU if there is one), cpu or cuda.")
    parser.add_argument("--threads", type=int, help="CPU threads of a cell.")
    parser.add_argument("--jobs", type=int, default=0, help="Cells at a time. Default: one for each GPU, else one.")
    parser.add_argument("--out", type=str, help="Folder: new, or that of the same grid or a part of it.")
    parser.add_argument("--dry_run", action="store_true", help="Check everything and show the cells; write nothing.")
    options = parse(parser, words)
    if options["out"] is None and not options["dry_run"]:
        raise ValueError(refusal("out", allowed="a folder for the grid", got="none", fix="Pass --out runs/name"))
    grid = Grid.of(grid_of(options))
    if options["dry_run"]:
        cells = grid.cells()
        done = finished_cells(grid, Path(options["out"])) if options["out"] is not None else 0
        for cell in one_of_each(cells):
            changes = json.dumps({**grid.worlds[cell.world], **grid.variants[cell.variant]}, ensure_ascii=False)
            print(f"{cell.world}, {cell.variant}: {changes}\n{check_cell(cell, grid.metrics)}\n")
        print(f"compared: {'; '.join(map(' and '.join, grid.compare)) or 'nothing'}")
        print(f"measured every {grid.score_every} steps: {', '.join(grid.metrics or ['all that is possible'])}")
        seeds = ", ".join(map(str, grid.seeds))
        print(
            f"{counted(len(cells), 'cell')}, {done} of them finished: {counted(len(grid.worlds), 'world')}, "
            f"{counted(len(grid.variants), 'variant')}, seeds {seeds}"
        )
        return 0
    return ablate(grid, Path(options["out"]), jobs=options["jobs"], imports=IMPORTED)


def grid_of(options: dict[str, Any]) -> dict[str, Any]:
    """The grid among parsed options, as plain data."""
    for short, long in (("world", "worlds"), ("recipes", "variants")):
        if options[short] and options[long]:
            raise ValueError(refusal(short, allowed=f"--{short} or {long}", got="both", fix="Leave one of them out"))
    budget = {name: options[name] for name in ("steps", "batch") if options[name] is not None}
    own = {name: options[name] for name in ("device", "threads") if options[name] is not None}
    base = {**(options["base"] or {}), **own}
    if options["size"] is not None:
        base["data"] = {**base.get("data", {}), "size": options["size"]}
    return {
        "worlds": options["world"] or options["worlds"],
        "variants": options["recipes"] or options["variants"],
        "seeds": options["seeds"],
        "base": base,
        "budget": {**(options["budget"] or {}), **budget},
        "metrics": options["metrics"],
        "compare": options["compare"],
        "score_every": options["score_every"],
    }
