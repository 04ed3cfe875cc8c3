"""Calls of a network: as it is or with its parameters detached, of its forward or of another method."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def call(module: nn.Module, frames: tuple[Tensor, ...], *, frozen: bool, method: str = "forward") -> Any:  # noqa: ANN401
    """Calls a network on frames; gradients flow through a frozen one, none to its parameters.

    Of a network that declares ``recompute = True`` nothing is kept for the backward pass but its input: it is run once
    more then.

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
    if getattr(module, "recompute", False) and torch.is_grad_enabled():
        return checkpoint(_call, module, frames, frozen, method, use_reentrant=False)
    return _call(module, frames, frozen, method)


def _call(module: nn.Module, frames: tuple[Tensor, ...], frozen: bool, method: str) -> Any:  # noqa: ANN401
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
