"""Evaluation mode for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """Puts networks into evaluation mode, and on leaving each of their modules back into the mode that it was in.

    Args:
        networks: The networks.

    Example:
        >>> network = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
        >>> with evaluating(network):
        ...     print(network.training)
        False
        >>> [module.training for module in network.modules()]
        [True, True, False]
    """
    modes = {module: module.training for network in networks for module in network.modules()}
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for module, training in modes.items():
            module.training = training
