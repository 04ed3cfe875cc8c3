"""Tiny runs for the tests of the trainer, in this process and in others that can be killed."""

import json
import multiprocessing
import os
import signal
import socket
import time
import traceback
from dataclasses import replace

import torch

from vtrans.training import DataSettings, ModelSettings, TrainingSettings, prepare, train
from vtrans.training.checkpoints import checkpoints_in

MODEL = ModelSettings(
    generator=["resnet", {"blocks": 1, "width": 4}],
    discriminator=["n_layers", {"layers": 1, "width": 4}],
    losses={"adversarial": {"pool": 3}},
)
SETTINGS = TrainingSettings(
    recipe="gan",
    model=MODEL,
    data=DataSettings(world="shapes", size=16, crop=12, flip=True),
    steps=6,
    checkpoint_every=2,
    preview_every=0,
    log_every=1,
    trackers=[],
    threads=1,
    device="cpu",
)
WITH_EVERYTHING = replace(
    SETTINGS,
    recipe="recycle_gan",
    model=ModelSettings(
        generator=["resnet", {"blocks": 1, "width": 4, "dropout": 0.2}],
        predictor=["unet", {"depth": 2, "width": 4}],
        discriminator=["n_layers", {"layers": 1, "width": 4}],
        losses={"adversarial": {"pool": 3}},
        warm_up=2,
    ),
    data=replace(SETTINGS.data, jitter={"brightness": 0.2, "hue": 0.1}),
    batch=4,
    accumulate=2,
    schedule="published",
    rate_warm_up=2,
    ema=0.9,
    preview_every=3,
)


def newest(folder):
    return checkpoints_in(folder / "checkpoints")[-1]


def bits(checkpoint):
    """The checksum of every file of a checkpoint: weights, averages, optimizers, pools, random state."""
    return json.loads((checkpoint / "manifest.json").read_text())


def lines(folder):
    """What ``metrics.jsonl`` says, but for how fast it went."""
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if not name.startswith("time/")} for line in found]


def assert_same(run, straight):
    assert bits(newest(run)) == bits(newest(straight)) and newest(run).name == newest(straight).name
    assert lines(run) == lines(straight)
    name = "model/model.safetensors"
    assert (run / name).read_bytes() == (straight / name).read_bytes()


class Stop(Exception):
    """Ends a run in the middle of its work, as a crash would."""


class StopAfter:
    """A hook that crashes a run after a step, once its checkpoint, if one is due, is written."""

    def __init__(self, step):
        self.step = step

    def on_start(self, run): ...

    def on_end(self, run): ...

    def on_checkpoint(self, run, checkpoint):
        if run.done == self.step:
            raise Stop

    def on_step(self, run, report):
        if run.done == self.step and not run.due(run.prepared.settings.checkpoint_every):
            raise Stop


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def forkserver():
    """Processes that start at once: what they need is imported before they are forked off."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.runs", "kornia", "matplotlib.pyplot", "yaml", "filelock"])
    return context


def work(function, arguments, environment, log):
    """The body of a process: its output goes to a file, and its exit code tells how it went."""
    os.environ.update(environment)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    torch.set_num_threads(1)
    try:
        outcome = function(*arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(2)
    os._exit(128 + outcome.signal if getattr(outcome, "signal", None) else 0)


def run_in(folder, settings, resume="never"):
    return train(prepare(settings), folder, resume=resume)


def resume(folder, steps=4):
    return train(prepare(replace(SETTINGS, steps=steps)), folder, resume="auto")


def start(folder, function, *arguments, **environment):
    log = folder.with_name(f"{folder.name}.log")
    process = forkserver().Process(target=work, args=(function, arguments, environment, str(log)), daemon=True)
    process.start()
    return process


def start_two(folder, function, *arguments):
    """Two processes of one run."""
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    return [
        start(folder, function, *arguments, RANK=str(rank), LOCAL_RANK=str(rank), LOCAL_WORLD_SIZE="2", **shared)
        for rank in range(2)
    ]


def ended(processes, seconds=90):
    """The exit codes; processes that hang are ended and have none."""
    limit = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, limit - time.monotonic()))
    codes = [process.exitcode for process in processes]
    for process in processes:
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            process.join()
    return codes


def said(folder):
    log = folder.with_name(f"{folder.name}.log")
    return log.read_text() if log.exists() else ""
