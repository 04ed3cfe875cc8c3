"""Penalties on a network: functions of its gradients at given frames."""

from collections.abc import Callable

import torch
from torch import Tensor


def r1(network: Callable[[Tensor], Tensor], frames: Tensor) -> Tensor:
    """Squared norm of the gradient of the network's output at real frames, ½‖∇D(x)‖², averaged over the batch.

    Args:
        network: A discriminator.
        frames: ``(batch, …)``, real frames.

    Returns:
        A scalar that can be differentiated again.

    Reference:
        Mescheder et al., Which training methods for GANs do actually converge?, 2018.
    """
    gradient = _gradient(network, frames)
    return 0.5 * gradient.square().sum() / frames.shape[0]


def gradient_penalty(network: Callable[[Tensor], Tensor], frames: Tensor, norm: float = 1.0) -> Tensor:
    """How far the gradient's norm is from one, (‖∇D(x)‖ − 1)², averaged over the batch.

    Args:
        network: A discriminator; of one that gives a map, the sum is differentiated.
        frames: ``(batch, …)``, such as frames between real and translated ones.
        norm: The norm that is wanted.

    Returns:
        A scalar that can be differentiated again.

    Reference:
        Gulrajani et al., Improved training of Wasserstein GANs, 2017.
    """
    gradient = _gradient(network, frames).flatten(1)
    # The slope of a norm at zero is not defined.
    return ((gradient.square().sum(1) + 1e-16).sqrt() - norm).square().mean()


def _gradient(network: Callable[[Tensor], Tensor], frames: Tensor) -> Tensor:
    frames = frames.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network(frames).sum(), frames, create_graph=True)
    return gradient
