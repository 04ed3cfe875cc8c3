"""Models on disk: round trips, and every way a folder can be wrong."""

import copy
import json
from pathlib import Path

import pytest
import torch
from helpers.models import build, clips, randomize
from safetensors.torch import load_file, save_file

import vtrans
from vtrans.model.pretrained import load_tensors

load = vtrans.TranslationModel.from_pretrained


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    model = build("recycle_gan", losses={"recycle": {"distance": ("charbonnier", {"epsilon": 0.1})}})
    randomize(model).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.mark.parametrize("recipe", vtrans.recipes)
def test_what_was_saved_comes_back(recipe, tmp_path):
    model = randomize(build(recipe, generator=("unet", {"depth": 2, "width": 2, "norm": "batch"})))
    model.generator_loss(*clips(3, dtype=torch.float32))
    model.save_pretrained(str(tmp_path / "deep" / "model"))
    again = load(tmp_path / "deep" / "model")
    assert again.config == model.config
    assert sorted(path.name for path in (tmp_path / "deep" / "model").iterdir()) == ["config.json", "model.safetensors"]
    for key, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[key], tensor), key
    frames = clips(2, dtype=torch.float32)[0]
    assert torch.equal(again.translate(frames, to="y"), model.translate(frames, to="y"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_each_network_comes_back_in_its_precision(dtype, tmp_path):
    model = randomize(build("gan", generator=("unet", {"depth": 2, "width": 2, "norm": "batch"})))
    model.networks["G_X"].to(dtype)
    model.save_pretrained(tmp_path / "mixed")
    model.to(dtype).save_pretrained(tmp_path / "whole")
    for name, others in (("mixed", torch.float32), ("whole", dtype)):
        again = load(tmp_path / name)
        assert {tensor.dtype for tensor in again.networks["G_X"].parameters()} == {dtype}
        assert {tensor.dtype for tensor in again.networks["G_Y"].parameters()} == {others}
    for key, tensor in model.state_dict().items():
        found = again.state_dict()[key]
        assert found.dtype == tensor.dtype and torch.equal(found, tensor), key


def test_a_model_is_not_replaced_unless_asked(folder):
    before = (folder / "model.safetensors").read_bytes()
    other = build("gan")
    with pytest.raises(FileExistsError, match="folder: expected a folder without a model, got .* with config.json and"):
        other.save_pretrained(folder)
    assert (folder / "model.safetensors").read_bytes() == before
    other.save_pretrained(folder, overwrite=True)
    assert load(folder).config == other.config


def test_a_place_that_cannot_be_a_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    for target in (file, file / "below"):
        with pytest.raises(FileExistsError, match="folder: expected a folder, or a place for one, got the file"):
            build("gan").save_pretrained(target)
    with pytest.raises(TypeError, match="folder: expected a path, got None"):
        build("gan").save_pretrained(None)


def test_models_without_a_configuration_are_not_saved(tmp_path):
    model = build("gan", networks={"G_X": torch.nn.Identity()})
    with pytest.raises(ValueError, match="no plain data describe it. Register its parts"):
        model.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_missing_folders_and_files(folder, tmp_path):
    for missing in (tmp_path / "nothing", "nothing", "./a/b", folder / "config.json"):
        with pytest.raises(FileNotFoundError, match="folder: expected a folder with a saved model, or owner/name on t"):
            load(missing)
    with pytest.raises(TypeError, match="folder: expected a path, got 5"):
        load(5)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="expected a folder with config.json and model.safetensors, got no mod"):
        load(folder)
    with pytest.raises(FileNotFoundError, match="'nobody/nothing' is no folder here, and the hub did not give it: "):
        load("nobody/nothing")


@pytest.mark.parametrize("text", ["", "{", "\x00", b"\xff\xfe\x00"])
def test_unreadable_configurations(folder, text):
    (folder / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match="config.json: expected JSON, got unreadable text"):
        load(folder)


@pytest.mark.parametrize("text", ["[]", "5", "null", '{"generator": 5}'])
def test_configurations_of_something_else(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match="config.json: expected the config of a model, got"):
        load(folder)


def test_configurations_of_another_version(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "colour": "red"}))
    with pytest.raises(
        ValueError, match="Unknown argument of build 'colour'|expected arguments of vtrans.build, got .*colour"
    ):
        load(folder)


def places(data, path=()):
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("junk", [None, -1, "junk", [], {}, [[]], {"a": 1}, 1.5], ids=str)
def test_a_configuration_broken_anywhere_is_refused_in_words(folder, junk):
    good = json.loads((folder / "config.json").read_text())
    refused = 0
    for place in places(good):
        broken = copy.deepcopy(good)
        inner = broken
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = junk
        (folder / "config.json").write_text(json.dumps(broken))
        try:
            load(folder)
        except ValueError as error:
            refused += 1
            assert re_worded(str(error)), f"{place}: {error}"
    assert refused > 20


def re_worded(message):
    return "expected" in message or "Unknown" in message


def change(tensors):
    first, second, third, *_ = tensors
    tensors[f"{second}.odd"] = tensors.pop(first)
    tensors[third] = torch.zeros(7)
    return first, f"{second}.odd", third


def test_tensors_that_do_not_fit_are_named_and_nothing_is_loaded(folder):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    missing, extra, reshaped = change(tensors)
    save_file(tensors, path)
    with pytest.raises(ValueError) as refused:
        load(folder)
    message = str(refused.value)
    assert f"{path}: expected the tensors of this model, got 3 that do not fit: " in message
    assert f"{missing} is missing; {extra} is extra; {reshaped} has shape (7,) in place of (" in message
    assert message.endswith("Load it into a model built with the same options.")
    model = build("recycle_gan")
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(ValueError):
        load_tensors(model, tensors, "here")
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    with pytest.raises(ValueError, match="; and [0-9]+ more. Load it into"):
        load_tensors(model, {}, "here")


@pytest.mark.parametrize("keep", [0, 4, 100, -50])
def test_a_file_cut_short_is_refused(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="model.safetensors: expected a whole safetensors file, got"):
        load(folder)


def test_a_failure_leaves_what_was_there(folder, monkeypatch):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        build("gan").save_pretrained(folder, overwrite=True)
    assert all((folder / name).read_bytes() == content for name, content in before.items())
