"""Sizes, norms, initial weights."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vtrans.networks.generators import ResnetGenerator, UnetGenerator
from vtrans.networks.initialization import initialize
from vtrans.networks.norms import norm_layer
from vtrans.networks.sizes import nearest_sizes


@given(side=st.integers(0, 600), multiple=st.integers(1, 64), minimum=st.integers(1, 300))
def test_nearest_sizes_are_the_nearest(side, multiple, minimum):
    fits = [size for size in range(1200) if size and size >= minimum and size % multiple == 0]
    above = min(size for size in fits if size >= side)
    below = max((size for size in fits if size <= side), default=above)
    assert nearest_sizes(side, multiple=multiple, minimum=minimum) == tuple(sorted({below, above}))


def test_the_refusal_of_a_size_in_full():
    network = UnetGenerator(in_channels=3, out_channels=3, depth=7, width=1)
    with pytest.raises(ValueError) as refused:
        network(torch.zeros(1, 3, 100, 130))
    assert str(refused.value) == (
        "size of the frames for UnetGenerator: expected height and width in multiples of 128 from 128 up, "
        "got 100x130 (height x width). Nearest that work: height 128, width 128 or 256."
    )


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("norm", ["instance", "batch", "group", "none"])
def test_norms(norm, dimensions):
    layer = norm_layer(norm, 6, dimensions=dimensions)
    features = torch.randn(4, 6, *[5] * dimensions) * 3 + 1
    made = layer(features)
    affine = {"instance": 0, "batch": 2, "group": 2, "none": 0}[norm]
    assert len(list(layer.parameters())) == affine
    assert len(list(layer.buffers())) == (3 if norm == "batch" else 0)
    assert torch.equal(made, features) if norm == "none" else abs(float(made.detach().mean())) < 1e-5


@pytest.mark.parametrize(("channels", "groups"), [(4, 4), (48, 24), (64, 32), (37, 1), (100, 25)])
def test_groups_of_group_norm(channels, groups):
    assert norm_layer("group", channels).num_groups == groups


@pytest.mark.parametrize(
    ("init", "gain", "deviation"),
    [
        ("normal", None, 0.02),
        ("normal", 0.1, 0.1),
        ("xavier", None, 0.02 * (2 / (2 * 64 * 9)) ** 0.5),
        ("kaiming", None, (2 / (64 * 9)) ** 0.5),
        ("kaiming", 0.5, 0.5 * (2 / (64 * 9)) ** 0.5),
        ("orthogonal", None, (1 / (64 * 9)) ** 0.5),
    ],
)
def test_initial_weights(init, gain, deviation):
    network = nn.Sequential(nn.Conv2d(64, 64, 3), nn.ConvTranspose2d(64, 64, 3), nn.BatchNorm2d(64))
    initialize(network, init=init, gain=gain)
    for layer in network[:2]:
        assert float(layer.weight.detach().std()) == pytest.approx(deviation, rel=0.03)
        assert abs(float(layer.weight.detach().mean())) < deviation / 20
        assert not layer.bias.any()
    assert float(network[2].weight.detach().mean()) == pytest.approx(1, abs=0.01)
    assert 0.01 < float(network[2].weight.detach().std()) < 0.03
    assert not network[2].bias.any()


def test_orthogonal_weights_are_orthogonal():
    layer = nn.Conv2d(8, 4, 3)
    initialize(layer, init="orthogonal")
    rows = layer.weight.detach().flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(4))


@pytest.mark.parametrize("factory", [ResnetGenerator, UnetGenerator])
def test_networks_initialise_themselves(factory):
    network = factory(in_channels=3, out_channels=3, width=16)
    weights = torch.cat([value.flatten() for key, value in network.state_dict().items() if key.endswith("weight")])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.01)
    assert not any(value.any() for key, value in network.state_dict().items() if key.endswith("bias"))


@pytest.mark.parametrize(("norm", "biased"), [("instance", True), ("batch", False), ("group", True), ("none", True)])
def test_biases_before_norms(norm, biased):
    network = ResnetGenerator(in_channels=3, out_channels=3, blocks=1, width=2, norm=norm)
    *inner, last = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]
    assert {part.bias is not None for part in inner} == {biased}
    assert last.bias is not None
