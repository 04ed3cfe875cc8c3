"""Tiny grids, and made-up results of larger ones."""

from vtrans.ablation import Grid
from vtrans.ablation.summary import summarise

BASE = {
    "model": {
        "generator": ["resnet", {"blocks": 1, "width": 4}],
        "predictor": ["unet", {"depth": 2, "width": 4}],
        "discriminator": ["n_layers", {"layers": 1, "width": 4}],
    },
    "data": {"size": 16},
    "threads": 1,
    "device": "cpu",
}
GRID = {
    "worlds": ["motion_keyed"],
    "variants": ["cycle_gan", "recycle_gan"],
    "seeds": 1,
    "base": BASE,
    "budget": {"steps": 2, "batch": 1},
    "score_every": 1,
    "metrics": ["settled", "recycle"],
}


def grid(**changes):
    return Grid.of({**GRID, **changes})


def result(variant, seed, *lines, world="motion_keyed", status="finished", **rest):
    """A result as a cell leaves it; lines are mappings of numbers at steps 1, 2, …"""
    return {
        "world": world,
        "variant": variant,
        "seed": seed,
        "status": status,
        "steps": len(lines),
        "seconds": 10.0 + seed,
        "curve": [{"step": step, **line} for step, line in enumerate(lines, 1)],
        "initial": {"G_X": f"g{seed}"},
        "first_batch": f"b{seed}",
        "held_out": f"h{seed}",
        "objective": {"notes": [], "phases": []},
        "machine": {"processor": "a"},
        "versions": {"vtrans": "0"},
        **rest,
    }


def settled(values, variants=("a", "b"), **content):
    """A summary of made-up cells: ``values[variant]`` has each seed's (x, y) at the end."""
    given = {
        **GRID,
        "variants": {variant: {"recipe": "gan"} for variant in variants},
        "seeds": len(values[variants[0]]),
        "metrics": None,
        **content,
    }
    results = [
        result(variant, seed, {"settled/y": 0.5, "settled/x": 0.5}, {"settled/y": y, "settled/x": x})
        for variant in variants
        for seed, (x, y) in enumerate(values[variant])
    ]
    return summarise(Grid.of(given), results)
