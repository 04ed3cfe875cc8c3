"""The threads ahead of a loop and behind it: order, bounds, errors, and that none is left."""

import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vtrans.data import frames_to_tensor, tensor_to_frames
from vtrans.training.pipeline import ahead, behind
from vtrans.training.transfer import Transfer, levels_to_tensor, tensor_to_levels


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def numbers(count, closed=None):
    try:
        yield from range(count)
    finally:
        if closed is not None:
            closed.append(threading.current_thread())


@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_nothing_is_lost_and_order_is_kept(depth, count):
    taken = []
    with ahead(numbers(count), depth) as items, behind(taken.append, depth) as give:
        for item in items:
            give(item)
    assert taken == list(range(count))


def test_work_ahead_is_bounded():
    drawn = []

    def items():
        for number in range(100):
            drawn.append(number)
            yield number

    with ahead(items(), depth=3) as taken:
        next(taken)
        time.sleep(0.1)
        assert len(drawn) <= 5, "one taken, three waiting, one in hand"


def test_work_behind_is_bounded():
    gate, given_over = threading.Event(), []
    with behind(lambda _: gate.wait(), depth=3) as give:

        def hand_over():
            for number in range(10):
                give(number)
                given_over.append(number)

        thread = threading.Thread(target=hand_over)
        thread.start()
        time.sleep(0.1)
        assert len(given_over) <= 4, "one in work, three waiting"
        gate.set()
        thread.join()
    assert len(given_over) == 10


def test_the_stages_work_at_the_same_time():
    """Each waits for both others: one after the other, they would wait for ever."""
    meeting = threading.Barrier(3, timeout=10)

    def items():
        for number in range(3):
            if number == 2:
                meeting.wait()
            yield number

    def take(number):
        if number == 0:
            meeting.wait()

    with ahead(items(), 2) as taken, behind(take, 2) as give:
        for number in taken:
            if number == 1:
                meeting.wait()
            give(number)


def test_an_error_ahead_comes_after_what_was_before():
    def items():
        yield 1
        raise KeyError("broken")

    seen = []
    with pytest.raises(KeyError, match="broken"), ahead(items(), 4) as taken:
        for item in taken:
            seen.append(item)
    assert seen == [1]


@pytest.mark.parametrize("count", [1, 2, 100])
def test_an_error_behind_stops_the_others(count):
    closed, seen = [], []

    def take(number):
        seen.append(number)
        raise KeyError(f"broken at {number}")

    with pytest.raises(KeyError, match="broken at 0"):
        with ahead(numbers(10**9 if count == 100 else count, closed), 2) as items, behind(take, 2) as give:
            for item in items:
                give(item)
    assert len(closed) == 1 and seen == [0], "nothing is taken after it"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_between_stops_both(error):
    closed, taken = [], []

    def slow(number):
        time.sleep(0.05)
        taken.append(number)

    began = time.perf_counter()
    with pytest.raises(error):
        with ahead(numbers(10**9, closed), 2) as items, behind(slow, 50) as give:
            for item in items:
                give(item)
                if item == 40:
                    raise error
    assert closed[0] is not threading.main_thread(), "closed by the thread that drew from it"
    assert len(taken) < 40 and time.perf_counter() - began < 2, "what waited is dropped"


FRAMES = np.arange(256, dtype=np.uint8).reshape(1, 8, 32, 1).repeat(3, 3)


def test_levels_on_a_device_are_the_library_s():
    """The forms for a GPU, run where there is none, against those for the CPU: the same bits."""
    tensor = levels_to_tensor(torch.from_numpy(FRAMES))
    assert torch.equal(tensor, frames_to_tensor(FRAMES)) and tensor.is_contiguous()
    levels, bad = tensor_to_levels(tensor)
    np.testing.assert_array_equal(levels.numpy(), FRAMES)
    assert not bad


@given(st.lists(st.floats(-3, 3, width=32), min_size=12, max_size=12))
def test_rounding_on_a_device_is_the_library_s(values):
    tensor = torch.tensor(values).reshape(1, 3, 2, 2)
    levels, bad = tensor_to_levels(tensor)
    np.testing.assert_array_equal(levels.numpy(), tensor_to_frames(tensor))
    assert not bad
    tensor[0, 0, 0, 0] = torch.nan
    assert tensor_to_levels(tensor)[1]


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
def test_there_and_back(device):
    transfer = Transfer(torch.device(device))
    frames = np.random.default_rng(0).integers(0, 256, (5, 33, 47, 3), np.uint8)
    there = transfer.up(frames)()
    assert torch.equal(there.cpu(), frames_to_tensor(frames))
    np.testing.assert_array_equal(transfer.down(there)(), frames)
    with pytest.raises(ValueError, match="tensor: expected numbers, got NaN"):
        transfer.down(torch.full((1, 3, 2, 2), torch.nan, device=device))()
