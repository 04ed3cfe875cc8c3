"""Two processes with half of the clips each compute what one with all of them does."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from helpers.runs import SETTINGS, StopAfter, ended, lines, newest, run_in, said, start, start_two
from training.test_stepping import BATCH, clips, model, weights, with_penalty

from vtrans.training import Callback, DataSettings, Devices, ModelSettings, Stepper, prepare, train

NO_POOL = ModelSettings(
    generator=["resnet", {"blocks": 1, "width": 4}], discriminator=["n_layers", {"layers": 1, "width": 4}]
)


def gradients_of(parameters):
    return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


def steps(target, make, parts, count=3):
    """Takes steps on this process's share; what came of it goes to a file of each process."""
    torch.manual_seed(0)
    devices = Devices(device="cpu")
    trained = make()
    gradients = []
    average = Devices.average_gradients

    def watched(self, parameters):
        own = gradients_of(parameters)
        average(self, parameters)
        gradients.append((own, gradients_of(parameters)))

    Devices.average_gradients = watched
    stepper = Stepper(trained, trained.optimizers(), devices)
    share = BATCH // devices.ranks
    for step in range(count):
        x, y = (clip[devices.rank * share : (devices.rank + 1) * share] for clip in clips(step))
        report = stepper(list(zip(x.chunk(parts), y.chunk(parts), strict=True)), step)
    losses = devices.mean(torch.stack(list(report.values())).detach())
    torch.save((losses, weights(trained), gradients), f"{target}-{devices.rank}.pt")


def outcome(tmp_path, name, make, *, processes, parts=1):
    target = tmp_path / name
    begin = start_two if processes == 2 else lambda *a: [start(*a)]
    codes = ended(begin(target, steps, str(target), make, parts))
    assert codes == [0] * processes, said(target)
    return [torch.load(f"{target}-{rank}.pt", weights_only=True) for rank in range(processes)]


