"""Generators as files of their own: what runs there, what it says about itself, and what is refused."""

import json
import logging
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import vtrans
from vtrans.interop import export
from vtrans.interop.export import METADATA, export_generator

# Sizes that keep the tests quick; those without an entry have the options of their class.
SMALL = {
    "ResnetGenerator": {"blocks": 1, "width": 4},
    "UnetGenerator": {"depth": 3, "width": 4},
    "TimmUnet": {"backbone": "test_resnet", "width": 4},
    "resnet_6blocks": {"width": 4},
    "resnet_9blocks": {"width": 4},
    "unet_128": {"width": 2},
    "unet_256": {"width": 2},
}
QUICK = ("resnet", "unet")
SUFFIXES = [".onnx", ".pt2"]


def options_of(name):
    if name in SMALL:
        return SMALL[name]
    return SMALL[type(vtrans.generators.create(name, in_channels=1, out_channels=1)).__name__]


def model_with(generator, channels=(1, 3)):
    return vtrans.build(
        "gan",
        generator=generator,
        discriminator=("pixel", {"width": 2}),
        channels=dict(zip("xy", channels, strict=True)),
    )


def model_of(network, channels=3):
    """A small model whose generator into Y is replaced."""
    model = model_with(("unet", {"depth": 2, "width": 2}), (channels, channels))
    model.networks["G_Y"] = network
    return model


def reader(path):
    """A file as a function of frames, read by what is meant to run it."""
    if path.suffix == ".pt2":
        return torch.export.load(path).module()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda frames: torch.from_numpy(session.run(["translated"], {"frames": frames.numpy()})[0])


def translated(model, frames, to="y"):
    return model.translate(frames, to=to, batch=len(frames))


