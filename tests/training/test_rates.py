"""The learning rate at a step, worked out by hand."""

from fractions import Fraction

import pytest

from vtrans.training import rate_factor


def test_the_published_schedule_in_its_own_epochs():
    """Constant up to epoch 99; then 1 - (e - 99)/101, so 100/101 in epoch 100 and zero in the last."""
    factors = [rate_factor("published", epoch - 1, 200) for epoch in range(1, 201)]
    assert factors[:99] == [1.0] * 99
    assert factors[99:] == pytest.approx([float(1 - Fraction(e - 99, 101)) for e in range(100, 201)], abs=1e-15)
    assert factors[-1] == 0.0


def test_a_run_of_any_length_is_200_epochs():
    """Of 1000 steps five are an epoch: 494 is the last of epoch 99, 495 to 499 are epoch 100, 500 begins the next."""
    assert [rate_factor("published", step, 1000) for step in (0, 494)] == [1.0, 1.0]
    assert [rate_factor("published", step, 1000) for step in (495, 499)] == pytest.approx([100 / 101] * 2)
    assert rate_factor("published", 500, 1000) == pytest.approx(99 / 101)
    # Of two steps the second is where epoch 101 begins.
    assert rate_factor("published", 1, 2) == pytest.approx(99 / 101)


def test_cosine():
    """(1 + cos(πs/S))/2 at 0, a third, a half and two thirds of the way."""
    assert [rate_factor("cosine", step, 12) for step in (0, 4, 6, 8)] == pytest.approx([1.0, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("schedule", ["constant", "published", "cosine"])
def test_a_warm_up_multiplies_any_of_them(schedule):
    """By (s + 1)/(w + 1): of three steps 1/4, 2/4 and 3/4; the fourth has the whole rate."""
    factors = [rate_factor(schedule, s, 600, warm_up=3) / rate_factor(schedule, s, 600) for s in (0, 1, 2, 3, 250)]
    assert factors == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert rate_factor(schedule, 0, 600) == 1.0


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="Unknown schedule 'cosin'. Did you mean 'cosine'"):
        rate_factor("cosin", 0, 10)


def test_constant_stays():
    assert {rate_factor("constant", step, 10) for step in range(10)} == {1.0}
