"""Batches drawn here, by worker processes or by several ranks: the same clips in the same order."""

import atexit
import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.media import encode, levels, moving, places, ramp, window

from vtrans.data import ArraySequence, Clips, FrameSource, batches, open_source
from vtrans.data.batching import _leave_signals

pytestmark = pytest.mark.filterwarnings("default:.*fork:DeprecationWarning")
ROOT = Path(__file__).resolve().parents[2]


def noise(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 12, 16, 3), dtype=np.uint8)


def clips_of(count=7, seed=0, **options):
    source = FrameSource([ArraySequence(noise(count, seed), name="noise")], name="noise")
    return Clips(source, crop=8, flip=True, cuts=False, **options)


def same(pairs, others):
    pairs, others = list(pairs), list(others)
    assert len(pairs) == len(others) > 0
    for pair, other in zip(pairs, others, strict=True):
        assert isinstance(pair, tuple)
        for mine, theirs in zip(pair, other, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


def workers_left():
    return multiprocessing.active_children()


def test_each_domain_is_drawn_on_its_own_epoch_after_epoch():
    """The same frames in both domains, and the same seed: only independent draws tell them apart."""
    clips = Clips(ramp(12))  # ten clips
    pairs = list(islice(batches(clips, clips, batch=4), 15))
    assert pairs[0][0].shape == pairs[0][1].shape == (4, 3, 3, 8, 8)
    x, y = ([levels(clip) for pair in pairs for clip in pair[domain]] for domain in (0, 1))
    orders = [tuple(first for first, _, _ in drawn[i : i + 10]) for drawn in (x, y) for i in range(0, 60, 10)]
    assert len(set(orders)) == 12
    for order in orders:
        assert sorted(order) == list(range(10))
    assert all(clip == [clip[0], clip[0] + 1, clip[0] + 2] for clip in (*x, *y))


def test_crops_and_flips_of_x_and_y_are_independent_too():
    clips = Clips(places(), crop=8, flip=True)  # one clip, so that only its window is left to draw
    pairs = list(islice(batches(clips, clips), 200))
    x, y = (np.array([window(pair[domain][0]) for pair in pairs]) for domain in (0, 1))
    assert {tuple(w) for w in x} == {tuple(w) for w in y} and len({tuple(w) for w in x}) == 50
    assert np.abs(np.corrcoef(x.T, y.T) - np.eye(6)).max() < 0.28  # 3.9 standard deviations, 99.99 %


def test_other_seeds_draw_other_batches():
    def drawn(batch_seed, clips_seed):
        clips = Clips(ramp(40), seed=clips_seed)
        return [levels(clip)[0] for clip in next(batches(clips, clips, batch=30, seed=batch_seed))[0]]

    assert len({tuple(drawn(*seeds)) for seeds in ((0, 0), (1, 0), (0, 1), (1, 1))}) == 4
    assert drawn(1, 0) == drawn(1, 0)
    clips = Clips(ramp(9))
    pairs = batches(clips, clips)
    same([next(pairs)], [next(batches(clips, clips, batch=1, seed=0, start=0, rank=0, ranks=1))])
    assert not workers_left()


def test_a_batch_depends_on_its_number_alone():
    clips = Clips(places(4), crop=8, flip=True)
    pairs = list(islice(batches(clips, clips, batch=3, seed=3), 12))
    for start in (1, 6, 11):
        same(islice(batches(clips, clips, batch=3, seed=3, start=start), 12 - start), pairs[start:])
    assert not torch.equal(pairs[0][0], pairs[1][0])


def test_sources_of_different_lengths_and_clips_of_one():
    x, y = next(batches(Clips(ramp(3)), Clips(ramp(9)), batch=5))
    assert [levels(clip) for clip in x] == [[0, 1, 2]] * 5
    assert len({tuple(levels(clip)) for clip in y}) == 5


@pytest.mark.parametrize("kept", ["memory", "disk", "no"])
def test_workers_draw_the_same_batches(tmp_path, kept):
    path = encode(tmp_path / "v.mp4", moving(12), options={"g": "4"})
    options = {"crop": 8, "flip": True, "cuts": False, "cache": kept != "no"}
    clips = Clips(open_source(path), size=24, memory=10**6 if kept == "memory" else 0, **options)
    assert clips.kept == kept
    alone = list(islice(batches(clips, clips_of(), batch=3, seed=5, start=2), 9))
    pairs = batches(clips, clips_of(), batch=3, seed=5, start=2, workers=2)
    same(islice(pairs, 9), alone)
    pairs.close()
    assert not workers_left()


def test_ranks_together_see_what_one_sees():
    # Seven and four clips: batches of six cross the ends of epochs.
    x, y = clips_of(9), clips_of(6, seed=1)
    whole = list(islice(batches(x, y, batch=6, seed=1, start=1), 5))
    parts = [islice(batches(x, y, batch=2, seed=1, start=1, rank=rank, ranks=3), 5) for rank in range(3)]
    same([tuple(map(torch.cat, zip(*pairs, strict=True))) for pairs in zip(*parts, strict=True)], whole)


def test_random_state_of_training_is_not_touched():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    pairs = batches(clips_of(), clips_of(), workers=1)
    next(pairs)
    pairs.close()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


class Damaged(ArraySequence):
    in_memory = False

    def _read(self, positions):
        raise ValueError("v.mp4: frame 3 is damaged")


def test_what_fails_in_a_worker_says_why_and_ends_the_workers():
    source = FrameSource([Damaged(noise(5), name="v.mp4")], name="v.mp4")
    clips = Clips(source, memory=0, cuts=False)
    with pytest.raises(ValueError, match="v.mp4: frame 3 is damaged") as caught:
        next(batches(clips, clips, workers=2))
    assert not workers_left()
    assert caught.value is not None


def test_frames_are_decoded_before_the_workers_start(tmp_path, monkeypatch):
    path = encode(tmp_path / "v.mp4", moving(12))
    for memory in (10**6, 0):
        clips = Clips(open_source(path), size=24, memory=memory, cuts=False)
        pairs = batches(clips, clips, workers=1)
        assert not workers_left()
        with monkeypatch.context() as patch:
            for method in ("stream", "_read"):
                patch.setattr(type(clips.source.sequences[0]), method, lambda *_: pytest.fail("decoded again"))
            next(pairs)
        pairs.close()


def test_an_iterator_that_is_dropped_leaves_no_process():
    pairs = batches(clips_of(), clips_of(), workers=2)
    next(pairs)
    assert len(workers_left()) == 2
    del pairs
    gc.collect()
    assert not workers_left()


def test_signals_to_the_group_are_the_main_process_s_to_heed():
    pairs = batches(clips_of(), clips_of(), workers=1)
    alone = list(islice(batches(clips_of(), clips_of()), 20))
    first = next(pairs)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(workers_left()[0].pid, number)
    same([first, *islice(pairs, 19)], alone)
    pairs.close()
    assert not workers_left()


def test_the_end_of_the_program_ends_the_workers_of_an_iterator_that_something_still_holds(monkeypatch):
    at_exit = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(atexit, "unregister", at_exit.remove)
    closed, held = (batches(clips_of(), clips_of(), workers=1) for _ in range(2))
    next(held), next(closed)
    assert len(at_exit) == 2
    closed.close()
    (end,) = at_exit
    assert len(workers_left()) == 1
    end()
    assert not workers_left()


def test_a_worker_heeds_no_signal():
    before = [(number, signal.signal(number, signal.SIG_DFL)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        _leave_signals(0)
        assert [signal.getsignal(number) for number, _ in before] == [signal.SIG_IGN] * 2
    finally:
        for number, handler in before:
            signal.signal(number, handler)


SPAWN = """
import sys
from itertools import islice
import torch
from vtrans.data import Clips, batches, open_source

if __name__ == "__main__":
    torch.multiprocessing.set_start_method("spawn")
    for memory in (10**6, 0):
        clips = Clips(open_source(sys.argv[1]), size=24, crop=16, memory=memory, cuts=False)
        pairs = batches(clips, clips, batch=2, workers=1)
        for (x, y), (other_x, other_y) in islice(zip(pairs, batches(clips, clips, batch=2)), 4):
            assert torch.equal(x, other_x) and torch.equal(y, other_y)
        pairs.close()
        print(clips.kept, clips._store._kept._bytes.is_shared() if memory else "")
"""


@pytest.mark.slow
def test_workers_may_be_spawned(tmp_path):
    (tmp_path / "train.py").write_text(SPAWN)
    path = encode(tmp_path / "v.mp4", moving(12))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(tmp_path / "train.py"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.splitlines() == ["memory True", "disk "], done.stderr


KILLED = """
import sys, time
import numpy as np
from vtrans.data import Clips, batches, open_source

clips = Clips(open_source(np.zeros((9, 3, 8, 8), np.uint8)), cuts=False)
pairs = batches(clips, clips, workers=1)
next(pairs)
import multiprocessing
print(multiprocessing.active_children()[0].pid, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_workers_end_when_training_is_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as main:
        worker = int(main.stdout.readline())
        assert running(worker)
        main.kill()
    deadline = time.monotonic() + 30
    while running(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not running(worker)


def running(process):
    status = Path(f"/proc/{process}/status")
    return status.exists() and "zombie" not in status.read_text()


def test_clips_can_be_pickled():
    clips = clips_of()
    torch.testing.assert_close(pickle.loads(pickle.dumps(clips)).clip(1, 2), clips.clip(1, 2), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch: expected a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
        ({"start": -1}, "start: expected a whole number of at least 0, got -1"),
        ({"workers": -1}, "workers: expected a whole number of at least 0, got -1"),
        ({"ranks": 0}, "ranks: expected a whole number of at least 1, got 0"),
        ({"rank": -1}, "rank: expected a whole number of at least 0, got -1"),
        ({"rank": 2, "ranks": 2}, "rank: expected 0 to 1, as ranks=2, got 2"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        batches(clips_of(), clips_of(), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 2}, r"clips of 3 frames of 8x8 \(height x width\), as clips_x has, got 2 frames of 8x8\."),
        ({"crop": (6, 8)}, "got 3 frames of 6x8. Pass both the same length= and size= or crop="),
    ],
)
def test_clips_that_differ_in_more_than_their_channels_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        batches(Clips(ramp(5)), Clips(ramp(5), **options))
    x, y = next(batches(Clips(ramp(5)), Clips(open_source(np.zeros((5, 1, 8, 8), np.uint8)))))
    assert (x.shape, y.shape) == ((1, 3, 3, 8, 8), (1, 3, 1, 8, 8))
