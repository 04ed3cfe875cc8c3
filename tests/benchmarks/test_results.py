"""The page of results is that of the grids on file, and these grids can be run."""

import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.ablations import displacement, publish  # noqa: E402
from vtrans.ablation import Grid  # noqa: E402
from vtrans.data.worlds.motion_keyed import MotionKeyed  # noqa: E402


def test_the_page_is_that_of_the_results():
    text = publish.PAGE.read_text(encoding="utf-8")
    assert publish.page_of(text) == text, "run: python benchmarks/ablations/publish.py"


GRIDS = [name for _, kind, name, _ in publish.PART.findall(publish.PAGE.read_text(encoding="utf-8")) if kind == "grid"]


@pytest.mark.parametrize("name", GRIDS)
def test_its_grids_are_those_that_were_run(name):
    written = yaml.safe_load((ROOT / "benchmarks" / "ablations" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert Grid.of(written).plain() == publish.results_of(name)["grid"]


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "ablations").glob("*.yaml")), ids=lambda path: path.stem)
def test_grids_are_sound(path):
    assert Grid.of(yaml.safe_load(path.read_text(encoding="utf-8"))).cells()


class Shifting:
    """Translates exactly, or into the wrong looks, and moves everything."""

    def __init__(self, truth, shift):
        self.truth, self.shift = truth, shift

    def translate(self, frames, to):
        return frames.new_tensor(self.truth).permute(0, 3, 1, 2).div(127.5).sub(1).roll(self.shift, -1)


@pytest.mark.parametrize("to", ["x", "y"])
@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("shift", [0, 5, -7])
def test_how_far_discs_were_moved(to, right, shift):
    world = MotionKeyed(size=displacement.SIZE, seed=3)
    drawn = (world if right else world.swapped).pairs(displacement.CLIPS, 1)["xy".index(to)][:, 0]
    shifts, share = displacement.measure(Shifting(drawn, shift), 3, to)
    assert shifts.tolist() == [shift, shift]
    assert share == (1 if right else 0)
