"""What watches for numbers that are not finite."""

import pytest
import torch

from vtrans.objectives.guard import FiniteGuard, NonFiniteError

NAN, INFINITE = float("nan"), float("inf")


def noted(*notes):
    guard = FiniteGuard()
    for step, names, values in notes:
        guard.note(names, torch.tensor(values, requires_grad=True), step)
    return guard


@pytest.mark.parametrize(
    ("notes", "step", "names"),
    [
        ([(0, ["a", "b"], [1.0, NAN])], 0, ("b",)),
        ([(0, ["a"], [1.0]), (1, ["a"], [-INFINITE]), (2, ["a"], [NAN])], 1, ("a",)),
        ([(0, ["a"], [NAN]), (1, ["a"], [NAN])], 0, ("a",)),
        ([(3, ["a", "b"], [NAN, 1.0]), (4, ["a", "b"], [1.0, NAN])], 3, ("a",)),
        ([(5, ["a", "b"], [1.0, NAN]), (5, ["c"], [INFINITE])], 5, ("b", "c")),
        ([(6, ["c"], [NAN]), (2, ["a", "b"], [NAN, NAN])], 2, ("a", "b")),
    ],
)
def test_those_of_the_earliest_step_are_named(notes, step, names):
    guard = noted(*notes)
    with pytest.raises(NonFiniteError) as seen:
        guard.raise_if_seen()
    assert (seen.value.step, seen.value.names, seen.value.updated) == (step, names, True)
    assert str(seen.value).startswith(
        f"A loss or gradient is not finite at step {step}: {', '.join(names)}. The weights"
    )
    assert "were updated since; go back to a checkpoint" in str(seen.value)
    guard.raise_if_seen()


def test_what_is_finite_is_no_matter_and_one_look_is_enough():
    noted((0, ["a"], [1.0]), (1, ["a"], [1e30])).raise_if_seen()
    guard = noted((0, ["a"], [NAN]))
    with pytest.raises(
        NonFiniteError, match=r"step 0: a\. The weights of this phase were left as they were\. Ch"
    ) as seen:
        guard.raise_if_seen(updated=False)
    assert not seen.value.updated
    guard.note(["a"], torch.tensor([1.0]), 1)
    guard.raise_if_seen()
