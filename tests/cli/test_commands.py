"""The command line as a user meets it."""

import json
import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import torch
import yaml

import vtrans
from vtrans.cli import main
from vtrans.data import open_source, write_frames, write_video

PARTS = [
    "--model.generator",
    '["resnet", {"blocks": 1, "width": 4}]',
    "--model.predictor",
    '["unet", {"depth": 2, "width": 4}]',
    "--model.discriminator",
    '["n_layers", {"layers": 1, "width": 4}]',
]
QUICK = [*PARTS, "--steps", "2", "--preview_every", "0", "--device", "cpu"]
WORLD = ["--data.world", "shapes", "--data.size", "16"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", "recycle_gan", *WORLD, *QUICK, "--out", str(folder)]) == 0
    return folder


def fails(capsys, *words):
    """The one line that a mistake prints."""
    assert main(list(words)) == 2
    error = capsys.readouterr().err
    assert error.startswith("vtrans: error: ") and "Traceback" not in error
    return error.removeprefix("vtrans: error: ").strip()


def frames_of(path):
    (sequence,) = open_source(path).sequences
    return list(sequence.stream()), sequence.rate


def test_help_of_everything(capsys):
    assert main([]) == 0 and main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in re.findall(r"^  (\w+) ", text, re.MULTILINE):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: vtrans {command} ")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vtrans {vtrans.__version__}\n"


def test_the_module_runs_and_help_stays_light():
    code = """
import runpy, sys
from vtrans.cli import main
main(["--help"])
print([m for m in ("av", "jsonargparse", "rich", "matplotlib", "kornia", "PIL") if m in sys.modules])
sys.argv = ["vtrans", "trian"]
runpy.run_module("vtrans", run_name="__main__")
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(vtrans.__file__).parents[1])}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2 and done.stdout.endswith("[]\n")
    assert done.stderr.startswith("vtrans: error: Unknown command 'trian'. Did you mean 'train'?")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--stepss", "3"], "Unknown option '--stepss'. Did you mean '--steps'?"),
        (["train", "gan", "--data.siz", "3"], "Unknown option '--data.siz'. Did you mean '--data.size'?"),
        (["train", "gan", "--steps", "many", "--out", "r"], "--steps: expected a whole number, got many."),
        (["train", "gan", "--device", "gpu"], "expected auto or cpu or cuda, got gpu"),
        (["train", "gan", "again", "--steps", "2"], "'again' besides"),
        (["train", "--out", "r"], "recipe: expected a recipe's name, got none"),
        (["train", "recycelgan", *WORLD, "--out", "r"], "Unknown recipe 'recycelgan'. Did you mean 'recycle_gan'?"),
        (["train", "gan", *WORLD], "out: expected a folder for the run, got none. Pass --out runs/name."),
        (
            ["train", "gan", "--config", "none.yaml"],
            "config: expected a YAML file, got none.yaml",
        ),
        (["train", "gan", "--out", "r"], "no data.x and no data.y"),
        (["train", "gan", *WORLD, "--model.losses", '{"cicle": 1}', "--out", "r"], "Did you mean 'cycle'?"),
        (["train", "gan", *WORLD, "--model.generator", '["resnet", {"block": 1}]', "--out", "r"], "'blocks'"),
        (["translate", "nowhere", "a.mp4", "b.mp4", "--to", "y"], "which is no folder"),
        (["translate", "nowhere", "a.mp4", "b.mp4"], "--to {x,y} [options], got no --to."),
        (["translate", "nowhere"], "translate RUN INPUT OUTPUT --to {x,y} [options], got no INPUT, OUTPUT, --to."),
        (["explain", "ganz"], "Unknown recipe 'ganz'. Did you mean 'gan'?"),
        (["list", "generator"], "Unknown kind 'generator'. Did you mean 'generators'?"),
        (["import", "nowhere", "out", "--recipe", "gan", *PARTS[:2]], "nowhere"),
        (["demo", "--steps", "0"], "steps: expected a whole number of at least 1, got 0."),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_mistakes_are_one_clear_line(capsys, words, message):
    assert message in fails(capsys, *words)
    assert list(Path().iterdir()) == []


def test_unknown_keys_of_a_config_file_are_named(capsys):
    Path("c.yaml").write_text("data: {siz: 64}\n")
    message = fails(capsys, "train", "gan", "--config", "c.yaml")
    assert message.startswith("Unknown option in c.yaml: 'data.siz'. Did you mean 'data.size'?")
    Path("c.yaml").write_text("steps: [3\n")
    assert "c.yaml: expected YAML, got text that cannot be read" in fails(capsys, "train", "--config=c.yaml")


def test_debug_shows_where(capsys, monkeypatch):
    assert main(["list", "nothing", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("VTRANS_DEBUG", "1")
    assert main(["list", "nothing"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_run_can_be_repeated_from_its_config(run, capsys):
    assert main(["train", "--config", str(run / "config.yaml"), "--out", "again"]) == 0
    assert "Translate with: vtrans translate again INPUT OUTPUT --to y" in capsys.readouterr().out
    first, second = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (run, Path("again")))
    assert first == second
    weights = [vtrans.TranslationModel.from_pretrained(str(f / "model")).state_dict() for f in (run, Path("again"))]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_what_the_command_line_says_comes_after_the_file():
    text = "recipe: gan\nsteps: 1\nmodel:\n  generator: [resnet, {blocks: 1, width: 4}]\n  losses: {cycle: 3.0}\n"
    Path("c.yaml").write_text(text + "data: {world: shapes, size: 16}\n")
    words = ["train", "--config", "c.yaml", *QUICK, "--model.losses.identity", "2", "--out", "run"]
    assert main(words) == 0
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    assert (config["recipe"], config["steps"], config["data"]["world"]) == ("gan", 2, "shapes")
    weights = {name: options["weight"] for name, options in config["model"]["losses"]}
    assert weights == {"adversarial": 1.0, "cycle": 3.0, "identity": 2}


def test_a_dry_run_writes_nothing(capsys):
    assert main(["train", "recycle_gan", *WORLD, *QUICK, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "10 · Σ_t ‖x_{t+1} − G_X(P_Y(G_Y(x_{1:t})))‖₁" in text
    assert "clips of 3 frames, 3 channels, 16x16 pixels" in text and "parameters: G_X" in text
    assert list(Path().iterdir()) == []


def test_training_on_real_files(real_clips, capsys):
    clip = str(real_clips["carphone_pristine"])
    frames, _ = frames_of(clip)
    write_frames("frames", frames[:6])
    words = ["train", "cycle_gan", "--data.x", clip, "--data.y", "frames", "--data.size", "40", "--data.crop", "32"]
    assert main([*words, *QUICK, "--out", "run"]) == 0
    assert "clips of 3 frames, 3 channels, 32x32 pixels" in capsys.readouterr().out
    assert main([*words, *QUICK, "--steps", "3", "--out", "run", "--resume", "auto"]) == 0
    assert json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])["step"] == 3


@pytest.mark.parametrize("batch", ["1", "7"])
def test_a_video_keeps_its_frames_size_and_rate(run, real_clips, batch, capsys):
    source = open_source(real_clips["carphone_pristine"]).sequences[0]
    frames = [frame for frame, _ in zip(source.stream(), range(15), strict=False)]
    write_video("clip.mp4", frames, Fraction(30000, 1001))
    assert main(["translate", str(run), "clip.mp4", "out/translated.mp4", "--to", "y", "--batch", batch]) == 0
    translated, rate = frames_of("out/translated.mp4")
    assert len(translated) == 15 and translated[0].shape == frames[0].shape and rate == Fraction(30000, 1001)
    assert "15 frames of 176x144, 29.97 frames/s" in capsys.readouterr().out


def test_a_folder_of_frames_gives_one(run, real_clips):
    source = open_source(real_clips["carphone_pristine"]).sequences[0]
    frames = [frame for frame, _ in zip(source.stream(), range(3), strict=False)]
    write_frames("frames", frames)
    assert main(["translate", str(run / "model"), "frames", "translated", "--to", "x", "--device", "cpu"]) == 0
    translated, _ = frames_of("translated")
    model = vtrans.TranslationModel.from_pretrained(str(run / "model"))
    expected = model.translate(vtrans.data.frames_to_tensor(frames[1][None]), to="x")
    assert (translated[1] == vtrans.data.tensor_to_frames(expected)[0]).all()


def test_several_videos_give_one_each(run, capsys):
    frames = [torch.zeros(16, 16, 3, dtype=torch.uint8).numpy()] * 4
    write_video("in/a.mp4", frames, 10)
    write_video("in/b.avi", frames, 12)
    assert "named without a suffix" in fails(capsys, "translate", str(run), "in", "out.mp4", "--to", "y")
    assert main(["translate", str(run), "in", "out", "--to", "y"]) == 0
    assert [path.name for path in sorted(Path("out").iterdir())] == ["a.mp4", "b.avi"]
    assert frames_of("out/b.avi")[1] == 12


def test_one_image_and_a_folder_have_no_rate(run, capsys):
    write_frames("frames", [torch.zeros(16, 24, 3, dtype=torch.uint8).numpy()])
    assert main(["translate", str(run), "frames", "out", "--to", "y"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "out: 1 frame of 24x16"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write to")
@pytest.mark.parametrize("name", ["/proc/foo.mp4", "/proc/foo", "/proc/foo/bar.mp4"])
def test_a_place_that_cannot_be_written_is_named(run, capsys, name):
    write_frames("frames", [torch.zeros(16, 16, 3, dtype=torch.uint8).numpy()])
    error = fails(capsys, "translate", str(run), "frames", name, "--to", "y")
    assert error.startswith(f"{name}: expected a place that can be written, got one that cannot be written (")


def test_a_run_that_cannot_be_written_is_named(capsys):
    error = fails(capsys, "train", "gan", *WORLD, *QUICK, "--out", "/proc/foo")
    assert error.startswith("out: expected a place for a folder, got /proc/foo, which cannot be written (")


def test_outputs_are_never_replaced_unasked(run, capsys):
    write_video("a.mp4", [torch.zeros(16, 16, 3, dtype=torch.uint8).numpy()] * 2, 10)
    Path("b.mp4").write_text("mine")
    assert "Pass --overwrite to replace it." in fails(capsys, "translate", str(run), "a.mp4", "b.mp4", "--to", "y")
    assert Path("b.mp4").read_text() == "mine"
    assert main(["translate", str(run), "a.mp4", "b.mp4", "--to", "y", "--overwrite"]) == 0
    same = fails(capsys, "translate", str(run), "a.mp4", "./a.mp4", "--to", "y", "--overwrite")
    assert "OUTPUT: expected a place outside INPUT" in same


def test_explain_and_list(capsys):
    assert main(["explain", "recycle_gan", "--model.losses", '{"cycle": 5.0}', *PARTS]) == 0
    assert "5 · Σ_t ‖x_t − G_X(G_Y(x_t))‖₁" in capsys.readouterr().out
    assert main(["explain", "gan", "--latex"]) == 0
    assert "\\sum" in capsys.readouterr().out
    assert main(["explain", "cycle_gan", "--against", "gan"]) == 0
    assert "+   cycle/x" in capsys.readouterr().out
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    for registry in (vtrans.recipes, vtrans.generators, vtrans.losses, vtrans.data.worlds):
        assert all(f"  {name} " in text for name in registry)


def test_a_published_checkpoint_becomes_a_model(capsys):
    made = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}), discriminator=("patch", {"width": 4}))
    Path("published").mkdir()
    for ours, theirs in (("G_Y", "G_A"), ("G_X", "G_B"), ("D_Y", "D_A"), ("D_X", "D_B")):
        torch.save(vtrans.interop.to_published(made.networks[ours]), f"published/latest_net_{theirs}.pth")
    parts = [*PARTS[:2], "--model.discriminator", '["patch", {"width": 4}]']
    assert main(["import", "published", "model", "--recipe", "gan", *parts, "--model.seed", "5"]) == 0
    assert "model: G_Y, G_X, D_Y, D_X loaded from published" in capsys.readouterr().out
    loaded = vtrans.TranslationModel.from_pretrained("model")
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in made.state_dict().items())
    assert "overwrite" in fails(capsys, "import", "published", "model", "--recipe", "gan", *parts)


def test_parts_of_ones_own_are_imported(tmp_path, monkeypatch, capsys):
    source = (
        "import vtrans\nfrom vtrans.losses import Loss\n"
        "@vtrans.losses.register('steady_parts')\nclass Steady(Loss):\n"
        "    def terms(self, x, y):\n        yield self.compare(y.P(y.G(x.past)), y.G(x.frames))\n"
    )
    (tmp_path / "parts_of_mine.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    words = ["explain", "recycle_gan", "--model.losses", '{"steady_parts": 3.0}']
    assert "--import MODULE registers it" in fails(capsys, *words)
    assert main([*words, "--import", "parts_of_mine"]) == 0
    assert "steady_parts/y" in capsys.readouterr().out
    assert "No module named 'absent'" in fails(capsys, *words, "--import=absent")
