"""Layers that are computed together."""

from typing import TypeGuard

from torch import Tensor, nn

from vtrans.networks.generators.resnet import ResnetBlock
from vtrans.networks.norms import InstanceNorm2d


class FusedBlock(nn.Module):
    """A residual block whose last instance norm adds the block's input too."""

    def __init__(self, body: nn.Sequential) -> None:
        super().__init__()
        self.body = body

    def forward(self, features: Tensor) -> Tensor:
        """The same as of the block."""
        change = features
        for layer in self.body[:-1]:
            change = layer(change)
        summed: Tensor = self.body[-1](change, residual=features)
        return summed


def fuse(network: nn.Module) -> int:
    """Lets instance norms compute the ReLU, or the sum with a residual, that follows them, in place.

    What the network computes and the names of its parameters stay the same. It pays where
    ``vtrans.functional.kernels.enable("triton")`` has one kernel compute them; elsewhere it changes nothing.

    Args:
        network: A network with layers in ``nn.Sequential``; those with hooks are left alone.

    Returns:
        How many layers were taken in.

    Example:
        >>> from vtrans.networks.generators.resnet import ResnetGenerator
        >>> fuse(ResnetGenerator(in_channels=3, out_channels=3, blocks=2, width=4))
        9
    """
    count = 0
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            count += sum(_took_in(module, index) for index in range(len(module) - 1))
        for name, child in list(module.named_children()):
            if type(child) is ResnetBlock and _is_plain(child.body[-1]) and not _has_hooks(child):
                setattr(module, name, FusedBlock(child.body).train(child.training))
                count += 1
    return count


def _took_in(layers: nn.Sequential, index: int) -> bool:
    norm, activation = layers[index], layers[index + 1]
    if not isinstance(activation, nn.ReLU | nn.LeakyReLU) or _has_hooks(activation) or not _is_plain(norm):
        return False
    norm.slope = activation.negative_slope if isinstance(activation, nn.LeakyReLU) else 0.0
    layers[index + 1] = nn.Identity()
    return True


def _is_plain(layer: nn.Module) -> TypeGuard[InstanceNorm2d]:
    return isinstance(layer, InstanceNorm2d) and layer.slope == 1 and not _has_hooks(layer)


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)