def random_frames(*shape):
    return torch.rand(shape) * 2 - 1


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in vtrans.generators]
)
def test_every_generator_runs_elsewhere_at_any_size_it_takes(name, suffix, tmp_path, capfd):
    model = model_with((name, options_of(name)))
    exported = export_generator(model, tmp_path / f"made{suffix}", to="y")
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == [f"made{suffix}"]
    assert [found.shape[0] for found in exported.comparisons] == [1, 3, 2]
    network = model.networks["G_Y"]
    run, multiple = reader(exported.path), network.multiple
    least = -(-network.minimum // multiple)
    for batch, rows, columns in [
        (1, least, least),
        (5, least, least + 3),
        (2, least + 2, least),
        (1, least + 1, least + 1),
    ]:
        frames = random_frames(batch, 1, rows * multiple, columns * multiple)
        expected = translated(model, frames)
        assert expected.shape == (batch, 3, rows * multiple, columns * multiple)
        torch.testing.assert_close(run(frames), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "options", [{"norm": norm} for norm in ("batch", "group", "none")] + [{"padding": "replicate"}]
)
def test_norms_and_borders(options, suffix, tmp_path):
    model = model_with(("resnet", {"blocks": 1, "width": 4, "dropout": 0.5, **options}))
    run = reader(export_generator(model.train(), tmp_path / f"made{suffix}", to="x").path)
    frames = random_frames(2, 3, 24, 16)
    torch.testing.assert_close(run(frames), translated(model, frames, to="x"), rtol=0, atol=1e-6)
    assert all(module.training for module in model.modules())


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("backbone", ["test_convnext", "test_efficientnet"])
def test_backbones(backbone, suffix, tmp_path):
    model = model_with(("timm_unet", {"backbone": backbone, "width": 4}))
    run = reader(export_generator(model, tmp_path / f"made{suffix}", to="y").path)
    frames = random_frames(3, 1, 96, 160)
    torch.testing.assert_close(run(frames), translated(model, frames), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Both files of one generator, made by a model in half precision."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("files")
    model = model_with(("unet", {"depth": 2, "width": 2})).half()
    made = {suffix: export_generator(model, folder / "a" / f"G_Y{suffix}", to="y") for suffix in SUFFIXES}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float16}
    return made


def test_the_file_says_what_it_is(files):
    expected = {
        "to": "y",
        "channels_in": "1",
        "channels_out": "3",
        "range": "[-1, 1]",
        "multiple": "4",
        "minimum": "4",
        "vtrans": vtrans.__version__,
    }
    extra = {METADATA: ""}
    torch.export.load(files[".pt2"].path, extra_files=extra)
    session = onnxruntime.InferenceSession(str(files[".onnx"].path))
    assert json.loads(extra[METADATA]) == session.get_modelmeta().custom_metadata_map == expected
    assert files[".onnx"].metadata == expected
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("frames", "tensor(float)", ["batch", 1, "height", "width"])
    assert (made.name, made.type, made.shape) == ("translated", "tensor(float)", ["batch", 3, "height", "width"])
    onnx.checker.check_model(str(files[".onnx"].path), full_check=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_file_names_no_folder_of_this_machine(files, suffix):
    content = files[suffix].path.read_bytes()
    for module in (vtrans, torch):
        assert module.__file__.rpartition("/")[0].encode() not in content
    assert content.count(b"UnetGenerator") > 0  # so it is there to be searched


def test_a_program_refuses_sizes_that_the_generator_does_not_take(files):
    run = reader(files[".pt2"].path)
    with pytest.raises((AssertionError, RuntimeError), match=r"shape\[3\] = 10|% 4 == 0"):
        run(torch.zeros(1, 1, 8, 10))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_size_alone(suffix, tmp_path):
    model = model_with(("unet", {"depth": 2, "width": 2}))
    exported = export_generator(model, tmp_path / f"made{suffix}", to="y", size=(8, 12))
    assert str(exported.sizes) == "of 8x12 (height x width) alone"
    assert (exported.metadata["height"], exported.metadata["width"]) == ("8", "12")
    run, frames = reader(exported.path), random_frames(4, 1, 8, 12)
    torch.testing.assert_close(run(frames), translated(model, frames), rtol=0, atol=1e-6)
    with pytest.raises(Exception, match="12"):  # each runtime has an exception of its own
        run(torch.zeros(1, 1, 8, 16))


class Branching(nn.Module):
    """Does something else from 20 columns up, so that no one trace is right for all sizes."""

    def forward(self, frames):
        return torch.tanh(frames if frames.shape[-1] < 20 else 2 * frames)


class Square(nn.Module):
    """Takes one size alone, and does not say so."""

    def __init__(self):
        super().__init__()
        self.map = nn.Parameter(torch.rand(6, 6))

    def forward(self, frames):
        return torch.tanh(frames * self.map)


class Noisy(nn.Module):
    def forward(self, frames):
        return torch.tanh(frames + 0.01 * torch.randn_like(frames))


class Steep(nn.Module):
    """Loses digits in float32, as a norm over few pixels can: some 0.004 of its output."""

    def forward(self, frames):
        return torch.tanh(((frames + 100) - 100) * 1000)


class Plain(nn.Module):
    def forward(self, frames):
        return torch.tanh(frames)


class Undefined(nn.Module):
    def forward(self, frames):
        return torch.tanh(frames) * float("nan")


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            Branching(),
            "G_Y: expected a generator that can be exported as a file that takes frames with height and width",
        ),
        (Square(), "got Square, which fails on 2x1"),
    ],
    ids=["traced", "undeclared"],
)
def test_a_generator_without_all_sizes_is_exported_for_one(network, message, tmp_path):
    model = model_of(network)
    with pytest.raises(ValueError) as refused:
        export_generator(model, tmp_path / "made.pt2", to="y")
    assert message in str(refused.value) and "Pass a size" in str(refused.value) and not [*tmp_path.iterdir()]
    run = reader(export_generator(model, tmp_path / "made.pt2", to="y", size=(6, 6)).path)
    frames = random_frames(3, 3, 6, 6)
    torch.testing.assert_close(run(frames), translated(model, frames))


@pytest.mark.parametrize(("network", "suffix"), [(Noisy(), ".onnx"), (Noisy(), ".pt2"), (Undefined(), ".pt2")], ids=str)
def test_a_file_that_computes_something_else_is_not_kept(network, suffix, tmp_path):
    target = tmp_path / f"made{suffix}"
    target.write_text("before")
    with pytest.raises(ValueError) as refused:
        export_generator(model_of(network), target, to="y", overwrite=True)
    message = str(refused.value)
    assert "what G_Y computes, to " in message and "draws at random, or whose weights are not finite" in message
    assert "on frames (1, 3, 1, 1), so that no file was written" in message
    assert target.read_text() == "before" and len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize(
    ("network", "error", "kept"),
    [(Plain(), 0.5e-4, True), (Plain(), 2e-4, False), (Steep(), 2e-3, True), (Steep(), 0.5, False)],
)
def test_the_largest_difference_that_is_kept(network, error, kept, tmp_path, monkeypatch):
    """Of a generator with digits to lose, more than of others: what rounding alone does there is measured."""

    def write(program, path, metadata):
        path.touch()
        return lambda frames: network(frames) + error

    monkeypatch.setitem(export._WRITERS, ".pt2", write)
    network.minimum = 16
    target = tmp_path / "made.pt2"
    if kept:
        exported = export_generator(model_of(network), target, to="y")
        assert [found.difference for found in exported.comparisons] == pytest.approx([error] * 3, rel=0.02)
    else:
        with pytest.raises(ValueError, match="expected what G_Y computes"):
            export_generator(model_of(network), target, to="y")
    assert target.exists() is kept


