"""Checkpoints of the published code."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from vtrans.interop import PUBLISHED_NAMES, load_published, published_keys, to_published
from vtrans.networks.discriminators import NLayerDiscriminator, PixelDiscriminator, TemporalPatchDiscriminator
from vtrans.networks.generators import ResnetGenerator, UnetGenerator
from vtrans.networks.predictors import SiamesePredictor, UnetPredictor

PUBLISHED = json.loads((Path(__file__).parents[1] / "data" / "files" / "published_step.json").read_text())
SHAPES = {**PUBLISHED["case"]["shapes"], "prediction": PUBLISHED["shapes_of_prediction_predictor"]}
AT_PUBLISHED_WIDTHS = {
    "G_A": lambda: ResnetGenerator(in_channels=3, out_channels=3, blocks=6, width=8),
    "P_A": lambda: UnetPredictor(channels=3, depth=7, width=8),
    "D_A": lambda: NLayerDiscriminator(channels=3, width=8),
    "prediction": lambda: SiamesePredictor(channels=3, width=4),
}


@pytest.mark.parametrize("name", AT_PUBLISHED_WIDTHS)
def test_names_and_shapes_are_the_published_ones(name):
    network = AT_PUBLISHED_WIDTHS[name]()
    shapes = {key: list(value.shape) for key, value in to_published(network).items()}
    assert shapes == SHAPES[name]
    assert sorted(published_keys(network).values()) == sorted(network.state_dict())


@pytest.mark.parametrize(
    ("network", "some", "count"),
    [
        (
            ResnetGenerator(in_channels=3, out_channels=3, blocks=1, width=2, norm="batch"),
            ["model.2.running_mean", "model.10.conv_block.6.weight", "model.15.bias", "model.18.weight"],
            44,
        ),
        (
            ResnetGenerator(in_channels=3, out_channels=3, blocks=1, width=2, dropout=0.5),
            ["model.10.conv_block.1.weight", "model.10.conv_block.6.weight"],
            16,
        ),
        (
            ResnetGenerator(
                in_channels=3, out_channels=3, blocks=1, width=2, padding="zero", norm="batch", dropout=0.5
            ),
            ["model.10.conv_block.0.weight", "model.10.conv_block.5.weight"],
            44,
        ),
        (
            UnetGenerator(in_channels=3, out_channels=3, depth=5, width=2, norm="batch"),
            [
                "model.model.1.model.2.running_var",
                "model.model.1.model.3.model.3.model.3.model.4.weight",
                "model.model.1.model.6.num_batches_tracked",
            ],
            46,
        ),
        (PixelDiscriminator(channels=3, width=2, norm="batch"), ["net.3.running_mean", "net.5.weight"], 9),
        (
            NLayerDiscriminator(channels=3, width=2, norm="batch"),
            ["model.0.bias", "model.3.weight", "model.11.bias"],
            22,
        ),
    ],
    ids=["resnet batch", "resnet dropout", "resnet zero", "unet batch", "pixel batch", "patch batch"],
)
def test_names_with_batch_norm_dropout_and_zero_borders(network, some, count):
    keys = published_keys(network)
    assert set(some) <= set(keys) and len(keys) == count
    assert sorted(keys.values()) == sorted(network.state_dict())


def test_the_prediction_network_comes_in_the_published_order():
    keys = list(published_keys(SiamesePredictor(channels=3, width=1)))
    assert keys[0] == "model.model.model.0.weight"
    parts = [key.partition(".")[0] for key in keys]
    assert list(dict.fromkeys(parts)) == ["model", "model1", "model3"]
    assert parts == sorted(parts, key=["model", "model1", "model3"].index)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (TemporalPatchDiscriminator(channels=3, width=2), "got TemporalPatchDiscriminator."),
        (NLayerDiscriminator(channels=3, width=2, norm="none"), "norm of NLayerDiscriminator: expected 'instance' or"),
        (NLayerDiscriminator(channels=3, width=2, norm="group"), "norm of NLayerDiscriminator: expected 'instance' or"),
    ],
    ids=["network", "none", "group"],
)
def test_networks_that_the_published_code_does_not_have(network, message):
    with pytest.raises(ValueError) as refused:
        published_keys(network)
    assert message in str(refused.value)


def tiny(norm="instance", predictors=True, seed=0):
    torch.manual_seed(seed)
    networks = {}
    for role in ("X", "Y"):
        networks[f"G_{role}"] = ResnetGenerator(in_channels=3, out_channels=3, blocks=1, width=2, norm=norm)
        networks[f"D_{role}"] = NLayerDiscriminator(channels=3, width=2, norm=norm)
        if predictors:
            networks[f"P_{role}"] = UnetPredictor(channels=3, depth=3, width=2, norm=norm)
    return SimpleNamespace(networks=nn.ModuleDict(networks))


def states(model):
    return {key: value.clone() for key, value in model.networks.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[key], second[key]) for key in first)


def checkpoint(model, folder, label="latest", change=lambda name, state: state):
    for name, role in PUBLISHED_NAMES.items():
        if role in model.networks:
            state = dict(to_published(model.networks[role]))
            torch.save(change(name, state), folder / f"{label}_net_{name}.pth")


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("predictors", [True, False])
def test_round_trip(norm, predictors, tmp_path):
    source, target = tiny(norm, predictors, 0), tiny(norm, predictors, 1)
    for value in source.networks.state_dict().values():
        value.copy_(torch.rand_like(value) if value.is_floating_point() else torch.tensor(7))
    checkpoint(source, tmp_path, "20")
    loaded = load_published(target, tmp_path, "20")
    assert loaded == (("G_Y", "G_X", "P_X", "P_Y", "D_Y", "D_X") if predictors else ("G_Y", "G_X", "D_Y", "D_X"))
    assert same(states(source), states(target))


def test_names_from_parallel_training_statistics_of_instance_norms_and_old_files(tmp_path):
    def change(name, state):
        if name[0] == "G":
            for statistic in ("running_mean", "running_var"):
                state |= {f"model.{layer}.{statistic}": torch.zeros(5) for layer in (2, 5, 8)}
            state["model.10.conv_block.2.num_batches_tracked"] = torch.tensor(3)
        return {f"module.{key}": value for key, value in state.items()}

    source, target = tiny(), tiny(seed=1)
    checkpoint(source, tmp_path, change=change)
    load_published(target, str(tmp_path))
    assert same(states(source), states(target))


def test_batch_norms_of_old_releases_have_no_count(tmp_path):
    def change(name, state):
        return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}

    source, target = tiny("batch"), tiny("batch", seed=1)
    checkpoint(source, tmp_path, change=change)
    load_published(target, tmp_path)
    assert same(states(source), states(target))


def test_everything_that_does_not_fit_is_named_and_nothing_changes(tmp_path):
    def change(name, state):
        if name == "G_B":
            del state["model.4.bias"]
            state["model.3.running_mean"] = torch.zeros(2)  # a layer that is no norm
        if name == "D_B":  # read last
            state["model.5.weight"] = torch.zeros(1, 2)
        return state

    source, target = tiny(), tiny(seed=1)
    checkpoint(source, tmp_path, change=change)
    before = states(target)
    with pytest.raises(ValueError) as refused:
        load_published(target, tmp_path)
    message = str(refused.value)
    assert f"The checkpoint in {tmp_path} does not fit the model, which is unchanged" in message
    assert "latest_net_G_B.pth into G_X: missing model.4.bias" in message
    assert "latest_net_G_B.pth into G_X: unexpected model.3.running_mean" in message
    assert "latest_net_D_B.pth into D_X: model.5.weight has shape (1, 2), the network needs (8, 4, 4, 4)" in message
    assert message.count(" into ") == 3
    assert same(before, states(target))


def test_running_statistics_of_batch_norms_are_needed(tmp_path):
    def change(name, state):
        return {key: value for key, value in state.items() if not key.endswith("running_var")}

    checkpoint(tiny("batch"), tmp_path, change=change)
    with pytest.raises(ValueError, match="latest_net_G_A.pth into G_Y: missing model.2.running_var"):
        load_published(tiny("batch"), tmp_path)


def test_a_cycle_gan_checkpoint_into_a_model_with_predictors(tmp_path):
    source, target = tiny(predictors=False), tiny(seed=1)
    checkpoint(source, tmp_path)
    before = states(target)
    with pytest.raises(FileNotFoundError) as refused:
        load_published(target, tmp_path)
    message = str(refused.value)
    assert "A CycleGAN checkpoint has no predictors. Pass roles=['G_Y', 'G_X', 'D_Y', 'D_X'] to load these" in message
    assert "latest_net_P_A.pth" in message and "latest_net_D_B.pth" in message
    assert same(before, states(target))
    assert load_published(target, tmp_path, roles=["G_X", "G_Y"]) == ("G_X", "G_Y")
    after = states(target)
    assert torch.equal(after["G_X.stem.0.weight"], states(source)["G_X.stem.0.weight"])
    assert torch.equal(after["P_X.unet.downs.0.0.weight"], before["P_X.unet.downs.0.0.weight"])


def test_folders_labels_and_roles_that_are_not_there(tmp_path):
    model = tiny()
    with pytest.raises(FileNotFoundError, match="folder: expected the folder of a published checkpoint, got"):
        load_published(model, tmp_path / "nowhere")
    checkpoint(model, tmp_path, "200")
    with pytest.raises(FileNotFoundError, match="got 200_net_D_A.pth, .* Pass the label that the files have."):
        load_published(model, tmp_path)
    with pytest.raises(ValueError, match="Unknown network of both the model and the published code: 'G_Z'"):
        load_published(model, tmp_path, "200", roles=["G_Z"])
    with pytest.raises(TypeError, match=r"Pass \['G_X'\]"):
        load_published(model, tmp_path, "200", roles="G_X")


NO_CHECKPOINTS = {
    "text": b"no checkpoint",
    "greeting": b"hello",
    "nothing": b"",
    "a cut pickle": b"\x80\x02.",
    "a list": [1, 2],
    "code": {"model": nn.Conv2d(1, 1, 1)},
}


@pytest.mark.parametrize("content", NO_CHECKPOINTS.values(), ids=NO_CHECKPOINTS)
def test_files_that_are_no_checkpoint(content, tmp_path):
    model = tiny()
    checkpoint(model, tmp_path)
    path = tmp_path / "latest_net_P_B.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    before = states(model)
    with pytest.raises(ValueError, match="latest_net_P_B.pth: expected"):
        load_published(model, tmp_path)
    assert same(before, states(model))


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(4, dtype=torch.int64), "model.0.bias has torch.int64 values, the network needs floating point"),
        (torch.zeros(4, dtype=torch.complex64), "model.0.bias has torch.complex64 values, the network needs floating"),
        (torch.full((4,), torch.nan), "model.0.bias has values that are not finite"),
        (torch.tensor([0, 0, 0, 1e300], dtype=torch.float64), "model.0.bias has values that are not finite"),
        (torch.zeros(4).to_sparse(), "model.0.bias is no plain tensor with values"),
        (torch.zeros(4, device="meta"), "model.0.bias is no plain tensor with values"),
    ],
    ids=["integers", "complex", "nan", "overflow", "sparse", "meta"],
)
def test_values_that_no_network_holds_are_named(value, message, tmp_path):
    source = SimpleNamespace(networks=nn.ModuleDict({"D_X": NLayerDiscriminator(channels=3, width=4)}))
    target = copy.deepcopy(source)
    checkpoint(source, tmp_path, change=lambda name, state: {**state, "model.0.bias": value})
    before = states(target)
    with pytest.raises(ValueError) as refused:
        load_published(target, tmp_path)
    assert f"latest_net_D_B.pth into D_X: {message}" in str(refused.value)
    assert same(before, states(target))


def test_what_is_not_a_tensor_is_named(tmp_path):
    model = tiny()
    checkpoint(model, tmp_path, change=lambda name, state: {**state, "epoch": 5})
    with pytest.raises(
        ValueError, match=r"net_G_A.pth: expected nothing but tensors by name, got also epoch \(a int\)"
    ):
        load_published(model, tmp_path)
