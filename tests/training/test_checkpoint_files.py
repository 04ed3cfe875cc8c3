"""A checkpoint by itself, without a run around it: what is saved is what is loaded, whole or not at all."""

import errno
import json
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch
from helpers.damage import at, edited
from safetensors import SafetensorError
from safetensors.torch import load_file

import vtrans
from vtrans.training import GeneratorAverage, load_checkpoint, model_folder, save_checkpoint
from vtrans.training.checkpoints import (
    FORMAT,
    OtherFormatError,
    checkpoints_in,
    not_written,
    prune,
    set_aside,
    step_of,
    tensors_written,
)
from vtrans.training.manifest import read_manifest


def build(seed=0, recipe="gan", **options):
    part = {
        "generator": ("resnet", {"blocks": 1, "width": 4}),
        "discriminator": ("n_layers", {"layers": 1, "width": 4}),
    }
    return vtrans.build(recipe, seed=seed, **{**part, "losses": {"adversarial": {"pool": 2}}, **options})


def trained(seed=0, steps=2, ema=None):
    """A model after some steps, its optimizers, and the averages of its weights."""
    model = build(seed)
    optimizers = model.optimizers(lr=0.01)
    average = None if ema is None else GeneratorAverage(model, ema)
    draws = torch.Generator().manual_seed(seed)
    for step in range(steps):
        x, y = (torch.rand(2, 1, 1, 3, 12, 12, generator=draws) * 2 - 1).unbind()
        model.step(x, y, optimizers, step=step)
        if average is not None:
            average.update()
    return model, optimizers, average


def tensors_of(model, optimizers, average):
    """All that a step changes, by name."""
    found = {f"weight {name}": tensor for name, tensor in model.state_dict().items()}
    for phase, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            found |= {f"{phase} {index} {name}": value for name, value in state.items()}
    for domain, pool in model.pools.items():
        found |= {f"image {domain} {index}": image for index, image in enumerate(pool.images)}
        found[f"draws {domain}"] = pool.generator.get_state()
    found |= {f"average {name}": tensor for name, tensor in (average.tensors() if average else {}).items()}
    return {name: tensor.clone() for name, tensor in found.items()}


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.fixture
def saved(tmp_path):
    """A checkpoint after five steps, of a model with averages."""
    model, optimizers, average = trained(ema=0.5)
    return save_checkpoint(tmp_path / "all", 5, model, optimizers, average=average, progress={"left_out": [1]})


@pytest.mark.parametrize("ema", [None, 0.5])
def test_what_is_saved_is_what_is_loaded(tmp_path, ema):
    first, second = trained(1, ema=ema), trained(2, 1, ema=ema)
    expected = tensors_of(*first)
    checkpoint = save_checkpoint(tmp_path, 7, *first[:2], average=first[2], progress={"best": None, "left_out": [3]})
    assert checkpoint == tmp_path / "step-000007"
    assert_equal(expected, tensors_of(*first))  # saving changes nothing
    done, progress = load_checkpoint(checkpoint, *second[:2], average=second[2])
    assert (done, progress) == (7, {"best": None, "left_out": [3]})
    assert_equal(expected, tensors_of(*second))


def test_its_model_has_the_averages_and_training_goes_on_with_the_weights(tmp_path):
    model, optimizers, average = trained(ema=0.5)
    checkpoint = save_checkpoint(tmp_path, 2, model, optimizers, average=average)
    used = vtrans.TranslationModel.from_pretrained(str(checkpoint / "model"))
    for name, weight in used.networks["G_X"].state_dict().items():
        assert torch.equal(weight, average.tensors()[f"G_X.{name}"])
    assert not torch.equal(next(used.parameters()), next(model.parameters()))
    state = load_file(checkpoint / "state.safetensors")
    assert_equal(
        {f"weights/{name}": tensor for name, tensor in model.state_dict().items()},
        {name: tensor for name, tensor in state.items() if name.startswith("weights/")},
    )


