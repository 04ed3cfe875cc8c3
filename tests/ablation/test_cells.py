"""Cells: matched, measured, resumed exactly, and kept small."""

import json
import os
import re
import shutil
import signal

import numpy as np
import pytest
import torch
from helpers.grids import BASE, grid

from vtrans import TranslationModel
from vtrans.ablation import ablate, metrics
from vtrans.ablation.cells import check_cell, data_digest, run_cell
from vtrans.ablation.settings import merged
from vtrans.data import Palette, frames_to_tensor, open_source, worlds
from vtrans.evaluation import Chunk, PerFrame, evaluate
from vtrans.evaluation.evaluate import choose
from vtrans.training import Callback, DataSettings, ModelSettings, TrainingSettings, callbacks, prepare
from vtrans.training.validation import held_out_data

MODEL = ModelSettings(**BASE["model"])


def results(out):
    return {file.parent.relative_to(out): json.loads(file.read_text()) for file in out.rglob("result.json")}


def held_out(recipe="recycle_gan", **data):
    """A model, what it is measured on, and the names of what can be measured."""
    settings = TrainingSettings(recipe=recipe, model=MODEL, data=DataSettings(**{"size": 16, **data}), device="cpu")
    prepared = prepare(settings)
    found = held_out_data(prepared)
    return prepared.model, found, set().union(*choose(prepared.model, found)[0].values())


def measured(name, data, to, translate=lambda clip: clip, **streams):
    """What a metric says of a translation that is made of the truth."""
    metric = metrics.create(name)
    start = "x" if to == "y" else "y"
    real = [[s.read(0, s.length) for s in source.sequences] for source in (data.of(start), data.of(to))]
    motions = data.motion.get(start, [None] * len(real[0]))
    for number, (source, truth) in enumerate(zip(*real, strict=True)):
        given = {"source": source, "truth": truth, "output": translate(truth)}
        given |= {stream: of.sequences[number].read(0, len(truth)) for stream, of in streams.items()}
        tensors = {stream: frames_to_tensor(frames) for stream, frames in given.items()}
        metric.add(Chunk(tensors, exact=motions[number], palette=data.palettes.get(to)))
        metric.add(Chunk({"real": frames_to_tensor(truth)}))
    return metric.result().value


class Interrupt(Callback):
    """Does something to the run after the first step of its first cell."""

    what = []

    def on_step(self, run, report):
        if run.done == 1 and self.what:
            self.what.pop()()


@pytest.fixture
def interruptible():
    """A grid whose runs can be broken off."""
    callbacks.add("interrupt", Interrupt)
    yield grid(base=merged(BASE, {"callbacks": ["interrupt"], "checkpoint_every": 1}), budget={"steps": 3, "batch": 1})
    callbacks.remove("interrupt")
    Interrupt.what.clear()


def test_a_cell_is_a_small_folder(finished_grid):
    assert sorted(path.name for path in finished_grid.iterdir()) == [
        *("cells", "grid.json", "report.html", "results.json", "table.md", "table.tex")
    ]
    for place, result in results(finished_grid).items():
        names = {path.name for path in (finished_grid / place).iterdir()}
        assert {"x.mp4", "y.mp4", "to_x.mp4", "to_y.mp4", "model", "metrics.jsonl", "result.json"} <= names
        assert not names & {"checkpoints", "trackers", "previews", "seconds.txt"}
        assert result["status"] == "finished" and result["steps"] == 2 and result["seconds"] > 0
        assert [line["step"] for line in result["curve"]] == [1, 2]
        assert sum(path.stat().st_size for path in (finished_grid / place).rglob("*") if path.is_file()) < 500_000


