"""Runs that are killed at any moment, checkpoint writing included, go on to the bits of one that never was."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from helpers.runs import SETTINGS, assert_same, bits, ended, lines, newest, run_in, said, start

from vtrans.training import Callback, prepare, train
from vtrans.training.checkpoints import checkpoints_in

STEPS = 30
LONG = replace(SETTINGS, steps=STEPS, checkpoint_every=1, milestone_every=1, keep_last=2, ema=0.9)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The run that is never killed; and how long it takes from its start, and from its first checkpoint."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    process = start(folder, run_in, folder, LONG)
    assert ended([process]) == [0], said(folder)
    assert len(checkpoints_in(folder / "checkpoints")) == STEPS
    return folder


def has_begun(folder, before, process):
    """Waits until the run has written a checkpoint since it was started."""
    while process.is_alive():
        found = checkpoints_in(folder / "checkpoints")
        if found and found[-1].name > before:
            return True
        time.sleep(0.002)
    return False


def partial_seen(folder, process):
    checkpoints = folder / "checkpoints"
    while process.is_alive():
        if checkpoints.is_dir() and any(name.endswith(".partial") for name in os.listdir(checkpoints)):
            return True
    return False


def survive(folder, straight, kills, choose):
    """Kills a run over and over; after each kill its newest checkpoint has the bits of the straight run."""
    writing = survived = 0
    while survived < kills:
        before = checkpoints_in(folder / "checkpoints")[-1].name if checkpoints_in(folder / "checkpoints") else ""
        process = start(folder, run_in, folder, LONG, "auto")
        if choose(folder, before, process):
            process.kill()
        process.join(60)
        assert process.exitcode in (0, -signal.SIGKILL), said(folder)
        found = checkpoints_in(folder / "checkpoints")
        if process.exitcode == 0:  # it was done before it could be killed: from the start again
            assert_same(folder, straight)
            folder = folder.with_name(f"{folder.name}-again")
            continue
        survived += 1
        writing += bool(list((folder / "checkpoints").glob(".step-*")))
        if found:
            assert bits(found[-1]) == bits(straight / "checkpoints" / found[-1].name)
        assert lines(folder)[: len(found)] == lines(straight)[: len(found)] if not cut_off(folder) else True
    assert ended([start(folder, run_in, folder, LONG, "auto")]) == [0], said(folder)
    assert_same(folder, straight)
    assert not list(folder.rglob(".step-*")) and not (folder / ".lock").exists(), "nothing of the killed runs is left"
    return writing


def cut_off(folder):
    text = (folder / "metrics.jsonl").read_text() if (folder / "metrics.jsonl").exists() else "cut"
    return not text.endswith("\n")


def at_random(seed):
    """Any moment: of the start for every fifth kill, else of the steps and the checkpoints between them."""
    draw = random.Random(seed)

    def choose(folder, before, process):
        if draw.random() < 0.8:
            has_begun(folder, before, process)
            time.sleep(draw.uniform(0, 0.25))
        else:
            time.sleep(draw.uniform(0, 1.0))
        return True

    return choose


def while_writing(seed):
    """Moments at which a checkpoint is half written."""
    draw = random.Random(seed)

    def choose(folder, before, process):
        has_begun(folder, before, process)
        time.sleep(draw.uniform(0, 0.1))
        seen = partial_seen(folder, process)
        time.sleep(draw.uniform(0, 0.01))
        return seen

    return choose


def test_kills_at_random_moments(straight, tmp_path):
    survive(tmp_path / "run", straight, 2, at_random(1))


def test_kills_while_a_checkpoint_is_written(straight, tmp_path):
    assert survive(tmp_path / "run", straight, 2, while_writing(2)) >= 1


@pytest.mark.slow
def test_many_kills_at_random_moments(straight, tmp_path):
    survive(tmp_path / "run", straight, 25, at_random(3))


@pytest.mark.slow
def test_many_kills_while_a_checkpoint_is_written(straight, tmp_path):
    assert survive(tmp_path / "run", straight, 25, while_writing(4)) >= 12


def command(folder, *more):
    words = [sys.executable, "-m", "vtrans", "train", "gan", "--data.world", "shapes", "--data.size", "16"]
    words += ["--model.generator", '["resnet", {"blocks": 1, "width": 4}]', "--preview_every", "0", "--threads", "1"]
    words += ["--model.discriminator", '["n_layers", {"layers": 1, "width": 4}]', "--trackers", "[]"]
    return [*words, "--device", "cpu", "--steps", "100000", "--out", str(folder), *more]


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_to_the_command(tmp_path, number):
    folder = tmp_path / "run"
    process = subprocess.Popen(command(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while not (folder / "metrics.jsonl").exists() or not (folder / "metrics.jsonl").read_text():
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        process.send_signal(number)
        text, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + number, text
    name = signal.Signals(number).name
    assert f"{name}: stopping after this step, with a checkpoint" in text
    assert "To go on exactly from there:\n  vtrans train gan" in text and "--resume auto" in text
    assert newest(folder).exists() and "Traceback" not in text


def test_a_folder_in_use_is_refused_at_once_and_free_after_a_kill(tmp_path):
    folder = tmp_path / "run"
    endless = replace(SETTINGS, steps=100_000)
    first = start(folder, run_in, folder, endless)
    assert has_begun(folder, "", first), said(folder)
    held = newest(folder)
    began = time.monotonic()
    with pytest.raises(FileExistsError, match="in which another process is training. Wait for it, stop it, or pass"):
        run_in(folder, endless, "auto")
    assert time.monotonic() - began < 10
    assert held.exists() or first.is_alive(), "the first run goes on"
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    done = int(newest(folder).name.removeprefix("step-"))
    outcome = run_in(folder, replace(SETTINGS, steps=done + 1), "auto")
    assert outcome.done == done + 1 and not (folder / ".lock").exists()


class NoMoreRoom(Callback):
    """From a step on no file may grow beyond so many bytes: writes fail in the operating system, not in a test."""

    def __init__(self, step, size):
        self.step, self.size = step, size

    def on_step(self, run, report):
        if run.done == self.step:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))


def without_room(folder, settings, size):
    return train(prepare(settings), folder, hooks=[NoMoreRoom(3, size)])


@pytest.mark.skipif(os.name == "nt", reason="needs limits of resources")
@pytest.mark.parametrize("size", [10_000, 60_000])
def test_files_that_cannot_be_written(tmp_path, size):
    """The tensors of the process, and those of the optimizers."""
    folder = tmp_path / "run"
    train(prepare(SETTINGS), tmp_path / "straight")
    assert ended([start(folder, without_room, folder, SETTINGS, size)]) == [2]
    text = said(folder)
    assert "File too large" in text and "go on with --resume auto." in text, text
    assert f"last good one is {newest(folder)}" in text or f"last good checkpoint is {newest(folder)}" in text
    assert newest(folder).name == "step-000002" and not list((folder / "checkpoints").glob(".*"))
    assert ended([start(folder, run_in, folder, SETTINGS, "auto")]) == [0], said(folder)
    assert_same(folder, tmp_path / "straight")


@pytest.fixture
def little_room(tmp_path):
    """A file system of a few hundred kilobytes, where one may be mounted."""
    place = tmp_path / "little"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs the right to mount")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(tmp_path, little_room):
    """Milestones fill it; one that is removed makes room to go on."""
    settings = replace(SETTINGS, milestone_every=1, checkpoint_every=1, steps=8)
    train(prepare(settings), tmp_path / "straight")
    with pytest.raises(OSError, match=r"No space left on device.*step-00000\d.*go on with --resume auto") as caught:
        train(prepare(settings), little_room / "run")
    assert caught.value.errno == errno.ENOSPC
    kept = checkpoints_in(little_room / "run" / "checkpoints")
    assert 2 <= len(kept) < 8
    for checkpoint in kept:
        assert bits(checkpoint) == bits(tmp_path / "straight" / "checkpoints" / checkpoint.name)
    for checkpoint in kept[:-1]:
        shutil.rmtree(checkpoint)
    settings = replace(settings, milestone_every=0, keep_last=1)
    train(prepare(settings), little_room / "run", resume="auto")
    assert_same(little_room / "run", tmp_path / "straight")
