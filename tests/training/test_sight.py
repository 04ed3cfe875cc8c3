"""What a run shows of itself: numbers, trackers, previews, validation, hooks."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import vtrans
from vtrans.data import frames_to_tensor
from vtrans.evaluation.scores import psnr
from vtrans.training import Callback, DataSettings, ModelSettings, TrainingSettings, callbacks, prepare, train
from vtrans.training.checkpoints import checkpoints_in, step_of

SETTINGS = TrainingSettings(
    recipe="recycle_gan",
    model=ModelSettings(
        generator=["resnet", {"blocks": 1, "width": 4}],
        predictor=["unet", {"depth": 2, "width": 4}],
        discriminator=["n_layers", {"layers": 1, "width": 4}],
    ),
    data=DataSettings(world="shapes", size=16, world_streams=2),
    steps=4,
    checkpoint_every=2,
    preview_every=0,
    log_every=2,
    device="cpu",
    trackers=[],
)


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_line_has_every_number(tmp_path):
    train(prepare(replace(SETTINGS, lr={"generators": 2e-4, "discriminators": 4e-4})), tmp_path / "run")
    written = lines(tmp_path / "run")
    assert [line["step"] for line in written] == [1, 2, 4]
    assert written[-1]["lr/generators"] == 2e-4 and written[-1]["lr/discriminators"] == 4e-4
    terms = [name for name in written[-1] if name.startswith(("adversarial", "recurrent", "recycle"))]
    assert sum(written[-1][name] for name in terms) == pytest.approx(written[-1]["total/generators"], rel=1e-5)
    assert written[-1]["time/clips_per_second"] > 0 and 0 < written[-1]["time/wait_share"] < 1


def test_tensorboard_has_the_same_numbers(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(prepare(replace(SETTINGS, trackers=["tensorboard"])), tmp_path / "run")
    (events,) = (tmp_path / "run" / "trackers").rglob("events*")
    found = EventAccumulator(str(events.parent))
    found.Reload()
    assert [e.step for e in found.Scalars("recycle/x")] == [1, 2, 4]
    expected = [line["recycle/x"] for line in lines(tmp_path / "run")]
    assert [e.value for e in found.Scalars("recycle/x")] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["tensorbord"], "Unknown tracker 'tensorbord'. Did you mean 'tensorboard'"),
        (["wandb"], "expected trackers that are installed, got wandb"),
    ],
)
def test_trackers_that_are_not_there_are_refused_before_any_work(tmp_path, names, message):
    with pytest.raises(ValueError, match=message):
        train(prepare(replace(SETTINGS, trackers=names)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Paper:
    """A tracker as those of Accelerate are."""

    requires_logging_directory = True

    def __init__(self, name, folder):
        self.said = [("name", name), ("folder", Path(folder).name)]
        papers.append(self.said)

    def start(self):
        self.said.append("started")

    def store_init_configuration(self, config):
        self.said.append(("steps", config["steps"]))

    def log(self, line, step):
        self.said.append((step, line["recycle/x"]))

    def finish(self):
        self.said.append("finished")


papers = []


def test_a_tracker_of_accelerate_has_the_same_numbers(tmp_path, monkeypatch):
    from accelerate import tracking

    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "wandb", Paper)
    monkeypatch.setattr(tracking, "filter_trackers", lambda names, **_: names)
    train(prepare(replace(SETTINGS, trackers=["wandb"])), tmp_path / "run")
    numbers = [(line["step"], line["recycle/x"]) for line in lines(tmp_path / "run")]
    assert papers == [[("name", "run"), ("folder", "trackers"), "started", ("steps", "4"), *numbers, "finished"]]


def test_other_trackers_need_accelerate(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ValueError, match="got wandb. All but tensorboard need Accelerate. Install accelerate and"):
        train(prepare(replace(SETTINGS, trackers=["wandb"])), tmp_path / "run")


def test_previews_are_pictures_and_videos(tmp_path):
    train(prepare(replace(SETTINGS, preview_every=2, video_every=4)), tmp_path / "run")
    names = sorted(path.name for path in (tmp_path / "run" / "previews").iterdir())
    assert names == ["step-000002.png", "step-000004-x.mp4", "step-000004-y.mp4", "step-000004.png"]
    assert len(np.unique(np.asarray(Image.open(tmp_path / "run" / "previews" / names[0])))) > 20
    with av.open(str(tmp_path / "run" / "previews" / "step-000004-x.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 16


def test_validation_measures_the_averaged_weights_against_the_truth(tmp_path):
    settings = replace(SETTINGS, validate_every=2, ema=0.5, best="held_out/psnr/y", keep_last=1)
    prepared = prepare(settings)
    train(prepared, tmp_path / "run")
    written = lines(tmp_path / "run")
    used = vtrans.TranslationModel.from_pretrained(str(tmp_path / "run" / "model"))
    x, y = (torch.stack([frames_to_tensor(clip) for clip in frames]) for frames in prepared.pairs)
    assert written[-1]["held_out/psnr/y"] == pytest.approx(psnr(used.translate(x, to="y"), y), rel=1e-6)
    assert not torch.equal(next(used.parameters()), next(prepared.model.parameters()))
    scores = {line["step"]: line["held_out/psnr/y"] for line in written if "held_out/psnr/y" in line}
    kept = {step_of(path) for path in checkpoints_in(tmp_path / "run" / "checkpoints")}
    assert kept == {max(scores, key=scores.get), 4}


def test_held_out_clips_are_measured(tmp_path):
    frames = torch.rand(60, 3, 16, 16).mul(2).sub(1)
    from vtrans.data import tensor_to_frames, write_frames

    for domain in ("x", "y"):
        write_frames(tmp_path / domain, tensor_to_frames(frames))
    data = DataSettings(x=str(tmp_path / "x"), y=str(tmp_path / "y"), size=16, held_out=0.3, cuts=False)
    train(prepare(replace(SETTINGS, data=data, validate_every=4)), tmp_path / "run")
    assert {f"held_out/{name}/{domain}" for name in ("cycle", "recycle") for domain in "xy"} <= lines(tmp_path / "run")[
        -1
    ].keys()


def test_validation_needs_something_to_measure(tmp_path):
    from vtrans.data import write_frames

    write_frames(tmp_path / "x", np.zeros((8, 16, 16, 3), np.uint8))
    data = DataSettings(x=str(tmp_path / "x"), y=str(tmp_path / "x"), size=16)
    with pytest.raises(ValueError, match="validate_every: expected 0 without held-out clips"):
        train(prepare(replace(SETTINGS, data=data, validate_every=2)), tmp_path / "run")


def test_hooks_are_told_and_can_stop_a_run(tmp_path):
    told = []

    @callbacks.register("teller")
    class Teller(Callback):
        """Keeps what it is told."""

        def __init__(self, until: int = 3):
            self.until = until

        def on_start(self, run):
            told.append("start")

        def on_step(self, run, report):
            told.append(run.done)
            run.numbers["mine"] = float(run.done)
            run.stopping = run.done == self.until

        def on_checkpoint(self, run, checkpoint):
            told.append(checkpoint.name)

        def on_end(self, run):
            told.append("end")

    try:
        outcome = train(prepare(replace(SETTINGS, callbacks=[["teller", {"until": 3}]])), tmp_path / "run")
    finally:
        callbacks.remove("teller")
    assert outcome.done == 3
    assert told == ["start", 1, 2, "step-000002", 3, "step-000003", "end"]
    assert [line["mine"] for line in lines(tmp_path / "run")] == [1.0, 2.0, 3.0]