def test_cells_of_a_seed_begin_alike(finished_grid):
    found = results(finished_grid)
    by_seed = {}
    for result in found.values():
        by_seed.setdefault(result["seed"], []).append(result)
    for cells in by_seed.values():
        roles = set.intersection(*(set(cell["initial"]) for cell in cells))
        assert roles == {"G_X", "G_Y", "D_X", "D_Y"}
        assert all(len({cell["initial"][role] for cell in cells}) == 1 for role in roles)
        assert len({cell["first_batch"] for cell in cells}) == 1
    first, second = (cells[0] for cells in by_seed.values())
    assert first["initial"]["G_X"] != second["initial"]["G_X"] and first["first_batch"] != second["first_batch"]


def test_results_name_no_machine_and_no_path(finished_grid):
    text = (finished_grid / "results.json").read_text()
    assert os.uname().nodename not in text and str(finished_grid) not in text
    machine = json.loads(text)["cells"][0]["machine"]
    assert machine["device"] == "cpu" and machine["threads"] == 1


def test_the_same_command_again_changes_nothing(finished_grid):
    before = {path: path.read_bytes() for path in finished_grid.rglob("*") if path.is_file()}
    assert ablate(grid(seeds=2), finished_grid, jobs=1) == 0
    assert {path: path.read_bytes() for path in finished_grid.rglob("*") if path.is_file()} == before


