"""Checkpoints that are damaged, or made to attack: each is named, changes nothing, and nothing of it is executed."""

import pickle
import random
from pathlib import Path

import pytest
import torch
from helpers.damage import at, edited, flip, note_again, remove, truncate
from helpers.runs import SETTINGS, assert_same, newest, resume
from safetensors.torch import load_file, save_file

import vtrans
from vtrans.training import load_checkpoint, prepare

FILES = [
    "manifest.json",
    "state.json",
    "state.safetensors",
    "process-0.json",
    "process-0.safetensors",
    "model/model.safetensors",
    "model/config.json",
]


class Executed:
    """Unpickling it leaves a file behind."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return Path.write_text, (Path(self.place), "executed")


@pytest.fixture(scope="module")
def model():
    """It is never changed, since all that is loaded into it here is refused."""
    return prepare(SETTINGS).model


def empty(file):
    file.write_bytes(b"")


def pickled(file):
    file.write_bytes(pickle.dumps(Executed(file.parent / "executed")))


def link(file):
    elsewhere = file.with_name(f"elsewhere{file.suffix}")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def folder_instead(file):
    file.unlink()
    file.mkdir()


DAMAGES = [truncate, flip, remove, empty, pickled, link, folder_instead]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_every_damage_to_every_file_is_named_and_changes_nothing(run, model, name, damage):
    if (name, damage) == ("manifest.json", link):
        pytest.skip("a link to the manifest itself leads to the same checks")
    checkpoint = newest(run)
    damage(checkpoint / name)
    optimizers = model.optimizers()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random_before = torch.get_rng_state()
    changed_text_alone = (name, damage) == ("manifest.json", flip)
    if not changed_text_alone:  # whose middle is somewhere in a checksum, or in a name
        with pytest.raises(ValueError, match=rf"(?s){checkpoint}.*{Path(name).name}"):
            load_checkpoint(checkpoint, model, optimizers)
    else:
        with pytest.raises(ValueError, match=str(checkpoint)):
            load_checkpoint(checkpoint, model, optimizers)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert torch.equal(random_before, torch.get_rng_state()) and not any(o.state for o in optimizers.values())
    assert not list(run.rglob("executed"))


def moved(place):
    def change(content):
        content["files"][place] = content["files"].pop("state.json")

    return change


ATTACKS = [
    ("manifest.json", moved("../../../../etc/state.json")),
    ("manifest.json", moved("/etc/state.json")),
    ("manifest.json", moved("model/../../state.json")),
    ("manifest.json", moved("..\\state.json")),
    ("manifest.json", moved("C:/state.json")),
    ("manifest.json", moved("state.pt")),
    ("manifest.json", moved("a/b/c/state.json")),
    ("manifest.json", moved("x" * 5000 + ".json")),
    ("manifest.json", moved("\0.json")),
    ("manifest.json", at("files", value=[])),
    ("manifest.json", at("files", value={})),
    ("manifest.json", at("files", "state.json", value=3)),
    ("manifest.json", at("files", "state.json", "bytes", value="many")),
    ("manifest.json", at("files", "state.json", "sha256", value=None)),
    ("manifest.json", at("processes", value=0)),
    ("manifest.json", at("processes", value="one")),
    ("manifest.json", at("processes", value=[1])),
    ("manifest.json", at("step", value=None)),
    ("manifest.json", at("step", value={})),
    ("state.json", at("optimizers", value=[])),
    ("state.json", at("optimizers", value={})),
    ("state.json", at("optimizers", "generators", value=None)),
    ("state.json", at("optimizers", "generators", "groups", value={})),
    ("state.json", at("optimizers", "generators", "groups", value=[])),
    ("state.json", at("optimizers", "generators", "groups", 0, "params", value=[0])),
    ("state.json", at("optimizers", "generators", "groups", 0, "betas", value="high")),
    ("state.json", at("optimizers", "generators", "groups", 0, "betas", value=[0.5])),
    ("state.json", at("optimizers", "generators", "groups", 0, "lr", value={})),
    ("state.json", at("optimizers", "generators", "numbers", value={"x": {}})),
    ("state.json", at("scaler", value=7)),
    ("state.json", at("scaler", value={"scale": "large"})),
    ("state.json", at("progress", value=7)),
    ("state.json", at("progress", value={"left_out": 3})),
    ("state.json", at("progress", value={"left_out": [], "best": "all"})),
    ("process-0.json", at("pools", value={})),
    ("process-0.json", at("pools", "x", value=10**12)),
    ("process-0.json", at("pools", "x", value="3")),
    ("process-0.json", at("random", value=None)),
    ("process-0.json", at("random", "python", value=[3, [1, 2], None])),
    ("process-0.json", at("random", "python", value=[3, ["a"] * 625, None])),
    ("process-0.json", at("random", "numpy", value=["MT19937", 10**40, 0, 0.0])),
    ("process-0.json", at("random", "numpy", value=["pickle", 1, 0, 0.0])),
]


@pytest.mark.parametrize(("name", "change"), ATTACKS, ids=lambda value: value if isinstance(value, str) else "")
def test_data_made_to_attack_are_refused(run, model, straight, name, change, capsys):
    edited(newest(run), name, change)
    state = random.getstate(), torch.get_rng_state()
    if "progress" not in str(change.__closure__[0].cell_contents):
        with pytest.raises(ValueError, match="step-000004|checkpoint"):
            load_checkpoint(newest(run), model, model.optimizers())
    assert state[0] == random.getstate() and torch.equal(state[1], torch.get_rng_state())
    if "progress" in str(change.__closure__[0].cell_contents):
        resume(run)
        assert "Going on after 2 steps." in capsys.readouterr().out
        assert_same(run, straight)


def tensors_of(checkpoint, name, change):
    tensors = load_file(checkpoint / name)
    change(tensors)
    save_file(tensors, checkpoint / name)
    note_again(checkpoint)


def reshaped(start):
    def change(tensors):
        name = next(n for n in tensors if n.startswith(start) and tensors[n].ndim)
        tensors[name] = tensors[name].flatten()[:1].clone()

    return change


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("state.safetensors", "optimizers/generators/0/exp_avg"),
        ("process-0.safetensors", "pools/x/0"),
        ("process-0.safetensors", "random/torch"),
        ("process-0.safetensors", "random/numpy"),
        ("process-0.safetensors", "pools/x/random"),
        ("model/model.safetensors", "networks.G_X"),
    ],
)
def test_tensors_of_another_shape_are_refused(run, model, name, start):
    tensors_of(newest(run), name, reshaped(start))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError):
        load_checkpoint(newest(run), model, model.optimizers())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["state.safetensors", "process-0.safetensors", "model/model.safetensors"])
@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 8 + b"{}",
        (2**40).to_bytes(8, "little") + b"{}",
        (100_000_001).to_bytes(8, "little") + b"{" * 100,
        (2).to_bytes(8, "little") + b"[]",
        (85).to_bytes(8, "little")
        + b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}          '
        + b"0" * 16,
        b"\x80\x04\x95",
    ],
)
def test_headers_made_to_attack(run, model, name, content):
    (newest(run) / name).write_bytes(content)
    note_again(newest(run))
    with pytest.raises(ValueError, match=name.split("/")[-1]):
        load_checkpoint(newest(run), model, model.optimizers())


@pytest.mark.parametrize("content", ["[" * 200_000, "1" * 10_000, "null", "[1]", '{"files": ', "\udcff"])
@pytest.mark.parametrize("name", ["manifest.json", "state.json"])
def test_json_made_to_attack(run, model, name, content):
    (newest(run) / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    if name != "manifest.json":
        note_again(newest(run))
    with pytest.raises(ValueError, match=name):
        load_checkpoint(newest(run), model, model.optimizers())


def test_a_huge_json_is_not_read(run, model):
    with (newest(run) / "manifest.json").open("wb") as file:
        file.truncate(1 << 34)  # sparse: it takes no room
    with pytest.raises(ValueError, match="expected at most 67108864 bytes"):
        load_checkpoint(newest(run), model, model.optimizers())


def test_a_folder_that_is_a_link_is_not_followed(run, model, tmp_path):
    (newest(run) / "model").rename(tmp_path / "model")
    (newest(run) / "model").symlink_to(tmp_path / "model")
    with pytest.raises(ValueError, match="expected a file, as the manifest says, got a link"):
        load_checkpoint(newest(run), model, model.optimizers())


def test_nothing_is_unpickled():
    sources = [
        *Path(vtrans.__file__).parent.glob("training/*.py"),
        Path(vtrans.__file__).parent / "model" / "pretrained.py",
    ]
    assert len(sources) > 20
    for source in sources:
        text = source.read_text()
        for word in ("torch.load", "import pickle", "pickle.", "np.load", "marshal", "eval(", "exec(", "yaml.load("):
            assert word not in text.replace("model.eval(", ""), f"{word} in {source.name}"
