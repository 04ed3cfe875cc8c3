"""Feature networks: what they are given, and where their weights come from."""

import hashlib

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from vtrans.evaluation import Features, timm_features


def test_features_are_resized_normalised_and_pooled():
    seen = []
    features = Features(Seen(seen), "seen", size=(4, 6), mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0))
    found = features(torch.ones(2, 1, 8, 12))
    assert seen[0].shape == (2, 3, 4, 6)
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.75, 0.5]]).expand(2, 3))


@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (2, 2, 8, 8), (3, 8, 8), (1, 2, 3, 8, 8)])
def test_frames_have_one_or_three_channels(shape):
    with pytest.raises(ValueError, match=r"frames: expected \(count, 1 or 3 channels, height, width\), got shape"):
        Features(nn.Identity(), "any", size=None)(torch.zeros(shape))


@pytest.mark.parametrize("size", [(4, 6), (16, 20), None])
def test_frames_are_resized_smoothly_and_stay_in_their_range(size):
    """Pillow's bicubic filter, which antialiases; edges overshoot, and are clamped."""
    frames = torch.randint(0, 2, (1, 3, 8, 12)) * 2.0 - 1
    seen = []
    Features(Seen(seen), "seen", size=size)(frames)
    if size in (None, (8, 12)):
        torch.testing.assert_close(seen[0], frames / 2 + 0.5)
    else:
        channels = [
            Image.fromarray(channel.numpy() / 2 + 0.5).resize(size[::-1], Image.BICUBIC) for channel in frames[0]
        ]
        torch.testing.assert_close(
            seen[0][0], torch.stack([torch.from_numpy(np.array(c)).clamp(0, 1) for c in channels])
        )
    assert seen[0].min() >= 0 and seen[0].max() <= 1


def test_frames_of_the_right_size_are_left_alone():
    """A resize to the same size would clamp what lies outside of the range; this is not one."""
    seen = []
    Features(Seen(seen), "seen", size=(4, 6))(torch.full((1, 3, 4, 6), 1.5))
    assert (seen[0] == 1.25).all()


