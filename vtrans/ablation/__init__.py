"""Comparing variants of a method fairly: every variant in every world for every seed, under one budget."""

from vtrans.ablation.grid import Cell, Grid
from vtrans.ablation.held_out import HeldOut
from vtrans.ablation.metrics import Metric, metrics
from vtrans.ablation.running import ablate

__all__ = ["Cell", "Grid", "HeldOut", "Metric", "ablate", "metrics"]