def test_without_averages_weights_are_saved_once(tmp_path):
    model, optimizers, _ = trained()
    checkpoint = save_checkpoint(tmp_path, 2, model, optimizers)
    state = load_file(checkpoint / "state.safetensors")
    assert all(name.startswith("optimizers/") for name in state)
    assert load_file(checkpoint / "model" / "model.safetensors").keys() == model.state_dict().keys()
    assert json.loads((checkpoint / "state.json").read_text())["progress"] == {}


def test_the_manifest_notes_format_step_and_processes(saved):
    facts = read_manifest(saved)
    assert (facts["format"], facts["step"], facts["processes"]) == (FORMAT, 5, 1)
    assert set(facts["files"]) == {
        *("state.json", "state.safetensors", "process-0.json", "process-0.safetensors"),
        *("model/config.json", "model/model.safetensors"),
    }


def test_a_checkpoint_replaces_one_of_the_same_step(saved):
    model, optimizers, average = trained(3, ema=0.5)
    (saved.with_name(".step-000005.partial")).mkdir()
    (saved.with_name(".step-000005.partial") / "left.json").write_text("by a run that was killed")
    (saved.with_name(".step-000005.old")).mkdir()
    assert save_checkpoint(saved.parent, 5, model, optimizers, average=average) == saved
    assert [path.name for path in saved.parent.iterdir()] == ["step-000005"] and not (saved / "left.json").exists()
    other, theirs, averages = trained(ema=0.5)
    load_checkpoint(saved, other, theirs, average=averages)
    assert_equal(tensors_of(model, optimizers, average), tensors_of(other, theirs, averages))


@pytest.mark.parametrize("name", ["networks.G_X", "networks.D_Y"])
def test_a_weight_that_is_not_finite_is_named_with_the_last_good_one(saved, name):
    model, optimizers, _ = trained()
    with torch.no_grad():
        weight = next(p for n, p in model.named_parameters() if n.startswith(name))
        weight.view(-1)[-1] = torch.nan
    message = rf"After step 6 the weight {name}.* is not finite: no checkpoint .*; the last good one is {saved}\."
    with pytest.raises(FloatingPointError, match=message):
        save_checkpoint(saved.parent, 6, model, optimizers)
    assert [path.name for path in saved.parent.iterdir()] == ["step-000005"]


@pytest.mark.parametrize("of", ["average", "none"])
def test_averages_are_there_as_the_run_has_them(saved, tmp_path, of):
    model, optimizers, average = trained(1, ema=0.5)
    checkpoint = saved
    if of == "average":
        checkpoint = save_checkpoint(tmp_path / "plain", 5, model, optimizers)
    before = tensors_of(model, optimizers, average)
    allowed = "averages of weights, as ema says, got none" if of == "average" else "no averages of weights, .* got some"
    with pytest.raises(ValueError, match=f"{checkpoint}: expected {allowed}"):
        load_checkpoint(checkpoint, model, optimizers, average=average if of == "average" else None)
    assert_equal(before, tensors_of(model, optimizers, average))


def test_another_recipe_is_refused_before_anything_changes(saved):
    model = build(4, "cycle_gan")
    optimizers = model.optimizers()
    average = GeneratorAverage(model, 0.5)
    before = tensors_of(model, optimizers, average)
    with pytest.raises(ValueError, match=f"{saved}: expected a checkpoint of the recipe cycle_gan, got of gan"):
        load_checkpoint(saved, model, optimizers, average=average)
    assert_equal(before, tensors_of(model, optimizers, average))


def test_averages_of_other_networks_are_refused_before_anything_changes(saved):
    model, optimizers, average = trained(1, ema=0.5)
    other = GeneratorAverage(build(generator=("resnet", {"blocks": 1, "width": 8})), 0.5)
    before = tensors_of(model, optimizers, average)
    with pytest.raises(ValueError, match=f"{saved}: averages: expected those of these generators"):
        load_checkpoint(saved, model, optimizers, average=other)
    assert_equal(before, tensors_of(model, optimizers, average))


def test_another_format_is_told_as_such(saved):
    edited(saved, "manifest.json", at("format", value=1))
    model, optimizers, average = trained(ema=0.5)
    with pytest.raises(OtherFormatError, match="got format 1. Go on with the version that wrote it"):
        load_checkpoint(saved, model, optimizers, average=average)


