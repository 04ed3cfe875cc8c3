"""Checkpoints: which are kept and used, of what model they are, and what a full disk leaves of them."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.damage import at, edited, flip, remove, truncate
from helpers.runs import MODEL, SETTINGS, assert_same, bits, lines, newest, resume

from vtrans.training import Callback, ModelSettings, load_checkpoint, prepare, train
from vtrans.training.checkpoints import FORMAT, OtherFormatError, checkpoints_in


@pytest.mark.parametrize(("name", "damage"), [("state.safetensors", truncate), ("manifest.json", remove)])
def test_the_checkpoint_before_a_damaged_one_is_used(run, straight, capsys, name, damage):
    damage(newest(run) / name)
    outcome = resume(run)
    assert outcome.done == 4
    told = capsys.readouterr().out
    assert name in told and "The checkpoint before it is taken" in told and "Going on after 2 steps." in told
    assert_same(run, straight)
    assert (run / "checkpoints" / "damaged-step-000004").is_dir(), "it is kept, to be looked at"


def test_a_damaged_newest_one_never_outlives_the_good_ones(run, monkeypatch):
    """Kept by its number, it would be the only one left after the others were pruned."""
    flip(newest(run) / "state.safetensors")

    class Gone(Callback):
        def on_checkpoint(self, run, checkpoint):
            raise KeyboardInterrupt

    settings = replace(SETTINGS, steps=4, checkpoint_every=1, keep_last=1)
    with pytest.raises(KeyboardInterrupt):
        train(prepare(settings), run, resume="auto", hooks=[Gone()])
    assert [path.name for path in checkpoints_in(run / "checkpoints")] == ["step-000003"]
    assert train(prepare(settings), run, resume="auto").done == 4


def test_without_a_good_one_nothing_is_touched(run):
    for checkpoint in checkpoints_in(run / "checkpoints"):
        truncate(checkpoint / "state.json")
    before = {path: path.read_bytes() for path in (run / "checkpoints").rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=r"(?s)step-000004.state.json.*No checkpoint in .* can be used, and nothing"):
        resume(run)
    assert before == {path: path.read_bytes() for path in (run / "checkpoints").rglob("*") if path.is_file()}
    assert (run / "metrics.jsonl").read_text().count("\n") == 4


def test_another_format_is_named_and_not_taken_for_damage(run, capsys):
    edited(newest(run), "manifest.json", at("format", value=FORMAT + 1))
    with pytest.raises(
        OtherFormatError, match=rf"expected a checkpoint of format {FORMAT}, .*, got format {FORMAT + 1}"
    ):
        resume(run)
    assert newest(run).name == "step-000004"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": ModelSettings(**{**vars(MODEL), "generator": ["resnet", {"blocks": 1, "width": 8}]})}, "shape"),
        ({"model": ModelSettings(**{**vars(MODEL), "losses": None})}, "pools of the checkpoint: expected none, got x"),
        ({"model": replace(MODEL, generator=["resnet", {"blocks": 2, "width": 4}])}, "weight is missing"),
        ({"ema": 0.9}, "expected averages of weights, as ema says, got none"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(run, tmp_path, changes, message):
    before = bits(newest(run))
    other = replace(SETTINGS, **changes)
    with pytest.raises(ValueError, match=message):
        train(prepare(other), tmp_path / "other", resume=str(newest(run)))
    assert not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="the settings that it was begun with"):
        train(prepare(other), run, resume="auto")
    assert bits(newest(run)) == before


def test_last_ones_milestones_and_best_are_kept(tmp_path):
    class Measured(Callback):
        def on_step(self, run, report):
            run.numbers["score/psnr"] = {1: 5.0, 3: 7.0, 5: 6.0}.get(run.done, 1.0)

    settings = replace(SETTINGS, steps=9, checkpoint_every=2, keep_last=1, milestone_every=4, best="score/psnr")
    train(prepare(settings), tmp_path / "run", hooks=[Measured()])
    kept = [path.name for path in checkpoints_in(tmp_path / "run" / "checkpoints")]
    assert kept == ["step-000003", "step-000004", "step-000008", "step-000009"]
    assert json.loads((newest(tmp_path / "run") / "state.json").read_text())["progress"]["best"] == {
        "name": "score/psnr",
        "value": 7.0,
        "step": 3,
    }


def test_the_best_by_held_out_clips_of_a_world(tmp_path):
    settings = replace(SETTINGS, steps=6, checkpoint_every=6, keep_last=1, validate_every=2, best="held_out/psnr/y")
    train(prepare(settings), tmp_path / "run")
    scores = {line["step"]: line["held_out/psnr/y"] for line in lines(tmp_path / "run") if "held_out/psnr/y" in line}
    assert sorted(scores) == [2, 4, 6]
    best = max(scores, key=scores.get)
    names = [path.name for path in checkpoints_in(tmp_path / "run" / "checkpoints")]
    assert names == sorted({f"step-{best:06d}", "step-000006"})


@pytest.mark.parametrize("name", ["discriminator/x", "total/discriminators"])
def test_the_best_by_a_number_of_the_training(tmp_path, name):
    settings = replace(SETTINGS, steps=8, keep_last=1, best=name)
    train(prepare(settings), tmp_path / "run")
    values = {line["step"]: line[name] for line in lines(tmp_path / "run") if line["step"] % 2 == 0}
    best = min(values, key=values.get)
    names = [path.name for path in checkpoints_in(tmp_path / "run" / "checkpoints")]
    assert names == sorted({f"step-{best:06d}", "step-000008"})


def test_another_number_to_watch_starts_anew(tmp_path):
    settings = replace(SETTINGS, steps=2, best="lr")
    train(prepare(settings), tmp_path / "run")
    train(prepare(replace(settings, steps=4, best="total/discriminators")), tmp_path / "run", resume="auto")
    best = json.loads((newest(tmp_path / "run") / "state.json").read_text())["progress"]["best"]
    assert best["name"] == "total/discriminators" and best["step"] == 4 and best["value"] > 2e-4


def test_a_disk_that_is_full_in_the_middle_of_a_run(run, monkeypatch):
    """The last good checkpoint stays whole, the message says so, and the run goes on when there is room again."""
    before = bits(newest(run))

    def full(tensors, path, *args, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Late(Callback):
        def on_step(self, run, report):
            monkeypatch.setattr("safetensors.torch.save_file", full)

    settings = replace(SETTINGS, steps=6)
    with monkeypatch.context(), pytest.raises(OSError) as caught:
        train(prepare(settings), run, resume="auto", hooks=[Late()])
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    assert "step-000006 could not be written (No space left on device); the last good one is" in str(caught.value)
    assert "step-000004. Free some space, and go on with --resume auto." in str(caught.value)
    assert bits(newest(run)) == before
    train(prepare(settings), run, resume="auto")
    assert newest(run).name == "step-000006"


def test_a_start_on_a_full_disk_leaves_the_run_as_it_was(run, monkeypatch):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            resume(run, steps=6)
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_nothing_of_what_was_loaded_stays_in_its_file(run):
    """A checkpoint is removed when newer ones are there: then its room is to be free."""
    model = prepare(SETTINGS).model
    optimizers = model.optimizers()
    load_checkpoint(newest(run), model, optimizers)
    assert model.pools["x"].images and optimizers["generators"].state
    assert str(newest(run)) not in Path("/proc/self/maps").read_text()