@pytest.mark.parametrize("make", [pytest.param(model, marks=pytest.mark.slow), with_penalty])
@pytest.mark.parametrize("parts", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_two_processes_equal_one_with_twice_the_batch(tmp_path, make, parts):
    """In float64, without pools, dropout and batch statistics; with second derivatives in one of the models."""
    (one,) = outcome(tmp_path, "one", make, processes=1)
    first, second = outcome(tmp_path, "two", make, processes=2, parts=parts)
    torch.testing.assert_close(first[0], one[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(first[1], one[1], rtol=0, atol=1e-6)
    assert torch.equal(first[1], second[1]), "both processes have the same weights"
    for (own, mean), (other, same), (whole, _) in zip(first[2], second[2], one[2], strict=True):
        assert torch.equal(mean, same)
        torch.testing.assert_close(mean, (own + other) / 2, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(mean, whole, rtol=0, atol=1e-6)
        assert (own - other).abs().max() > 1e-6, "each process has clips of its own"


def torchrun(folder, *more, **options):
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "vtrans"]
    words += ["train", "gan", "--data.world", "shapes", "--data.size", "16", "--preview_every", "0", "--device", "cpu"]
    words += ["--model.generator", '["resnet", {"blocks": 1, "width": 4}]', "--trackers", "[]", "--threads", "1"]
    words += ["--model.discriminator", '["n_layers", {"layers": 1, "width": 4}]', "--log_every", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*words, "--out", str(folder), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        **options,
    )


def test_the_command_under_torchrun(tmp_path):
    """One run folder, one line for each step, the numbers of one process with as large a batch, one way out."""
    folder = tmp_path / "two"
    process = torchrun(folder, "--steps", "100000", "--batch", "4")
    try:
        while not (folder / "metrics.jsonl").exists() or (folder / "metrics.jsonl").read_text().count("\n") < 3:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        text, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert text.count("SIGTERM: stopping after this step, with a checkpoint") == 1, text
    assert text.count("training: 2/100000 steps") == 1, text
    settings = replace(SETTINGS, model=NO_POOL, data=DataSettings(world="shapes", size=16), steps=3, batch=4)
    train(prepare(settings), tmp_path / "one")
    one, two = lines(tmp_path / "one"), lines(folder)
    assert [line["step"] for line in two] == list(range(1, len(two) + 1))
    for first, second in zip(one, two[:3], strict=True):
        assert first.keys() == second.keys()
        for name, value in first.items():
            assert second[name] == pytest.approx(value, rel=2e-3, abs=1e-4), name
    manifest = json.loads((newest(folder) / "manifest.json").read_text())
    assert manifest["processes"] == 2 and manifest["step"] == len(two)
    assert (newest(folder) / "process-1.safetensors").exists()


@pytest.mark.parametrize(("batch", "accumulate", "multiple"), [(3, 1, 2), (2, 2, 4)])
def test_a_batch_that_two_processes_cannot_share(tmp_path, batch, accumulate, multiple):
    folder = tmp_path / "run"
    settings = replace(SETTINGS, batch=batch, accumulate=accumulate)
    assert ended(start_two(folder, run_in, folder, settings)) == [2, 2]
    assert said(folder).count(f"batch: expected a multiple of {multiple}, got {batch}. 2 processes share") == 2
    assert not folder.exists()


@pytest.mark.slow
def test_both_processes_learn_that_a_folder_is_in_use(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    assert ended(start_two(folder, run_in, folder, replace(SETTINGS, batch=2))) == [2, 2]
    assert said(folder).count("FileExistsError: out: expected a new or empty folder") == 2
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def checkpoint_fails_in(folder, settings, rank):
    import safetensors.torch

    real = safetensors.torch.save_file

    def full(tensors, path, *args, **options):
        if f"process-{rank}" in str(path) and "step-000004" in str(path):
            raise OSError(28, "No space left on device")
        return real(tensors, path, *args, **options)

    safetensors.torch.save_file = full
    return run_in(folder, settings, "auto")


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_disk_that_is_full_for_one_process_ends_both(tmp_path, rank):
    folder = tmp_path / "run"
    settings = replace(SETTINGS, batch=2)
    assert ended(start_two(folder, checkpoint_fails_in, folder, settings, rank)) == [2, 2], said(folder)
    assert said(folder).count("step-000004 could not be written (") == 2
    assert "(No space left on device); the last good one is" in said(folder)
    assert newest(folder).name == "step-000002"
    assert ended(start_two(folder, run_in, folder, settings, "auto")) == [0, 0], said(folder)


@pytest.mark.slow
def test_a_checkpoint_that_one_process_cannot_read_is_passed_over_by_both(tmp_path):
    folder = tmp_path / "run"
    settings = replace(SETTINGS, batch=2, steps=4)
    assert ended(start_two(folder, run_in, folder, settings)) == [0, 0], said(folder)
    os.truncate(newest(folder) / "process-1.json", 10)
    assert ended(start_two(folder, run_in, folder, settings, "auto")) == [0, 0], said(folder)
    assert re.search(r"process-1.json: expected .* The checkpoint before it is taken", said(folder))
    assert "Going on after 2 steps." in said(folder)


class Asking(Callback):
    def on_step(self, run, report):
        run.stopping = run.devices.rank == 1 and run.done == 3


def asking(folder, settings):
    return train(prepare(settings), folder, hooks=[Asking()])


def test_one_process_can_ask_both_to_stop(tmp_path):
    folder = tmp_path / "run"
    assert ended(start_two(folder, asking, folder, replace(SETTINGS, batch=2))) == [0, 0], said(folder)
    assert newest(folder).name == "step-000003"


def crashing_alone(folder, settings):
    devices_rank = int(os.environ["RANK"])
    hooks = [StopAfter(3)] if devices_rank == 1 else []
    return train(prepare(settings), folder, hooks=hooks)


@pytest.mark.slow
def test_the_other_process_does_not_outlive_a_crash(tmp_path):
    """It waits for gradients that never come, until the connection is gone: an error, and no hang."""
    folder = tmp_path / "run"
    codes = ended(start_two(folder, crashing_alone, folder, replace(SETTINGS, batch=2)))
    assert codes == [2, 2], said(folder)
    assert newest(folder).name == "step-000002"
