"""The generator on timm backbones: pyramids of every form, weights from files, refusals."""

import pytest
import safetensors.torch
import timm
import torch

from vtrans.networks.generators import TimmUnet

# Strides from 2, from 4, and from 4 with channels last.
BACKBONES = {
    "test_resnet": None,
    "test_efficientnet": None,
    "test_convnext": None,
    "mambaout_femto": {"depths": (1, 1, 1, 1), "dims": (8, 8, 8, 8)},
}


def build(backbone="test_resnet", channels=3, **options):
    return TimmUnet(in_channels=channels, out_channels=2, backbone=backbone, width=2, **options)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_backbones(backbone):
    network = build(backbone, channels=1, backbone_options=BACKBONES[backbone]).double()
    assert (network.multiple, network.minimum) == (32, 64)
    assert network.channels_last == (backbone == "mambaout_femto")
    made = network(torch.rand(2, 1, 64, 96, dtype=torch.float64))
    assert made.shape == (2, 2, 64, 96)
    made.pow(2).sum().backward()
    assert all(parameter.grad is not None for parameter in network.decoder.parameters())


def test_batch_norm_of_a_backbone_is_seen():
    from vtrans.networks.traits import sequential_reasons

    assert sequential_reasons(build("test_resnet")) == ("batch norm in training",)
    assert sequential_reasons(build("test_resnet").eval()) == ()


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "wrapped.pth"])
@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext"])
def test_weights_from_a_file_reach_the_encoder(backbone, suffix, tmp_path):
    path = tmp_path / f"weights.{suffix}"
    source = timm.create_model(backbone, num_classes=7)
    state = source.state_dict()
    if suffix == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save({"state_dict": state} if suffix.startswith("wrapped") else state, path)
    network = build(backbone, weights=str(path))
    frames = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        ours = network.eval().encoder(frames)[-1]
        theirs = source.eval().forward_intermediates(frames, intermediates_only=True)[-1]
    torch.testing.assert_close(ours, theirs)


def test_a_file_that_does_not_fit_names_every_tensor(tmp_path):
    state = timm.create_model("test_resnet").state_dict()
    first, second, *_ = [key for key in state if key.endswith("weight")]
    del state[first]
    state[second] = torch.zeros(1, 2)
    state["surplus.weight"] = torch.zeros(1)
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    with pytest.raises(ValueError) as refused:
        build(weights=str(path))
    message = str(refused.value)
    for part in (str(path), f"missing {first}", f"{second} has shape (1, 2) instead of", "unexpected surplus.weight"):
        assert part in message


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"backbone": "test_vit"}, ValueError, "backbone: expected a timm model with a pyramid of features"),
        ({"backbone": "test_resnett"}, ValueError, "Did you mean 'test_resnet'? timm.list_models() lists them."),
        ({"weights": "nowhere.pth"}, ValueError, "weights: expected None, 'hub', or the path of"),
        ({"weights": 3}, TypeError, "weights: expected None, 'hub' or the path of a file, got 3."),
        (
            {"backbone": "swin_tiny_patch4_window7_224", "backbone_options": {"embed_dim": 12, "depths": (1, 1, 1, 1)}},
            ValueError,
            "backbone: expected a timm model that takes frames of any size in multiples of 32, "
            "got 'swin_tiny_patch4_window7_224', which fails on 64x96.",
        ),
    ],
)
def test_refusals(options, error, message):
    with pytest.raises(error) as refused:
        build(**options)
    assert message in str(refused.value)


def test_a_backbone_of_one_size_can_be_freed_by_an_option():
    options = {"embed_dim": 12, "depths": (1, 1, 1, 1), "strict_img_size": False}
    network = build("swin_tiny_patch4_window7_224", backbone_options=options)
    assert network(torch.rand(1, 3, 64, 96)).shape == (1, 2, 64, 96)
