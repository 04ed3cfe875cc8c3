"""``vtrans evaluate``: which data it takes, what it prints and writes, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from helpers.runs import SETTINGS
from safetensors.torch import save_file

import vtrans
from vtrans.cli import main
from vtrans.data import open_source, worlds, write_frames
from vtrans.data.palettes import Palette
from vtrans.evaluation import EvaluationData, evaluate, world_data
from vtrans.training import DataSettings, prepare, train

IMPOSSIBLE = "metrics: expected metrics that can be measured on these data, got"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run in the world of shapes, of seed 5."""
    out = tmp_path_factory.mktemp("runs") / "shapes"
    train(prepare(replace(SETTINGS, steps=2, seed=5, data=DataSettings(world="shapes", size=16))), out)
    return out


@pytest.fixture(scope="module")
def model(run):
    return vtrans.TranslationModel.from_pretrained(str(run / "model"))


def evaluated(*words):
    """What the command wrote."""
    assert main(["evaluate", *map(str, words), "--out", "out", "--overwrite"]) == 0
    with open("out/evaluation.json", encoding="utf-8") as file:
        content = json.load(file)
    return content, {f"{value['metric']}/{value['to']}": value["value"] for value in content["values"]}


def fails(capsys, *words):
    assert main(["evaluate", *map(str, words)]) == 2
    return capsys.readouterr().err.removeprefix("vtrans: error: ").strip()


def frames_of(path, seed, shape=(6, 16, 20, 3)):
    frames = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    write_frames(path, frames)
    return frames


def test_a_run_in_a_world_is_measured_on_its_held_out_pairs(run, model, capsys):
    content, numbers = evaluated(run)
    expected = evaluate(model, world_data("shapes", worlds.create("shapes", size=16, seed=5)))
    assert numbers == pytest.approx(expected.numbers)
    assert content["settings"]["seed"] == 5 and content["settings"]["x"]["motion"] == "exact"
    printed = capsys.readouterr().out
    assert all(line in printed for line in expected.table().splitlines())
    assert printed.endswith("Written: out/evaluation.json and evaluation.csv\n")


def test_another_world_seed_and_size_can_be_asked_for(run, model):
    words = ["--world", "motion_keyed", "--data.size", "24", "--seed", "7", "--clips", "2", "--length", "3"]
    _, numbers = evaluated(run, *words, "--to", "y", "--metrics", "psnr", "flicker")
    data = world_data("motion_keyed", worlds.create("motion_keyed", size=24, seed=7), clips=2, length=3)
    assert numbers == pytest.approx(evaluate(model, data, to="y", metrics=["psnr", "flicker"]).numbers)


def test_files_are_measured_at_the_size_of_the_run_or_their_own(run, model):
    x, y = open_source(frames_of("a", 1).transpose(0, 3, 1, 2)), open_source(frames_of("b", 2).transpose(0, 3, 1, 2))
    metrics = ["l1", "cycle"]
    content, numbers = evaluated(run, "--x", "a", "--y", "b", "--paired", "--metrics", *metrics)
    assert content["settings"]["x"]["sizes"] == ["16x16"]
    expected = evaluate(model, EvaluationData(x=x, y=y, paired=True, size=(16, 16)), metrics=metrics)
    assert numbers == pytest.approx(expected.numbers)
    _, own = evaluated(run, "--x", "a", "--y", "b", "--paired", "--data.size", "own", "--metrics", *metrics)
    expected = evaluate(model, EvaluationData(x=x, y=y, paired=True), metrics=metrics)
    assert own == pytest.approx(expected.numbers) and own != pytest.approx(numbers)


def test_a_model_without_a_run_takes_frames_as_they_are(model, tmp_path):
    model.save_pretrained(str(tmp_path / "model"))
    frames_of("a", 1)
    content, numbers = evaluated("model", "--x", "a")
    assert content["settings"]["x"]["sizes"] == ["16x20"]
    assert {name for name in numbers if name.endswith("/x")} == {"cycle/x"}


def test_a_run_on_files_is_measured_on_what_it_held_out(tmp_path):
    frames_of("a", 1, (40, 16, 16, 3))
    frames_of("b", 2, (40, 16, 16, 3))
    data = DataSettings(x="a", y="b", size=16, held_out=0.25, cuts=False)
    train(prepare(replace(SETTINGS, steps=1, data=data)), tmp_path / "run")
    content, _ = evaluated("run", "--metrics", "flicker")
    counts = {value["metric"]: value["count"] for value in content["values"]}
    assert counts == {"flicker": 9, "flicker_input": 9, "sharpness": 10, "sharpness_real": 10, "sharpness_ratio": 10}


def test_a_run_that_held_nothing_out_needs_other_frames(tmp_path, capsys):
    frames_of("a", 1)
    data = DataSettings(x="a", y="a", size=16, cuts=False)
    train(prepare(replace(SETTINGS, steps=1, data=data)), tmp_path / "run")
    message = fails(capsys, "run")
    assert message.startswith("data: expected frames held out from training, got none in this run. Pass --x and --y")


def test_edges_of_a_video_are_pairs(tmp_path):
    frames_of("a", 1, (80, 16, 16, 3))
    train(prepare(replace(SETTINGS, steps=1, data=DataSettings(edges_of="a", size=16, cuts=False))), tmp_path / "run")
    _, numbers = evaluated("run", "--to", "y", "--metrics", "psnr", "tof")
    assert {"psnr/y", "tof/y", "sharpness/y"} <= set(numbers)


