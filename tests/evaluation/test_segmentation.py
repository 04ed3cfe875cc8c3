"""Accuracies and mean IoU, by hand and against torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_jaccard_index

from vtrans.data.palettes import Palette
from vtrans.evaluation import Confusion

PALETTE = Palette(["road", "sky", "car"], [(0, 0, 0), (255, 255, 255), (255, 0, 0)])


def confusion(predicted, truth):
    made = Confusion(PALETTE)
    made.add(predicted=np.array(predicted, np.uint8), truth=np.array(truth, np.uint8))
    return made


def test_a_case_by_hand():
    """Road: 2 of 3 right, union 4; sky: 1 of 2 right, union 3; car: 1 of 1 right, union 1."""
    made = confusion(predicted=[0, 0, 1, 1, 0, 2], truth=[0, 0, 0, 1, 1, 2])
    assert made.counts.tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert made.pixel_accuracy() == pytest.approx(4 / 6)
    assert made.class_accuracy() == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert made.iou() == pytest.approx({"road": 2 / 4, "sky": 1 / 3, "car": 1.0})
    assert made.mean_iou() == pytest.approx((2 / 4 + 1 / 3 + 1) / 3)


def test_a_class_that_neither_shows_does_not_count():
    made = confusion(predicted=[0, 0, 0, 1], truth=[0, 0, 1, 1])
    assert made.class_accuracy() == pytest.approx((1 + 1 / 2) / 2)
    assert made.mean_iou() == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert "car" not in made.iou()


def test_a_class_that_is_predicted_but_never_true_counts_in_the_iou_alone():
    made = confusion(predicted=[0, 2], truth=[0, 0])
    assert made.class_accuracy() == pytest.approx(1 / 2)
    assert made.iou() == {"road": 0.5, "car": 0.0} and made.mean_iou() == pytest.approx(1 / 4)


def test_counts_are_summed_over_the_data_set_and_not_averaged_over_frames():
    made = confusion(predicted=[0] * 9 + [1], truth=[0] * 10)
    made.add(predicted=np.array([1, 0], np.uint8), truth=np.array([1, 1], np.uint8))
    assert made.pixel_accuracy() == pytest.approx(10 / 12)
    assert made.class_accuracy() == pytest.approx((9 / 10 + 1 / 2) / 2)
    assert made.mean_iou() == pytest.approx((9 / 11 + 1 / 3) / 2)


def test_no_class_in_the_truth_is_passed_over():
    made = confusion(predicted=[0, 1, 2], truth=[0, 255, 255])
    assert made.counts.sum() == 1 and made.pixel_accuracy() == 1.0


def test_each_pixel_is_of_the_nearest_colour():
    made = Confusion(PALETTE)
    truth = np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8)
    blurred = np.array([[[60, 60, 60], [200, 30, 20]]], np.uint8)
    made.add_frames(blurred, truth)
    assert made.counts.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_it_agrees_with_torchmetrics():
    random = np.random.default_rng(0)
    predicted, truth = random.integers(0, 3, (2, 4, 8, 8)).astype(np.uint8)
    made = confusion(predicted, truth)
    pair = torch.from_numpy(predicted).long(), torch.from_numpy(truth).long()
    assert made.pixel_accuracy() == pytest.approx(float(multiclass_accuracy(*pair, 3, average="micro")))
    assert made.class_accuracy() == pytest.approx(float(multiclass_accuracy(*pair, 3, average="macro")), rel=1e-5)
    assert made.mean_iou() == pytest.approx(float(multiclass_jaccard_index(*pair, 3)), rel=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match=r"predicted and truth: expected one shape, got \(2,\) and \(3,\)"):
        confusion([0, 0], [0, 0, 0])
    for index in (3, 255):
        with pytest.raises(ValueError, match=f"predicted: expected classes 0 to 2, got {index}"):
            confusion([0, index], [0, 0])
    with pytest.raises(ValueError, match="truth: expected classes 0 to 2, got 3"):
        confusion([0, 0], [255, 3])
    assert confusion([255, 2], [255, 2]).counts.sum() == 1 and not confusion([], []).counts.any()
    for number in (Confusion.mean_iou, Confusion.class_accuracy, Confusion.pixel_accuracy, Confusion.iou):
        with pytest.raises(ValueError, match="truth: expected at least one pixel of a class, got none"):
            number(Confusion(PALETTE))


def test_a_large_palette_and_more_pixels_than_32_bits_count():
    many = Palette([str(i) for i in range(200)], [(i, 0, 0) for i in range(200)])
    made = Confusion(many)
    made.add(predicted=np.array([199, 3], np.uint8), truth=np.array([198, 199], np.uint8))
    assert (
        made.counts.dtype == np.int64 and made.counts[198, 199] == made.counts[199, 3] == 1 and made.counts.sum() == 2
    )
