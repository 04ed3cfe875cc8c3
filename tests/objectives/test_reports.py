"""What a phase and a step report: terms by name, their sum, gradients, and what is not finite."""

import pytest
import torch
from torch import nn

from vtrans.algebra.domains import Domain
from vtrans.objectives.reports import LossReport, StepReport

x = Domain("x")


def report(names, values, trained=None, **options):
    weighted = values if isinstance(values, torch.Tensor) else torch.tensor(values)
    return LossReport(names, weighted, options.get("carried", {}), trained or {}, options.get("clips", {}))


def numbers(found):
    return {name: value.item() for name, value in found.items()}


def test_a_report_is_its_terms_and_their_sum():
    found = report(["a/x", "b/x"], [1.0, 2.5])
    assert numbers(found) == {"a/x": 1.0, "b/x": 2.5} and len(found) == 2 and found.total == 3.5
    with pytest.raises(KeyError, match="Unknown term 'a/y'. Did you mean 'a/x'"):
        found["a/y"]


def test_one_name_several_times_is_one_number():
    found = report(["a/x", "b/x", "a/x", "a/x"], [1.0, 2.0, 4.0, 8.0])
    assert numbers(found) == {"a/x": 13.0, "b/x": 2.0} and list(found) == ["a/x", "b/x"] and found.total == 15.0
    assert found.values_tensor().tolist() == [13.0, 2.0]


def test_a_report_is_printed_in_columns():
    assert repr(report(["a/x", "a_long_one/y"], [1.25, 1e-7])).splitlines() == [
        "a/x                        1.25",
        "a_long_one/y               1e-07",
        "total                      1.25",
    ]


def test_a_detached_report_keeps_numbers_clips_and_what_is_carried():
    carried, clips = {x.past: torch.ones(1)}, {x.frames: torch.zeros(1)}
    values = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    found = report(["a/x", "b/x", "a/x"], 1 * values, carried=carried, clips=clips)
    assert found.total.requires_grad and not found.values_tensor().requires_grad
    kept = found.detached()
    assert numbers(kept) == {"a/x": 5.0, "b/x": 2.0} and kept.total == 7.0 and not kept.total.requires_grad
    assert not any(value.requires_grad for value in kept.values())
    assert kept.carried is carried and kept.clips is clips


class Point(nn.Module):
    def __init__(self, *start, **options):
        super().__init__()
        self.at = nn.Parameter(torch.tensor(start), **options)
        self.other = nn.Parameter(torch.zeros(1))


def test_gradient_norms_are_of_each_term_on_each_network_it_trains():
    """a = 3·p₀ + 4·p₁ + q² has the slopes (3, 4) on p and 2q on q; b reaches no other, and c nothing."""
    p, q, other, still = Point(1.0, 1.0), Point(5.0), Point(1.0), Point(1.0, requires_grad=False)
    still.other.requires_grad_(False)
    a, b = 3 * p.at[0] + 4 * p.at[1] + q.at[0].square(), 2 * p.at[0] + still.at[0]
    trained = {"a/x": {"p": p, "q": q}, "b/x": {"still": still, "other": other, "p": p}, "c/x": {}}
    found = report(["a/x", "b/x", "c/x"], torch.stack([a, b, torch.tensor(1.0)]), trained)
    assert found.gradient_norms() == {"a/x": {"p": 5.0, "q": 10.0}, "b/x": {"p": 2.0}, "c/x": {}}
    assert found.gradient_norms()["a/x"]["p"] == 5.0, "as often as one likes"
    found.total.backward()
    assert p.at.grad.tolist() == [5.0, 4.0]


def test_gradient_norms_need_gradients():
    p = Point(1.0)
    with torch.no_grad():
        without = report(["a/x"], torch.stack([p.at[0] * 2]), {"a/x": {"p": p}})
    with pytest.raises(ValueError, match="^gradient_norms: expected a report made with gradients, got one without.$"):
        without.gradient_norms()
    assert report(["a/x"], [1.0], {"a/x": {}}).gradient_norms() == {"a/x": {}}, "a constant trains nothing"


def test_what_is_not_finite_is_named_with_the_step():
    report(["a/x"], [1.0]).raise_if_not_finite()
    broken = report(["a/x", "b/x", "c/y"], [float("nan"), 2.0, float("-inf")])
    named = r"^A loss is not finite{}: a/x = nan, c/y = -inf\. The weights of this phase were left.*Check the clips"
    with pytest.raises(FloatingPointError, match=named.format("")):
        broken.raise_if_not_finite()
    with pytest.raises(FloatingPointError, match=named.format(" at step 0")):
        broken.raise_if_not_finite(0)


def test_reports_of_a_step_join_those_of_its_phases():
    """A term that an earlier phase has too is named after its phase."""
    first, second = report(["a/x", "b/x"], [1.0, 2.0]), report(["c/x", "a/x"], [4.0, 8.0])
    step = StepReport({"one": first, "two": second})
    assert numbers(step) == {"a/x": 1.0, "b/x": 2.0, "c/x": 4.0, "two/a/x": 8.0} and len(step) == 4
    assert step.phases == {"one": first, "two": second}
    assert repr(step) == f"one\n{first!r}\ntwo\n{second!r}"
    with pytest.raises(KeyError, match="Unknown term 'd/x'"):
        step["d/x"]
