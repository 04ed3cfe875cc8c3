"""A run that stops and goes on gives the same bits as one that never stopped."""

import json
import signal
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from vtrans.training import DataSettings, ModelSettings, TrainingSettings, prepare, train
from vtrans.training.checkpoints import checkpoints_in, load_checkpoint, save_checkpoint

SETTINGS = TrainingSettings(
    recipe="recycle_gan",
    model=ModelSettings(
        generator=["resnet", {"blocks": 1, "width": 4, "dropout": 0.2}],
        predictor=["unet", {"depth": 2, "width": 4}],
        discriminator=["n_layers", {"layers": 1, "width": 4}],
        losses={"adversarial": {"pool": 3}},
    ),
    data=DataSettings(world="shapes", size=16, crop=12, flip=True),
    steps=6,
    checkpoint_every=2,
    preview_every=3,
    log_every=1,
    device="cpu",
)


def tensors(folder):
    return load_file(folder / "model" / "model.safetensors")


def bits(folder):
    newest = checkpoints_in(folder / "checkpoints")[-1]
    return {**tensors(folder), **load_file(newest / "state.safetensors")}


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight") / "run"
    train(prepare(SETTINGS), folder)
    return folder


def test_a_resumed_run_equals_a_straight_one(straight, tmp_path):
    folder = tmp_path / "run"
    train(prepare(replace(SETTINGS, steps=3)), folder)
    torch.manual_seed(99)  # the state is the checkpoint's, not the process's
    train(prepare(SETTINGS), folder, resume="auto")
    expected, found = bits(straight), bits(folder)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert any(name.startswith("pools/y/") for name in expected)
    assert lines(folder) == lines(straight)


def test_a_run_can_start_from_another_ones_checkpoint(straight, tmp_path):
    first = checkpoints_in(straight / "checkpoints")[0]
    assert first.name == "step-000004"
    train(prepare(SETTINGS), tmp_path / "run", resume=str(first))
    assert all(torch.equal(tensors(straight)[name], tensor) for name, tensor in tensors(tmp_path / "run").items())


def test_a_run_leaves_all_its_parts(straight):
    assert sorted(path.name for path in straight.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "losses.png",
        "metrics.jsonl",
        "model",
        "previews",
    ]
    assert [path.name for path in checkpoints_in(straight / "checkpoints")] == ["step-000004", "step-000006"]
    assert sorted(path.name for path in (straight / "previews").iterdir()) == ["step-000003.png", "step-000006.png"]
    line = lines(straight)[-1]
    assert {"step", "lr", "recycle/x", "discriminator/y", "total/generators", "total/discriminators"} <= line.keys()


def test_a_signal_stops_a_run_at_a_checkpoint(straight, tmp_path, monkeypatch):
    prepared = prepare(SETTINGS)
    step = prepared.model.step

    def interrupted(*args, **options):
        if options["step"] == 2:
            signal.raise_signal(signal.SIGTERM)
        return step(*args, **options)

    monkeypatch.setattr(prepared.model, "step", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    outcome = train(prepared, tmp_path / "run")
    assert (outcome.done, outcome.signal) == (3, signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
    train(prepare(SETTINGS), tmp_path / "run", resume="auto")
    assert all(torch.equal(tensors(straight)[name], tensor) for name, tensor in tensors(tmp_path / "run").items())


def test_a_loss_that_is_not_finite_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    prepared = prepare(SETTINGS)
    step = prepared.model.step

    def broken(*args, **options):
        if options["step"] == 4:
            with torch.no_grad():
                next(prepared.model.networks["G_X"].parameters()).fill_(float("nan"))
        return step(*args, **options)

    monkeypatch.setattr(prepared.model, "step", broken)
    with pytest.raises(FloatingPointError, match=r"(?s)not finite at step 4.*last good checkpoint is .*step-000004"):
        train(prepared, tmp_path / "run")
    kept = checkpoints_in(tmp_path / "run" / "checkpoints")
    assert [path.name for path in kept] == ["step-000002", "step-000004"]
    assert not (tmp_path / "run" / "model").exists()


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    model = prepare(SETTINGS).model
    with torch.no_grad():
        next(model.parameters()).fill_(float("inf"))
    with pytest.raises(FloatingPointError, match="not finite: no checkpoint was written"):
        save_checkpoint(tmp_path / "checkpoints", 1, model, model.optimizers())
    assert not (tmp_path / "checkpoints").exists()


def test_a_checkpoint_that_breaks_off_leaves_no_trace(tmp_path, monkeypatch):
    model = prepare(SETTINGS).model

    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, 1, model, model.optimizers())
    assert list(tmp_path.iterdir()) == []


def test_damage_is_named(straight, tmp_path):
    model = prepare(SETTINGS).model
    checkpoint = save_checkpoint(tmp_path, 1, model, model.optimizers())
    (checkpoint / "state.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="expected a checkpoint, got damaged files"):
        load_checkpoint(checkpoint, model, model.optimizers())
    (checkpoint / "state.json").unlink()
    with pytest.raises(FileNotFoundError, match="no .*state.json"):
        load_checkpoint(checkpoint, model, model.optimizers())
