"""What every network promises, checked for every class that the packages export."""

import copy
import inspect
import re
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import vtrans.networks  # noqa: F401 - found by its name: vtrans.networks is the registry
from vtrans.networks import discriminators, generators, predictors
from vtrans.networks.traits import sequential_reasons

# Sizes that keep the tests quick; a class without an entry is built with its defaults.
SMALL = {
    "ResnetGenerator": {"blocks": 2, "width": 4},
    "UnetGenerator": {"depth": 3, "width": 4},
    "TimmUnet": {"backbone": "test_convnext", "width": 4},
    "NLayerDiscriminator": {"layers": 2, "width": 4},
    "PixelDiscriminator": {"width": 4},
    "TemporalPatchDiscriminator": {"layers": 2, "width": 4},
    "UnetPredictor": {"depth": 3, "width": 4},
    "ResnetPredictor": {"blocks": 1, "width": 4},
    "SiamesePredictor": {"width": 1},
    "ConvGruPredictor": {"width": 2},
}
PACKAGES = {"generator": generators, "discriminator": discriminators, "predictor": predictors}
ALL = [(kind, name) for kind, package in PACKAGES.items() for name in package.__all__]
LEARNED = [(kind, name) for kind, name in ALL if name in SMALL]


def build(kind, name, channels=3, **options):
    factory = getattr(PACKAGES[kind], name)
    ends = {"in_channels": channels, "out_channels": channels} if kind == "generator" else {"channels": channels}
    return factory(**ends, **SMALL.get(name, {}), **options)


def sample(network, channels=3, batch=2, time=4, size=None, dtype=torch.float64):
    """An input of the network's smallest size, or of another."""
    height, width = size or (network.minimum, network.minimum + network.multiple)
    if hasattr(network, "window"):
        shape = (batch, network.window, channels, height, width)
    elif hasattr(network, "context"):
        shape = (batch, network.context or time, channels, height, width)
    else:
        shape = (batch, channels, height, width)
    return torch.rand(shape, dtype=dtype) * 2 - 1


@pytest.mark.parametrize(("kind", "name"), ALL)
@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_ranges_and_precision(kind, name, channels, dtype):
    network = build(kind, name, channels).to(dtype)
    given = sample(network, channels, dtype=dtype)
    made = network(given)
    assert made.dtype == dtype and torch.isfinite(made).all()
    if kind == "discriminator":
        assert made.ndim == 4 and made.shape[:2] == (2, 1) and min(made.shape) > 0
    elif kind == "predictor" and network.context is None:
        assert made.shape == given.shape
    elif kind == "predictor":
        assert made.shape == given[:, 0].shape
    else:
        assert made.shape == given.shape
    if kind != "discriminator":
        assert made.abs().max() <= 1


@pytest.mark.parametrize("name", generators.__all__)
def test_generators_change_the_number_of_channels(name):
    network = getattr(generators, name)(in_channels=2, out_channels=5, **SMALL[name])
    assert network(sample(network, 2, dtype=torch.float32)).shape[1] == 5


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_the_elements_of_a_batch_do_not_see_each_other(kind, name):
    network = build(kind, name).double()
    given = sample(network, batch=3)
    together = network(given)
    alone = torch.cat([network(one[None]) for one in given])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    assert sequential_reasons(network) == ()


@pytest.mark.parametrize(("kind", "name"), LEARNED)
@pytest.mark.parametrize("norm", ["instance", "batch", "group", "none"])
def test_every_norm_runs_and_reaches_every_parameter(kind, name, norm):
    if (name, norm) == ("ConvGruPredictor", "batch"):
        pytest.skip("refused: test_batch_norm_is_refused_where_it_would_show_the_future")
    network = build(kind, name, norm=norm).double()
    made = network(sample(network))
    (made * torch.rand_like(made)).sum().backward()
    assert not [key for key, parameter in network.named_parameters() if parameter.grad is None]
    assert ("batch norm in training" in sequential_reasons(network)) == (norm == "batch")


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_torch_compile_traces_it_whole(kind, name):
    network = build(kind, name)
    given = sample(network, dtype=torch.float32)
    torch.compiler.reset()
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(given), network(given))


