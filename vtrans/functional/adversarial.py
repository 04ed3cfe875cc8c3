"""Adversarial criteria on logits, element by element; the mean over the elements is the loss.

Each comes as three functions in one: what a judged frame costs the discriminator when it is ``real`` or ``fake``, and
what a ``fake`` costs the generator.
"""

from typing import Literal

from torch import Tensor
from torch.nn.functional import relu, softplus

Role = Literal["real", "fake", "generator"]


def least_squares(logits: Tensor, role: Role) -> Tensor:
    """(D − 1)² for real frames and the generator, D² for fake ones (Mao et al., 2017)."""
    return (logits if role == "fake" else logits - 1).square()


def non_saturating(logits: Tensor, role: Role) -> Tensor:
    """−log σ(D) for real frames and the generator, −log(1 − σ(D)) for fake ones (Goodfellow et al., 2014)."""
    return softplus(logits if role == "fake" else -logits)


def hinge(logits: Tensor, role: Role) -> Tensor:
    """max(0, 1 − D) for real frames, max(0, 1 + D) for fake ones, −D for the generator (Lim and Ye, 2017)."""
    if role == "generator":
        return -logits
    return relu(1 + logits if role == "fake" else 1 - logits)


def wasserstein(logits: Tensor, role: Role) -> Tensor:
    """−D for real frames and the generator, D for fake ones (Arjovsky et al., 2017); needs a penalty on D."""
    return logits if role == "fake" else -logits
