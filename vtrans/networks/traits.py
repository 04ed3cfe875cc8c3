"""What a network is, found by looking at its layers: may its calls be batched together?"""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

# Layers of other libraries that drop at random, by the name of their class, and the names of their rate.
_DROPPING = ("DropPath", "DropBlock2d", "DropBlock3d", "PatchDropout", "StochasticDepth")
_RATES = ("drop_prob", "prob", "p")


def sequential_reasons(module: nn.Module) -> tuple[str, ...]:
    """Says why, in its present mode, a network must be called frame by frame; an empty tuple if it need not.

    A layer that updates state as it runs, looks across the batch or draws at random gives other numbers when several
    calls become one. A network may say itself which it is with an attribute ``sequential``, True or False; that
    decides alone.

    Args:
        module: The network.

    Returns:
        The reasons, each once, such as ``"batch norm in training"``.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout(0.5))
        >>> sequential_reasons(network)
        ('batch norm in training', 'dropout in training')
        >>> sequential_reasons(network.eval())
        ()
    """
    declared = getattr(module, "sequential", None)
    if isinstance(declared, bool):
        return ("declared sequential",) if declared else ()
    reasons = []
    for part in module.modules():
        if isinstance(part, _BatchNorm) and part.running_mean is None:
            reasons.append("batch norm without running statistics")
        elif part.training and (reason := _reason_in_training(part)):
            reasons.append(f"{reason} in training")
    return tuple(dict.fromkeys(reasons))


def sensitive_modules(module: nn.Module) -> list[nn.Module]:
    """Finds the parts whose ``training`` flag decides what :func:`sequential_reasons` says.

    Their flags are all that a cached answer has to be compared by.

    Args:
        module: The network.

    Returns:
        The parts, the network itself included where it is one; none where the network declares ``sequential``.

    Example:
        >>> sensitive_modules(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout(0.5)))
        [Dropout(p=0.5, inplace=False)]
    """
    if isinstance(getattr(module, "sequential", None), bool):
        return []
    return [part for part in module.modules() if _reason_in_training(part)]


def _reason_in_training(part: nn.Module) -> str:
    if isinstance(part, _BatchNorm):
        return "batch norm" if part.running_mean is not None else ""
    if isinstance(part, _InstanceNorm):
        return "instance norm with running statistics" if part.track_running_stats else ""
    if isinstance(part, nn.RReLU):
        return "random leaky ReLU"
    if isinstance(part, _DropoutNd):
        return "dropout" if part.p > 0 else ""
    if isinstance(part, nn.MultiheadAttention | nn.RNNBase):
        return "dropout" if part.dropout > 0 else ""
    if type(part).__name__ in _DROPPING:
        rate = next((getattr(part, name) for name in _RATES if hasattr(part, name)), 1.0)
        return "dropout" if rate is None or rate > 0 else ""
    # Either form of spectral norm: a module of its own inside the layer, or a hook before the layer.
    hooks = part._forward_pre_hooks.values()
    if type(part).__name__ == "_SpectralNorm" or any(type(hook).__name__ == "SpectralNorm" for hook in hooks):
        return "spectral norm"
    return ""
