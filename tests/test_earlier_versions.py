"""What earlier versions left behind is read: a model, a run with its checkpoint, a cache, and former import paths."""

import importlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import vtrans
from vtrans.cli import main
from vtrans.moved import MOVED

FILES = Path(__file__).parent / "data" / "files" / "version_0_1"


@pytest.fixture
def left(tmp_path):
    """A copy of what was left, whose run knows where its clips are."""
    copy = tmp_path / "left"
    shutil.copytree(FILES, copy)
    config = copy / "run" / "config.yaml"
    config.write_text(config.read_text().replace("CLIPS", str(copy)))
    return copy


@pytest.mark.parametrize(("folder", "to"), [("model", "y"), ("run/model", "x")])
def test_a_model_translates_as_it_did(left, folder, to):
    model = vtrans.TranslationModel.from_pretrained(left / folder)
    translated = model.translate(torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16), to=to)
    torch.testing.assert_close(translated, load_file(left / "translated.safetensors")[folder.partition("/")[0]])


def test_a_run_goes_on(left, capsys):
    run = left / "run"
    saved = load_file(run / "checkpoints" / "step-000004" / "state.safetensors")
    assert (
        main(["train", "--config", str(run / "config.yaml"), "--out", str(run), "--resume", "auto", "--steps", "6"])
        == 0
    )
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    again = load_file(run / "checkpoints" / "step-000006" / "state.safetensors")
    assert again.keys() == saved.keys()
    assert lines[-1].keys() == lines[3].keys()


def test_a_run_translates(left):
    assert main(["translate", str(left / "run"), str(left / "x.mp4"), str(left / "out.mp4"), "--to", "y"]) == 0
    assert (left / "out.mp4").stat().st_size > 0


def test_a_cache_is_used(left, monkeypatch):
    """Nothing is decoded anew: indexes and frames have the names that their contents have today."""
    monkeypatch.setenv("VTRANS_CACHE", str(left / "cache"))
    kept = {path: path.stat().st_ino for path in (left / "cache").rglob("*") if path.suffix in (".json", ".frames")}
    config = ["--config", str(left / "run" / "config.yaml"), "--data.memory", "0.00001", "--data.held_out", "0"]
    rest = ["--best", "null", "--validate_every", "0", "--steps", "1", "--out", str(left / "new")]
    assert main(["train", *config, *rest]) == 0
    there = [path for path in (left / "cache").rglob("*") if path.suffix in (".json", ".frames")]
    assert {path: path.stat().st_ino for path in there} == kept and len(kept) == 4


@pytest.mark.parametrize("former", MOVED)
def test_former_paths_lead_to_the_same_names(former):
    with pytest.warns(DeprecationWarning, match=f"{former} has moved: import {MOVED[former]}"):
        module = importlib.reload(importlib.import_module(former))
    now = importlib.import_module(MOVED[former])
    public = [name for name in vars(now) if not name.startswith("_")]
    assert public and all(getattr(module, name) is getattr(now, name) for name in public)
