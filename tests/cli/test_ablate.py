"""``vtrans ablate`` as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from vtrans.cli import main

BASE = {
    "model": {
        "generator": ["resnet", {"blocks": 1, "width": 4}],
        "predictor": ["unet", {"depth": 2, "width": 4}],
        "discriminator": ["n_layers", {"layers": 1, "width": 4}],
    },
    "threads": 1,
    "checkpoint_every": 1,
}
SMALL = ["--base", json.dumps(BASE), "--size", "16", "--batch", "1", "--device", "cpu"]
WORDS = ["ablate", "--world", "motion_keyed", "--recipes", "gan", "cycle_gan", *SMALL, "--metrics", "settled"]


def fails(capsys, *words):
    assert main(list(words)) == 2
    error = capsys.readouterr().err
    assert error.startswith("vtrans: error: ") and error.count("\n") == 1
    return error.removeprefix("vtrans: error: ").strip()


def test_one_command_leaves_tables_and_a_report(tmp_path, capsys):
    assert main([*WORDS, "--steps", "2", "--seeds", "1", "--out", "runs/a"]) == 0
    printed = capsys.readouterr().out
    assert (
        "2 cells of 2 steps, 0 of them finished." in printed and "1/2 motion_keyed, gan, seed 0: settled/y" in printed
    )
    assert "| variant | right | wrong | undecided |" in printed and "report.html" in printed
    out = tmp_path / "runs/a"
    assert all((out / name).is_file() for name in ("results.json", "table.md", "table.tex", "report.html"))
    assert main([*WORDS, "--steps", "2", "--seeds", "2", "--out", "runs/a"]) == 0
    assert "4 cells of 2 steps, 2 of them finished." in capsys.readouterr().out
    assert len(json.loads((out / "results.json").read_text())["cells"]) == 4
    message = fails(capsys, *WORDS, "--steps", "3", "--seeds", "2", "--out", "runs/a")
    assert "expected the grid that it was begun with, or more cells of it, got base.steps 3 instead of 2" in message


def test_a_grid_from_a_file(tmp_path, capsys):
    grid = {
        "worlds": {"small": {"data": {"world": "motion_keyed", "size": 16}}},
        "variants": {"joint": {"recipe": "recycle_gan"}, "warm": {"recipe": "recycle_gan", "warm_up": 1}},
        "base": BASE,
        "budget": {"steps": 2, "batch": 1},
        "seeds": [4],
        "compare": [["joint", "warm"]],
    }
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(grid))
    assert main(["ablate", "--config", "grid.yaml", "--device", "cpu", "--out", "out"]) == 0
    found = json.loads((tmp_path / "out/results.json").read_text())
    assert [cell["seed"] for cell in found["cells"]] == [4, 4]
    (test,) = found["worlds"]["small"]["outcomes"]["settled"]["tests"]
    assert (test["first"], test["second"]) == ("joint", "warm")


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    assert main([*WORDS, "--seeds", "3", "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "6 cells, 0 of them finished: 1 world, 2 variants, seeds 0, 1, 2" in printed and '"recipe": "gan"' in printed
    assert "compared: gan and cycle_gan" in printed and "parameters: G_X" in printed
    assert not list(tmp_path.iterdir())


def test_mistakes(capsys, tmp_path):
    assert "Unknown recipe 'cyclegan'. Did you mean 'cycle_gan'?" in fails(
        capsys, "ablate", "--world", "shapes", "--recipes", "cyclegan", "--out", "a"
    )
    assert "Unknown world 'motionkeyed'. Did you mean 'motion_keyed'?" in fails(
        capsys, "ablate", "--world", "motionkeyed", "--recipes", "gan", "--out", "a"
    )
    assert fails(capsys, *WORDS, "--seeds", "0", "--out", "a").startswith("seeds: expected how many seeds, at least 1")
    assert fails(capsys, *WORDS).startswith("out: expected a folder for the grid, got none.")
    assert fails(capsys, *WORDS, "--variants", '["gan"]', "--out", "a").startswith(
        "recipes: expected --recipes or vari"
    )
    assert "Did you mean '--seeds'" in fails(capsys, *WORDS, "--seed", "3", "--out", "a")
    (tmp_path / "bad.yaml").write_text("variant: {a: {recipe: gan}}\n")
    assert "Did you mean 'variants'?" in fails(capsys, "ablate", "--config", "bad.yaml", "--out", "a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    assert "which holds other files" in fails(capsys, *WORDS, "--out", "full")
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_two_at_a_time_give_the_same_numbers(tmp_path):
    common = [*WORDS, "--steps", "3", "--seeds", "1"]
    assert main([*common, "--out", "one"]) == 0
    assert main([*common, "--out", "two", "--jobs", "2"]) == 0
    one, two = (json.loads((tmp_path / name / "results.json").read_text())["cells"] for name in ("one", "two"))
    for first, second in zip(one, two, strict=True):
        assert first["curve"] == second["curve"] and first["initial"] == second["initial"]
    assert (tmp_path / "two/cells/motion_keyed/gan/seed-0.log").read_text().count("training:")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_grid_that_was_killed_goes_on_at_once(tmp_path):
    """Its processes end with it, whatever they are doing; so the same command finds nothing in use."""
    words = [*WORDS, "--steps", "30", "--score_every", "30", "--seeds", "1", "--jobs", "2", "--out", "out"]
    command = [sys.executable, "-m", "vtrans", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    limit = time.monotonic() + 120
    while len(list(tmp_path.glob("out/cells/*/*/*/checkpoints/step-*"))) < 2 and time.monotonic() < limit:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert main(words) == 0
    cells = json.loads((tmp_path / "out/results.json").read_text())["cells"]
    assert [cell["steps"] for cell in cells] == [30, 30] and all(cell["seconds"] > 0 for cell in cells)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to wait for")
def test_a_stop_reaches_every_process_and_the_grid_goes_on(tmp_path):
    words = [*WORDS, "--steps", "40", "--score_every", "40", "--seeds", "1", "--jobs", "2", "--out", "out"]
    command = [sys.executable, "-m", "vtrans", *words]
    with open(tmp_path / "said.txt", "w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=os.environ)
        limit = time.monotonic() + 120
        while len(list(tmp_path.glob("out/cells/*/*/*/checkpoints/step-*"))) < 2 and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert "Stopped with 0 of 2 cells finished." in (tmp_path / "said.txt").read_text()
    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert again.returncode == 0, again.stderr
    logs = [log.read_text() for log in tmp_path.glob("out/cells/*/*/*.log")]
    assert any("Going on after" in log for log in logs)
    assert not list(tmp_path.glob("out/cells/*/*/*/checkpoints"))
