"""Flow, its consistency, and what is measured along it: against known motion."""

import numpy as np
import pytest
import torch

from vtrans.data import Motion, frames_to_tensor, worlds
from vtrans.evaluation import estimate_flow, estimate_motion, flicker, flow_difference, sharpness, warp, warping_error
from vtrans.evaluation.flow import inconsistent


def texture(height, width):
    """A smooth random picture, that flow can hold on to."""
    noise = torch.rand(1, 1, height, width)
    smooth = torch.nn.functional.avg_pool2d(noise, 5, stride=1, padding=2)
    return ((smooth - smooth.min()) / (smooth.max() - smooth.min()) * 2 - 1).expand(-1, 3, -1, -1)


def moving(steps, right=2, down=1, side=48):
    """A picture that moves by whole pixels."""
    big = texture(side + 8 * steps, side + 8 * steps)
    start = 4 * steps
    return torch.cat(
        [
            big[:, :, start - down * t : start - down * t + side, start - right * t : start - right * t + side]
            for t in range(steps + 1)
        ]
    )


def test_estimated_flow_is_the_known_motion():
    flow = estimate_flow(moving(2))
    assert flow.shape == (2, 2, 48, 48) and flow.dtype == np.float32
    inner = flow[:, :, 8:-8, 8:-8]
    assert np.abs(inner[:, 0] - 2).mean() < 0.05 and np.abs(inner[:, 1] - 1).mean() < 0.05


def test_estimated_flow_is_near_that_of_a_world():
    truth = worlds.create("street", size=96).truth(1, 3)
    estimated = estimate_motion(frames_to_tensor(truth.x[0]))
    seen = ~(truth.motion_x.occluded[0] | estimated.occluded)
    apart = np.sqrt(((estimated.flow - truth.motion_x.flow[0]) ** 2).sum(1))
    still = np.sqrt((truth.motion_x.flow[0] ** 2).sum(1))
    assert apart[seen].mean() < 0.5 * still[seen].mean()


def test_what_a_world_knows_to_be_hidden_is_found():
    """Most of what leaves the picture or goes behind something is masked, and little else."""
    truth = worlds.create("street", size=128).truth(1, 3)
    found, hidden = estimate_motion(frames_to_tensor(truth.x[0])).occluded, truth.motion_x.occluded[0]
    assert found[hidden].mean() > 0.7 and found[~hidden].mean() < 0.1


def test_consistency_by_hand():
    forward = np.zeros((1, 2, 3, 8), np.float32)
    forward[:, 0] = 2
    backward = np.zeros_like(forward)
    backward[:, 0] = -2
    backward[:, 0, :, 3] = 1
    marked = inconsistent(forward, backward)[0]
    assert marked[0].tolist() == [False, True, False, False, False, False, True, True]
    just = np.float32(np.sqrt(0.5 + 0.01 * 0.5) - 0.01)
    assert not inconsistent(0 * forward, np.full_like(forward, just / np.sqrt(2))).any()


def test_warping_samples_where_flow_leads():
    frames = torch.arange(12.0).view(1, 1, 3, 4)
    flow = np.zeros((1, 2, 3, 4), np.float32)
    flow[0, 0, 1, 1], flow[0, 1, 1, 1] = 1, -1
    flow[0, 0, 2, 0] = 0.25
    warped = warp(frames, flow)[0, 0]
    expected = frames[0, 0].clone()
    expected[1, 1], expected[2, 0] = frames[0, 0, 0, 2], 8.25
    torch.testing.assert_close(warped, expected)
    with pytest.raises(ValueError, match=r"flow: expected \(1, 2, 3, 4\), for frames \(1, 1, 3, 4\)"):
        warp(frames, flow[..., :2])


def test_warping_error_is_zero_along_the_true_motion_and_counts_what_is_seen_alone():
    frames = moving(2)
    flow = np.zeros((2, 2, 48, 48), np.float32)
    flow[:, 0], flow[:, 1] = 2, 1
    occluded = np.zeros((2, 48, 48), bool)
    occluded[:, :, -2:] = occluded[:, -1:] = True
    torch.testing.assert_close(
        warping_error(frames, Motion(flow, occluded)), torch.zeros(2).double(), atol=1e-5, rtol=0
    )
    brighter = frames.clone()
    brighter[1] += 0.25
    errors = warping_error(brighter, Motion(flow, occluded))
    torch.testing.assert_close(errors, torch.full((2,), 0.25).double(), atol=1e-5, rtol=0)
    assert warping_error(frames, Motion(flow, np.ones_like(occluded))).isnan().all()


def test_without_motion_the_warping_error_is_the_flicker():
    frames = torch.rand(3, 3, 8, 8) * 2 - 1
    still = Motion(np.zeros((2, 2, 8, 8), np.float32), np.zeros((2, 8, 8), bool))
    torch.testing.assert_close(warping_error(frames, still), flicker(frames))
    torch.testing.assert_close(flicker(frames)[1], (frames[2] - frames[1]).abs().double().mean())


def test_a_world_s_own_motion_explains_its_frames_better_than_standing_still():
    truth = worlds.create("retarget", size=48).truth(1, 4)
    frames = frames_to_tensor(truth.x[0])
    motion = Motion(truth.motion_x.flow[0], truth.motion_x.occluded[0])
    assert warping_error(frames, motion).mean() < 0.6 * flicker(frames).mean()


def test_flow_difference_is_the_mean_length():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 3, 2, 4, 5)).astype(np.float32)
    expected = [
        np.mean([np.hypot(*(a[t, :, r, c] - b[t, :, r, c])) for r in range(4) for c in range(5)]) for t in range(3)
    ]
    assert flow_difference(a, b).tolist() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="flow and truth: expected one shape"):
        flow_difference(a, b[:1])


def test_blur_lowers_sharpness_and_noise_raises_it():
    frames = texture(32, 32)
    blurred = torch.nn.functional.avg_pool2d(frames, 5, stride=1, padding=2)
    sharp, soft, noisy = (float(sharpness(f)) for f in (frames, blurred, frames + 0.3 * torch.randn_like(frames)))
    assert soft < 0.6 * sharp < sharp < noisy


@pytest.mark.parametrize("frames", [torch.zeros(2, 3, 11, 40), torch.zeros(2, 2, 16, 16), torch.zeros(3, 16, 16)])
def test_flow_refuses_what_it_cannot_see(frames):
    with pytest.raises(ValueError, match="at least 12x12 pixels, got shape"):
        estimate_flow(frames)


def test_one_frame_has_no_flow():
    assert estimate_flow(torch.zeros(1, 3, 16, 20)).shape == (0, 2, 16, 20)
