"""How good a translation is: scores against the truth, and pictures to judge by eye."""

from vtrans.evaluation.scores import l1, psnr, ssim
from vtrans.evaluation.translations import recycled

__all__ = ["l1", "psnr", "recycled", "ssim"]