def test_label_maps_by_a_palette(run):
    palette = Palette(["off", "on"], [(0, 0, 0), (255, 255, 255)])
    palette.save("classes.json")
    frames_of("a", 1)
    write_frames("b", palette.to_colours(np.random.default_rng(0).integers(0, 2, (6, 16, 20))))
    content, numbers = evaluated(run, "--x", "a", "--y", "b", "--paired", "--palette", "classes.json")
    assert 0 <= numbers["mean_iou/y"] <= numbers["class_accuracy/y"] <= 1
    assert "mean_iou/x" in content["left_out"]


def test_features_of_local_weights_are_named_with_every_number(run, capsys):
    torch.manual_seed(0)
    save_file(timm.create_model("test_vit").state_dict(), "tiny.safetensors")
    words = ["--features", "test_vit", "--feature-weights", "tiny.safetensors", "--metrics", "fid", "kid", "vfd"]
    content, numbers = evaluated(run, *words, "--to", "y")
    assert set(numbers) == {"fid/y", "kid/y", "vfd/y"}
    assert all(value["features"].startswith("test_vit, weights of tiny.safetensors") for value in content["values"])
    assert "published ones of Inception, are not comparable" in " ".join(capsys.readouterr().out.split())


def test_nothing_is_overwritten_unasked(run, capsys, tmp_path):
    words = ["evaluate", str(run), "--metrics", "l1", "--clips", "1", "--length", "2", "--out", "out"]
    assert main(words) == 0
    before = (tmp_path / "out/evaluation.json").read_bytes()
    capsys.readouterr()
    message = fails(capsys, *words[1:])
    assert message.startswith("out: expected a folder without an evaluation, got out/evaluation.json. Pass another")
    assert (tmp_path / "out/evaluation.json").read_bytes() == before
    (tmp_path / "file").write_text("")
    assert fails(capsys, *words[1:-1], "file") == "out: expected a folder, got the file file."


def test_by_default_it_is_written_beside_the_run(run):
    assert main(["evaluate", str(run), "--metrics", "l1", "--clips", "1", "--length", "2"]) == 0
    assert sorted(path.name for path in (run / "evaluation").iterdir()) == ["evaluation.csv", "evaluation.json"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--metrics", "psrn"], "Unknown metric 'psrn'. Did you mean 'psnr'? Known: settled,"),
        (
            ["--metrics", "mean_iou"],
            "metrics: expected metrics that can be measured on these data, got mean_iou. Frames",
        ),
        (
            ["--metrics", "fid"],
            "metrics: expected metrics that can be measured on these data, got fid. There is no fea",
        ),
        (
            ["--metrics", "recycle"],
            "metrics: expected metrics that can be measured on these data, got recycle. The model",
        ),
        (
            ["--x", "a", "--y", "b", "--metrics", "psnr"],
            "metrics: expected metrics that can be measured on these data,",
        ),
        (
            ["--x", "a", "--y", "c", "--paired"],
            "paired: expected sequences of one length, got 6 frames in a, 5",
        ),
        (
            ["--x", "a", "--y", "d", "--paired"],
            "paired: expected frames of one shape (height to width)",
        ),
        (["--x", "a", "--paired"], "paired: expected frames of X and of Y, got those of x alone."),
        (
            ["--x", "a", "--to", "x"],
            "to: expected a domain that there are frames for: X is translated from Y,",
        ),
        (["--x", "nowhere"], "nowhere: expected a file or folder that exists, got nothing."),
        (["--x", "empty"], "empty: expected"),
        (["--clips", "0"], "clips: expected a whole number of at least 1, got 0."),
        (["--length", "1"], "length: expected a whole number of at least 2, got 1."),
        (["--world", "shapez"], "Unknown world 'shapez'. Did you mean 'shapes'?"),
        (["--to", "z"], "to: expected 'x', 'y' or 'both', got 'z'."),
        (["--features", "resnet10x"], "features: expected the name of a timm model, got 'resnet10x'. Did you mean"),
        (["--overwrit"], "Unknown option '--overwrit'. Did you mean '--overwrite'?"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(words, message, run, capsys, tmp_path):
    for name, seed, shape in (("a", 1, (6, 16, 20, 3)), ("b", 2, (6, 16, 20, 3)), ("c", 3, (5, 16, 20, 3))):
        frames_of(name, seed, shape)
    frames_of("d", 4, (6, 12, 20, 3))
    (tmp_path / "empty").mkdir()
    assert fails(capsys, run, "--out", "out", *words).startswith(message)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_model_is_refused(capsys):
    assert fails(capsys, "nowhere").startswith(
        "run: expected a folder of a run, or one that save_pretrained wrote, got"
    )


def test_a_config_of_another_version_is_named(run, capsys, tmp_path):
    vtrans.TranslationModel.from_pretrained(str(run / "model")).save_pretrained(str(tmp_path / "other/model"))
    (tmp_path / "other/config.yaml").write_text("data: {wolrd: shapes}\nseed: 0\n")
    assert "config.yaml: expected the config of a run of this version, got" in fails(capsys, "other")
