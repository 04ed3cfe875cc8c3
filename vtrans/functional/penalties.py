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
    frames = frames.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network(frames).sum(), frames, create_graph=True)
    return 0.5 * gradient.square().sum() / frames.shape[0]