def test_a_file_of_another_shape_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setitem(export._WRITERS, ".pt2", lambda program, path, metadata: lambda frames: frames[:, :1])
    with pytest.raises(ValueError, match="got a difference of inf on frames"):
        export_generator(model_of(Plain()), tmp_path / "made.pt2", to="y")


def test_what_an_exporter_cannot_do_is_said(tmp_path, monkeypatch):
    def write(program, path, metadata):
        path.write_text("half")
        raise RuntimeError("\n  no such operator\n  - at node 3\nlong trace")

    monkeypatch.setitem(export._WRITERS, ".onnx", write)
    disabled = logging.root.manager.disable
    with pytest.raises(ValueError) as refused:
        export_generator(model_of(Plain()), tmp_path / "made.onnx", to="y")
    assert str(refused.value) == (
        "G_Y: expected a generator that can be exported as ONNX, got Plain. RuntimeError: no such operator at node 3."
    )
    assert not [*tmp_path.iterdir()] and logging.root.manager.disable == disabled


def test_a_full_disk_is_no_fault_of_the_generator(tmp_path, monkeypatch):
    def write(program, path, metadata):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(export._WRITERS, ".pt2", write)
    with pytest.raises(OSError, match="No space left on device"):
        export_generator(model_of(Plain()), tmp_path / "made.pt2", to="y")


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        (
            "made.pt",
            {},
            ValueError,
            "expected a file that ends in .onnx, or in .pt2 for torch.export, got the suffix '.pt'.",
        ),
        ("made.pt2", {"to": "z"}, ValueError, "to: expected 'x' or 'y', got 'z'."),
        (
            "made.pt2",
            {"size": (10, 16)},
            ValueError,
            "size: expected height and width in multiples of 4 from 4 up, which G_Y takes, got 10x16 (height x width). "
            "Nearest that work: height 8 or 12, width 16.",
        ),
        (
            "made.pt2",
            {"size": (8, 8.0)},
            TypeError,
            "size: expected None or whole numbers (height, width), got (8, 8.0).",
        ),
        ("there.pt2", {}, FileExistsError, "got one that is there. Choose another name, or pass overwrite=True"),
        ("folder.pt2", {"overwrite": True}, FileExistsError, "expected a file, or a place for one, got a folder."),
        ("there.pt2/made.pt2", {}, FileExistsError, "expected a place in a folder, got the file "),
    ],
)
def test_refusals(name, options, error, message, tmp_path):
    (tmp_path / "there.pt2").write_text("before")
    (tmp_path / "folder.pt2").mkdir()
    model = model_with(("unet", {"depth": 2, "width": 2}))
    with pytest.raises(error) as refused:
        export_generator(model, tmp_path / name, **{"to": "y", **options})
    assert message in str(refused.value)
    assert (tmp_path / "there.pt2").read_text() == "before" and len([*tmp_path.iterdir()]) == 2


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    model = model_with(("unet", {"depth": 2, "width": 2}))
    with pytest.raises(ImportError) as refused:
        export_generator(model, tmp_path / "made.onnx", to="y")
    assert "the packages that ONNX needs, onnx, onnxscript, onnxruntime, got no onnxscript." in str(refused.value)
    assert str(refused.value).endswith('Install what is missing: pip install "vtrans[export]".')


def test_the_file_replaces_the_old_one_alone(tmp_path):
    target = tmp_path / "made.pt2"
    target.write_text("before")
    export_generator(model_of(Plain()), target, to="y", overwrite=True)
    frames = random_frames(2, 3, 4, 5)
    np.testing.assert_allclose(reader(target)(frames), torch.tanh(frames), atol=1e-6)
