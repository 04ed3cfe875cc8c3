"""Published training steps: their seeded weights, images and draws, and what they reported."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

FILES = Path(__file__).parents[1] / "data" / "files" / "methods"


def figures(method: str) -> dict:
    """The figures of a method."""
    return json.loads((FILES / f"{method}.json").read_text())


def random(name: str):
    """The generator that a name seeds."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def widened(array) -> Tensor:
    """Rounded to float32, then float64."""
    return torch.from_numpy(np.asarray(array, dtype=np.float32)).double()


def normal(name: str, *shape: int) -> Tensor:
    return widened(random(name).standard_normal(shape))


def uniform(name: str, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    return widened(random(name).uniform(low, high, shape))


def clip(name: str, batch: int, size: int, *, channels: int = 3, time: int | None = None) -> Tensor:
    """A clip (batch, time, channel, size, size): images of one frame where ``time`` is None."""
    shape = (batch, channels, 8, 8) if time is None else (batch, time, channels, 8, 8)
    small = widened(random(name).uniform(-1, 1, shape))
    large = interpolate(small.reshape(-1, channels, 8, 8), (size, size), mode="bilinear", align_corners=False)
    return large.reshape(batch, 1 if time is None else time, channels, size, size)


def seed_weights(model, tensors: Mapping[str, Mapping[str, str]]) -> None:
    """Gives each tensor the values that its published network and key seed."""
    state = model.networks.state_dict()
    for network, keys in tensors.items():
        for theirs, ours in keys.items():
            state[ours] = normal(f"{network}/{theirs}", *state[ours].shape) * 0.05
    model.networks.load_state_dict(state)


def gradient_norm(model, ours) -> float:
    """The L2 norm of the gradients of tensors by our names; 0 where there are none."""
    parameters = dict(model.networks.named_parameters())
    found = [parameters[name].grad for name in ours if name in parameters and parameters[name].grad is not None]
    return float(torch.stack([gradient.norm() for gradient in found]).norm()) if found else 0.0


def close(found: float, expected: float, what: str, tolerance: float = 1e-9) -> None:
    """Whether a number is the published one."""
    difference = abs(found - expected) / max(abs(expected), 1e-12)
    assert difference <= tolerance, f"{what}: {found!r} against {expected!r}, relative difference {difference:.2g}"
