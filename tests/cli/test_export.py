"""``vtrans export``, and the way of a model from a run or a published checkpoint to where it is used."""

from pathlib import Path

import onnxruntime
import pytest
import torch
import yaml

import vtrans
from vtrans.cli import main
from vtrans.data import open_source, write_frames

GENERATOR = ["--model.generator", '["resnet", {"blocks": 1, "width": 4}]']
PARTS = [*GENERATOR, "--model.discriminator", '["patch", {"width": 4}]']


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run, the weights of whose model are averages."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    world = ["--data.world", "shapes", "--data.size", "16", "--preview_every", "0", "--device", "cpu"]
    parts = [*GENERATOR, "--model.discriminator", '["n_layers", {"layers": 1, "width": 4}]']
    assert main(["train", "gan", *world, *parts, "--ema", "0.5", "--steps", "2", "--out", str(folder)]) == 0
    return folder


def fails(capsys, *words):
    assert main(["export", *map(str, words)]) == 2
    assert not list(Path().iterdir())
    return capsys.readouterr().err.removeprefix("vtrans: error: ").strip()


def test_a_run_becomes_a_file(run, capfd):
    assert main(["export", str(run), "out/G_Y.onnx", "--to", "y"]) == 0
    shown = capfd.readouterr()
    first, second = shown.out.splitlines()
    assert first == (
        "out/G_Y.onnx: G_Y, for frames (batch, 3, height, width) with height and width in multiples of 4 from 8 up"
    )
    assert second.startswith("Largest difference to PyTorch: ")
    assert second.endswith(", on frames 1x3x8x8, 3x3x12x8, 2x3x128x132")
    assert float(second.split()[4].rstrip(",")) < 1e-4
    assert shown.err == ""

    frames = torch.rand(2, 3, 20, 16) * 2 - 1
    model = vtrans.TranslationModel.from_pretrained(str(run / "model"))
    (made,) = onnxruntime.InferenceSession("out/G_Y.onnx").run(None, {"frames": frames.numpy()})
    torch.testing.assert_close(torch.from_numpy(made), model.translate(frames, to="y"), rtol=0, atol=1e-5)

    assert main(["export", str(run), "out/G_Y.onnx", "--to", "y"]) == 2
    assert "got one that is there. Choose another name, or pass overwrite=True (--overwrite)." in capfd.readouterr().err


def test_the_model_of_a_run_is_the_one_that_is_exported(run):
    """The run, its model and its last checkpoint are one; each direction is its own generator."""
    (checkpoint,) = (run / "checkpoints").iterdir()
    places = [run, run / "model", checkpoint, checkpoint / "model"]
    models = [vtrans.TranslationModel.from_pretrained(str(places[index])).state_dict() for index in (1, 3)]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])
    frames, made = torch.rand(1, 3, 16, 16) * 2 - 1, {}
    for index, place in enumerate(places):
        assert main(["export", str(place), f"{index}.pt2", "--to", "x", "--size", "16", "16"]) == 0
        made[index] = torch.export.load(f"{index}.pt2").module()(frames)
    model = vtrans.TranslationModel.from_pretrained(str(run / "model"))
    expected = model.translate(frames, to="x")
    assert not torch.equal(expected, model.translate(frames, to="y"))
    assert all(torch.allclose(one, expected, rtol=0, atol=1e-6) for one in made.values())


def test_a_size_alone_replaces_the_old_file(run, capsys):
    Path("G_X.pt2").write_text("before")
    words = ["export", str(run), "G_X.pt2", "--to", "x", "--size", "16", "20", "--overwrite"]
    assert main(words) == 0
    assert "(batch, 3, height, width) of 16x20 (height x width) alone\n" in capsys.readouterr().out
    assert torch.export.load("G_X.pt2").module()(torch.zeros(3, 3, 16, 20)).shape == (3, 3, 16, 20)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["made.onnx"], "--to {x,y} [options], got no --to."),
        (["made.onnx", "--to", "z"], "--to: expected x or y, got z."),
        (["made.pt", "--to", "y"], "made.pt: expected a file that ends in .onnx, or in .pt2 for torch.export"),
        (["made.pt2", "--to", "y", "--size", "16"], "argument --size: expected 2 arguments"),
        (["made.pt2", "--to", "y", "--size", "16", "wide"], "--size: expected a whole number, got wide."),
        (["made.pt2", "--to", "y", "--size", "16", "18"], "Nearest that work: height 16, width 16 or 20."),
        (["made.pt2", "--to", "y", "--sizes", "16"], "Unknown option '--sizes'. Did you mean '--size'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_clear_line(run, words, message, capsys):
    assert message in fails(capsys, run, *words)


def test_a_folder_without_a_model(capsys):
    assert "nowhere, which is no folder" in fails(capsys, "nowhere", "made.onnx", "--to", "y")


def test_missing_packages_are_a_mistake_to_repair(run, capsys, monkeypatch):
    monkeypatch.setattr("vtrans.interop.export.find_spec", lambda name: None)
    message = fails(capsys, run, "made.onnx", "--to", "y")
    assert "got no onnx and no onnxscript and no onnxruntime." in message
    assert message.endswith('pip install "vtrans[export]".')


def test_from_a_published_checkpoint_to_files(capsys):
    """Imported, it translates and is exported; both compute what the published weights compute."""
    torch.manual_seed(3)
    source = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}), discriminator=("patch", {"width": 4}))
    Path("published").mkdir()
    for ours, theirs in (("G_Y", "G_A"), ("G_X", "G_B"), ("D_Y", "D_A"), ("D_X", "D_B")):
        torch.save(vtrans.interop.to_published(source.networks[ours]), f"published/7_net_{theirs}.pth")
    words = ["import", "published", "model", "--recipe", "gan", *PARTS, "--label", "7"]
    assert main(words) == 0
    assert yaml.safe_load(Path("model/config.json").read_text())["recipe"] == "gan"

    frames = (torch.rand(3, 16, 24, 3) * 255).to(torch.uint8).numpy()
    write_frames("frames", list(frames))
    assert main(["translate", "model", "frames", "translated", "--to", "y", "--device", "cpu"]) == 0
    expected = source.translate(vtrans.data.frames_to_tensor(frames), to="y")
    made = open_source("translated").sequences[0].read(0, 3)
    assert (made == vtrans.data.tensor_to_frames(expected)).all()

    assert main(["export", "model", "G_Y.pt2", "--to", "y"]) == 0
    run = torch.export.load("G_Y.pt2").module()
    torch.testing.assert_close(run(vtrans.data.frames_to_tensor(frames)), expected, rtol=0, atol=1e-5)
