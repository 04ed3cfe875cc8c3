"""The videos of a report, as text within the page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtrans.ablation.tables import shown

MOST_BYTES = 12_000_000
"""Videos that a report holds; of further seeds they stay in the folders of the cells."""

VIDEOS = ("x.mp4", "y.mp4", "to_x.mp4", "to_y.mp4")

Clips = dict[str, dict[str, Any]]


def clips_of(results: Mapping[str, Any], folders: Mapping[tuple[str, str, str], Path]) -> tuple[Clips, list[str]]:
    """The videos of each world, seed by seed until they are too many.

    Args:
        results: What :func:`vtrans.ablation.summary.summarise` returned.
        folders: The folder of each cell, by world, variant and seed.

    Returns:
        The videos as base64 with what is said of them, by world; and the seeds that are left out.
    """
    cells = {(cell["world"], cell["variant"], str(cell["seed"])): cell for cell in results["cells"]}
    found: Clips = {}
    total, left_out = 0, []
    for seed in map(str, results["grid"]["seeds"]):
        of_seed = {world: _of_seed(results, cells, folders, world, seed) for world in results["worlds"]}
        size = sum(_size(clips) for clips in of_seed.values() if clips)
        if total and total + size > MOST_BYTES:
            left_out.append(seed)
            continue
        total += size
        for world, clips in of_seed.items():
            if clips:
                facts = next(
                    cell["video"] for key, cell in cells.items() if key[0] == world and cell["video"]["frames"]
                )
                found.setdefault(world, {**facts, "seeds": {}})["seeds"][seed] = clips
    return found, left_out


def frames_note(clips: Clips, left_out: list[str]) -> str:
    """What is shown and what is not, in words."""
    seeds = len(next(iter(clips.values()))["seeds"])
    if left_out:
        return f"{seeds} seeds can be chosen; the videos of {', '.join(left_out)} lie in the folders of their cells."
    return "Every seed can be chosen." if seeds > 1 else ""


def _of_seed(
    results: Mapping[str, Any],
    cells: Mapping[tuple[str, str, str], Mapping[str, Any]],
    folders: Mapping[tuple[str, str, str], Path],
    world: str,
    seed: str,
) -> dict[str, Any] | None:
    made = []
    source: Path | None = None
    for variant in results["grid"]["variants"]:
        folder = folders.get((world, variant, seed))
        if folder is not None and all((folder / name).is_file() for name in VIDEOS):
            source = source or folder
            notes = {to: _note(results, cells[world, variant, seed], world, to) for to in ("x", "y")}
            made.append(
                {"name": variant, "notes": notes, "x": _text(folder / "to_x.mp4"), "y": _text(folder / "to_y.mp4")}
            )
    if source is None:
        return None
    return {"x": _text(source / "x.mp4"), "y": _text(source / "y.mp4"), "made": made}


def _note(results: Mapping[str, Any], cell: Mapping[str, Any], world: str, to: str) -> str:
    """The first number of a translation."""
    for name in results["worlds"][world]["numbers"]:
        metric, _, side = name.partition("/")
        value = cell["curve"][-1].get(name) if cell["curve"] else None
        if side == to and value is not None:
            facts = results["metrics"][metric]
            return f"{metric} {shown(value, facts['digits'])}{' ' * bool(facts['unit'])}{facts['unit']}"
    return ""


def _text(file: Path) -> str:
    return b64encode(file.read_bytes()).decode("ascii")


def _size(clips: Mapping[str, Any]) -> int:
    return len(clips["x"]) + len(clips["y"]) + sum(len(made["x"]) + len(made["y"]) for made in clips["made"])