def test_the_curve_is_what_the_metric_says_of_the_saved_model(finished_grid):
    """Measured anew, from the weights on disk and the world's own scores."""
    result = results(finished_grid / "cells")[next(iter(results(finished_grid / "cells")))]
    model = TranslationModel.from_pretrained(
        str(finished_grid / "cells" / result["world"] / result["variant"] / f"seed-{result['seed']}" / "model")
    )
    world = worlds.create("motion_keyed", size=16, seed=result["seed"])
    for to, given in zip("yx", world.pairs(8, 8), strict=True):
        clips = torch.stack([frames_to_tensor(clip) for clip in given])
        made = ((model.translate(clips, to=to) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        share = world.settled(made.permute(0, 1, 3, 4, 2).numpy(), to).mean()
        assert result["curve"][-1][f"settled/{to}"] == pytest.approx(share, abs=1e-3)


def test_an_interrupted_grid_goes_on_exactly(interruptible, tmp_path, capsys):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    assert ablate(interruptible, straight, jobs=1) == 0
    Interrupt.what.append(lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert ablate(interruptible, broken, jobs=1) == 128 + signal.SIGTERM
    assert "Stopped with 0 of 2 cells finished." in capsys.readouterr().out
    assert not results(broken) and not (broken / "report.html").exists()
    assert ablate(interruptible, broken, jobs=1) == 0
    assert "Going on after 1 steps." in capsys.readouterr().out
    for place, result in results(broken).items():
        same = results(straight)[place]
        assert result["curve"] == same["curve"] and result["initial"] == same["initial"]
        name = "model/model.safetensors"
        assert (broken / place / name).read_bytes() == (straight / place / name).read_bytes()


def test_results_are_there_as_soon_as_a_seed_is_finished(interruptible, tmp_path):
    class Stop(Callback):
        def on_step(self, run, report):
            if run.prepared.settings.seed == 1 and run.done == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    callbacks.add("stop", Stop)
    try:
        two = grid(base=merged(interruptible.base, {"callbacks": ["stop"]}), seeds=2, budget={"steps": 3, "batch": 1})
        assert ablate(two, tmp_path, jobs=1) == 128 + signal.SIGTERM
    finally:
        callbacks.remove("stop")
    found = json.loads((tmp_path / "results.json").read_text())
    assert [cell["seed"] for cell in found["cells"]] == [0, 0]
    assert "Not finished: 1 of 2 seeds, those of which all cells are." in found["notes"]
    assert "Not finished: 1 of 2 seeds" in (tmp_path / "report.html").read_text()


def test_other_files_than_those_that_finished_cells_were_measured_on_are_refused(tmp_path):
    from vtrans.data import write_frames

    draw = np.random.default_rng(0)
    data = {**{side: str(tmp_path / side) for side in "xy"}, "held_out": 0.5}
    for side in "xy":
        write_frames(tmp_path / side, draw.integers(0, 256, (12, 16, 16, 3), np.uint8))
    own = {"worlds": {"mine": {"data": data}}, "variants": ["gan"], "metrics": None}
    assert ablate(grid(**own), tmp_path / "out", jobs=1) == 0
    shutil.rmtree(tmp_path / "y")
    write_frames(tmp_path / "y", draw.integers(0, 256, (12, 16, 16, 3), np.uint8))
    before = (tmp_path / "out/results.json").read_bytes()
    with pytest.raises(ValueError, match=r"^mine, gan: data: expected the held-out clips that finished cells were"):
        ablate(grid(**own, seeds=2), tmp_path / "out", jobs=1)
    assert (tmp_path / "out/results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({}, "no such thing.* It was raised by the metric faulty"),
        ({"better": None}, "better of the metric faulty: expected 'higher', 'lower', 'near 1', '', got None"),
        ({"needs": ("trutth",)}, "Unknown need of the metric faulty: 'trutth'. Did you mean 'truth'"),
        (
            {"measure": lambda self, chunk: torch.zeros(3)},
            "^Faulty.measure: expected a number of each of the frames",
        ),
    ],
)
def test_a_metric_of_ones_own_that_is_wrong_is_named(tmp_path, fault, told):
    class Faulty(PerFrame):
        """Wrong."""

        title, better = "faulty", "lower"

        def measure(self, chunk):
            raise KeyError("no such thing")

    for name, value in fault.items():
        setattr(Faulty, name, value)
    metrics.add("faulty", Faulty)
    try:
        with pytest.raises((KeyError, ValueError)) as caught:
            ablate(grid(variants=["gan"], metrics=["faulty"]), tmp_path / "out", jobs=1)
    finally:
        metrics.remove("faulty")
    assert re.search(told, " ".join([str(caught.value).strip("'"), *getattr(caught.value, "__notes__", [])]))


def test_a_crash_keeps_what_is_finished(interruptible, tmp_path):
    def crash():
        raise OSError("the disk is gone")

    Interrupt.what.append(crash)
    with pytest.raises(OSError, match="the disk is gone"):
        ablate(interruptible, tmp_path / "out", jobs=1)
    assert ablate(interruptible, tmp_path / "out", jobs=1) == 0


def test_a_cell_that_diverges_is_a_result(interruptible, tmp_path):
    def diverge():
        raise FloatingPointError("the loss is not finite")

    Interrupt.what.append(diverge)
    assert ablate(interruptible, tmp_path / "out", jobs=1) == 0
    states = [result["status"] for result in results(tmp_path / "out").values()]
    assert sorted(states) == ["diverged", "finished"]
    assert (
        "Diverged: motion_keyed, cycle_gan, seed 0. It counts as not right" in (tmp_path / "out/table.md").read_text()
    )


def test_a_result_of_other_settings_is_refused(interruptible, tmp_path):
    out = tmp_path / "out"
    assert ablate(interruptible, out, jobs=1) == 0
    (file, *_) = sorted(out.rglob("result.json"))
    file.write_text(file.read_text().replace('"digest": "', '"digest": "0'))
    with pytest.raises(ValueError, match=r"result\.json: expected the result of this cell's settings"):
        ablate(interruptible, out, jobs=1)


@pytest.mark.parametrize(
    "damage", [lambda text: "", lambda text: text[: len(text) // 2], lambda text: '{"digest": "a"}']
)
def test_a_damaged_result_tells_the_way_on(interruptible, tmp_path, damage):
    out = tmp_path / "out"
    assert ablate(interruptible, out, jobs=1) == 0
    (file, other) = sorted(out.rglob("result.json"))
    whole = results(out)[file.parent.relative_to(out)]
    kept = other.stat().st_mtime_ns
    file.write_text(damage(file.read_text()))
    with pytest.raises(ValueError, match=f"To train this cell alone anew, remove {file.parent}"):
        ablate(interruptible, out, jobs=1)
    shutil.rmtree(file.parent)
    assert ablate(interruptible, out, jobs=1) == 0
    again = results(out)[file.parent.relative_to(out)]
    assert again["curve"] == whole["curve"] and other.stat().st_mtime_ns == kept


def test_the_last_number_is_that_of_the_model_that_is_kept(interruptible, tmp_path):
    """Also of a run that a callback ends between two measurements, and where the last line of metrics.jsonl is lost."""

    class End(Callback):
        def on_step(self, run, report):
            run.stopping = run.done == 2

    callbacks.add("end", End)
    try:
        base = merged(interruptible.base, {"callbacks": ["end"]})
        early = grid(base=base, budget={"steps": 5, "batch": 1}, score_every=3, variants=["cycle_gan"])
        assert ablate(early, tmp_path / "early", jobs=1) == 0
    finally:
        callbacks.remove("end")
    ((place, result),) = results(tmp_path / "early").items()
    assert result["steps"] == 2 and [line["step"] for line in result["curve"]] == [2]
    cell, folder = early.cells()[0], tmp_path / "early" / place
    metrics_file, lines = folder / "metrics.jsonl", (folder / "metrics.jsonl").read_text().splitlines()
    metrics_file.write_text("\n".join(lines[:-1]) + "\n")
    (folder / "result.json").unlink()
    callbacks.add("end", End)
    try:
        assert run_cell(cell, folder, early.metrics, early.score_every) is None
    finally:
        callbacks.remove("end")
    assert results(tmp_path / "early")[place]["curve"][-1]["step"] >= 2


def test_videos_show_the_averaged_weights_that_are_measured_and_kept(tmp_path):
    """With a slow average they are close to the first weights, whatever the last ones are."""
    slow = grid(base=merged(BASE, {"ema": 0.999, "lr": 0.05}), variants=["gan"], budget={"steps": 4, "batch": 1})
    assert ablate(slow, tmp_path, jobs=1) == 0
    folder = tmp_path / "cells/motion_keyed/gan/seed-0"
    model = TranslationModel.from_pretrained(str(folder / "model"))
    world = worlds.create("motion_keyed", size=16, seed=0)
    made = model.translate(frames_to_tensor(world.pairs(1, 24)[0][0]), to="y")
    (shown,) = open_source(str(folder / "to_y.mp4")).sequences
    large = ((made + 1) * 127.5).repeat_interleave(8, -1).repeat_interleave(8, -2).permute(0, 2, 3, 1).numpy()
    assert np.abs(shown.read(0, 24).astype(float) - large).mean() < 4


def test_pairs_of_ones_own_are_measured_against_the_truth(tmp_path):
    """Frames and label maps on disk, as in the paper."""
    from vtrans.data import write_frames

    street = worlds.create("street", size=16, x="day", y="labels")
    scenes = street.pairs(1, 40)
    for side, frames in zip("xy", scenes, strict=True):
        write_frames(tmp_path / side, frames[0])
    street.palette.save(tmp_path / "classes.json")
    own = {
        **{side: str(tmp_path / side) for side in "xy"},
        **{"palette": str(tmp_path / "classes.json"), "channels": {"x": "rgb", "y": "labels"}},
        **{"held_out": 0.25, "paired": True, "size": 16},
    }
    cells = [held_out("gan", **own, clip_length=length) for length in (1, 3)]
    (_, data, possible), (_, other, _) = cells
    assert data_digest(data) == data_digest(other)
    assert {"mean_iou", "psnr", "warping_error"} <= possible
    for source, frames in zip((data.x, data.y), scenes, strict=True):
        np.testing.assert_array_equal(source.sequences[0].read(0, 8), frames[0, 30:38])
    assert measured("mean_iou", data, "y") == 1.0
    with pytest.raises(ValueError, match="^data.paired: expected frames of X and Y of your own, with held-out ones"):
        held_out("gan", **{**own, "held_out": 0.0})
    shutil.rmtree(tmp_path / "y")
    write_frames(tmp_path / "y", scenes[1][0][:, :, :8])
    with pytest.raises(ValueError, match=r"^paired: expected frames of one shape"):
        held_out("gan", **own)


def test_a_folder_in_use_is_refused(tmp_path):
    from filelock import FileLock

    with FileLock(tmp_path / ".lock"), pytest.raises(FileExistsError, match="^out: expected a folder that is free"):
        ablate(grid(), tmp_path, jobs=1)


REFUSED = {
    "loss": ({"variants": {"a": {"recipe": "gan", "losses": {"cycl": 1}}}}, "^motion_keyed, a: Unknown loss 'cycl'"),
    "size": ({"base": merged(BASE, {"data": {"size": 18}})}, "^motion_keyed, cycle_gan: data.size and data.crop: "),
    "metric": ({"metrics": ["mean_iou"]}, "got mean_iou. Frames of Y have no palette"),
    "world": ({"worlds": ["shapes"]}, "got settled. Its world has no two kinds that could be exchanged"),
    "data": ({"worlds": {"mine": {"data": {"x": "none", "y": "none"}}}}, "^mine, cycle_gan: "),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(changes, message, tmp_path):
    with pytest.raises((OSError, ValueError), match=message):
        ablate(grid(**changes), tmp_path / "out", jobs=1)
    assert not (tmp_path / "out").exists()


def test_data_without_anything_held_out_cannot_be_measured(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    from vtrans.data import write_frames

    for side in "xy":
        write_frames(tmp_path / side, frames)
    own = {"data": {side: str(tmp_path / side) for side in "xy"}, "metrics": None}
    unmeasured = grid(worlds={"mine": {"data": own["data"]}}, metrics=None)
    with pytest.raises(ValueError, match=r"expected clips that are held out, to measure on, got none"):
        check_cell(unmeasured.cells()[0], None)
    held = grid(worlds={"mine": {"data": {**own["data"], "held_out": 0.5, "clip_length": 3}}}, metrics=None)
    assert "mine" not in check_cell(held.cells()[0], None)
    with pytest.raises(ValueError, match="got psnr. The true translation is not known"):
        check_cell(held.cells()[0], ["psnr"])


def test_which_metrics_a_world_allows():
    _, _, found = held_out(world="motion_keyed")
    assert found == {*metrics} - {"mean_iou", "class_accuracy", "pixel_accuracy", "fid", "kid", "vfd"}
    model, street, found = held_out("gan", world="street", world_options={"x": "labels", "y": "day"})
    assert {"mean_iou", "class_accuracy", "pixel_accuracy"} <= found and not {"settled", "recycle"} & found
    assert {*evaluate(model, street, metrics=["mean_iou"]).numbers} == {"mean_iou/x"}


def test_labels_are_counted_over_all_frames():
    """A translation that is the truth but for one class turned into another."""
    _, street, _ = held_out(world="street")
    palette: Palette = street.palettes["y"]
    truth = palette.to_indices(np.stack([clip.read(0, clip.length) for clip in street.y.sequences]))
    change = lambda classes: np.where(classes == truth.flat[0], (truth.flat[0] + 1) % len(palette), classes)  # noqa: E731
    found = {
        name: measured(name, street, "y", lambda frames: palette.to_colours(change(palette.to_indices(frames))))
        for name in ("pixel_accuracy", "class_accuracy", "mean_iou")
    }
    wrong = change(truth)
    assert found["pixel_accuracy"] == pytest.approx((truth == wrong).mean())
    recalls = [(wrong[truth == c] == c).mean() for c in np.unique(truth)]
    assert found["class_accuracy"] == pytest.approx(np.mean(recalls))
    both = [((truth == c) & (wrong == c)).sum() / ((truth == c) | (wrong == c)).sum() for c in np.union1d(truth, wrong)]
    assert found["mean_iou"] == pytest.approx(np.mean(both))


def test_a_perfect_and_a_swapped_translation_settle_right_and_wrong():
    _, keyed, _ = held_out(world="motion_keyed")
    swapped = iter(clip.read(0, 8) for clip in keyed.swapped["y"].sequences)
    assert measured("settled", keyed, "y", swapped=keyed.swapped["y"]) == 1.0
    assert measured("settled", keyed, "y", lambda _: next(swapped), swapped=keyed.swapped["y"]) == 0.0


def test_cycle_and_recycle_errors_by_hand(monkeypatch):
    """Generators that change nothing leave no cycle error; with a predictor of zeros the recycle error is |x|."""
    model, shapes, _ = held_out(world="shapes")
    for name, network in model.networks.items():
        zero = name.startswith("P_")
        monkeypatch.setattr(network, "forward", (lambda x: x[:, -1] * 0) if zero else (lambda x: x))
    found = evaluate(model, shapes, metrics=["cycle", "recycle", "prediction"]).numbers
    assert found["cycle/x"] == found["cycle/y"] == 0.0
    clips = torch.stack([frames_to_tensor(clip.read(0, 8)) for clip in shapes.x.sequences])
    expected = float(clips[:, 2:].abs().mean())  # the predictor reads two frames
    assert found["recycle/x"] == pytest.approx(expected, rel=1e-5)
    assert found["prediction/x"] == pytest.approx(expected, rel=1e-5)


def test_the_truth_moves_with_the_source_and_is_as_sharp_as_itself():
    """Along exact motion the truth changes only at edges; a still picture of the same scene changes by the motion."""
    _, discs, _ = held_out(world="motion_keyed", size=32)
    moving = measured("warping_error", discs, "y")
    assert measured("sharpness_ratio", discs, "y") == 1.0
    still = measured("warping_error", discs, "y", lambda clip: clip[:1].repeat(len(clip), 0))
    assert 0 < moving < still
    flat = {name: measured(name, discs, "y", np.zeros_like) for name in ("warping_error", "sharpness_ratio")}
    assert flat == {"warping_error": 0.0, "sharpness_ratio": 0.0}


def test_what_misleads_alone_is_not_measured_alone(tmp_path):
    """And an earlier version's plan, which noted those beside it as well, is gone on with."""
    made = grid(variants=["gan"], metrics=["warping_error"], budget={"steps": 1, "batch": 1})
    assert ablate(made, tmp_path, jobs=1) == 0
    (result,) = results(tmp_path).values()
    assert {"warping_error/y", "masked_share/y", "sharpness_ratio/y"} <= set(result["curve"][0])
    plan = json.loads((tmp_path / "grid.json").read_text())
    plan["metrics"] += ["masked_share", "sharpness_ratio"]
    (tmp_path / "grid.json").write_text(json.dumps(plan))
    assert ablate(made, tmp_path, jobs=1) == 0
    with pytest.raises(ValueError, match="metrics"):
        ablate(grid(variants=["gan"], metrics=["psnr"], budget={"steps": 1, "batch": 1}), tmp_path, jobs=1)


def test_a_metric_of_ones_own_is_used_by_name(tmp_path):
    @metrics.register("mean_value")
    class MeanValue(PerFrame):
        """Mean value of the translated frames."""

        title, better = "mean value", "higher"

        def measure(self, chunk):
            return chunk["output"].mean(dim=(1, 2, 3))

    try:
        out = tmp_path / "out"
        assert ablate(grid(variants=["gan"], metrics=["mean_value"]), out, jobs=1) == 0
        (result,) = results(out).values()
        assert set(result["curve"][0]) == {"step", "mean_value/x", "mean_value/y"}
    finally:
        metrics.remove("mean_value")


def test_the_videos_show_the_same_clip_for_every_variant(finished_grid):
    first, second = (
        finished_grid / "cells/motion_keyed" / variant / "seed-0" for variant in ("cycle_gan", "recycle_gan")
    )
    for name in ("x.mp4", "y.mp4"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    (sequence,) = open_source(str(first / "to_y.mp4")).sequences
    assert (sequence.length, sequence.height, sequence.width) == (24, 128, 128)
