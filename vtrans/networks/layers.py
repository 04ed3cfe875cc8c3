"""Groups of layers that several networks share."""

from typing import Any

from torch import nn

from vtrans.networks.norms import norm_layer, takes_bias

_PADDING_MODES = {"reflect": "reflect", "replicate": "replicate", "zero": "zeros"}


def normed(
    convolution: type[nn.Module],
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int, int],
    *,
    norm: str,
    **options: Any,
) -> list[nn.Module]:
    """A convolution of that class with such options, and its norm."""
    layer = convolution(in_channels, out_channels, kernel, bias=takes_bias(norm), **options)
    return [layer, norm_layer(norm, out_channels, dimensions=3 if convolution is nn.Conv3d else 2)]


def convolve(
    in_channels: int, out_channels: int, *, kernel: int, norm: str, stride: int = 1, padding: str = "zero"
) -> list[nn.Module]:
    """A convolution that keeps the size (or divides it by the stride), its norm and a ReLU."""
    borders = {"padding": (kernel - 1) // 2, "padding_mode": _PADDING_MODES[padding]}
    return [*normed(nn.Conv2d, in_channels, out_channels, kernel, norm=norm, stride=stride, **borders), nn.ReLU()]


def expand(in_channels: int, out_channels: int, *, norm: str) -> list[nn.Module]:
    """A transposed 3x3 convolution that doubles the size, its norm and a ReLU."""
    doubling = {"stride": 2, "padding": 1, "output_padding": 1}
    return [*normed(nn.ConvTranspose2d, in_channels, out_channels, 3, norm=norm, **doubling), nn.ReLU()]


def to_frame(in_channels: int, channels: int) -> list[nn.Module]:
    """A 7x7 convolution with reflected borders and a tanh: features into a frame in [-1, 1]."""
    return [nn.Conv2d(in_channels, channels, 7, padding=3, padding_mode="reflect"), nn.Tanh()]
