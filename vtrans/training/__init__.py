"""The reference trainer: settings, the loop, checkpoints that continue exactly, and what a run leaves behind."""

from vtrans.training.checkpoints import load_checkpoint, model_folder, save_checkpoint
from vtrans.training.loop import training_steps
from vtrans.training.preparation import Preparation, prepare
from vtrans.training.rates import rate_factor
from vtrans.training.settings import DataSettings, ModelSettings, TrainingSettings
from vtrans.training.trainer import Outcome, train

__all__ = [
    "DataSettings",
    "ModelSettings",
    "Outcome",
    "Preparation",
    "TrainingSettings",
    "load_checkpoint",
    "model_folder",
    "prepare",
    "rate_factor",
    "save_checkpoint",
    "train",
    "training_steps",
]
