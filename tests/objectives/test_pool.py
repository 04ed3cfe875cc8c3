"""The history of fakes."""

import pytest
import torch
from helpers.models import build, clips, randomize

from vtrans.losses import Adversarial
from vtrans.objectives.pool import HistoryPool


def numbered(start, count):
    return torch.arange(start, start + count, dtype=torch.float64).view(count, 1, 1, 1, 1)


def test_about_half_of_the_frames_are_exchanged_for_kept_ones():
    pool = HistoryPool(50, seed=3)
    assert torch.equal(pool.query(numbered(0, 50)), numbered(0, 50))
    shown = numbered(50, 4000)
    given = pool.query(shown)
    exchanged = (given != shown).double().mean().item()
    assert 0.46 < exchanged < 0.54
    assert (given <= shown).all(), "only earlier frames come back"
    assert len(set(given.flatten().tolist())) == len(given), "a frame is given back once: it leaves the history"
    assert len(pool.images) == 50


def test_it_draws_from_its_own_generator():
    torch.manual_seed(0)
    first, other = HistoryPool(2, seed=1), HistoryPool(2, seed=2)
    before = torch.get_rng_state()
    mine, theirs = first.query(numbered(0, 200)), other.query(numbered(0, 200))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(mine, theirs)
    assert torch.equal(HistoryPool(2, seed=1).query(numbered(0, 200)), mine)
    assert torch.equal(HistoryPool(2).query(numbered(0, 200)), HistoryPool(2, seed=0).query(numbered(0, 200)))


def test_it_goes_on_from_a_saved_state():
    pool, copy = HistoryPool(3, seed=0), HistoryPool(3, seed=9)
    pool.query(numbered(0, 20))
    state = pool.state_dict()
    copy.load_state_dict(state)
    assert torch.equal(pool.query(numbered(20, 100)), copy.query(numbered(20, 100)))


def test_a_kept_frame_comes_back_in_the_precision_of_those_shown():
    pool = HistoryPool(1)
    pool.query(numbered(0, 1))
    given = pool.query(numbered(1, 20).float())
    assert given.dtype == torch.float32 and given.flatten().tolist() != list(range(1, 21))


def test_frames_of_another_size_are_refused():
    pool = HistoryPool(3)
    pool.query(torch.zeros(1, 1, 3, 4, 4))
    with pytest.raises(ValueError, match=r"^frames: expected the shape of the kept images, \(3, 4, 4\), got \(3, 8"):
        pool.query(torch.zeros(1, 1, 3, 8, 8))


def test_a_kept_frame_is_a_copy():
    pool, frames = HistoryPool(1), torch.zeros(1, 1, 1, 2, 2)
    pool.query(frames)
    frames.fill_(7.0)
    assert pool.images[0].sum() == 0


@pytest.mark.parametrize("size", [0, -1, 1.5, "a", True])
def test_wrong_sizes_are_refused(size):
    with pytest.raises(ValueError, match="size: expected a whole number above 0, got"):
        HistoryPool(size)


def test_foreign_states_are_refused():
    with pytest.raises(ValueError, match=r"state: expected what state_dict\(\) gave, got no images and no random"):
        HistoryPool(1).load_state_dict({})
    large = HistoryPool(3)
    large.query(numbered(0, 3))
    with pytest.raises(ValueError, match="state: expected at most 1 images, got 3 images"):
        HistoryPool(1).load_state_dict(large.state_dict())


def test_a_model_teaches_its_discriminators_from_the_history_in_the_published_order():
    x, y = clips(3, batch=1)
    model = build("recycle_gan", losses={"adversarial": {"pool": 1}}, seed=4).double()
    randomize(model)
    assert {pool.size for pool in model.pools.values()} == {1}
    twin = build("recycle_gan", seed=4).double()
    twin.load_state_dict(model.state_dict())
    report = model.generator_loss(x, y)
    fakes = {stream: frames for stream, frames in report.carried.items() if stream.domain == "y"}
    shapes = [frames.shape[0] for frames in fakes.values()]
    assert shapes == [2, 1, 1], "translated, predicted from them, predicted from real frames"
    pool = HistoryPool(1)
    pool.load_state_dict(model.pools["y"].state_dict())
    given = torch.cat([pool.query(frames) for frames in fakes.values()])
    judge = model.networks["D_Y"]
    real = torch.stack([y[:, 0], y[:, 1], y[:, 2], y[:, 2]])
    expected = sum(
        0.5 * ((judge(r) - 1).square().mean() + judge(f).square().mean()) for r, f in zip(real, given, strict=True)
    )
    assert not torch.equal(given, torch.cat([*fakes.values()])), "otherwise this test shows nothing"
    taught = model.discriminator_loss(x, y, reuse=report)["discriminator/y"]
    torch.testing.assert_close(taught, expected, rtol=1e-12, atol=0)
    assert not twin.pools


def test_no_history_where_windows_are_judged():
    judge = ("temporal_patch", {"window": 2, "width": 2, "layers": 1})
    with pytest.raises(ValueError, match="pool: expected 0 where D_. looks at windows of frames, got 5"):
        build("recycle_gan", losses={"adversarial": {"pool": 5}}, discriminator=judge)
    assert Adversarial().pool == 0