def test_what_it_says_of_the_wrong_kind_is_refused_by_its_name(saved):
    edited(saved, "state.json", at("optimizers", "generators", value=3))
    model, optimizers, average = trained(ema=0.5)
    with pytest.raises(ValueError, match=f"{saved}: expected data as save_checkpoint writes them, got others"):
        load_checkpoint(saved, model, optimizers, average=average)


class Processes:
    """One of several processes of a run, alone in this one."""

    def __init__(self, rank, ranks, scaler=None):
        self.rank, self.ranks, self.scaler, self.works = rank, ranks, scaler, 0

    def together(self, work):
        self.works += 1
        return work()

    def scaler_state(self):
        return self.scaler

    def load_scaler_state(self, state):
        self.scaler = state


def test_each_process_writes_its_own_and_the_first_the_rest(tmp_path):
    model, optimizers, _ = trained()
    partial = tmp_path / ".step-000002.partial"
    partial.mkdir()
    torch.manual_seed(1)
    second = Processes(1, 2)
    save_checkpoint(tmp_path, 2, model, optimizers, devices=second)
    assert sorted(path.name for path in partial.iterdir()) == ["process-1.json", "process-1.safetensors"]
    assert second.works == 3, "begun, written and finished together"
    own = {path.name: path.read_bytes() for path in partial.iterdir()}

    class First(Processes):
        """When it begins the folder is new; what the second writes comes after."""

        def together(self, work):
            super().together(work)
            if self.works == 1:
                for name, content in own.items():
                    (partial / name).write_bytes(content)

    torch.manual_seed(2)
    checkpoint = save_checkpoint(tmp_path, 2, model, optimizers, devices=First(0, 2))
    assert read_manifest(checkpoint)["processes"] == 2 and not partial.exists()
    # A third process takes the state of the first, a fourth that of the second.
    for rank, seed in ((0, 2), (1, 1), (2, 2), (3, 1)):
        load_checkpoint(checkpoint, model, optimizers, devices=Processes(rank, 4))
        assert torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(seed).get_state())


def test_the_scaling_of_losses_is_kept(tmp_path):
    model, optimizers, _ = trained()
    state = {"scale": 1024.0, "growth_factor": 2.0, "_growth_tracker": 3}
    checkpoint = save_checkpoint(tmp_path, 2, model, optimizers, devices=Processes(0, 1, state))
    devices = Processes(0, 1)
    load_checkpoint(checkpoint, model, optimizers, devices=devices)
    assert devices.scaler == state and type(devices.scaler["_growth_tracker"]) is int
    edited(checkpoint, "state.json", at("scaler", "scale", value="2.5"))
    load_checkpoint(checkpoint, model, optimizers, devices=devices)
    assert devices.scaler["scale"] == 2.5
    edited(checkpoint, "state.json", at("scaler", "_growth_tracker", value=True))
    with pytest.raises(ValueError, match=str(checkpoint)):
        load_checkpoint(checkpoint, model, optimizers, devices=devices)


def test_processes_put_back_what_they_checked_together(saved):
    """None changes anything before all of them know that theirs is whole."""
    model, optimizers, average = trained(1, ema=0.5)
    before = tensors_of(model, optimizers, average)

    class Other(Processes):
        def together(self, work):
            work()
            raise OSError("another process of the run failed")

    with pytest.raises(OSError, match="another process"):
        load_checkpoint(saved, model, optimizers, average=average, devices=Other(0, 2))
    assert_equal(before, tensors_of(model, optimizers, average))


