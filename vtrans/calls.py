"""Calls of a network: as it is or with its parameters detached, of its forward or of another method."""

from typing import Any

import torch
from torch import Tensor, nn


def call(module: nn.Module, frames: tuple[Tensor, ...], *, frozen: bool, method: str = "forward") -> Any:  # noqa: ANN401
    """Calls a network on frames; gradients flow through a frozen one, none to its parameters.

    Args:
        module: The network.
        frames: The arguments of the call.
        frozen: Whether its parameters are detached.
        method: The method to call.

    Returns:
        What the method returns.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> call(layer, (torch.ones(1, 2),), frozen=True).requires_grad
        False
    """
    if not frozen:
        return module(*frames) if method == "forward" else getattr(module, method)(*frames)
    called = module if method == "forward" else _Method(module, method)
    detached = {name: parameter.detach() for name, parameter in called.named_parameters()}
    return torch.func.functional_call(called, detached, frames)


class _Method(nn.Module):
    """A method of a network as a network of its own, which is what can be called with other parameters."""

    def __init__(self, module: nn.Module, method: str) -> None:
        super().__init__()
        self.module = module
        self.method = method

    def forward(self, *frames: Tensor) -> Any:  # noqa: ANN401
        return getattr(self.module, self.method)(*frames)
