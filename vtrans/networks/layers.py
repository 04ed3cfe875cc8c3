"""Groups of layers that several networks share."""

from typing import Literal

from torch import nn

from vtrans.networks.norms import norm_layer, takes_bias

PADDINGS: dict[str, Literal["reflect", "replicate", "zeros"]] = {
    "reflect": "reflect",
    "replicate": "replicate",
    "zero": "zeros",
}


def convolve(
    in_channels: int, out_channels: int, *, kernel: int, norm: str, stride: int = 1, padding: str = "zero"
) -> list[nn.Module]:
    """A convolution that keeps the size (or divides it by the stride), its norm and a ReLU."""
    convolution = nn.Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=(kernel - 1) // 2,
        padding_mode=PADDINGS[padding],
        bias=takes_bias(norm),
    )
    return [convolution, norm_layer(norm, out_channels), nn.ReLU()]


def expand(in_channels: int, out_channels: int, *, norm: str) -> list[nn.Module]:
    """A transposed 3x3 convolution that doubles the size, its norm and a ReLU."""
    convolution = nn.ConvTranspose2d(
        in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=takes_bias(norm)
    )
    return [convolution, norm_layer(norm, out_channels), nn.ReLU()]


def to_frame(in_channels: int, channels: int) -> list[nn.Module]:
    """A 7x7 convolution with reflected borders and a tanh: features into a frame in [-1, 1]."""
    return [nn.Conv2d(in_channels, channels, 7, padding=3, padding_mode="reflect"), nn.Tanh()]
