"""Expressions into the fewest batched network calls, and the programs compiled from them."""

from vtrans.planning.planner import Demand, plan
from vtrans.planning.plans import Call, Plan

__all__ = ["Call", "Demand", "Plan", "plan"]
