"""Distances of features against closed forms, NumPy and torchmetrics."""

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from vtrans.evaluation import Moments, frechet_distance, kernel_distance
from vtrans.evaluation.fidelity import Reservoir


def moments(features, pieces=3):
    made = Moments(features.shape[1])
    for piece in features.chunk(pieces):
        made.add(piece)
    return made


def gaussian(mean, covariance):
    made = Moments(len(mean))
    made.mean, made.count = torch.tensor(mean, dtype=torch.float64), 2
    made._scatter = torch.tensor(covariance, dtype=torch.float64)
    return made


def test_moments_that_stream_by_are_those_of_all():
    features = torch.randn(50, 4).double() * 3 + 100
    made = moments(features, pieces=7)
    np.testing.assert_allclose(made.mean, features.numpy().mean(axis=0))
    np.testing.assert_allclose(made.covariance(), np.cov(features.numpy(), rowvar=False))
    made.add(features[:0])
    assert made.count == 50


def test_moments_far_from_zero_are_as_precise():
    """A sum of squares minus the square of the mean would lose all digits here."""
    features = torch.randint(0, 10, (50, 3)).double()
    near, far = moments(features), moments(features + 1e9)
    torch.testing.assert_close(far.covariance(), near.covariance(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(far.mean - 1e9, near.mean, rtol=0, atol=1e-6)


def test_closed_forms():
    """Of normal distributions with commuting covariances: the means' distance and that of the standard deviations."""
    a = gaussian([0.0, 1.0], [[4.0, 0.0], [0.0, 9.0]])
    b = gaussian([3.0, 1.0], [[1.0, 0.0], [0.0, 25.0]])
    assert frechet_distance(a, b) == pytest.approx(9 + (2 - 1) ** 2 + (3 - 5) ** 2)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_frechet_is_numpy_s_with_a_square_root_by_its_own_eigenvalues():
    """The general root of C_a C_b, which is not symmetric, by its eigenvalues: not how it is computed."""
    a, b = torch.randn(60, 5) @ torch.randn(5, 5), torch.randn(40, 5) @ torch.randn(5, 5) + 1
    of_a, of_b = (np.cov(part.double().numpy(), rowvar=False) for part in (a, b))
    apart = a.double().mean(0).numpy() - b.double().mean(0).numpy()
    root = np.sqrt(np.linalg.eigvals(of_a @ of_b).astype(complex)).sum().real
    expected = apart @ apart + np.trace(of_a) + np.trace(of_b) - 2 * root
    assert frechet_distance(moments(a), moments(b)) == pytest.approx(expected, rel=1e-9)


def test_frechet_agrees_with_torchmetrics():
    class Pooled(nn.Module):
        num_features = 12

        def forward(self, images):
            return nn.functional.adaptive_avg_pool2d(images.float() / 127.5 - 1, 2).flatten(1)

    real, made = torch.randint(0, 256, (2, 40, 3, 8, 8), dtype=torch.uint8)
    made = made // 2
    theirs = FrechetInceptionDistance(feature=Pooled(), normalize=False, input_img_size=(3, 8, 8))
    theirs.update(real, real=True)
    theirs.update(made, real=False)
    ours = frechet_distance(*(moments(Pooled()(part)) for part in (real, made)))
    assert ours == pytest.approx(float(theirs.compute()), rel=1e-4)


def test_frechet_of_fewer_features_than_numbers_is_finite():
    a, b = torch.randn(2, 5, 20)
    assert 0 < frechet_distance(moments(a), moments(b)) < np.inf


def test_kernel_distance_agrees_with_torchmetrics_and_its_definition():
    a, b = torch.randn(11, 4).double(), torch.randn(11, 4).double() + 0.5
    kernels = [(u @ v.T / 4 + 1) ** 3 for u, v in ((a, a), (b, b), (a, b))]
    assert kernel_distance(a, b) == pytest.approx(float(poly_mmd(a, b)))
    pairs = [(k.sum() - k.diagonal().sum()) / 110 for k in kernels[:2]]
    assert kernel_distance(a, b) == pytest.approx(float(sum(pairs) - 2 * kernels[2].mean()))


def test_kernel_distance_is_unbiased():
    """The mean over many small samples of one distribution is zero, up to its standard error."""
    found = torch.tensor([kernel_distance(*torch.randn(2, 6, 3)) for _ in range(600)])
    assert abs(found.mean()) < 4 * found.std() / 600**0.5


def test_a_reservoir_keeps_each_as_likely():
    kept = []
    for seed in range(400):
        reservoir = Reservoir(3, seed=seed)
        for part in torch.arange(12.0).view(-1, 1).split(5):
            reservoir.add(part)
        kept += reservoir.kept().flatten().int().tolist()
    counts = np.bincount(kept, minlength=12)
    assert counts.sum() == 1200 and ((counts - 100) ** 2 / 100).sum() < 31.3  # chi-squared, 11 degrees, p = 0.001


def test_a_reservoir_keeps_all_up_to_its_capacity_and_the_same_ones_in_every_run():
    features = torch.arange(40.0).view(20, 2)
    few, first, second = Reservoir(20), Reservoir(5), Reservoir(5)
    few.add(features)
    assert torch.equal(few.kept(), features.double())
    for part in (features, features[:7], features[7:]):
        (first if len(part) == 20 else second).add(part)
    assert first.kept().shape == (5, 2) and torch.equal(first.kept(), second.kept())
    other = Reservoir(5, seed=1)
    other.add(features)
    assert not torch.equal(other.kept(), first.kept())


def test_kernel_distance_by_hand():
    """Under (u · v / 2 + 1)³ of (0, 0), (2, 0) and (0, 2), (0, 4): within 1; across 1, 1, 1, 1. And with (2, 2)."""
    a, b = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[0.0, 2.0], [0.0, 4.0]])
    assert kernel_distance(a, b) == 1 + (2 * 4 / 2 + 1) ** 3 - 2 * 1
    c = torch.tensor([[2.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    assert kernel_distance(a, c) == pytest.approx(1 + 1 - 2 * (5 * 1 + 27) / 6)


def test_kernels_are_summed_over_more_features_than_a_block_holds():
    a = torch.zeros(1500, 1)
    a[0] = 1
    b = torch.ones(1001, 1)
    within_a = 1  # no two of them are 1
    assert kernel_distance(a, b) == pytest.approx(within_a + 8 - 2 * (1499 * 1 + 8) / 1500)


def test_refusals():
    with pytest.raises(ValueError, match="at least 2 for a covariance, got 1"):
        frechet_distance(moments(torch.zeros(1, 3)), moments(torch.zeros(2, 3)))
    with pytest.raises(ValueError, match="features of one size, got 3 and 2"):
        frechet_distance(moments(torch.zeros(2, 3)), moments(torch.zeros(2, 2)))
    good = torch.zeros(2, 3)
    for wrong in (good[:1], good[:, :2], good[0], good[None]):
        for a, b in ((wrong, good), (good, wrong)):
            with pytest.raises(ValueError, match=r"a and b: expected \(2 or more, d\) each"):
                kernel_distance(a, b)
    assert kernel_distance(good, good) == 0
