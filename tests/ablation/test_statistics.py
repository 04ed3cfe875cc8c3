"""Each interval and test against an independent computation."""

from fractions import Fraction
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vtrans.ablation.statistics import (
    bootstrap_interval,
    clopper_pearson,
    fisher_exact,
    holm,
    mcnemar_exact,
    sign_flip_test,
)


@pytest.mark.parametrize("confidence", [0.95, 0.8])
@pytest.mark.parametrize(("k", "n"), [(k, n) for n in (1, 2, 5, 10, 23) for k in range(n + 1)])
def test_the_ends_of_clopper_pearson_leave_half_of_the_rest_in_each_tail(k, n, confidence):
    low, high = (Fraction(end) for end in clopper_pearson(k, n, confidence=confidence))

    def probability(p, counts):
        return float(sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in counts))

    half = (1 - confidence) / 2
    assert probability(low, range(k, n + 1)) == pytest.approx(half) if k else low == 0
    assert probability(high, range(k + 1)) == pytest.approx(half) if k < n else high == 1


def test_clopper_pearson_of_all_or_none_in_closed_form():
    assert clopper_pearson(10, 10) == pytest.approx((0.025 ** (1 / 10), 1.0))
    assert clopper_pearson(0, 3) == pytest.approx((0.0, 1 - 0.025 ** (1 / 3)))
    assert clopper_pearson(0, 5000) == pytest.approx((0.0, 1 - 0.025 ** (1 / 5000)))


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3), (0, 0)])
def test_clopper_pearson_refuses_counts_that_cannot_be(k, n):
    with pytest.raises(ValueError, match=r"^successes: expected 0 to trials"):
        clopper_pearson(k, n)


def fisher_by_counting(first, second):
    """Deals the outcomes to both groups in every way there is, and counts the tables."""
    outcomes = [1] * (first[0] + second[0]) + [0] * (first[1] + second[1])
    places = range(len(outcomes))
    counts = {}
    for group in combinations(places, sum(first)):
        successes = sum(outcomes[place] for place in group)
        counts[successes] = counts.get(successes, 0) + 1
    found = counts[first[0]]
    return Fraction(sum(n for n in counts.values() if n <= found), sum(counts.values()))


@pytest.mark.parametrize("table", [(a, b, c, d) for a, b, c, d in product(range(4), repeat=4) if a + b and c + d])
def test_fisher_is_what_counting_every_deal_gives(table):
    a, b, c, d = table
    assert fisher_exact((a, b), (c, d)) == pytest.approx(float(fisher_by_counting((a, b), (c, d))))


@pytest.mark.parametrize(("b", "c"), list(product(range(6), repeat=2)))
def test_mcnemar_is_what_tossing_every_coin_gives(b, c):
    tosses = [sum(toss) for toss in product((0, 1), repeat=b + c)]
    lower = Fraction(sum(heads <= min(b, c) for heads in tosses), len(tosses))
    assert mcnemar_exact(b, c) == pytest.approx(float(min(1, 2 * lower)))


def test_sign_flips_are_scipys_permutation_test():
    values = np.array([0.3, -0.1, 0.4, 0.25, 0.05, 0.6])
    found = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip_test(list(values)) == pytest.approx(found.pvalue)


def test_sign_flips_by_hand():
    assert sign_flip_test([1.0, 2.0]) == 0.5  # +3, −3 of ±1±2
    assert sign_flip_test([1.0, -1.0]) == 1.0
    assert sign_flip_test([0.1, 0.2, 0.3, -0.6]) == 1.0  # 0 but for rounding: no other choice of signs is nearer
    assert sign_flip_test([0.2, 0.9, -0.7, -0.2, -0.2]) == 1.0 and sign_flip_test([0.3]) == 1.0
    assert sign_flip_test([]) is None and sign_flip_test([0.1] * 17) is None


def test_the_bootstrap_enumerated_for_three_values():
    """Of 27 draws with replacement the quantiles of the mean are known; ten thousand draws come near them."""
    values = [0.0, 1.0, 5.0]
    means = np.sort([np.mean(draw) for draw in product(values, repeat=3)])
    low, high = bootstrap_interval(values, confidence=0.6)
    exact_low, exact_high = (means[np.searchsorted(np.arange(1, 28) / 27, q)] for q in (0.2, 0.8))
    assert (low, high) == pytest.approx((exact_low, exact_high))


def test_the_bootstrap_is_repeatable_and_of_its_seed():
    values = [0.3, -0.1, 0.4, 0.25, 0.05, 0.6]
    assert bootstrap_interval(values) == bootstrap_interval(values) != bootstrap_interval(values, seed=1)


def test_the_bootstrap_of_equal_values_is_that_value():
    assert bootstrap_interval([0.5] * 4) == (0.5, 0.5)


def test_the_bootstrap_refuses_a_single_value():
    with pytest.raises(ValueError, match=r"^values: expected at least two numbers, got 1\."):
        bootstrap_interval([0.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_its_definition(p_values):
    order = np.argsort(p_values, kind="stable")
    adjusted = holm(p_values)
    for rank, index in enumerate(order):
        steps = [(len(p_values) - k) * p_values[order[k]] for k in range(rank + 1)]
        assert adjusted[index] == pytest.approx(min(1.0, max(steps)))
