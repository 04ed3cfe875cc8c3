"""The loop: which clips and which rate each step has, and what is left out."""

from types import SimpleNamespace

import pytest
import torch
from helpers.runs import SETTINGS

from vtrans.data import batches
from vtrans.objectives.guard import NonFiniteError
from vtrans.objectives.reports import StepReport
from vtrans.training import prepare, training_steps


class Watching:
    """Takes no steps, but notes what each would have been taken with."""

    def __init__(self, prepared, optimizers, error=None):
        self.devices, self.optimizers, self.error, self.taken = prepared.devices, optimizers, error, {}

    def __call__(self, parts, step):
        self.taken[step] = parts, {name: o.param_groups[0]["lr"] for name, o in self.optimizers.items()}
        if self.error is not None and step == self.error.step:
            raise self.error
        return StepReport({})


@pytest.fixture(scope="module")
def prepared():
    return prepare(SETTINGS)


def watched(prepared, *, error=None, **options):
    """What each step was taken with, and the numbers of the steps done."""
    optimizers = prepared.model.optimizers()
    stepper = Watching(prepared, optimizers, error)
    loop = training_steps(
        prepared.model, optimizers, prepared.clips_x, prepared.clips_y, **{"stepper": stepper, "steps": 5, **options}
    )
    done = [done for done, _ in loop]
    return stepper.taken, done


def clips_of(prepared, step, batch, seed):
    return next(batches(prepared.clips_x, prepared.clips_y, batch=batch, seed=seed, start=step))


def test_the_clips_of_a_step_depend_on_seed_and_number_alone(prepared):
    """From the third step on, in two parts: the same clips as the batches say, in their order."""
    taken, done = watched(prepared, batch=4, accumulate=2, seed=3, start=2)
    assert done == [3, 4, 5] and list(taken) == [2, 3, 4]
    for step, (parts, _) in taken.items():
        assert [(len(x), len(y)) for x, y in parts] == [(2, 2), (2, 2)]
        x, y = clips_of(prepared, step, 4, 3)
        assert torch.equal(torch.cat([part[0] for part in parts]), x)
        assert torch.equal(torch.cat([part[1] for part in parts]), y)


def test_without_options_a_step_has_one_clip_of_seed_0(prepared):
    taken, done = watched(prepared)
    ((x, y),), rates = taken[0]
    assert done == [1, 2, 3, 4, 5]
    assert torch.equal(x, clips_of(prepared, 0, 1, 0)[0]) and torch.equal(y, clips_of(prepared, 0, 1, 0)[1])
    assert all(rates == {"generators": 2e-4, "discriminators": 2e-4} for _, rates in taken.values())


