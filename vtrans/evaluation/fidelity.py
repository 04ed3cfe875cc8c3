"""How far apart two sets of features are: Fréchet and kernel distances, from features that stream by."""

import numpy as np
import torch
from torch import Tensor

from vtrans.errors import refusal


class Moments:
    """Mean and covariance of features that stream by, in float64; in memory are these two alone.

    Attributes:
        count: Features seen.

    Args:
        size: Numbers in a feature.

    Example:
        >>> moments = Moments(2)
        >>> for feature in ([0.0, 0.0], [2.0, 4.0]):
        ...     moments.add(torch.tensor([feature]))
        >>> moments.count, moments.mean.tolist(), moments.covariance().tolist()
        (2, [1.0, 2.0], [[2.0, 4.0], [4.0, 8.0]])

    Reference:
        Chan et al., Updating formulae and a pairwise algorithm for computing sample variances, 1979.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean = torch.zeros(size, dtype=torch.float64)
        self._scatter = torch.zeros(size, size, dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Takes further features ``(count, size)``."""
        if not len(features):
            return
        new = features.detach().cpu().double()
        mean, total = new.mean(dim=0), self.count + len(new)
        shift = mean - self.mean
        self._scatter += (new - mean).T @ (new - mean) + torch.outer(shift, shift) * (self.count * len(new) / total)
        self.mean = self.mean + shift * (len(new) / total)
        self.count = total

    def covariance(self) -> Tensor:
        """The unbiased covariance ``(size, size)``.

        Raises:
            ValueError: Fewer than two features were seen.
        """
        if self.count < 2:
            raise ValueError(refusal("features", allowed="at least 2 for a covariance", got=self.count))
        return self._scatter / (self.count - 1)


class Reservoir:
    """At most so many features of a stream, each as likely as any other to be among them; the same in every run.

    Args:
        capacity: How many are kept.
        seed: Seed of the choice.

    Example:
        >>> reservoir = Reservoir(2)
        >>> reservoir.add(torch.zeros(5, 3))
        >>> reservoir.kept().shape
        torch.Size([2, 3])

    Reference:
        Vitter, Random sampling with a reservoir, 1985 (algorithm R).
    """

    def __init__(self, capacity: int, *, seed: int = 0) -> None:
        self._capacity, self._random, self._seen = capacity, np.random.default_rng(seed), 0
        self._kept: list[Tensor] = []

    def add(self, features: Tensor) -> None:
        """Takes further features ``(count, size)``."""
        for feature in features.detach().cpu().double():
            self._seen += 1
            if len(self._kept) < self._capacity:
                self._kept.append(feature.clone())
            elif (place := int(self._random.integers(self._seen))) < self._capacity:
                self._kept[place] = feature.clone()

    def kept(self) -> Tensor:
        """The features that are kept, ``(count, size)``."""
        return torch.stack(self._kept)


def frechet_distance(a: Moments, b: Moments) -> float:
    r"""The squared Fréchet distance of two normal distributions with the moments of two sets of features.

    .. math:: |\mu_a - \mu_b|^2 + \operatorname{tr}\left(C_a + C_b - 2\,(C_a^{1/2} C_b\, C_a^{1/2})^{1/2}\right)

    Of frames' features it is FID; of those of consecutive frames, stacked, a video Fréchet distance. It is biased
    upwards, the more the fewer the features.

    Args:
        a: Moments of one set.
        b: Moments of the other.

    Returns:
        The distance, at least 0.

    Raises:
        ValueError: A set has fewer than two features, or their sizes differ.

    Example:
        >>> a, b = Moments(1), Moments(1)
        >>> a.add(torch.tensor([[0.0], [2.0]]))
        >>> b.add(torch.tensor([[3.0], [5.0]]))
        >>> round(frechet_distance(a, b), 6)
        9.0

    Reference:
        Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash equilibrium, NeurIPS 2017
        (arXiv 1706.08500); for videos Unterthiner et al., Towards accurate generative models of video, 2018 (arXiv
        1812.01717).
    """
    if a.mean.shape != b.mean.shape:
        got = f"{len(a.mean)} and {len(b.mean)}"
        raise ValueError(refusal("a and b", allowed="features of one size", got=got))
    of_a, of_b = a.covariance(), b.covariance()
    values, vectors = torch.linalg.eigh(of_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    product = torch.linalg.eigvalsh(root @ of_b @ root).clamp(min=0).sqrt().sum()
    distance = (a.mean - b.mean).square().sum() + of_a.trace() + of_b.trace() - 2 * product
    return max(0.0, float(distance))


def kernel_distance(a: Tensor, b: Tensor) -> float:
    r"""The unbiased squared maximum mean discrepancy of two sets of features under the kernel of KID; may be negative.

    .. math:: k(u, v) = (u \cdot v / d + 1)^3

    Args:
        a: Features ``(count, d)``, at least 2.
        b: Features ``(count, d)``, at least 2.

    Returns:
        The estimate, around 0 if both sets are of one distribution.

    Raises:
        ValueError: A set has fewer than two features, or their sizes differ.

    Example:
        >>> kernel_distance(torch.zeros(2, 1), torch.ones(2, 1))
        7.0

    Reference:
        Bińkowski et al., Demystifying MMD GANs, ICLR 2018 (arXiv 1801.01401). They average over subsets; this is the
        estimate from all features at once.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        got = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ValueError(refusal("a and b", allowed="(2 or more, d) each", got=got))
    a, b = a.double(), b.double()
    within = sum((_kernels(s, s) - _diagonal(s)) / (len(s) * (len(s) - 1)) for s in (a, b))
    return within - 2 * _kernels(a, b) / (len(a) * len(b))


def _kernels(a: Tensor, b: Tensor) -> float:
    """The sum of the kernel over all pairs, a block at a time."""
    return sum(float((part @ b.T / a.shape[1] + 1).pow(3).sum()) for part in a.split(1000))


def _diagonal(a: Tensor) -> float:
    return float((a.square().sum(dim=1) / a.shape[1] + 1).pow(3).sum())
