"""Weights: numbers, schedules, functions of the step, and one of these for each domain."""

import pytest
import torch
from helpers.models import Frame, clips
from hypothesis import given
from hypothesis import strategies as st

import vtrans
from vtrans.losses import Cycle
from vtrans.losses.weights import check_weight, weight_at, weight_data


def test_a_schedule_is_linear_between_its_points_and_may_jump():
    schedule = vtrans.Schedule([(10, 1.0), (20, 3.0), (21, 0.0)])
    assert [schedule(step) for step in (0, 10, 15, 20, 21, 99)] == [1.0, 1.0, 2.0, 3.0, 0.0, 0.0]
    assert repr(schedule) == "Schedule([(10, 1.0), (20, 3.0), (21, 0.0)])"


@pytest.mark.parametrize(
    "points",
    [5, "abc", None, [], [(0,)], [("a", 1)], [(0, "b")], [(0, 1), (0, 2)], [(5, 1), (0, 2)], [(0, float("nan"))]]
    + [[(0, float("inf"))], [(True, 1)], [(0.5, 1)], [5], [(0, True)]],
)
def test_malformed_schedules_are_refused(points):
    with pytest.raises(ValueError, match=r"^points: expected \(step, finite value\) pairs with ascending steps, got"):
        vtrans.Schedule(points)


@pytest.mark.parametrize(
    "weight",
    [-1, float("nan"), float("inf"), True, "10", None, [1.0], {"x": 1.0}, {"x": 1.0, "y": -1.0}, {"a": 1}, {}]
    + [{"x": 1.0, "y": "b"}, {"points": [(0, -1.0)]}, vtrans.Schedule([(0, 1.0), (5, -1.0)])],
)
def test_malformed_weights_are_refused(weight):
    with pytest.raises(ValueError, match="expected a finite number of 0 or more, a Schedule, or {'x': weight, 'y'"):
        Cycle(weight=weight)


@given(
    st.recursive(
        st.floats(0, 1e6) | st.lists(st.floats(0, 9), min_size=1).map(lambda v: {"points": [*map(list, enumerate(v))]}),
        lambda weight: st.fixed_dictionaries({"x": weight, "y": weight}),
        max_leaves=2,
    ),
    st.integers(0, 20),
    st.sampled_from("xy"),
)
def test_weights_survive_as_plain_data(weight, step, domain):
    check_weight(weight)
    assert weight_at(weight_data(weight), step, domain) == weight_at(weight, step, domain)
    assert weight_at(weight, step, domain) >= 0


def test_a_function_of_the_step_is_a_weight_and_steps_count_from_0():
    nets, (x, y) = {"G_X": Frame(3).double(), "G_Y": Frame(3).double()}, clips(3)
    once = Cycle(weight=1.0)(x, y, nets)["cycle/x"]
    for weight in (lambda step: 5.0 - 2 * step, vtrans.Schedule([(0, 5.0), (2, 1.0)])):
        for step, factor in ((0, 5.0), (1, 3.0), (2, 1.0)):
            torch.testing.assert_close(Cycle(weight=weight)(x, y, nets, step=step)["cycle/x"], factor * once)
        torch.testing.assert_close(Cycle(weight=weight)(x, y, nets)["cycle/x"], 5.0 * once)


def fails_later(step):
    if step:
        raise RuntimeError("only the first step is tried")
    return 1


def fails(step):
    raise RuntimeError("no weight")


@pytest.mark.parametrize("weight", [fails_later, lambda step: 0, lambda step: 2.5])
def test_a_function_is_tried_at_the_first_step(weight):
    check_weight(weight)


@pytest.mark.parametrize(
    "weight",
    [fails, int, lambda: 1.0, lambda step: -1.0, lambda step: float("inf"), lambda step: float("nan")]
    + [lambda step: "1", lambda step: None, lambda step: -float("inf")],
)
def test_functions_that_give_no_weight_are_refused(weight):
    with pytest.raises(ValueError, match="^weight: expected a finite number of 0 or more, a Schedule"):
        check_weight(weight)


def test_a_weight_of_a_domain_is_named():
    with pytest.raises(ValueError, match=r"^weight\['y'\]: expected a finite number of 0 or more"):
        check_weight({"x": 0, "y": -1})
    with pytest.raises(ValueError, match=r"^rate\['x'\]: expected a finite number of 0 or more"):
        check_weight({"x": {"points": [(0, -1.0)]}, "y": 1}, "rate")


@pytest.mark.parametrize("wrong", [(0, 1, 2), (0,), "01", (0, True), (0.0, 1), (0, "1"), (0, float("inf")), None])
@pytest.mark.parametrize("place", [0, 1])
def test_a_point_is_a_step_and_a_value(wrong, place):
    points = [(5, 1.0), (9, 2.0)]
    points[place] = wrong
    with pytest.raises(ValueError, match="^points: expected"):
        vtrans.Schedule(points)


def test_a_weight_of_a_domain_may_have_parts_by_domain():
    weight = {"x": {"x": 2.0, "y": 3.0}, "y": 1.0}
    check_weight(weight)
    assert [weight_at(weight, 0, domain) for domain in "xy"] == [2.0, 1.0]


def test_weights_as_plain_data():
    schedule, data = vtrans.Schedule([(0, 1), (4, 2.5)]), {"points": [[0, 1.0], [4, 2.5]]}
    assert weight_data(schedule) == data and weight_data({"x": schedule, "y": 3}) == {"x": data, "y": 3}
    assert weight_data(data) is not data and weight_data(data) == data and weight_data(2.0) == 2.0
    points = weight_data(schedule)["points"]
    assert isinstance(points, list) and all(isinstance(point, list) for point in points), "as JSON gives it back"
    with pytest.raises(ValueError, match="^weight: expected plain data in a configuration, got <function.*Use vtrans"):
        weight_data(lambda step: 1.0)
