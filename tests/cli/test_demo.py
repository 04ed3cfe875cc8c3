"""The demo leaves what it promises; the full one learns to translate."""

import json
from pathlib import Path

import pytest

from vtrans.cli import main
from vtrans.data import open_source

FILES = {"comparison.mp4", "strip.png", "losses.png", "scores.json", "model", "config.yaml", "metrics.jsonl"}


def test_a_short_demo_produces_every_file(capsys):
    Path("runs/demo").mkdir(parents=True)
    assert main(["demo", "--steps", "2"]) == 0
    text = capsys.readouterr().out
    assert "runs/demo is there already: this run goes to runs/demo-2." in text
    assert "x to y     vtrans" in text and "y to x     copy" in text
    folder = Path("runs/demo-2")
    assert {path.name for path in folder.iterdir()} >= FILES
    video = open_source(folder / "comparison.mp4").sequences[0]
    assert (video.width, video.rate) == (4 * 192 + 3 * 2, 25)
    assert main(["demo", "--out", str(folder)]) == 2


@pytest.mark.slow
def test_the_demo_translates():
    assert main(["demo", "--out", "demo"]) == 0
    for direction, scores in json.loads(Path("demo/scores.json").read_text()).items():
        for baseline in ("untrained", "copy"):
            assert scores["vtrans"]["psnr"] > scores[baseline]["psnr"] + 6, direction
            assert scores["vtrans"]["ssim"] > scores[baseline]["ssim"] + 0.3, direction