@pytest.mark.parametrize(
    ("writer", "moments"),
    [("safetensors.torch.save_file", 3), ("pathlib.Path.write_text", 4), ("os.fsync", 9), ("pathlib.Path.rename", 1)],
)
def test_a_disk_that_is_full_at_any_moment(saved, monkeypatch, writer, moments):
    """What was there stays as it is, nothing of the new one is left, and the message says so."""
    owner = {"safetensors.torch": safetensors.torch, "pathlib.Path": Path, "os": os}[writer.rpartition(".")[0]]
    name = writer.rpartition(".")[2]
    real = getattr(owner, name)
    before = {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    model, optimizers, _ = trained()
    for moment in range(1, moments + 1):
        calls = iter(range(1, 100))

        def full(*args, moment=moment, calls=calls, **options):
            if next(calls) == moment:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **options)

        with monkeypatch.context() as patch, pytest.raises(OSError) as caught:
            patch.setattr(owner, name, full)
            save_checkpoint(saved.parent, 6, model, optimizers)
        assert caught.value.errno == errno.ENOSPC
        told = f"The checkpoint {saved.with_name('step-000006')} could not be written (No space left on device)"
        assert f"{told}; the last good one is {saved}. Free some space" in str(caught.value)
        assert [path.name for path in saved.parent.iterdir()] == ["step-000005"]
        assert before == {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("said", "number"), [("I/O error: full (os error 28)", 28), ("of its own", errno.EIO)])
def test_what_safetensors_says_becomes_what_python_says(said, number):
    with pytest.raises(OSError) as caught, tensors_written():
        raise SafetensorError(said)
    assert caught.value.errno == number


def test_the_way_on_where_nothing_can_be_written(saved):
    error = not_written("It", OSError(errno.EFBIG, "File too large"), saved.parent)
    assert error.errno == errno.EFBIG and error.strerror == (
        f"It could not be written (File too large); the last good one is {saved}. "
        "Free some space, and go on with --resume auto."
    )
    assert "It could not be written (plain); there is none yet." in str(not_written("It", OSError("plain"), saved))


def folders(place, *names):
    for name in names:
        (place / name).mkdir(parents=True)


def test_checkpoints_are_ordered_by_their_steps(tmp_path):
    assert checkpoints_in(tmp_path / "nowhere") == []
    folders(tmp_path, "step-1000000", "step-000020", "step-999999", "step-12", "damaged-step-000030", "step-000040.old")
    assert [step_of(path) for path in checkpoints_in(tmp_path)] == [20, 999_999, 1_000_000]
    with pytest.raises(ValueError, match="expected a folder named like step-000200, got step-12"):
        step_of(Path("step-12"))


def test_pruning_keeps_the_last_milestones_and_those_spared(tmp_path):
    folders(tmp_path, *(f"step-{step:06d}" for step in range(1, 10)), ".step-000003.partial", ".step-000001.old")
    (tmp_path / "step-000001" / "file").write_text("of a checkpoint")
    prune(tmp_path, keep_last=2, milestone_every=3, spare=[4])
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"step-00000{step}" for step in (3, 4, 6, 8, 9)]
    prune(tmp_path, keep_last=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000009"]


def test_a_damaged_one_is_set_aside_in_place_of_an_earlier_one(tmp_path):
    folders(tmp_path, "step-000002", "damaged-step-000002")
    (tmp_path / "step-000002" / "new").write_text("")
    (tmp_path / "damaged-step-000002" / "old").write_text("")
    assert set_aside(tmp_path / "step-000002") == tmp_path / "damaged-step-000002"
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "damaged-step-000002",
        "damaged-step-000002/new",
    ]


def test_the_model_of_a_run(tmp_path):
    """Of its newest checkpoint that has one; else its own; and a folder of a model is one itself."""

    def write(*parts):
        place = tmp_path.joinpath("run", *parts)
        place.mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            (place / name).write_text("{}")
        return place

    run = tmp_path / "run"
    with pytest.raises(FileNotFoundError, match="run, which is no folder"):
        model_folder(run)
    own = write("model")
    assert model_folder(run) == own
    older, newest = write("checkpoints", "step-000002", "model"), write("checkpoints", "step-000010", "model")
    assert model_folder(run) == newest
    (newest / "model.safetensors").unlink()
    assert model_folder(run) == older
    (older / "config.json").unlink()
    assert model_folder(run) == own
    (own / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="run, which holds no model"):
        model_folder(run)
    assert model_folder(write()) == run
