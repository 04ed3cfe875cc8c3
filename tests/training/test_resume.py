"""A run that stops and goes on gives the same bits as one that never stopped."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.runs import (
    SETTINGS,
    WITH_EVERYTHING,
    Stop,
    StopAfter,
    assert_same,
    bits,
    ended,
    lines,
    newest,
    run_in,
    said,
    start_two,
)

from vtrans.training import Callback, DataSettings, prepare, train
from vtrans.training.checkpoints import checkpoints_in


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight") / "run"
    train(prepare(WITH_EVERYTHING), folder)
    return folder


def crash(folder, settings, step, resume="never"):
    with pytest.raises(Stop):
        train(prepare(settings), folder, resume=resume, hooks=[StopAfter(step)])


@pytest.mark.parametrize("step", [2, 3, 5])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_equals_a_straight_one(straight, tmp_path, step, workers):
    """With dropout, pools, averages, parts, phases that begin later, schedules, crops, flips and jitter."""
    folder = tmp_path / "run"
    settings = replace(WITH_EVERYTHING, data=replace(WITH_EVERYTHING.data, workers=workers))
    crash(folder, settings, step)
    torch.manual_seed(99)  # the state is the checkpoint's, not the process's
    np.random.seed(99)
    train(prepare(settings), folder, resume="auto")
    assert_same(folder, straight)


def test_what_is_compared_has_everything(straight):
    """Else the tests here would prove less than they say."""
    files = bits(newest(straight))["files"]
    assert set(files) == {
        "state.json",
        "state.safetensors",
        "process-0.json",
        "process-0.safetensors",
        "model/config.json",
        "model/model.safetensors",
    }
    from safetensors import safe_open

    names = [
        name
        for file in ("state", "process-0")
        for name in safe_open(newest(straight) / f"{file}.safetensors", "pt").keys()
    ]
    for start in ("optimizers/generators/", "optimizers/warm_up/", "weights/networks.G_X", "pools/y/2", "random/"):
        assert any(name.startswith(start) for name in names), start
    assert len(lines(straight)) == 6 and len({json.dumps(line) for line in lines(straight)}) == 6


def test_resumed_twice_across_the_end_of_an_epoch(tmp_path):
    """The world has 32 streams; with long distances between clips there are few of them in an epoch."""
    data = replace(SETTINGS.data, every=16)
    settings = replace(SETTINGS, data=data, batch=8, steps=9, schedule="cosine", log_every=3)
    prepared = prepare(settings)
    assert settings.batch * 2 < len(prepared.clips_x) < settings.batch * settings.steps
    train(prepared, tmp_path / "straight")
    crash(tmp_path / "run", settings, 3)
    crash(tmp_path / "run", settings, 6, resume="auto")
    train(prepare(settings), tmp_path / "run", resume="auto")
    assert_same(tmp_path / "run", tmp_path / "straight")


@pytest.mark.parametrize("optimizer", ["foreach", "fused"])
def test_layouts_and_implementations_of_optimizers_resume_exactly(tmp_path, optimizer):
    settings = replace(SETTINGS, channels_last=True, optimizer=optimizer, data=replace(SETTINGS.data, crop=None))
    train(prepare(settings), tmp_path / "straight")
    crash(tmp_path / "run", settings, 3)
    train(prepare(settings), tmp_path / "run", resume="auto")
    assert_same(tmp_path / "run", tmp_path / "straight")


def test_a_run_can_start_from_another_ones_checkpoint(straight, tmp_path):
    first = checkpoints_in(straight / "checkpoints")[0]
    assert first.name == "step-000004"
    train(prepare(WITH_EVERYTHING), tmp_path / "run", resume=str(first))
    assert bits(newest(tmp_path / "run")) == bits(newest(straight))
    assert lines(tmp_path / "run") == lines(straight)[4:]


def test_a_run_leaves_all_its_parts(straight):
    assert sorted(path.name for path in straight.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "losses.png",
        "made_with.json",
        "metrics.jsonl",
        "model",
        "previews",
    ]
    assert [path.name for path in checkpoints_in(straight / "checkpoints")] == ["step-000004", "step-000006"]
    assert sorted(path.name for path in (straight / "previews").iterdir()) == ["step-000003.png", "step-000006.png"]
    line = lines(straight)[-1]
    assert {"step", "lr", "recycle/x", "discriminator/y", "total/generators", "total/discriminators"} <= line.keys()


class Signalled(Callback):
    def __init__(self, step, number):
        self.step, self.number = step, number

    def on_step(self, run, report):
        if run.done == self.step:
            signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_run_at_a_checkpoint(tmp_path, number, capsys):
    """Nothing but the checkpoint is written then: a machine that is taken away waits for seconds at most."""
    settings = replace(SETTINGS, log_every=2, preview_every=4)
    train(prepare(settings), tmp_path / "straight")
    before = signal.getsignal(number)
    outcome = train(prepare(settings), tmp_path / "run", hooks=[Signalled(3, number)])
    assert (outcome.done, outcome.signal) == (3, number)
    assert signal.getsignal(number) is before
    assert "stopping after this step, with a checkpoint" in capsys.readouterr().out
    assert newest(tmp_path / "run").name == "step-000003" and not (tmp_path / "run" / "previews").exists()
    train(prepare(settings), tmp_path / "run", resume="auto")
    assert_same(tmp_path / "run", tmp_path / "straight")


class Early(Callback):
    def on_step(self, run, report):
        run.stopping = run.done == 3


def test_a_callback_stops_a_run_after_its_step(tmp_path):
    outcome = train(prepare(SETTINGS), tmp_path / "run", hooks=[Early()])
    assert (outcome.done, outcome.signal) == (3, None)
    assert newest(tmp_path / "run").name == "step-000003"


def test_a_run_killed_after_its_last_checkpoint_is_completed(tmp_path):
    """Its ``model/`` was not written yet."""
    train(prepare(SETTINGS), tmp_path / "straight")
    crash(tmp_path / "run", SETTINGS, 6)
    assert not (tmp_path / "run" / "model").exists()
    train(prepare(SETTINGS), tmp_path / "run", resume="auto")
    assert_same(tmp_path / "run", tmp_path / "straight")
    assert (tmp_path / "run" / "losses.png").exists()


def test_a_line_that_was_cut_off_is_written_again(tmp_path):
    train(prepare(SETTINGS), tmp_path / "straight")
    crash(tmp_path / "run", SETTINGS, 5)
    file = tmp_path / "run" / "metrics.jsonl"
    file.write_text(file.read_text() + '{"step": 6, "advers')
    train(prepare(SETTINGS), tmp_path / "run", resume="auto")
    assert_same(tmp_path / "run", tmp_path / "straight")


def crashing(folder, settings, step, resume):
    train(prepare(settings), folder, resume=resume, hooks=[StopAfter(step)])


def test_two_processes_resume_exactly(tmp_path):
    settings = replace(WITH_EVERYTHING, preview_every=0, data=DataSettings(world="shapes", size=16, crop=12, flip=True))
    settings = replace(settings, accumulate=1)
    folders = tmp_path / "straight", tmp_path / "run"
    assert ended(start_two(folders[0], run_in, folders[0], settings)) == [0, 0], said(folders[0])
    assert "process-1.safetensors" in bits(newest(folders[0]))["files"]
    assert ended(start_two(folders[1], crashing, folders[1], settings, 3, "never")) == [2, 2], said(folders[1])
    assert newest(folders[1]).name == "step-000002"
    assert ended(start_two(folders[1], run_in, folders[1], settings, "auto")) == [0, 0], said(folders[1])
    assert_same(folders[1], folders[0])
