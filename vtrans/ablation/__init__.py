"""Comparing variants of a method fairly: every variant in every world for every seed, under one budget."""

from vtrans.ablation.grid import Cell, Grid
from vtrans.ablation.running import ablate
from vtrans.evaluation import Metric, metrics

__all__ = ["Cell", "Grid", "Metric", "ablate", "metrics"]
