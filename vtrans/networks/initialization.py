"""Initial weights by name."""

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from vtrans.networks.checks import require

_GAINS = {"normal": 0.02, "xavier": 0.02, "kaiming": 1.0, "orthogonal": 1.0}


def initialize(network: nn.Module, *, init: str = "normal", gain: float | None = None) -> None:
    """Draws the initial weights of a network in place, from torch's global random generator.

    Convolutions and linear layers get weights of the named law and zero biases; affine norms get scales N(1, 0.02) and
    zero shifts.

    Args:
        network: The network, changed in place.
        init: ``"normal"``, ``"xavier"``, ``"kaiming"`` (fan in) or ``"orthogonal"``.
        gain: Standard deviation of ``"normal"``, else a factor on the law's own scale; above 0. None takes 0.02 for
            ``"normal"`` and ``"xavier"`` and 1 for the others.

    Raises:
        TypeError: If the gain is neither a number nor None.
        ValueError: If there is no law of that name, or the gain is not above 0 or not finite.

    Example:
        >>> layer = nn.Conv2d(8, 8, 3)
        >>> initialize(layer, init="orthogonal")
        >>> bool((layer.bias == 0).all())
        True

    Reference:
        Glorot and Bengio, 2010; He et al., 2015; Saxe et al., 2014. The defaults are those of pix2pix and CycleGAN.
    """
    require(init=init, init_gain=gain)
    scale = _GAINS[init] if gain is None else float(gain)
    for module in network.modules():
        if isinstance(module, _ConvNd | nn.Linear):
            _draw(module.weight, init, scale)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _NormBase | nn.GroupNorm | nn.LayerNorm):
            if module.weight is not None:
                nn.init.normal_(module.weight, 1.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _draw(weight: Tensor, init: str, gain: float) -> None:
    if init == "normal":
        nn.init.normal_(weight, 0.0, gain)
    elif init == "xavier":
        nn.init.xavier_normal_(weight, gain=gain)
    elif init == "orthogonal":
        nn.init.orthogonal_(weight, gain=gain)
    else:
        nn.init.kaiming_normal_(weight, a=0, mode="fan_in")
        weight.data.mul_(gain)
