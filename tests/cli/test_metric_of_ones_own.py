"""A metric of one's own, registered once, is measured by every command that measures."""

import json
import sys

import pytest

from vtrans.cli.main import main
from vtrans.evaluation import metrics
from vtrans.training.checkpoints import checkpoints_in, step_of

MODULE = '''
from vtrans.evaluation import PerFrame, metrics


@metrics.register("redness")
class Redness(PerFrame):
    """How red translated frames are."""

    title, better = "red", "higher"

    def measure(self, chunk):
        return chunk["output"][:, 0].mean(dim=(1, 2))
'''
SMALL = {
    "generator": ["resnet", {"blocks": 1, "width": 4}],
    "discriminator": ["n_layers", {"layers": 1, "width": 4}],
}
MINE = ["--import", "redness_of_mine"]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with a module that registers a metric."""
    (tmp_path / "redness_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    if "redness" in metrics:
        metrics.remove("redness")
    sys.modules.pop("redness_of_mine", None)


def test_it_is_listed_trained_by_evaluated_and_compared(mine, tmp_path, capsys):
    model = [word for name, value in SMALL.items() for word in (f"--model.{name}", json.dumps(value))]
    run = ["train", "gan", *model, "--data.world", "shapes", "--data.size", "16", "--out", "run", "--steps", "3"]
    run += ["--device", "cpu", "--preview_every", "0", "--log_every", "1", "--lr", "0.05", "--keep_last", "1"]
    best = ["--validate_every", "1", "--best", "held_out/redness/y"]
    assert main([*run, *best]) == 2
    assert "Unknown metric 'redness'." in (told := capsys.readouterr().err) and "--import MODULE registers it" in told

    assert main(["list", *MINE, "metrics"]) == 0
    assert "redness              How red translated frames are." in capsys.readouterr().out

    assert main([*run, *MINE, *best]) == 0
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    watched = {line["step"]: line["held_out/redness/y"] for line in lines}
    assert {"held_out/redness/x", "held_out/psnr/y", "held_out/cycle/x"} <= lines[0].keys()
    kept = {step_of(path) for path in checkpoints_in(tmp_path / "run/checkpoints")}
    assert len(watched) == 3 and kept == {max(watched, key=watched.get), 3}

    assert main(["evaluate", *MINE, "run", "--metrics", "redness"]) == 0
    values = json.loads((tmp_path / "run/evaluation/evaluation.json").read_text())["values"]
    found = {f"{value['metric']}/{value['to']}": value for value in values}
    assert found["redness/y"]["value"] == pytest.approx(watched[3], abs=0.01)  # rounded to 8 bits
    assert len(found["redness/y"]["sequences"]) == found["redness/y"]["count"] / 8 == 8

    (tmp_path / "grid.yaml").write_text(
        json.dumps({"world": ["shapes"], "recipes": ["gan"], "base": {"model": SMALL}, "metrics": ["redness"]})
    )
    sizes = ["--steps", "1", "--batch", "1", "--size", "16", "--device", "cpu", "--out", "grid"]
    assert main(["ablate", *MINE, "--config", "grid.yaml", *sizes]) == 0
    results = json.loads((tmp_path / "grid/results.json").read_text())
    assert results["metrics"]["redness"]["title"] == "red"
    assert set(results["worlds"]["shapes"]["numbers"]) == {"redness/y", "redness/x"}
