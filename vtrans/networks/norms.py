"""Normalisation layers by name."""

from torch import Tensor, nn

from vtrans.functional import kernels
from vtrans.networks.checks import require


class InstanceNorm2d(nn.InstanceNorm2d):
    """Instance norm without affine or running statistics, whatever the memory order of features and gradients.

    ``slope`` and a residual are what :func:`vtrans.networks.fusion.fuse` hands to it from the layers that follow.
    """

    slope: float = 1.0

    def forward(self, features: Tensor, residual: Tensor | None = None) -> Tensor:
        """Normalises each map of ``(batch, channel, height, width)``."""
        return kernels.instance_norm(features, slope=self.slope, residual=residual, epsilon=self.eps)


_INSTANCE = {2: InstanceNorm2d, 3: nn.InstanceNorm3d}
_BATCH = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def norm_layer(norm: str, channels: int, *, dimensions: int = 2) -> nn.Module:
    """Builds a normalisation layer.

    Args:
        norm: ``"instance"`` (no affine, no running statistics), ``"batch"``, ``"group"`` (affine; as many groups as
            divide the channels, 32 at most) or ``"none"``.
        channels: Channels of the features that it normalises.
        dimensions: 2 for images, 3 for windows of them.

    Returns:
        The layer; for ``"none"`` one that does nothing.

    Raises:
        ValueError: If there is no norm of that name.

    Example:
        >>> norm_layer("group", 48).num_groups
        24

    Reference:
        Ulyanov et al., Instance Normalization, 2016 (arXiv 1607.08022); Wu and He, Group Normalization, ECCV 2018.
    """
    require(norm=norm)
    if norm == "instance":
        return _INSTANCE[dimensions](channels)
    if norm == "batch":
        return _BATCH[dimensions](channels)
    if norm == "group":
        groups = max(count for count in range(1, 33) if channels % count == 0)
        return nn.GroupNorm(groups, channels)
    return nn.Identity()


def takes_bias(norm: str) -> bool:
    """Whether a network with this norm has biases in its normalised convolutions: unless batch norm has one itself."""
    return norm != "batch"
