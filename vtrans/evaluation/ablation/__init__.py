"""Comparing variants of a method fairly: every variant in every world for every seed, under one budget."""

from vtrans.evaluation.ablation.grid import Cell, Grid
from vtrans.evaluation.ablation.held_out import HeldOut
from vtrans.evaluation.ablation.metrics import Metric, metrics
from vtrans.evaluation.ablation.running import ablate

__all__ = ["Cell", "Grid", "HeldOut", "Metric", "ablate", "metrics"]
