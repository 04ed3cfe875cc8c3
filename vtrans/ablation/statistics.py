"""Intervals and tests for few runs: exact where it is said, else bootstrapped from a fixed seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from vtrans.errors import refusal

RESAMPLES = 10_000
_MOST_FLIPS = 16


def bootstrap_interval(
    values: Sequence[float], *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean: values are drawn again with replacement, many times.

    With few values it is too narrow; with one it says nothing.

    Args:
        values: At least two numbers, such as paired differences.
        confidence: Between 0 and 1.
        resamples: How often they are drawn.
        seed: Of the draws.

    Returns:
        The lower and upper end.

    Raises:
        ValueError: There are fewer than two values.

    Example:
        >>> bootstrap_interval([0.5, 0.5, 0.5])
        (0.5, 0.5)

    Reference:
        Efron and Tibshirani, An introduction to the bootstrap, 1993, section 13.3.
    """
    if len(values) < 2:
        raise ValueError(refusal("values", allowed="at least two numbers", got=len(values)))
    from scipy.stats import bootstrap

    # Accelerated intervals (BCa) cover hardly more where there are so few values, and are undefined of equal ones.
    draws = np.random.default_rng(seed)
    found = bootstrap(
        (values,), np.mean, method="percentile", confidence_level=confidence, n_resamples=resamples, rng=draws
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def sign_flip_test(differences: Sequence[float]) -> float | None:
    r"""Exact two-sided test that paired differences are symmetric about zero, by their mean.

    Each difference could as well have had the other sign; of all :math:`2^n` choices of signs, p is the share whose
    mean is at least as far from zero. With n pairs it is never less than :math:`2^{1 - n}`.

    Args:
        differences: One a pair.

    Returns:
        p, or None for no pairs or more than 16.

    Example:
        >>> sign_flip_test([0.9, 0.8, 0.7, 0.9, 0.6])
        0.0625

    Reference:
        Fisher, The design of experiments, 1935, section 21.
    """
    if not 0 < len(differences) <= _MOST_FLIPS:
        return None
    values = np.asarray(differences, dtype=float)
    sums = np.abs(np.array(list(product((1.0, -1.0), repeat=len(values)))) @ values)
    # Sums that are equal but for rounding count as equal, also near zero, where scipy.stats.permutation_test errs.
    return float((sums >= sums[0] - 1e-12 * np.abs(values).sum()).mean())


def clopper_pearson(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    r"""Exact interval of a probability from a count of successes.

    The lower end is the p at which as many successes or more have the probability :math:`\alpha / 2`, the upper end
    that at which as many or fewer have.

    Args:
        successes: From 0 to ``trials``.
        trials: At least 1.
        confidence: :math:`1 - \alpha`, between 0 and 1.

    Returns:
        The lower and upper end.

    Raises:
        ValueError: A count is out of range.

    Example:
        >>> [round(end, 4) for end in clopper_pearson(5, 5)]
        [0.4782, 1.0]

    Reference:
        Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial, 1934.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(refusal("successes", allowed=f"0 to trials ({trials}), and trials 1 or more", got=successes))
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)


def fisher_exact(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Fisher's exact two-sided test of two independent groups.

    p is the probability, all four sums given, of tables that are at most as likely as the one found.

    Args:
        first: Successes and failures of one group.
        second: Those of the other.

    Returns:
        p, from 0 to 1.

    Example:
        >>> round(fisher_exact((5, 0), (1, 4)), 4)
        0.0476

    Reference:
        Fisher, The design of experiments, 1935; tables at most as likely: Freeman and Halton, 1951.
    """
    from scipy import stats

    return float(stats.fisher_exact([first, second]).pvalue)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    r"""McNemar's exact two-sided test of pairs: of those in which one alone succeeds, each is as likely as the other.

    .. math:: p = \min\Bigl(1,\; 2 \sum_{i \le \min(b, c)} \binom{b + c}{i} 2^{-(b + c)}\Bigr)

    Args:
        only_first: b, the pairs in which only the first succeeds.
        only_second: c, those in which only the second does.

    Returns:
        p, from 0 to 1.

    Example:
        >>> mcnemar_exact(6, 0)
        0.03125

    Reference:
        McNemar, Note on the sampling error of the difference between correlated proportions or percentages, 1947.
    """
    from scipy.stats import binomtest

    either = only_first + only_second
    return float(binomtest(only_first, either).pvalue) if either else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts the p of several tests, so that the chance of any false finding among them stays below the level.

    Args:
        p_values: One a test.

    Returns:
        The adjusted ones, in the same order.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]

    Reference:
        Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, greatest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        greatest = max(greatest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = greatest
    return adjusted
