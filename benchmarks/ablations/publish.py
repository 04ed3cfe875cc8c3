"""The tables and pictures of docs/results.md, from finished grids.

    python benchmarks/ablations/publish.py runs/motion_keyed motion_keyed   # keeps a grid's results, draws its pictures
    python benchmarks/ablations/publish.py   # the tables alone, from the results that are kept

A grid's tables stand between the markers ``<!-- grid: NAME -->`` and ``<!-- end -->``, those of how far its generators
move things between ``<!-- displacement: NAME -->`` and ``<!-- end -->``; its results are ``results/NAME.json`` and
``results/NAME_displacement.json``.
"""

import argparse
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from vtrans.ablation.tables import budget, matched, tables_of
from vtrans.data import open_source

mpl.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "results.md"
ASSETS = ROOT / "docs" / "assets"
RESULTS = ROOT / "benchmarks" / "ablations" / "results"
PART = re.compile(r"(<!-- (grid|displacement): (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
RIGHT, WRONG = 0.9, 0.1
LONG = 20
"""Rows of a table that is folded on the page."""
FRAMES = 6

Results = Mapping[str, Any]


def tables(results: Results) -> str:
    """The tables of a grid as Markdown, with its budget and machine."""
    seconds = [cell["seconds"] for cell in results["cells"]]
    machine, versions = results["cells"][0]["machine"], results["versions"]
    lines = [
        f"{budget(results)}. A cell took {min(seconds) / 60:.1f} to {max(seconds) / 60:.1f} minutes, "
        f"{np.median(seconds) / 60:.1f} in the median, on {machine['threads']} thread of a shared "
        f"{machine['processor']}; PyTorch {versions['torch']}.",
        "",
    ]
    for world, found in tables_of(results).items():
        lines += [f"**{world}.** {matched(results['worlds'][world]['matched'])}", ""]
        for table in found:
            rows = [table.head, ("---", *("---:" for _ in table.head[1:])), *table.rows]
            folded = len(table.rows) > LONG
            lines += [f"<details markdown>\n<summary>{table.caption}</summary>" if folded else f"*{table.caption}*", ""]
            lines += [*(f"| {' | '.join(row)} |" for row in rows), ""]
            lines += [table.note, ""] if table.note else []
            lines += ["</details>", ""] if folded else []
    return "\n".join(lines).rstrip() + "\n"


def results_of(name: str, folder: Path = RESULTS) -> Results:
    """The results of a grid that are kept."""
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


def page_of(text: str, folder: Path = RESULTS) -> str:
    """The page with its tables made anew."""

    def filled(found: re.Match[str]) -> str:
        if found[2] == "grid":
            made = tables(results_of(found[3], folder))
        else:
            made = displacements(json.loads((folder / f"{found[3]}_displacement.json").read_text(encoding="utf-8")))
        return f"{found[1]}\n{made}\n{found[4]}"

    return PART.sub(filled, text)


def displacements(rows: list[dict[str, Any]]) -> str:
    """Which pairing each variant's generators show wherever they have put the discs, and how far that is."""
    lines = [
        "| variant | right there | wrong there | neither | seeds with a shift over 2 pixels | greatest shift |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for variant in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == variant]
        shares = [[row[to]["right_where_they_are"] for to in "xy"] for row in own]
        right, wrong = sum(min(of) >= RIGHT for of in shares), sum(max(of) <= WRONG for of in shares)
        shifts = [max(abs(shift) for to in "xy" for shift in row[to]["shifts"]) for row in own]
        moved = sum(shift > 2 for shift in shifts)
        lines.append(f"| {variant} | {right} | {wrong} | {len(own) - right - wrong} | {moved} | {max(shifts):g} |")
    return "\n".join(lines) + "\n"


def draw_success(results: Results, world: str, path: Path) -> None:
    """The share of seeds that are right, over the steps."""
    figure, axes = plt.subplots(figsize=(7, 3.5))
    for metric in results["worlds"][world]["outcomes"].values():
        for number, (variant, line) in enumerate(metric["over_steps"].items()):
            steps, right = [p["step"] for p in line], [p["right"] for p in line]
            axes.plot(steps, right, label=variant, marker="os^vDP*X<>"[number % 10], markevery=4, markersize=4)
    axes.set(xlabel="steps, warm-up included", ylabel="share of seeds right", ylim=(-0.03, 1.03))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, dpi=130, bbox_inches="tight")
    plt.close(figure)


def draw_strips(results: Results, run: Path, world: str, path: Path, seed: int) -> None:
    """Frames of a held-out clip and of its translations, both directions side by side."""
    variants = list(results["grid"]["variants"])
    cells = {variant: run / "cells" / world / variant / f"seed-{seed}" for variant in variants}
    paired = results["cells"][0]["video"]["paired"]
    columns = []
    for source, target in (("x", "y"), ("y", "x")):
        clips = {f"{source}, given": cells[variants[0]] / f"{source}.mp4"}
        if paired:
            clips[f"{target}, truth"] = cells[variants[0]] / f"{target}.mp4"
        clips |= {variant: folder / f"to_{target}.mp4" for variant, folder in cells.items()}
        columns.append(clips)
    figure, axes = plt.subplots(len(columns[0]), 2, figsize=(11.5, 0.8 * len(columns[0])), squeeze=False)
    for column, clips in enumerate(columns):
        for row, (name, file) in enumerate(clips.items()):
            [sequence] = open_source(file).sequences
            frames = sequence.read(0, FRAMES)
            own = axes[row][column]
            own.imshow(np.concatenate(list(frames), axis=1))
            own.set(xticks=[], yticks=[])
            own.set_ylabel("" if column and name in cells else name, rotation=0, ha="right", va="center", fontsize=8)
    figure.tight_layout(pad=0.3, w_pad=1)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def main(arguments: list[str] | None = None) -> None:
    """Keeps the results of a grid and makes its pictures, and the page's tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", help="the folder of a finished grid")
    parser.add_argument("name", nargs="?", help="its name on the page")
    parser.add_argument("--seed", type=int, default=0, help="whose videos are shown")
    options = parser.parse_args(arguments)
    if options.run is not None:
        if options.name is None:
            parser.error("a run needs a name on the page")
        RESULTS.mkdir(exist_ok=True)
        shutil.copyfile(options.run / "results.json", RESULTS / f"{options.name}.json")
        results = json.loads((options.run / "results.json").read_text(encoding="utf-8"))
        for world, found in results["worlds"].items():
            draw_strips(results, options.run, world, ASSETS / f"results_{options.name}_{world}.png", options.seed)
            if found["outcomes"]:
                draw_success(results, world, ASSETS / f"results_{options.name}_success.png")
    PAGE.write_text(page_of(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
