"""How far trained generators move the discs of ``motion_keyed``, and which pairing they show where they moved them.

    python benchmarks/ablations/displacement.py runs/motion_keyed motion_keyed

Recycling alone lets a wrong pairing stand if generators move things. For every finished cell this finds the horizontal
shift at which a translated disc agrees best with where it should be, and the share of right colours there; and, with
predictors, where a disc of X is after each step of recycling. Results go to ``results/NAME_displacement.json``.
"""

import argparse
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

import vtrans
from vtrans.data import frames_to_tensor, tensor_to_frames
from vtrans.data.tensors import Frames
from vtrans.data.worlds.motion_keyed import MotionKeyed

RESULTS = Path(__file__).parent / "results"
SIZE, CLIPS = 32, 32
Array = npt.NDArray[np.float64]


def salience(frame: Array) -> Array:
    """How much each pixel differs from the background, which is the same in every column."""
    return np.asarray(np.abs(frame - np.median(frame, axis=1, keepdims=True)).sum(-1))


def shift_of(mask: Array, made: Array) -> int:
    """The shift along the cylinder at which a disc's mask finds most of what was made, in its own rows."""
    shifts = range(-SIZE // 2, SIZE // 2)
    return max(shifts, key=lambda shift: float((np.roll(mask, shift, axis=1) * made).sum()))


def kinds(wanted: Array, other: Array, to: str) -> tuple[Array, Array]:
    """The masks of the disc of each kind, from a frame in the right looks and in exchanged ones."""
    apart = np.abs(wanted - other).sum(-1)
    discs = apart >= 0.9 * apart.max()
    first = wanted[..., 0] > other[..., 0] if to == "y" else wanted[..., 0] < other[..., 0]
    return (discs & first).astype(float), (discs & ~first).astype(float)


def measure(model: vtrans.TranslationModel, seed: int, to: str) -> tuple[Array, float]:
    """Each kind's median shift, and the share of right colours where the discs are."""
    world = MotionKeyed(size=SIZE, seed=seed)
    source, truth = (world.pairs(CLIPS, 1)["xy".index(side)][:, 0] for side in ("y" if to == "x" else "x", to))
    swapped = world.swapped.pairs(CLIPS, 1)["xy".index(to)][:, 0]
    with torch.no_grad():
        made: Frames = tensor_to_frames(model.translate(frames_to_tensor(source), to=to))
    shifts: list[list[int]] = [[], []]
    right = []
    for given, wanted, other in zip(made.astype(float), truth.astype(float), swapped.astype(float), strict=True):
        seen = salience(given)
        for kind, mask in enumerate(kinds(wanted, other, to)):
            shift = shift_of(mask, seen)
            shifts[kind].append(shift)
            there = np.roll(mask, shift, axis=1) > 0
            looks = wanted[mask > 0].mean(0), other[mask > 0].mean(0)
            from_right, from_wrong = (np.square(given[there] - look).sum(-1) for look in looks)
            right.append(float((from_right < from_wrong).mean()))
    return np.array([np.median(of) for of in shifts]), float(np.mean(right))


def recycled(model: vtrans.TranslationModel, seed: int) -> dict[str, Any]:
    """Each kind's median place relative to the last frame seen, after G_Y, P_Y and G_X, and where it should be then."""
    networks = model.networks
    context = cast(int, networks["P_Y"].context)
    world = MotionKeyed(size=SIZE, seed=seed)
    x, other = world.pairs(CLIPS, context + 1)[0], world.swapped.pairs(CLIPS, context + 1)[0]
    clips = frames_to_tensor(x.reshape(-1, SIZE, SIZE, 3)).unflatten(0, (CLIPS, context + 1))
    with torch.no_grad():
        there = networks["G_Y"](clips[:, :-1].flatten(0, 1)).unflatten(0, (CLIPS, context))
        predicted = networks["P_Y"](there)
        back = networks["G_X"](predicted)
    stages = {"G_Y": there[:, -1], "P_Y": predicted, "G_X": back, "truth": clips[:, -1]}
    frames = {stage: tensor_to_frames(of).astype(float) for stage, of in stages.items()}
    masks = [kinds(*pair, "x") for pair in zip(x[:, -2].astype(float), other[:, -2].astype(float), strict=True)]
    places = {
        stage: [
            float(np.median([shift_of(m[kind], salience(f)) for m, f in zip(masks, of, strict=True)]))
            for kind in (0, 1)
        ]
        for stage, of in frames.items()
    }
    return {"error": round(float((back - clips[:, -1]).abs().mean()), 4), **places}


def main() -> None:
    """Measures every finished cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a finished grid")
    parser.add_argument("name", help="its name on the page")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: list[dict[str, Any]] = []
    for file in sorted(options.run.glob("cells/motion_keyed/*/*/result.json")):
        cell = json.loads(file.read_text(encoding="utf-8"))
        model = vtrans.TranslationModel.from_pretrained(str(file.parent / "model"))
        row: dict[str, Any] = {"variant": cell["variant"], "seed": cell["seed"]}
        for to in "yx":
            shifts, right = measure(model, cell["seed"], to)
            row[to] = {"shifts": shifts.tolist(), "right_where_they_are": round(right, 4)}
        if "P_Y" in model.networks:
            row["recycled"] = recycled(model, cell["seed"])
        found.append(row)
        print(row, flush=True)
    found.sort(key=lambda row: (row["variant"], row["seed"]))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{options.name}_displacement.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