def test_each_phase_has_its_rate_at_each_step(prepared):
    """Cosine over four steps, 1, (2 + √2)/4, ½, (2 - √2)/4; the first one warms up by half."""
    rates = {"generators": 1.0, "discriminators": 4.0}
    taken, _ = watched(prepared, steps=4, lr=rates, schedule="cosine", rate_warm_up=1)
    expected = [0.5, (2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4]
    assert [rates["generators"] for _, rates in taken.values()] == pytest.approx(expected)
    assert [rates["discriminators"] for _, rates in taken.values()] == pytest.approx([4 * e for e in expected])


def test_every_group_of_an_optimizer_has_the_rate(prepared):
    optimizers = {"generators": torch.optim.SGD([{"params": [torch.zeros(1)]}, {"params": [torch.ones(1)]}], lr=9.0)}
    stepper = Watching(prepared, optimizers)
    for _ in training_steps(
        prepared.model, optimizers, prepared.clips_x, prepared.clips_y, steps=1, lr=0.5, stepper=stepper
    ):
        pass
    assert [group["lr"] for group in optimizers["generators"].param_groups] == [0.5, 0.5]


def test_a_step_left_out_is_counted_and_its_clips_are_passed_over(prepared):
    whole, _ = watched(prepared)
    taken, done = watched(prepared, leave_out=[1, 3])
    assert done == [1, 2, 3, 4, 5] and list(taken) == [0, 2, 4]
    for step in taken:
        assert torch.equal(taken[step][0][0][0], whole[step][0][0][0])


def test_a_step_that_is_not_finite_ends_the_loop_or_is_skipped(prepared):
    error = NonFiniteError(1, ["cycle/x"], updated=False)
    with pytest.raises(NonFiniteError):
        watched(prepared, error=error)
    told = []
    _, done = watched(prepared, error=error, skipped=told.append)
    assert told == [error] and done == [1, 2, 3, 4, 5]
    too_late = NonFiniteError(1, ["cycle/x"], updated=True)
    with pytest.raises(NonFiniteError):
        watched(prepared, error=too_late, skipped=told.append)
    assert told == [error], "what has changed the weights cannot be left out"


def test_without_a_stepper_this_process_takes_the_steps_alone():
    """The same weights as by steps of one's own."""
    first, second = prepare(SETTINGS), prepare(SETTINGS)
    for _ in training_steps(first.model, first.model.optimizers(), first.clips_x, first.clips_y, steps=2, lr=0.01):
        pass
    optimizers = second.model.optimizers(lr=0.01)
    for step in range(2):
        second.model.step(*clips_of(second, step, 1, 0), optimizers, step=step)
    for ours, theirs in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(next(first.model.parameters()), next(prepare(SETTINGS).model.parameters()))


@pytest.mark.parametrize("device", [torch.device("meta"), torch.device("cuda", 1)])
def test_clips_go_to_where_the_model_is(prepared, monkeypatch, device):
    """To a GPU from pinned memory, beside the work of the host; without a GPU: what PyTorch would be asked."""

    class Clip(torch.Tensor):
        pinned = ""

        def pin_memory(self):
            self.pinned = "pinned "
            return self

        def to(self, device, non_blocking=False):
            where.append(f"{self.pinned}{device} {non_blocking}")
            return self

    def drawn(*args, **options):
        yield torch.zeros(1).as_subclass(Clip), torch.zeros(1).as_subclass(Clip)

    where = []
    model = SimpleNamespace(parameters=lambda: iter([SimpleNamespace(device=device)]))
    monkeypatch.setattr("vtrans.training.loop.batches", drawn)
    stepper = Watching(prepared, {})
    list(training_steps(model, {}, prepared.clips_x, prepared.clips_y, steps=1, stepper=stepper))
    assert where == 2 * ["meta False" if device.type == "meta" else "pinned cuda:1 True"]


def test_the_time_that_clips_are_waited_for_is_told(prepared, monkeypatch):
    """By a clock that is at 1, 2, 4, 8, … each time it is looked at."""
    clock = iter(2**number for number in range(100))
    monkeypatch.setattr("vtrans.training.loop.time.perf_counter", lambda: next(clock))
    waits = []
    watched(prepared, steps=3, waited=waits.append)
    assert waits == [1, 4, 16]


def test_a_batch_is_shared_before_anything_is_drawn(prepared):
    with pytest.raises(ValueError, match="batch: expected a multiple of 2, got 3"):
        training_steps(prepared.model, {}, prepared.clips_x, prepared.clips_y, steps=1, batch=3, accumulate=2)


def test_closing_the_loop_closes_the_batches(prepared, monkeypatch):
    closed = []

    def drawn(*args, **options):
        try:
            while True:
                yield torch.zeros(1), torch.zeros(1)
        finally:
            closed.append(True)

    monkeypatch.setattr("vtrans.training.loop.batches", drawn)
    optimizers = prepared.model.optimizers()
    stepper = Watching(prepared, optimizers)
    loop = training_steps(prepared.model, optimizers, prepared.clips_x, prepared.clips_y, steps=9, stepper=stepper)
    next(loop)
    assert not closed
    loop.close()
    assert closed == [True]


def test_workers_and_slices_are_passed_on(prepared, monkeypatch):
    """Of four clips the second of two processes draws two, by three workers."""
    seen = {}

    def drawn(x, y, **options):
        seen.update(options, clips=(x, y))
        yield torch.zeros(2), torch.zeros(2)

    monkeypatch.setattr("vtrans.training.loop.batches", drawn)
    monkeypatch.setattr(prepared.devices, "rank", 1)
    monkeypatch.setattr(prepared.devices, "ranks", 2)
    watched(prepared, steps=1, batch=4, seed=7, workers=3)
    assert seen.pop("clips") == (prepared.clips_x, prepared.clips_y)
    assert seen == {"batch": 2, "seed": 7, "start": 0, "workers": 3, "rank": 1, "ranks": 2}
    watched(prepared, steps=1, batch=2)
    assert seen["workers"] == 0
