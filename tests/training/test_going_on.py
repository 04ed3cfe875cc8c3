"""Ways a run is taken up again, or is refused: by version and recipe, after damage, and without a reader."""

import json
import os
from dataclasses import replace

import pytest
import torch
import yaml
from helpers.runs import MODEL, SETTINGS, ended, newest, run_in, said, start

from vtrans.training import memory, prepare, train
from vtrans.training.checkpoints import checkpoints_in, load_checkpoint, save_checkpoint
from vtrans.training.devices import Devices


@pytest.fixture
def run(tmp_path):
    train(prepare(SETTINGS), tmp_path / "run")
    return tmp_path / "run"


def test_a_run_of_another_version_is_not_taken_up(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, "version": "9.9.0"}))
    with pytest.raises(
        ValueError, match=r"version: expected a config of vtrans 0\.1, got one that vtrans 9\.9\.0 wrote"
    ):
        train(prepare(replace(SETTINGS, steps=8)), run, resume="auto")
    assert yaml.safe_load((run / "config.yaml").read_text())["version"] == "9.9.0"


def test_a_checkpoint_of_another_recipe_is_refused_though_its_networks_fit(run, tmp_path):
    with pytest.raises(ValueError, match="expected a checkpoint of the recipe cycle_gan, got of gan"):
        train(prepare(replace(SETTINGS, recipe="cycle_gan")), tmp_path / "other", resume=str(newest(run)))


def test_a_run_begun_from_another_ones_checkpoint_has_one_of_its_own_at_once(run, tmp_path, monkeypatch):
    def killed(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("vtrans.training.trainer._steps", killed)
    with pytest.raises(KeyboardInterrupt):
        train(prepare(replace(SETTINGS, steps=9)), tmp_path / "on", resume=str(newest(run)))
    assert [path.name for path in checkpoints_in(tmp_path / "on" / "checkpoints")] == ["step-000006"]
    monkeypatch.undo()
    assert train(prepare(replace(SETTINGS, steps=9)), tmp_path / "on", resume="auto").done == 9
    assert json.loads((tmp_path / "on" / "metrics.jsonl").read_text().splitlines()[0])["step"] == 7


def test_a_run_killed_while_its_config_is_written_begins_anew(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.yaml.part").write_text("recipe: ga")
    assert train(prepare(SETTINGS), tmp_path / "run", resume="auto").done == 6


def test_damaged_lines_of_metrics_are_left_out(run):
    text = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_bytes(b"no json}\n\xff\xfe\n[1]\n" + text.encode())
    train(prepare(replace(SETTINGS, steps=8)), run, resume="auto")
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_misspelt_number_to_watch_is_named(tmp_path):
    settings = replace(SETTINGS, best="held_out/psnr/z", validate_every=2)
    with pytest.raises(ValueError, match="Unknown number to watch as best: 'held_out/psnr/z'. Did you mean"):
        train(prepare(settings), tmp_path / "run")


def without_reader(folder):
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, 1)
    with pytest.raises(BrokenPipeError):
        os.write(1, b"nobody")
    return run_in(folder, SETTINGS)


def test_a_reader_that_goes_away_does_not_end_a_run(tmp_path):
    """As in `vtrans train … | head -1`."""
    folder = tmp_path / "run"
    assert ended([start(folder, without_reader, folder)]) == [0], said(folder)
    assert newest(folder).name == "step-000006"


def test_scaled_losses_go_on_after_a_checkpoint(tmp_path):
    def ready():
        prepared = prepare(SETTINGS)
        prepared.devices.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4, growth_interval=3)
        return prepared.model, prepared.model.optimizers(), prepared.devices

    def step(model, optimizers, devices, seed):
        torch.manual_seed(seed)
        x, y = torch.rand(2, 1, 1, 3, 12, 12).mul(2).sub(1).unbind()
        for phase, optimizer in optimizers.items():
            optimizer.zero_grad()
            devices.backward(model.loss(phase, x, y).total)
            devices.update(optimizer)
        devices.finish_step()

    first, second = ready(), ready()
    step(*first, seed=1)
    save_checkpoint(tmp_path, 1, first[0], first[1], devices=first[2])
    load_checkpoint(tmp_path / "step-000001", second[0], second[1], devices=second[2])
    for parts in (first, second):
        step(*parts, seed=2)
    assert first[2].scaler_state() == second[2].scaler_state()
    assert all(torch.equal(a, b) for a, b in zip(first[0].parameters(), second[0].parameters(), strict=True))


def test_the_estimate_does_not_compile(tmp_path):
    prepared = prepare(replace(SETTINGS, compile=True))
    assert "GiB" in memory.summary(prepared)


def test_advice_divides_odd_batches_evenly():
    prepared = prepare(replace(SETTINGS, batch=3, model=MODEL))
    assert "--accumulate 3" in memory.advice(prepared)
    assert isinstance(prepared.devices, Devices) and prepared.devices.share_of(3, 3) == 3
