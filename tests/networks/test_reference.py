"""The published architectures, computed again step by step from tensors under their published names."""

import pytest
import torch
import torch.nn.functional as F

from vtrans.interop import to_published
from vtrans.networks.discriminators import NLayerDiscriminator, PixelDiscriminator
from vtrans.networks.generators import ResnetGenerator, UnetGenerator
from vtrans.networks.predictors import ConvGruPredictor, SiamesePredictor, UnetPredictor


def weights(state, name):
    return state[f"{name}.weight"], state.get(f"{name}.bias")


def instance(x):
    mean = x.mean((-2, -1), keepdim=True)
    variance = x.var((-2, -1), keepdim=True, unbiased=False)
    return (x - mean) / torch.sqrt(variance + 1e-5)


def reflected(state, name, x, border):
    return F.conv2d(F.pad(x, [border] * 4, mode="reflect"), *weights(state, name))


def resnet(state, x, blocks, mode):
    x = F.relu(instance(reflected(state, "model.1", x, 3)))
    for name in ("model.4", "model.7"):
        x = F.relu(instance(F.conv2d(x, *weights(state, name), stride=2, padding=1)))
    first, second = ("0", "3") if mode == "constant" else ("1", "5")
    for block in range(10, 10 + blocks):
        y = F.conv2d(F.pad(x, [1] * 4, mode=mode), *weights(state, f"model.{block}.conv_block.{first}"))
        y = F.pad(F.relu(instance(y)), [1] * 4, mode=mode)
        x = x + instance(F.conv2d(y, *weights(state, f"model.{block}.conv_block.{second}")))
    for name in (f"model.{10 + blocks}", f"model.{13 + blocks}"):
        x = F.relu(instance(F.conv_transpose2d(x, *weights(state, name), stride=2, padding=1, output_padding=1)))
    return torch.tanh(reflected(state, f"model.{17 + blocks}", x, 3))


def unet(state, x, depth, prefix="model.model"):
    def down(name, x):
        return F.conv2d(x, *weights(state, name), stride=2, padding=1)

    def up(name, x):
        return F.conv_transpose2d(F.relu(x), *weights(state, name), stride=2, padding=1)

    def level(number, name, x):
        if number == depth - 1:
            inner = down(f"{name}.1", F.leaky_relu(x, 0.2))
            return torch.cat([x, instance(up(f"{name}.3", inner))], 1)
        inner = instance(down(f"{name}.1", F.leaky_relu(x, 0.2)))
        inner = level(number + 1, f"{name}.3.model", inner)
        return torch.cat([x, instance(up(f"{name}.5", inner))], 1)

    inner = level(1, f"{prefix}.1.model", down(f"{prefix}.0", x))
    return torch.tanh(up(f"{prefix}.3", inner))


def siamese(state, clip):
    def stem(x):
        x = F.relu(instance(reflected(state, "model1.1", x, 3)))
        for name in ("model1.4", "model1.7"):
            x = F.relu(instance(F.conv2d(x, *weights(state, name), padding=1)))
        return x

    x = unet(state, torch.cat([stem(clip[:, time]) for time in range(clip.shape[1])], 1), 6, "model.model.model")
    for name in ("model3.0", "model3.3"):
        x = F.relu(instance(F.conv2d(x, *weights(state, name), padding=1)))
    return torch.tanh(reflected(state, "model3.7", x, 3))


def patch(state, x):
    x = F.leaky_relu(F.conv2d(x, *weights(state, "model.0"), stride=2, padding=1), 0.2)
    for name, stride in (("model.2", 2), ("model.5", 2), ("model.8", 1)):
        x = F.leaky_relu(instance(F.conv2d(x, *weights(state, name), stride=stride, padding=1)), 0.2)
    return F.conv2d(x, *weights(state, "model.11"), padding=1)


def pixel(state, x):
    x = F.leaky_relu(F.conv2d(x, *weights(state, "net.0")), 0.2)
    return F.conv2d(F.leaky_relu(instance(F.conv2d(x, *weights(state, "net.2"))), 0.2), *weights(state, "net.5"))


CASES = {
    "resnet": (ResnetGenerator, {"blocks": 2, "width": 3}, (2, 2, 12, 16), lambda s, x: resnet(s, x, 2, "reflect")),
    "resnet_replicate": (
        ResnetGenerator,
        {"blocks": 1, "width": 3, "padding": "replicate"},
        (2, 2, 12, 16),
        lambda s, x: resnet(s, x, 1, "replicate"),
    ),
    "resnet_zero": (
        ResnetGenerator,
        {"blocks": 1, "width": 3, "padding": "zero"},
        (2, 2, 12, 16),
        lambda s, x: resnet(s, x, 1, "constant"),
    ),
    "unet": (UnetGenerator, {"depth": 5, "width": 2}, (2, 2, 32, 64), lambda s, x: unet(s, x, 5)),
    "patch": (NLayerDiscriminator, {"width": 2}, (2, 2, 31, 40), patch),
    "pixel": (PixelDiscriminator, {"width": 3}, (2, 2, 5, 6), pixel),
    "unet_predictor": (
        UnetPredictor,
        {"depth": 5, "width": 2, "context": 3},
        (2, 3, 2, 32, 32),
        lambda s, clip: unet(s, torch.cat([clip[:, 0], clip[:, 1], clip[:, 2]], 1), 5),
    ),
    "siamese": (SiamesePredictor, {"width": 1}, (2, 2, 2, 64, 64), siamese),
}


@pytest.mark.parametrize("case", CASES)
def test_it_computes_what_the_published_layers_compute(case):
    factory, options, shape, reference = CASES[case]
    ends = {"in_channels": 2, "out_channels": 2} if "Generator" in factory.__name__ else {"channels": 2}
    network = factory(**ends, **options).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.2)  # biases too, and far from the flat part of the tanh
        x = torch.rand(shape, dtype=torch.float64) * 2 - 1
        torch.testing.assert_close(network(x), reference(to_published(network), x), rtol=1e-10, atol=1e-10)


def test_batch_norm_sees_what_the_published_predictor_shows_it():
    """The published one calls its stem frame by frame, so each frame has statistics of its own."""
    network = SiamesePredictor(channels=2, width=1, norm="batch").double()
    clip = torch.rand(2, 2, 2, 64, 64, dtype=torch.float64)
    stems = torch.cat([network.stem(clip[:, 0]), network.stem(clip[:, 1])], 1)
    torch.testing.assert_close(network(clip), network.head(network.unet(stems)), rtol=0, atol=1e-12)


def test_conv_gru_is_the_recurrence_of_its_docstring():
    network = ConvGruPredictor(channels=2, width=2, init_gain=0.3).double()
    clip = torch.rand(1, 3, 2, 8, 8, dtype=torch.float64)
    hidden = 8
    seen, bias = network.seen.weight, network.seen.bias
    gates = torch.cat([seen[: 2 * hidden], network.gates.weight], 1)
    candidate = torch.cat([seen[2 * hidden :], network.candidate.weight], 1)
    h = torch.zeros(1, hidden, 2, 2, dtype=torch.float64)
    for time in range(3):
        e = network.encoder(clip[:, time])
        r, u = torch.sigmoid(F.conv2d(torch.cat([e, h], 1), gates, bias[: 2 * hidden], padding=1)).chunk(2, 1)
        c = torch.tanh(F.conv2d(torch.cat([e, r * h], 1), candidate, bias[2 * hidden :], padding=1))
        h = (1 - u) * h + u * c
        torch.testing.assert_close(network(clip)[:, time], network.decoder(h), rtol=0, atol=1e-12)