class Seen(nn.Module):
    """Notes what it is given."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def forward(self, frames):
        self.seen.append(frames)
        return frames


def test_features_are_computed_as_the_network_is_and_keep_no_graph():
    """In its precision, in evaluation mode, without gradients; it is left in its mode."""
    network = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(3, 5, 1)).double().train()
    found = Features(network, "wide", size=None)(torch.ones(2, 3, 4, 4))
    assert found.dtype == torch.float64 and not found.requires_grad and network.training
    torch.testing.assert_close(found, (network[1].weight.sum((1, 2, 3)) + network[1].bias).expand(2, -1).detach())


def test_features_are_rows_of_numbers():
    for made in (lambda frames: frames[:1], lambda frames: frames.flatten(), lambda frames: frames[:, None]):

        class Network(nn.Module):
            def forward(self, frames, made=made):
                return made(frames)

        allowed = r"output of odd: expected features \(batch, count\) or \(batch, count, height, width\), got"
        with pytest.raises(ValueError, match=allowed):
            Features(Network(), "odd", size=None)(torch.zeros(2, 3, 4, 4))
    flat = Features(nn.Flatten(), "flat", size=None)(torch.ones(2, 3, 4, 4))
    assert torch.equal(flat, torch.ones(2, 48))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of a small network, with its classifier, in a file."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), path)
    return path


def test_a_timm_model_with_weights_of_a_file(weights):
    features = timm_features("test_resnet", weights=str(weights))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    assert features.name == f"test_resnet, weights of tiny.safetensors (sha256 {digest}), timm {timm.__version__}"
    tagged = timm_features("test_resnet.r160_in1k", weights=str(weights))
    assert tagged.name.startswith("test_resnet.r160_in1k, weights of tiny.safetensors ")
    torch.manual_seed(3)
    whole = timm.create_model("test_resnet").eval()
    wants = timm.data.resolve_model_data_config(whole)
    frames = torch.rand(2, 3, *wants["input_size"][1:]) * 2 - 1
    mean, std = (torch.tensor(wants[name]).view(3, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        expected = whole.forward_head(whole.forward_features((frames / 2 + 0.5 - mean) / std), pre_logits=True)
    torch.testing.assert_close(features(frames), expected)


def test_weights_that_cannot_be_used(weights, tmp_path):
    with pytest.raises(ValueError, match="features: expected the name of a timm model, got 'resnet10x'. Did you mean"):
        timm_features("resnet10x")
    with pytest.raises(ValueError, match="feature_weights: expected 'hub', or the path .* which is no file"):
        timm_features("test_resnet", weights=str(tmp_path / "none.pth"))
    with pytest.raises(
        ValueError, match="features: expected the name of a timm model, got 'qqqqqqqq'. timm.list_models"
    ):
        timm_features("qqqqqqqq")
    (tmp_path / "text.pth").write_text("text")
    with pytest.raises(ValueError, match="feature_weights: expected a file of tensors by name, got .*cannot be read"):
        timm_features("test_resnet", weights=str(tmp_path / "text.pth"))
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="a file of tensors by name, got .*other.pth, which holds something else"):
        timm_features("test_resnet", weights=str(tmp_path / "other.pth"))
    torch.save({"stem": Unsafe()}, tmp_path / "unsafe.pth")
    with pytest.raises(ValueError, match="a file of tensors by name, got .*unsafe.pth, which cannot be read"):
        timm_features("test_resnet", weights=str(tmp_path / "unsafe.pth"))
    assert not Unsafe.ran


class Unsafe:
    """Runs code of its own where it is unpickled."""

    ran = []

    def __reduce__(self):
        return Unsafe.ran.append, (1,)


def test_weights_that_do_not_fit_are_told_apart(weights, tmp_path):
    whole = load_file(weights)
    own = list(timm.create_model("test_resnet", num_classes=0).state_dict())
    first, second, third, fourth = own[:4]
    changed = {key: value for key, value in whole.items() if key not in (first, second)}
    changed |= {"extra": whole[first], third: torch.zeros(1)}

    def refused(content):
        save_file(content, tmp_path / "changed.safetensors")
        with pytest.raises(ValueError, match="expected weights of that network, got") as error:
            timm_features("test_resnet", weights=str(tmp_path / "changed.safetensors"))
        return str(error.value).partition("changed.safetensors: ")[2]

    assert refused(changed).startswith(f"missing {first}, missing {second}, unexpected extra and 1 more")
    del changed["extra"]
    shapes = f"{third} of shape (1,) instead of {tuple(whole[third].shape)}"
    assert refused(changed).startswith(f"missing {first}, missing {second}, {shapes}") and "more" not in refused(
        changed
    )
    assert refused({**whole, third: torch.zeros(1)}).startswith(shapes)
    assert refused({**whole, "b": torch.zeros(1), "a": torch.zeros(1)}).startswith("unexpected a, unexpected b")
    assert refused({**{key: whole[key] for key in own if key != fourth}}).startswith(f"missing {fourth}")
    save_file({key: whole[key] for key in own}, tmp_path / "headless.safetensors")
    with_head, without = (
        timm_features("test_resnet", weights=str(f)) for f in (weights, tmp_path / "headless.safetensors")
    )
    frames = torch.rand(1, 3, 32, 32)
    assert torch.equal(with_head(frames), without(frames))


def test_of_a_checkpoint_the_weights_themselves_are_taken_and_not_their_average(weights, tmp_path):
    trained = load_file(weights)
    averaged = {key: torch.zeros_like(value) for key, value in trained.items()}
    torch.save({"state_dict": trained, "state_dict_ema": averaged}, tmp_path / "checkpoint.pth")
    frames = torch.rand(1, 3, 32, 32)
    found, expected = (timm_features("test_resnet", weights=str(f)) for f in (tmp_path / "checkpoint.pth", weights))
    assert torch.equal(found(frames), expected(frames)) and found(frames).any()


def test_weights_of_the_hub_are_asked_of_timm(monkeypatch):
    """The pretrained ones, without a classifier; what goes wrong there is told in one line."""
    asked = []

    def create(name, **options):
        asked.append((name, options))
        if name == "test_resnet":
            return made(name, **options | {"pretrained": False})
        raise OSError("no network\nat all")

    made = timm.create_model
    monkeypatch.setattr(timm, "create_model", create)
    features = timm_features("test_resnet")
    assert asked == [("test_resnet", {"pretrained": True, "num_classes": 0})]
    assert features.name == f"test_resnet, weights of the hub, timm {timm.__version__}"
    wants = timm.data.resolve_model_data_config(features.network)
    assert (features.size, features.mean, features.std) == (wants["input_size"][1:], wants["mean"], wants["std"])
    assert features(torch.zeros(1, 3, 8, 8)).ndim == 2
    with pytest.raises(
        ValueError, match="'resnet18', which cannot be made \\(OSError: no network\\). Without a network, pass"
    ):
        timm_features("resnet18")