@pytest.mark.parametrize(("kind", "name"), LEARNED)
def test_same_seed_same_weights_and_state_round_trips(kind, name):
    first, second = (torch.manual_seed(seed) and build(kind, name) for seed in (3, 3))
    other = build(kind, name)
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])
    other.load_state_dict(first.state_dict())
    given = sample(first, dtype=torch.float32)
    assert torch.equal(first(given), copy.deepcopy(other)(given))


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_other_sizes_are_refused_with_the_nearest_that_work(kind, name):
    network = build(kind, name)
    if network.minimum == 1:
        return
    too_small = network.minimum - 1
    with pytest.raises(ValueError) as refused:
        network(sample(network, size=(too_small, network.minimum), dtype=torch.float32))
    message = str(refused.value)
    assert name in message and f"got {too_small}x{network.minimum} (height x width)" in message
    assert f"multiples of {network.multiple}" in message
    assert f"Nearest that work: height {network.minimum}, width {network.minimum}." in message


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_other_shapes_are_refused_with_the_expected_one(kind, name):
    network = build(kind, name)
    given = sample(network, dtype=torch.float32)
    wrong = [given[0], given[..., :0, :, :].contiguous(), given.repeat_interleave(2, dim=-3)]
    if given.ndim == 5 and getattr(network, "context", 1) is not None:
        wrong.append(torch.cat([given, given], 1))
    for one in wrong:
        with pytest.raises(ValueError, match=rf"input of {name}: expected a tensor \(batch, .*, got shape \("):
            network(one)


@pytest.mark.parametrize(("kind", "name"), ALL)
@settings(max_examples=5)
@given(rows=st.integers(0, 2), columns=st.integers(0, 2))
def test_every_size_that_is_promised_works(kind, name, rows, columns):
    network = build(kind, name).eval()
    size = (network.minimum + rows * network.multiple, network.minimum + columns * network.multiple)
    given = sample(network, batch=1, time=2, size=size, dtype=torch.float32)
    with torch.no_grad():
        made = network(given)
    assert torch.isfinite(made).all()
    if kind == "discriminator":
        assert made.ndim == 4 and made.shape[:2] == (1, 1) and min(made.shape) > 0
    else:
        assert made.shape[-2:] == size


# Bad values of an option, by its name, and what the refusal says; every other option is a whole number.
GAIN = "init_gain: expected a number above 0, or None for the law's own, got"
RATE = "dropout: expected a number in [0, 1), where 0 is off, got"
BAD = {
    "norm": [("layer", ValueError, "norm: expected one of 'instance', ")],
    "init": [
        ("uniform", ValueError, "init: expected one of 'normal', 'xavier', 'kaiming', 'orthogonal', got 'uniform'.")
    ],
    "padding": [("circular", ValueError, "padding: expected one of 'reflect', 'replicate', 'zero', got 'circular'.")],
    "init_gain": [
        (0, ValueError, f"{GAIN} 0."),
        (float("inf"), ValueError, f"{GAIN} inf."),
        ("a", TypeError, f"{GAIN} 'a'."),
        (True, TypeError, f"{GAIN} True."),
    ],
    "dropout": [
        (1.0, ValueError, f"{RATE} 1.0."),
        (-0.1, ValueError, f"{RATE} -0.1."),
        (True, TypeError, f"{RATE} True. Pass dropout=0.5 to switch it on."),
    ],
}
LEAST = {"blocks": 0, "depth": 2}
OF_TIMM = ("backbone", "weights", "backbone_options")  # tests/networks/test_timm_unet.py


def bad_values(option):
    least = LEAST.get(option, 1)
    said = f"{option}: expected a whole number of at least {least}, got"
    return BAD.get(option, [(least - 1, ValueError, f"{said} {least - 1}."), (2.5, TypeError, f"{said} 2.5.")])


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_bad_options_are_refused_at_once(kind, name):
    factory = getattr(PACKAGES[kind], name)
    options = list(inspect.signature(factory).parameters)
    ends = {option: 3 for option in options if option.endswith("channels")}
    for option in options:
        for value, error, message in [] if option in OF_TIMM else bad_values(option):
            with pytest.raises(error) as refused:
                factory(**{**ends, **SMALL.get(name, {}), option: value})
            assert str(refused.value).startswith(message)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_option_is_described(kind, name):
    """In the network's own docstring, or among those that all share."""
    factory = getattr(PACKAGES[kind], name)
    shared = re.findall(r"^- ``(\w+)``: ", sys.modules["vtrans.networks"].__doc__, re.MULTILINE)
    own = re.findall(r"^    (\w+): ", inspect.getdoc(factory), re.MULTILINE)
    assert set(inspect.signature(factory).parameters) <= {*own, *shared}


