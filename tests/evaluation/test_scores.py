"""Scores match independent implementations and their definitions."""

import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from vtrans.evaluation import l1, psnr, ssim


@pytest.fixture
def frames():
    truth = torch.rand(4, 3, 24, 32) * 2 - 1
    return (truth + 0.2 * torch.randn_like(truth)).clamp(-1, 1), truth


def test_psnr_matches_torchmetrics(frames):
    expected = [peak_signal_noise_ratio(a, b, data_range=2.0) for a, b in zip(*frames, strict=True)]
    assert psnr(*frames) == pytest.approx(float(torch.stack(expected).mean()), rel=1e-5)


def test_ssim_is_its_definition(frames):
    """Written out with convolutions that see whole windows alone; torchmetrics pads the border instead."""
    a, b = ((part.double() + 1) / 2 for part in frames)
    line = torch.exp(-((torch.arange(11.0).double() - 5) ** 2) / (2 * 1.5**2))
    window = torch.outer(line, line) / line.sum() ** 2

    def mean(values):
        return torch.nn.functional.conv2d(values, window.expand(3, 1, 11, 11), groups=3)

    spread_a, spread_b = mean(a * a) - mean(a) ** 2, mean(b * b) - mean(b) ** 2
    common = mean(a * b) - mean(a) * mean(b)
    c1, c2 = 0.01**2, 0.03**2
    means = (2 * mean(a) * mean(b) + c1) / (mean(a) ** 2 + mean(b) ** 2 + c1)
    assert ssim(*frames) == pytest.approx(float((means * (2 * common + c2) / (spread_a + spread_b + c2)).mean()))


def test_l1_is_the_mean_difference(frames):
    assert l1(*frames) == pytest.approx(float((frames[0] - frames[1]).abs().mean()), rel=1e-5)


def test_equal_frames_have_the_best_scores(frames):
    _, truth = frames
    assert psnr(truth, truth) == float("inf")
    assert ssim(truth, truth) == pytest.approx(1.0)
    assert l1(truth, truth) == 0.0


@pytest.mark.parametrize("score", [psnr, ssim, l1])
def test_clips_of_any_leading_axes(score, frames):
    a, b = (part.unflatten(0, (2, 2)) for part in frames)
    assert score(a, b) == pytest.approx(score(*frames))
    with pytest.raises(ValueError, match="translated and truth: expected one shape"):
        score(a, b[:1])


def test_ssim_needs_a_window():
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
