"""Flow, its consistency, and what is measured along it: against known motion."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch

from vtrans.data import Motion, frames_to_tensor, tensor_to_frames, worlds
from vtrans.data.colours import luma
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


def test_a_point_is_lost_where_it_leaves_the_picture():
    """Pixels reach half a pixel beyond their centres: four columns from -0.5 to 3.5, three rows to 2.5."""
    ways = np.zeros((5, 2, 3, 4), np.float32)
    for step, (right, down) in enumerate([(0.5, 0.5), (0.51, 0), (-0.51, 0), (0, 0.51), (0, -0.51)]):
        ways[step, 0], ways[step, 1] = right, down
    lost = inconsistent(ways, -ways)
    expected = np.zeros((5, 3, 4), bool)
    expected[1, :, 3] = expected[2, :, 0] = expected[3, 2] = expected[4, 0] = True
    np.testing.assert_array_equal(lost, expected)
    np.testing.assert_array_equal(inconsistent(-ways[:1], ways[:1]), expected[:1])


@pytest.mark.parametrize(
    ("there", "back", "lost"), [(4, -4.9, False), (4, -5, True), (2, -2.75, False), (2, -2.8, True)]
)
def test_how_far_flow_may_miss_its_start(there, back, lost):
    """Squared at most 0.01 · (there² + back²) + 0.5: 0.81 of 0.9001, 1 of 0.91, 0.5625 of 0.6156, 0.64 of 0.6184."""
    forward, backward = np.zeros((2, 1, 2, 9, 12), np.float32)
    for axis in (0, 1):
        forward[:], backward[:] = 0, 0
        forward[:, axis], backward[:, axis] = there, back
        assert (inconsistent(forward, backward)[0, :4, :4] == lost).all()


def test_both_flows_have_one_shape():
    still = np.zeros((1, 2, 4, 4), np.float32)
    with pytest.raises(
        ValueError, match=r"forward and backward: expected one shape, got \(1, 2, 4, 4\) and \(0, 2, 4, 4\)"
    ):
        inconsistent(still, still[:0])


@pytest.mark.parametrize("channels", [1, 3])
def test_flow_is_dis_from_no_motion_on_grey_values(channels):
    """OpenCV's, with its medium preset, on the 8-bit frames."""
    frames = torch.rand(3, channels, 24, 32) * 2 - 1
    levels = tensor_to_frames(frames)
    greys = (luma(levels) if channels == 3 else levels)[..., 0]
    found = estimate_flow(frames)
    for step, (a, b) in enumerate(pairwise(greys)):
        medium = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        np.testing.assert_array_equal(
            found[step].transpose(1, 2, 0), medium.calc(a, b, np.zeros((24, 32, 2), np.float32))
        )


def test_estimated_motion_forgets_where_flow_back_does_not_agree():
    frames = moving(2)
    motion = estimate_motion(frames)
    back = np.stack([estimate_flow(frames[[step + 1, step]])[0] for step in (0, 1)])
    np.testing.assert_array_equal(motion.flow, estimate_flow(frames))
    np.testing.assert_array_equal(motion.occluded, inconsistent(motion.flow, back))
    assert motion.occluded[:, 8:-8, 8:-8].mean() < 0.05 < motion.occluded[:, :, -2:].mean()


def test_warping_stays_in_the_precision_of_the_frames():
    flow = np.zeros((1, 2, 3, 4), np.float32)
    assert warp(torch.zeros(1, 1, 3, 4, dtype=torch.float64), flow).dtype == torch.float64


def test_a_line_of_pixels_warps_along_itself():
    line = torch.arange(4.0).view(1, 1, 1, 4)
    flow = np.zeros((1, 2, 1, 4), np.float32)
    flow[:, 0] = 1
    assert warp(line, flow).flatten().tolist() == [1, 2, 3, 3]
    assert warp(line.mT, flow[:, ::-1].transpose(0, 1, 3, 2).copy()).flatten().tolist() == [1, 2, 3, 3]


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


def test_sharpness_by_hand():
    """Of each pixel of the upper left 2x2: the differences to the right and down, of the mean channel."""
    grey = torch.tensor([[0.0, 3.0, 4.0], [4.0, 3.0, 3.0], [0.0, 5.0, 0.0]]) / 10
    lengths = [np.hypot(3, 4), np.hypot(1, 0), np.hypot(-1, -4), np.hypot(0, 2)]
    colours = torch.stack([grey - 0.1, grey, grey + 0.1])
    found = sharpness(torch.stack([colours, colours / 2]))
    assert found.tolist() == pytest.approx([np.mean(lengths) / 10, np.mean(lengths) / 20])


@pytest.mark.parametrize("shape", [(1, 3, 1, 4), (1, 3, 4, 1)])
def test_sharpness_needs_two_pixels_each_way(shape):
    with pytest.raises(ValueError, match="frames: expected at least 2x2 pixels, got shape"):
        sharpness(torch.zeros(shape))
    assert sharpness(torch.zeros(1, 3, 2, 2)).tolist() == [0]


@pytest.mark.parametrize("measure", [flicker, sharpness, lambda frames: warping_error(frames, STILL)])
def test_frames_have_four_axes(measure):
    with pytest.raises(ValueError, match=r"frames: expected \(time, channel, height, width\), got shape \(3, 4, 4\)"):
        measure(torch.zeros(3, 4, 4))


STILL = Motion(np.zeros((1, 2, 4, 4), np.float32), np.zeros((1, 4, 4), bool))


def test_warping_error_by_hand():
    """Of two pixels that are seen one changes by 0.5 in a channel of two, the other one by 0.25 in both."""
    frames = torch.zeros(2, 2, 4, 4)
    frames[1, 0, 0, 0], frames[1, :, 0, 1], frames[1, :, 1] = 0.5, 0.25, 1
    occluded = np.ones((1, 4, 4), bool)
    occluded[0, 0, :2] = False
    assert warping_error(frames, replace(STILL, occluded=occluded)).tolist() == [(0.25 + 0.25) / 2]
    with pytest.raises(ValueError, match=r"occluded: expected \(1, 4, 4\), got \(1, 4, 3\)"):
        warping_error(frames, replace(STILL, occluded=occluded[..., :3]))


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
    none = estimate_flow(torch.zeros(1, 3, 16, 20))
    assert none.shape == (0, 2, 16, 20) and none.dtype == np.float32
    assert estimate_motion(torch.zeros(1, 3, 16, 20)).occluded.shape == (0, 16, 20)