def test_dropout_sits_where_the_published_networks_have_it():
    resnet = generators.ResnetGenerator(in_channels=3, out_channels=3, blocks=2, width=2, dropout=0.5)
    assert [key for key, part in resnet.named_modules() if isinstance(part, nn.Dropout)] == [
        "blocks.0.body.3",
        "blocks.1.body.3",
    ]
    unet = generators.UnetGenerator(in_channels=3, out_channels=16, depth=7, width=2, dropout=0.5)
    # Counted from the innermost level: the two above it.
    assert [key for key, part in unet.named_modules() if isinstance(part, nn.Dropout)] == ["ups.1.3", "ups.2.3"]


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5])
def test_a_window_of_any_length(window):
    network = discriminators.TemporalPatchDiscriminator(channels=2, window=window, layers=1, width=2).double()
    clip = torch.rand(2, window, 2, 9, 7, dtype=torch.float64, requires_grad=True)
    logits = network(clip)
    assert logits.shape == (2, 1, 2, 1)
    logits.pow(2).sum().backward()
    assert (clip.grad.abs().amax((0, 2, 3, 4)) > 0).all()  # every frame counts


@pytest.mark.parametrize(("name", "sizes"), [("NLayerDiscriminator", [(70, 75), (24, 29)])])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_size_of_the_logits(name, sizes, layers):
    network = getattr(discriminators, name)(channels=1, layers=layers, width=2)
    for height, width in sizes:
        made = network(torch.rand(1, 1, height, width))
        assert made.shape[2:] == (height // 2**layers - 2, width // 2**layers - 2)


def test_the_patch_is_70_pixels_wide():
    network = discriminators.NLayerDiscriminator(channels=1, width=1, norm="none").double()
    frame = torch.rand(1, 1, 160, 160, dtype=torch.float64, requires_grad=True)
    network(frame)[0, 0, 9, 9].backward()
    rows = frame.grad[0, 0].abs().sum(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_conv_gru_sees_no_later_frame():
    network = predictors.ConvGruPredictor(channels=2, width=2, init_gain=0.3).double()
    clip = torch.rand(2, 5, 2, 8, 8, dtype=torch.float64)
    whole = network(clip)
    for end in range(1, 6):
        torch.testing.assert_close(network(clip[:, :end]), whole[:, :end], rtol=0, atol=1e-12)
    changed = clip.clone()
    changed[:, 0] = torch.rand_like(changed[:, 0])
    assert ((network(changed) - whole).abs().amax((0, 2, 3, 4)) > 1e-9).all()  # it remembers the first frame


def test_batch_norm_is_refused_where_it_would_show_the_future():
    with pytest.raises(ValueError, match="norm: expected one of 'instance', 'group', 'none', got 'batch'"):
        predictors.ConvGruPredictor(channels=2, norm="batch")


def test_predictors_without_parameters():
    clip = torch.tensor([[0.1, 0.3], [0.2, 0.9]]).reshape(2, 2, 1, 1, 1)
    assert torch.equal(predictors.LastFrame(channels=1)(clip[:, 1:]), clip[:, 1])
    torch.testing.assert_close(predictors.LinearExtrapolation(channels=1)(clip).flatten(), torch.tensor([0.5, 1.0]))
    assert [predictors.LastFrame(channels=1).context, predictors.LinearExtrapolation(channels=1).context] == [1, 2]


@pytest.mark.parametrize("context", [1, 3])
@pytest.mark.parametrize("name", ["UnetPredictor", "ResnetPredictor", "SiamesePredictor"])
def test_predictors_take_any_context(name, context):
    network = build("predictor", name, context=context)
    assert network.context == context
    assert network(sample(network, dtype=torch.float32)).shape == (
        2,
        3,
        network.minimum,
        network.minimum + network.multiple,
    )
