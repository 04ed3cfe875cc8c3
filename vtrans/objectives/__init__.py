"""What a phase minimises: its terms and total, its reports, the history of fakes, and how all of it is run."""

from vtrans.objectives.phases import Phase
from vtrans.objectives.pool import HistoryPool
from vtrans.objectives.reports import LossReport, StepReport

__all__ = ["HistoryPool", "LossReport", "Phase", "StepReport"]
