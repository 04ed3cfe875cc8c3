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


def test_by_hand():
    """Differences of 0.2 in one of two frames, 0.02 in the other: 20 and 40 dB. Brightness 0.5 against 0 has the SSIM
    (2 · 0.5 · 0 + 0.01²) / (0.5² + 0² + 0.01²)."""
    clean, off = torch.zeros(2, 3, 11, 11), torch.tensor([0.2, -0.02]).view(2, 1, 1, 1).expand(-1, 3, 11, 11)
    assert psnr(clean, off) == pytest.approx(30) and l1(clean, off) == pytest.approx(0.11)
    assert ssim(clean, clean - 1) == pytest.approx(0.0001 / 0.2501)
    assert l1(clean[0], off[0]) == pytest.approx(0.2)


@pytest.mark.parametrize("score", [psnr, ssim, l1])
def test_scores_are_measured_in_double_precision_and_keep_no_graph(score, frames):
    a, b = frames
    assert score(a.requires_grad_(), b) == score(a.detach().double(), b.double())
    for axes in ((16, 16), (16,)):
        with pytest.raises(ValueError, match=r"one shape \(…, channel, height, width\), got \(16.*\) and \(16.*\)"):
            score(torch.zeros(axes), torch.zeros(axes))


@pytest.mark.parametrize(("height", "width"), [(10, 16), (16, 10)])
def test_ssim_needs_a_window(height, width):
    with pytest.raises(ValueError, match=rf"at least 11x11 pixels, got \({height}, {width}\)"):
        ssim(torch.zeros(1, 3, height, width), torch.zeros(1, 3, height, width))
