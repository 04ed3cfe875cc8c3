"""Networks of a few weights, models of them, and clips: what the tests of the core share."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import vtrans
from vtrans.algebra.operators import Detach
from vtrans.algebra.streams import Apply, Operation
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Clip, Join, Past, Reverse, Shift

PARTS = {
    "generator": ("resnet", {"blocks": 1, "width": 2}),
    "predictor": ("unet", {"depth": 2, "width": 2}),
    "discriminator": ("pixel", {"width": 2}),
}


def build(recipe="recycle_gan", **overrides):
    return vtrans.build(recipe, **{**PARTS, **overrides})


def clip(length=3, *, batch=2, channels=3, size=8, seed=0, dtype=torch.float64):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(batch, length, channels, size, size, generator=random, dtype=dtype) * 2 - 1


def clips(length=3, **options):
    return clip(length, seed=1, **options), clip(length, seed=2, **options)


def randomize(module, seed=0, scale=0.3):
    """Weights large enough that every term and every gradient counts."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=random, dtype=parameter.dtype))
    return module


def gradients(model):
    return {name: None if p.grad is None else p.grad.clone() for name, p in model.networks.named_parameters()}


def reached(model):
    """The networks on which a gradient other than zero lies."""
    found = {name.split(".")[0] for name, grad in gradients(model).items() if grad is not None and grad.abs().sum() > 0}
    left = {name.split(".")[0] for name, grad in gradients(model).items() if grad is not None}
    assert left == found, "a gradient of zeros lies where none belongs"
    return found


class Frame(nn.Module):
    """Frame by frame."""

    def __init__(self, channels=2):
        super().__init__()
        self.layer = nn.Conv2d(channels, channels, 1)

    def forward(self, frames: Tensor) -> Tensor:
        return self.layer(frames).tanh()


class Predictor(Frame):
    """The frame after ``context`` frames."""

    def __init__(self, context, channels=2):
        nn.Module.__init__(self)
        self.context = context
        self.layer = nn.Conv2d(context * channels, channels, 1)

    def forward(self, clip: Tensor) -> Tensor:
        return self.layer(clip.flatten(1, 2)).tanh()


class Judge(Predictor):
    """Logits of a window of frames."""

    def __init__(self, window, channels=2):
        nn.Module.__init__(self)
        self.window = window
        self.layer = nn.Conv2d(window * channels, channels, 1)


class Recurrent(nn.Module):
    """After each frame a prediction of the next."""

    context = None

    def __init__(self, channels=2):
        super().__init__()
        self.read, self.keep = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, clip: Tensor) -> Tensor:
        state, made = torch.zeros_like(clip[:, 0]), []
        for frame in clip.unbind(1):
            state = (self.read(frame) + self.keep(state)).tanh()
            made.append(state)
        return torch.stack(made, dim=1)


class Pair(nn.Module):
    """A network of two streams."""

    def __init__(self, channels=2):
        super().__init__()
        self.layer = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.layer(torch.cat([a, b], dim=1)).tanh()


@dataclass(frozen=True)
class Blend(Operation):
    """An operator of the test's own: a weighted sum of two streams."""

    share: float = 0.5

    def run(self, networks, *frames):
        return self.share * frames[0] + (1 - self.share) * frames[1]


@dataclass(frozen=True)
class Change(Operation):
    """An operator of the test's own that reads two times: how a frame differs from the one before."""

    def reads(self, scope):
        return Reads((-1, 0), stacked=True)

    def run(self, networks, *frames):
        return frames[0][:, 1] - frames[0][:, 0]


def naive(stream, given, networks):
    """Every frame of a stream by time, whole streams at once and by rules of its own: no code of the library's."""
    if isinstance(stream, Clip):
        return {t: given[stream][:, t] for t in range(given[stream].shape[1])}
    inputs = [naive(part, given, networks) for part in stream.parts]
    if isinstance(stream, Past):
        return {t: frame for t, frame in inputs[0].items() if t != max(inputs[0])}
    if isinstance(stream, Join):
        return {**inputs[1], **inputs[0]}
    if isinstance(stream, Reverse):
        return dict(zip(sorted(inputs[0]), [inputs[0][t] for t in sorted(inputs[0], reverse=True)], strict=True))
    if isinstance(stream, Shift):
        return {t + stream.by: frame for t, frame in inputs[0].items()}
    common = sorted(set(inputs[0]).intersection(*inputs[1:]))
    if isinstance(stream, Detach):
        return {t: inputs[0][t].detach() for t in common}
    if isinstance(stream, Blend):
        return {t: stream.share * inputs[0][t] + (1 - stream.share) * inputs[1][t] for t in common}
    if isinstance(stream, Change):
        return {t: inputs[0][t] - inputs[0][t - 1] for t in common if t - 1 in common}
    assert isinstance(stream, Apply)
    network = networks[stream.network.name]
    if stream.network.frozen:
        network = copy.deepcopy(network).requires_grad_(False)
    if isinstance(network, Pair):
        return {t: network(inputs[0][t], inputs[1][t]) for t in common}
    (frames,) = inputs
    if isinstance(network, Recurrent):
        before = {t + 1: [frames[s] for s in common if s <= t] for t in common}
        return {t: network(torch.stack(some, 1))[:, -1] for t, some in before.items()}
    if isinstance(network, Judge):
        needed = {t: range(t - network.window + 1, t + 1) for t in common}
    elif isinstance(network, Predictor):
        needed = {t + 1: range(t + 1 - network.context, t + 1) for t in common}
    else:
        return {t: network(frames[t]) for t in common}
    whole = {t: times for t, times in needed.items() if set(times) <= set(common)}
    return {t: network(torch.stack([frames[s] for s in times], 1)) for t, times in whole.items()}
